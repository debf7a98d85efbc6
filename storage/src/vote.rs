//! A small record that must survive: the Raft vote.
//!
//! Owned by the thread that owns the partition's log; saved on the log thread, in order with the
//! appends, so that a vote is durable before the first entry of its term. Two slots are written in
//! turn: the newest valid one counts, and the other is the one before it. A record fits one disk
//! sector, which is written whole or not at all; a slot that does not check out is therefore
//! damage and never a torn write, and opening fails rather than fall back to an older vote (a
//! broker that forgets its vote can elect two leaders of one term).
//!
//! The file has two blocks of 4096 bytes; save number n goes to slot n mod 2.
//!
//! | offset | width | slot field |
//! |---|---|---|
//! | 0 | 4 | `RFVT` |
//! | 4 | 4 | CRC32C of bytes 8..512 |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | bytes of the record, at most 480 |
//! | 16 | 8 | number of the save, from 1 |
//! | 24 | 8 | zero |
//! | 32 | 480 | the record, padded with zeros |

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crc32c::crc32c;

use crate::crashsafe;
use crate::disk::{AlignedBuf, BLOCK, DiskFile, Mode};
use crate::error::Error;
use crate::log::{Lane, Log, OnDurable};

/// First bytes of a slot that was written.
pub const VOTE_MAGIC: [u8; 4] = *b"RFVT";
/// Version this code writes and reads.
pub const VOTE_VERSION: u32 = 1;
/// Largest record.
pub const MAX_VOTE_BYTES: usize = SECTOR - SLOT_HEADER_LEN;
/// What the device writes whole or not at all.
const SECTOR: usize = 512;
const SLOT_HEADER_LEN: usize = 32;
const SLOTS: u64 = 2;

/// See the module.
#[derive(Debug)]
pub struct VoteFile {
    lane: Lane,
    file: Arc<dyn DiskFile>,
    saves: u64,
}

impl VoteFile {
    /// Opens or creates the file at `path`; also what was saved last.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Version`], [`Error::Io`], [`Error::Full`].
    pub fn open(path: &Path, log: &Log) -> Result<(Self, Option<Vec<u8>>), Error> {
        let lane = log.lane();
        let disk = lane.disk();
        let fail = |error| Error::io("open", path, error);
        let names = disk.list(&crate::disk::parent(path)).map_err(fail)?;
        if !names.iter().any(|name| {
            path.file_name()
                .is_some_and(|wanted| wanted == name.as_str())
        }) {
            crashsafe::create(disk, path, SLOTS * BLOCK as u64, &[])?;
        }
        let file = disk.open(path, Mode::Direct).map_err(fail)?;
        let len = file.size().map_err(fail)?;
        if len != SLOTS * BLOCK as u64 {
            return Err(Error::corrupt(path, len, "file is not two slots long"));
        }
        let mut blocks = AlignedBuf::zeroed(2 * BLOCK);
        file.read_at(blocks.as_mut_slice(), 0).map_err(fail)?;
        let (first, second) = blocks.as_slice().split_at(BLOCK);
        let newest = newest(decode(first, 0, path)?, decode(second, 1, path)?, path)?;
        let (saves, record) = match newest {
            Some(slot) => (slot.number, Some(slot.record)),
            None => (0, None),
        };
        // What a killed process had only written is not yet durable.
        file.sync_data().map_err(fail)?;
        Ok((Self { lane, file, saves }, record))
    }

    /// Saves a record. Does not wait; `on_durable` is called on the log thread, in order with the
    /// callbacks of the log.
    ///
    /// # Errors
    /// [`Error::Misuse`] if it is too long, [`Error::Closed`]; `on_durable` is then not called.
    pub fn save(&mut self, record: &[u8], on_durable: OnDurable) -> Result<(), Error> {
        if record.len() > MAX_VOTE_BYTES {
            return Err(Error::Misuse(format!(
                "a vote of {} bytes is longer than {MAX_VOTE_BYTES}",
                record.len()
            )));
        }
        let number = self.saves + 1;
        let mut block = AlignedBuf::zeroed(BLOCK);
        block.as_mut_slice()[..SECTOR].copy_from_slice(&encode(number, record));
        let offset = number % SLOTS * BLOCK as u64;
        self.lane
            .save(Arc::clone(&self.file), offset, block, on_durable)?;
        self.saves = number;
        Ok(())
    }

