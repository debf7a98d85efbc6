//! Entries of the log as they are stored: not the segments of one disk, but what is in them.
//!
//! | offset | width | file |
//! |---|---|---|
//! | 0 | 8 | `RINGBKUP` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | zero |
//! | 16 | ... | entries |
//!
//! | offset | width | entry |
//! |---|---|---|
//! | 0 | 8 | index |
//! | 8 | 8 | term |
//! | 16 | 4 | bytes of the payload, at most [`PAYLOAD_BYTES_MAX`] |
//! | 20 | 4 | CRC32C of bytes 0..20 and the payload |
//! | 24 | ... | payload, as in the log |
//!
//! Integers are little endian. The file's own checksum is in the manifest; those of the entries say
//! which one is damaged, and keep an entry that was cut off from being taken for a whole one.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use crc32c::{crc32c, crc32c_append};
use ringflow_storage::log::LogEntry;

/// First bytes of a file.
const MAGIC: [u8; 8] = *b"RINGBKUP";
const VERSION: u32 = 1;
/// Bytes before the first entry.
pub(crate) const FILE_HEADER: usize = 16;
const ENTRY_HEADER: usize = 24;
/// Largest payload: above the largest batch a log takes.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// What a file begins with.
pub(crate) fn header() -> Bytes {
    let mut out = BytesMut::with_capacity(FILE_HEADER);
    out.put_slice(&MAGIC);
    out.put_u32_le(VERSION);
    out.put_u32_le(0);
    out.freeze()
}

/// Appends an entry.
pub(crate) fn put(entry: &LogEntry, out: &mut BytesMut) {
    let start = out.len();
    out.put_u64_le(entry.index);
    out.put_u64_le(entry.term);
    out.put_u32_le(entry.payload.len() as u32);
    let crc = crc32c_append(crc32c(&out[start..]), &entry.payload);
    out.put_u32_le(crc);
    out.put_slice(&entry.payload);
}

/// Reads a file's entries from bytes that come piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pub(crate) buffer: BytesMut,
    begun: bool,
}

impl Decoder {
    /// The next entry; `None` while its bytes are not there.
    pub(crate) fn next(&mut self) -> Result<Option<LogEntry>, String> {
        if !self.begun {
            if self.buffer.len() < FILE_HEADER {
                return Ok(None);
            }
            if self.buffer[..FILE_HEADER] != header()[..] {
                return Err("it does not begin as a file of entries does".to_owned());
            }
            self.buffer.advance(FILE_HEADER);
            self.begun = true;
        }
        let Some(head) = self.buffer.get(..ENTRY_HEADER) else {
            return Ok(None);
        };
        let mut fields = head;
        let (index, term) = (fields.get_u64_le(), fields.get_u64_le());
        let (len, crc) = (fields.get_u32_le() as usize, fields.get_u32_le());
        if len > PAYLOAD_BYTES_MAX {
            return Err(format!("an entry of {len} bytes behind entry {index}"));
        }
        if self.buffer.len() < ENTRY_HEADER + len {
            return Ok(None);
        }
        let whole = self.buffer.split_to(ENTRY_HEADER + len).freeze();
        let payload = whole.slice(ENTRY_HEADER..);
        if crc32c_append(crc32c(&whole[..20]), &payload) != crc {
            return Err(format!("checksum of entry {index} does not match"));
        }
        Ok(Some(LogEntry {
            index,
            term,
            payload,
        }))
    }

    /// True if nothing is left of what was taken in.
    pub(crate) fn is_done(&self) -> bool {
        self.begun && self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, payload: &'static [u8]) -> LogEntry {
        LogEntry {
            index,
            term: 3,
            payload: Bytes::from_static(payload),
        }
    }

    #[test]
    fn an_entry_has_these_bytes() {
        let mut out = BytesMut::new();
        put(&entry(0x0102, b"ab"), &mut out);
        let mut golden = vec![2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0];
        let crc = crc32c(&[&golden[..], b"ab"].concat());
        golden.extend_from_slice(&crc.to_le_bytes());
        golden.extend_from_slice(b"ab");
        assert_eq!(&out[..], golden);
        assert_eq!(&header()[..], b"RINGBKUP\x01\0\0\0\0\0\0\0");
    }

    #[test]
    fn entries_come_back_however_they_are_cut() {
        let mut file = BytesMut::from(&header()[..]);
        let entries = [entry(1, b"one"), entry(2, b""), entry(3, b"three")];
        for entry in &entries {
            put(entry, &mut file);
        }
        for piece in 1..file.len() {
            let mut decoder = Decoder::default();
            let mut read = Vec::new();
            for part in file.chunks(piece) {
                decoder.buffer.extend_from_slice(part);
                while let Some(entry) = decoder.next().unwrap() {
                    read.push(entry);
                }
            }
            assert!(decoder.is_done());
            assert_eq!(read, entries, "pieces of {piece}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let mut file = BytesMut::from(&header()[..]);
        put(&entry(1, b"one"), &mut file);
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut decoder = Decoder::default();
                decoder.buffer.extend_from_slice(&file);
                decoder.buffer[at] ^= 1 << bit;
                let read = decoder.next();
                // A longer length waits for bytes that never come.
                assert!(!matches!(read, Ok(Some(_))), "byte {at} bit {bit}");
                assert!(read.is_err() || !decoder.is_done());
            }
        }
    }
}
