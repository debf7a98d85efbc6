//! The records of one step as one log payload: what one Raft entry carries.
//!
//! A batch names the position it was built on. A replica that stands elsewhere refuses it, and all
//! replicas refuse it identically, so an entry of a leader that lost its place never takes effect.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 2 | format version, 1 |
//! | 2 | 2 | reserved, 0 |
//! | 4 | 4 | record count |
//! | 8 | 8 | position of the last record before this batch |
//! | 16 | ... | the records, see [`codec`](super::codec) |

use crate::ids::Position;
use crate::record::Record;
use crate::record::codec;
use crate::record::field::{DecodeError, ValueWriter};

/// Version this code writes.
pub const BATCH_VERSION: u16 = 1;
/// Bytes before the first record.
pub const BATCH_HEADER_LEN: usize = 16;

/// Appends a batch of `records`, which follow `base` without a gap.
pub fn encode(base: Position, records: &[Record], scratch: &mut ValueWriter, out: &mut Vec<u8>) {
    let start = begin(base, out);
    for record in records {
        codec::encode(record, scratch, out);
    }
    finish(start, records.len() as u32, out);
}

/// Begins a batch after `base` whose records the caller appends with [`codec::encode`] as they come;
/// the result goes to [`finish`].
pub fn begin(base: Position, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&BATCH_VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&base.0.to_le_bytes());
    start
}

/// Writes the number of records into a batch begun at `start`.
pub fn finish(start: usize, count: u32, out: &mut [u8]) {
    out[start + 4..start + 8].copy_from_slice(&count.to_le_bytes());
}

/// The position `bytes` were built on and the number of records in them, without decoding these.
///
/// # Errors
/// If `bytes` do not start with a batch header of a known version.
pub fn peek(bytes: &[u8]) -> Result<(Position, u32), DecodeError> {
    let header: &[u8; BATCH_HEADER_LEN] = bytes
        .first_chunk()
        .ok_or(DecodeError::new("batch shorter than its header"))?;
    if u16::from_le_bytes([header[0], header[1]]) != BATCH_VERSION {
        return Err(DecodeError::new("unknown batch version"));
    }
    let count = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let mut base = [0; 8];
    base.copy_from_slice(&header[8..16]);
    Ok((Position(u64::from_le_bytes(base)), count))
}

/// Decodes a batch: the position it was built on, and its records.
///
/// # Errors
/// If `bytes` are not exactly one batch, or its records do not follow the base without a gap.
pub fn decode(bytes: &[u8]) -> Result<(Position, Vec<Record>), DecodeError> {
    let (base, count) = peek(bytes)?;
    let mut rest = &bytes[BATCH_HEADER_LEN..];
    let mut records = Vec::with_capacity((count as usize).min(rest.len() / codec::HEADER_LEN));
    let mut last = base;
    for _ in 0..count {
        let record = codec::decode(&mut rest)?;
        if record.position != last.next() {
            return Err(DecodeError::new(
                "records of a batch do not follow each other",
            ));
        }
        last = record.position;
        records.push(record);
    }
    if !rest.is_empty() {
        return Err(DecodeError::new("bytes after the last record of a batch"));
    }
    Ok((base, records))
}
