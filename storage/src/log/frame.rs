//! Batches and the entries in them: what one group commit writes, as bytes.
//!
//! A batch is written by one write, starts at a block boundary and is padded with zeros to the
//! next, so that a torn write never damages an earlier batch. Integers are little endian. The
//! batch checksums are seeded with the segment's random salt: neither bytes left from an earlier
//! use of the file nor bytes chosen by a user can look like a batch of this segment.
//!
//! | offset | width | batch field |
//! |---|---|---|
//! | 0 | 4 | `RFB1` |
//! | 4 | 4 | CRC32C of bytes 8..64, seeded with the salt |
//! | 8 | 8 | generation of the segment |
//! | 16 | 8 | sequence: number of the batch in the log, from 1, counting on across segments |
//! | 24 | 8 | index of the first entry (of the next one to come, if there is none) |
//! | 32 | 8 | term of the entry before it |
//! | 40 | 8 | largest index known to be committed when the batch was written |
//! | 48 | 4 | number of entries |
//! | 52 | 4 | bytes of the body |
//! | 56 | 4 | CRC32C of the body, seeded with the salt |
//! | 60 | 1 | kind: 0 continues, 1 cuts off what was at the first index and behind, 2 starts anew |
//! | 61 | 3 | zero |
//! | 64 | ... | the body: entries, each padded with zeros to a multiple of 8 |
//!
//! | offset | width | entry field |
//! |---|---|---|
//! | 0 | 4 | CRC32C of bytes 4..32 and the payload |
//! | 4 | 4 | bytes of the payload |
//! | 8 | 8 | generation of the segment |
//! | 16 | 8 | index |
//! | 24 | 8 | term |
//! | 32 | ... | payload |

use bytes::Bytes;
use crc32c::{crc32c, crc32c_append};

use super::{EntryId, LogEntry};
use crate::disk::BLOCK;

/// First bytes of a batch.
pub const BATCH_MAGIC: [u8; 4] = *b"RFB1";
/// Bytes before the body.
pub const BATCH_HEADER_LEN: usize = 64;
/// Bytes before a payload.
pub const ENTRY_HEADER_LEN: usize = 32;
/// Entries are padded to a multiple of this.
const ENTRY_ALIGN: usize = 8;

/// How a batch joins what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its first entry follows the last one.
    Continue,
    /// Entries from its first index on are void.
    Cut,
    /// Everything before it is void: the log restarts behind a snapshot.
    Restart,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Continue => 0,
            Self::Cut => 1,
            Self::Restart => 2,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Continue),
            1 => Some(Self::Cut),
            2 => Some(Self::Restart),
            _ => None,
        }
    }
}

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Generation of the segment.
    pub generation: u64,
    /// Number of the batch in the log.
    pub sequence: u64,
    /// The entry before its first.
    pub previous: EntryId,
    /// Commit index known when it was written.
    pub committed: u64,
    /// Entries in it.
    pub entries: u32,
    /// Bytes of them.
    pub body_len: u32,
    /// Checksum of them.
    pub body_crc: u32,
    /// How it joins what is before it.
    pub kind: Kind,
}

/// Bytes of an entry in a body.
#[must_use]
pub const fn entry_len(payload_len: usize) -> usize {
    (ENTRY_HEADER_LEN + payload_len).next_multiple_of(ENTRY_ALIGN)
}

/// Bytes of a batch in its segment, padding included.
#[must_use]
pub const fn batch_len(body_len: usize) -> usize {
    (BATCH_HEADER_LEN + body_len).next_multiple_of(BLOCK)
}

/// What of a batch its writer decides.
#[derive(Debug, Clone, Copy)]
pub struct BatchStart {
    /// Generation of the segment.
    pub generation: u64,
    /// Salt of the segment.
    pub salt: u32,
    /// Number of the batch in the log.
    pub sequence: u64,
    /// The entry before its first.
    pub previous: EntryId,
    /// Commit index known now.
    pub committed: u64,
    /// How it joins what is before it.
    pub kind: Kind,
}