    /// Saves a record and waits until it is durable. Blocks; not for a shard.
    ///
    /// # Errors
    /// As [`VoteFile::save`], and [`Error::Poisoned`].
    pub fn save_and_wait(&mut self, record: &[u8]) -> Result<(), Error> {
        let (tell, told) = sync_channel(1);
        self.save(
            record,
            Box::new(move |outcome| {
                let _ = tell.send(outcome);
            }),
        )?;
        told.recv().map_err(|_| Error::Closed)?
    }
}

/// A slot that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    number: u64,
    record: Vec<u8>,
}

/// The sector of save `number`.
fn encode(number: u64, record: &[u8]) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    sector[0..4].copy_from_slice(&VOTE_MAGIC);
    sector[8..12].copy_from_slice(&VOTE_VERSION.to_le_bytes());
    sector[12..16].copy_from_slice(&(record.len() as u32).to_le_bytes());
    sector[16..24].copy_from_slice(&number.to_le_bytes());
    sector[SLOT_HEADER_LEN..SLOT_HEADER_LEN + record.len()].copy_from_slice(record);
    let crc = crc32c(&sector[8..]);
    sector[4..8].copy_from_slice(&crc.to_le_bytes());
    sector
}

fn decode(block: &[u8], slot: u64, path: &Path) -> Result<Option<Slot>, Error> {
    let corrupt = |what: &str| Err(Error::corrupt(path, slot * BLOCK as u64, what));
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if block[..4] != VOTE_MAGIC {
        return corrupt("slot does not start with its magic");
    }
    if crc32c(&block[8..SECTOR]) != word(4) {
        return corrupt("checksum of a slot does not match");
    }
    if word(8) != VOTE_VERSION {
        return Err(Error::Version {
            path: path.to_owned(),
            found: word(8).to_string(),
            supported: VOTE_VERSION,
        });
    }
    if block[SECTOR..].iter().any(|byte| *byte != 0) {
        return corrupt("bytes behind the sector of a slot are not zero");
    }
    let len = word(12) as usize;
    let Some(record) = block[SLOT_HEADER_LEN..SECTOR].get(..len) else {
        return corrupt("record is longer than its slot");
    };
    let number = u64::from(word(16)) | u64::from(word(20)) << 32;
    if number == 0 || number % SLOTS != slot {
        return corrupt("slot holds a save that belongs into the other one");
    }
    Ok(Some(Slot {
        number,
        record: record.to_vec(),
    }))
}

fn newest(even: Option<Slot>, odd: Option<Slot>, path: &Path) -> Result<Option<Slot>, Error> {
    let newest = match (even, odd) {
        (None, None) => return Ok(None),
        (None, Some(odd)) if odd.number == 1 => odd,
        (Some(even), Some(odd)) if even.number.abs_diff(odd.number) == 1 => {
            if even.number > odd.number { even } else { odd }
        }
        (None | Some(_), None | Some(_)) => {
            let what = "the two slots do not hold consecutive saves";
            return Err(Error::corrupt(path, 0, what));
        }
    };
    Ok(Some(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, record: &[u8]) -> Vec<u8> {
        let mut block = encode(number, record).to_vec();
        block.resize(BLOCK, 0);
        block
    }

    #[test]
    fn every_flipped_bit_of_a_slot_is_found() {
        let path = Path::new("vote");
        let good = block(3, b"term 7");
        assert_eq!(
            decode(&good, 1, path).unwrap().map(|slot| slot.record),
            Some(b"term 7".to_vec())
        );
        for at in 0..BLOCK {
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            assert!(decode(&flipped, 1, path).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_lost_slot_is_not_taken_for_a_fresh_file() {
        let path = Path::new("vote");
        let slot = |number| {
            Some(Slot {
                number,
                record: Vec::new(),
            })
        };
        assert_eq!(newest(None, None, path).unwrap(), None);
        assert_eq!(newest(None, slot(1), path).unwrap(), slot(1));
        assert_eq!(newest(slot(4), slot(5), path).unwrap(), slot(5));
        assert!(newest(None, slot(3), path).is_err());
        assert!(newest(slot(2), None, path).is_err());
        assert!(newest(slot(2), slot(7), path).is_err());
    }
}