/// Writes a batch to the front of `out`, which has room for it; its padded length.
pub fn encode_batch(start: BatchStart, entries: &[LogEntry], out: &mut [u8]) -> usize {
    let mut at = BATCH_HEADER_LEN;
    for entry in entries {
        let end = at + entry_len(entry.payload.len());
        encode_entry(start.generation, entry, &mut out[at..end]);
        at = end;
    }
    let padded = batch_len(at - BATCH_HEADER_LEN);
    out[at..padded].fill(0);
    let body_crc = crc32c_append(start.salt, &out[BATCH_HEADER_LEN..at]);
    let body_len = (at - BATCH_HEADER_LEN) as u32;
    let header = &mut out[..BATCH_HEADER_LEN];
    header.fill(0);
    header[0..4].copy_from_slice(&BATCH_MAGIC);
    header[8..16].copy_from_slice(&start.generation.to_le_bytes());
    header[16..24].copy_from_slice(&start.sequence.to_le_bytes());
    header[24..32].copy_from_slice(&(start.previous.index + 1).to_le_bytes());
    header[32..40].copy_from_slice(&start.previous.term.to_le_bytes());
    header[40..48].copy_from_slice(&start.committed.to_le_bytes());
    header[48..52].copy_from_slice(&(entries.len() as u32).to_le_bytes());
    header[52..56].copy_from_slice(&body_len.to_le_bytes());
    header[56..60].copy_from_slice(&body_crc.to_le_bytes());
    header[60] = start.kind.code();
    let crc = crc32c_append(start.salt, &header[8..]);
    header[4..8].copy_from_slice(&crc.to_le_bytes());
    padded
}

fn encode_entry(generation: u64, entry: &LogEntry, out: &mut [u8]) {
    let payload_end = ENTRY_HEADER_LEN + entry.payload.len();
    out[4..8].copy_from_slice(&(entry.payload.len() as u32).to_le_bytes());
    out[8..16].copy_from_slice(&generation.to_le_bytes());
    out[16..24].copy_from_slice(&entry.index.to_le_bytes());
    out[24..32].copy_from_slice(&entry.term.to_le_bytes());
    out[ENTRY_HEADER_LEN..payload_end].copy_from_slice(&entry.payload);
    out[payload_end..].fill(0);
    let crc = crc32c(&out[4..payload_end]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
}

/// Why bytes are not the batch that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotABatch {
    /// No batch begins here: zeros, bytes from an earlier use of the file, the middle of a batch.
    Nothing,
    /// A batch begins here, and this does not fit.
    Damaged(&'static str),
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`.
    ///
    /// # Errors
    /// See [`NotABatch`].
    pub fn decode(bytes: &[u8], generation: u64, salt: u32) -> Result<Self, NotABatch> {
        let header: &[u8; BATCH_HEADER_LEN] = bytes
            .first_chunk()
            .ok_or(NotABatch::Damaged("batch header reaches beyond the file"))?;
        let found_generation = u64_at(header, 8);
        if header[0..4] != BATCH_MAGIC {
            return Err(NotABatch::Nothing);
        }
        if crc32c_append(salt, &header[8..]) != u32_at(header, 4) {
            return Err(if found_generation < generation {
                NotABatch::Nothing
            } else {
                NotABatch::Damaged("checksum of a batch header does not match")
            });
        }
        let damaged = |what| Err(NotABatch::Damaged(what));
        if found_generation != generation {
            return damaged("batch names another generation than its segment");
        }
        let Some(kind) = Kind::of(header[60]) else {
            return damaged("batch is of an unknown kind");
        };
        if header[61..64] != [0; 3] {
            return damaged("reserved bytes of a batch header are not zero");
        }
        let Some(previous_index) = u64_at(header, 24).checked_sub(1) else {
            return damaged("batch starts at index 0");
        };
        let decoded = Self {
            generation,
            sequence: u64_at(header, 16),
            previous: EntryId {
                index: previous_index,
                term: u64_at(header, 32),
            },
            committed: u64_at(header, 40),
            entries: u32_at(header, 48),
            body_len: u32_at(header, 52),
            body_crc: u32_at(header, 56),
            kind,
        };
        if (decoded.entries as usize).saturating_mul(ENTRY_HEADER_LEN) > decoded.body_len as usize {
            return damaged("batch has more entries than bytes for them");
        }
        Ok(decoded)
    }

    /// Index of the last entry; of the one before the first, if there is none.
    #[must_use]
    pub fn last_index(&self) -> u64 {
        self.previous.index.saturating_add(u64::from(self.entries))
    }

    /// Bytes in the segment, padding included.
    #[must_use]
    pub const fn padded_len(&self) -> usize {
        batch_len(self.body_len as usize)
    }

    /// The entries in `body`, all checked.
    ///
    /// # Errors
    /// What does not fit.
    pub fn entries(&self, body: &[u8], salt: u32) -> Result<Vec<LogEntry>, &'static str> {
        if body.len() != self.body_len as usize {
            return Err("body of a batch is cut short");
        }
        if crc32c_append(salt, body) != self.body_crc {
            return Err("checksum of a batch body does not match");
        }
        let body = Bytes::copy_from_slice(body);
        let mut entries = Vec::with_capacity(self.entries as usize);
        let mut at = 0;
        let mut before = self.previous;
        for _ in 0..self.entries {
            let entry = decode_entry(&body, &mut at, self.generation)?;
            if entry.index != before.index + 1 {
                return Err("entry does not follow the one before it");
            }
            if entry.term < before.term {
                return Err("term of an entry is below that of the one before it");
            }
            before = entry.id();
            entries.push(entry);
        }
        if at != body.len() {
            return Err("bytes behind the last entry of a batch");
        }
        Ok(entries)
    }
}

fn decode_entry(body: &Bytes, at: &mut usize, generation: u64) -> Result<LogEntry, &'static str> {
    let header: &[u8; ENTRY_HEADER_LEN] = body
        .get(*at..)
        .and_then(<[u8]>::first_chunk)
        .ok_or("entry header reaches beyond its batch")?;
    let payload_len = u32_at(header, 4) as usize;
    let start = *at + ENTRY_HEADER_LEN;
    let bytes = body
        .get(*at + 4..start + payload_len)
        .ok_or("entry reaches beyond its batch")?;
    if crc32c(bytes) != u32_at(header, 0) {
        return Err("checksum of an entry does not match");
    }
    if u64_at(header, 8) != generation {
        return Err("entry names another generation than its segment");
    }
    let entry = LogEntry {
        index: u64_at(header, 16),
        term: u64_at(header, 24),
        payload: body.slice(start..start + payload_len),
    };
    *at += entry_len(payload_len);
    Ok(entry)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: BatchStart = BatchStart {
        generation: 3,
        salt: 0x5eed,
        sequence: 9,
        previous: EntryId { index: 41, term: 6 },
        committed: 40,
        kind: Kind::Continue,
    };

    fn batch() -> (Vec<LogEntry>, Vec<u8>) {
        let entries = vec![
            LogEntry {
                index: 42,
                term: 6,
                payload: Bytes::from_static(b"abc"),
            },
            LogEntry {
                index: 43,
                term: 7,
                payload: Bytes::new(),
            },
        ];
        let mut bytes = vec![0xaa; 2 * BLOCK];
        let len = encode_batch(START, &entries, &mut bytes);
        bytes.truncate(len);
        (entries, bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<LogEntry>, &'static str> {
        let header = BatchHeader::decode(bytes, 3, 0x5eed).map_err(|why| match why {
            NotABatch::Nothing => "nothing",
            NotABatch::Damaged(what) => what,
        })?;
        let end = BATCH_HEADER_LEN + header.body_len as usize;
        header.entries(bytes.get(BATCH_HEADER_LEN..end).ok_or("short")?, 0x5eed)
    }

    #[test]
    fn what_was_written_is_read() {
        let (entries, bytes) = batch();
        assert_eq!(bytes.len(), BLOCK);
        assert_eq!(decode(&bytes), Ok(entries));
    }

    #[test]
    fn every_flipped_bit_before_the_padding_is_found() {
        let (_, bytes) = batch();
        for at in 0..BATCH_HEADER_LEN + 40 + 32 {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn bytes_of_an_earlier_use_are_nothing() {
        let (_, bytes) = batch();
        let later = BatchHeader::decode(&bytes, 4, 0x1234);
        assert_eq!(later, Err(NotABatch::Nothing));
        assert_eq!(
            BatchHeader::decode(&[0; 64], 4, 0x1234),
            Err(NotABatch::Nothing)
        );
    }
}
