//! Records as bytes: a fixed header that can be read alone, then reason, claims and value.
//!
//! Everything is little endian. The header states its own length, so that fields can be appended to
//! it; the value is laid out by [`field`](super::field). Integrity is the log frame's business; this
//! codec only never trusts a length.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 4 | length of the record, this field included |
//! | 4 | 2 | header length H (72 in this version) |
//! | 6 | 2 | record version |
//! | 8 | 1 | record type |
//! | 9 | 1 | value type |
//! | 10 | 1 | intent |
//! | 11 | 1 | rejection type, 255 = none |
//! | 12 | 2 | partition |
//! | 14 | 2 | reserved, 0 |
//! | 16 | 8 | position |
//! | 24 | 8 | source position, 0 = none |
//! | 32 | 8 | key |
//! | 40 | 8 | timestamp, epoch milliseconds |
//! | 48 | 8 | operation reference, -1 = none |
//! | 56 | 8 | batch operation reference, -1 = none |
//! | 64 | 4 | length R of the rejection reason |
//! | 68 | 4 | length A of the claims |
//! | H | R | rejection reason, UTF-8 |
//! | H+R | A | claims, MessagePack map |
//! | H+R+A | rest | value |

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::field::{DecodeError, ValueWriter};
use crate::record::{
    Document, Intent, Record, RecordType, Rejection, RejectionType, Text, Value, ValueType,
};

/// Bytes of the header that this version writes.
pub const HEADER_LEN: usize = 72;
/// Largest record this codec reads or writes, in bytes: a flipped bit in a length must not become an
/// allocation. Far above the 4 MiB that a step may hold.
pub const RECORD_LEN_MAX: usize = 64 << 20;

const NO_REJECTION: u8 = 255;

/// Appends `record` to `out`, using `scratch` for its value.
pub fn encode(record: &Record, scratch: &mut ValueWriter, out: &mut Vec<u8>) {
    let start = out.len();
    let (rejection, reason) = match &record.rejection {
        Some(Rejection { kind, reason }) => (*kind as u8, reason.as_str()),
        None => (NO_REJECTION, ""),
    };
    let claims: &[u8] = if record.authorization.is_empty() {
        &[]
    } else {
        record.authorization.as_bytes()
    };
    let mut header = [0; HEADER_LEN];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(4, &(HEADER_LEN as u16).to_le_bytes());
    put(6, &record.record_version.to_le_bytes());
    put(8, &[record.record_type as u8]);
    put(9, &[record.intent.value_type() as u8]);
    put(10, &[record.intent.code()]);
    put(11, &[rejection]);
    put(12, &record.partition.0.to_le_bytes());
    put(16, &record.position.0.to_le_bytes());
    put(24, &record.source_position.map_or(0, |p| p.0).to_le_bytes());
    put(32, &record.key.0.to_le_bytes());
    put(40, &record.timestamp.0.to_le_bytes());
    put(48, &record.operation_reference.to_le_bytes());
    put(56, &record.batch_operation_reference.0.to_le_bytes());
    put(64, &(reason.len() as u32).to_le_bytes());
    put(68, &(claims.len() as u32).to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(claims);
    record.value.put(scratch, out);
    let len = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// Takes one record off the front of `bytes`.
///
/// # Errors
/// If the front of `bytes` is not a whole record of a version this codec knows.
pub fn decode(bytes: &mut &[u8]) -> Result<Record, DecodeError> {
    let len = bytes
        .first_chunk()
        .map(|len| u32::from_le_bytes(*len) as usize);
    let len = len.ok_or(DecodeError::new("record without length"))?;
    if !(HEADER_LEN..=RECORD_LEN_MAX).contains(&len) {
        return Err(DecodeError::new("record length out of bounds"));
    }
    let (record, rest) = bytes
        .split_at_checked(len)
        .ok_or(DecodeError::new("record exceeds its batch"))?;
    let header = Header(record);
    let header_len = usize::from(header.u16(4));
    if header_len < HEADER_LEN {
        return Err(DecodeError::new("header shorter than this version's"));
    }
    let body = record
        .get(header_len..)
        .ok_or(DecodeError::new("header exceeds record"))?;
    let (reason, body) = body
        .split_at_checked(header.u32(64) as usize)
        .ok_or(DecodeError::new("rejection reason exceeds record"))?;
    let (claims, value) = body
        .split_at_checked(header.u32(68) as usize)
        .ok_or(DecodeError::new("claims exceed record"))?;
    let value_type =
        ValueType::from_code(record[9]).ok_or(DecodeError::new("unknown value type"))?;
    let intent =
        Intent::from_codes(value_type, record[10]).ok_or(DecodeError::new("unknown intent"))?;
    let rejection = if record[11] == NO_REJECTION {
        None
    } else {
        let kind = RejectionType::from_code(record[11])
            .ok_or(DecodeError::new("unknown rejection type"))?;
        let reason = std::str::from_utf8(reason)
            .map_err(|_| DecodeError::new("rejection reason is not UTF-8"))?;
        Some(Rejection {
            kind,
            reason: Text::from(reason),
        })
    };
    *bytes = rest;
    Ok(Record {
        position: Position(header.u64(16)),
        source_position: Some(Position(header.u64(24))).filter(|p| p.0 != 0),
        key: Key(header.u64(32) as i64),
        timestamp: Timestamp(header.u64(40) as i64),
        record_type: RecordType::from_code(record[8])
            .ok_or(DecodeError::new("unknown record type"))?,
        intent,
        rejection,
        partition: PartitionId(header.u16(12)),
        record_version: header.u16(6),
        operation_reference: header.u64(48) as i64,
        batch_operation_reference: Key(header.u64(56) as i64),
        authorization: Document::from(claims),
        value: Value::take(value_type, value)?,
    })
}

/// The fixed part of a record, known to be at least [`HEADER_LEN`] bytes long.
struct Header<'b>(&'b [u8]);

impl Header<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::intent::of;
    use crate::record::value::JobRecord;

    /// A record of `value` with every header field set.
    pub(crate) fn record(intent: Intent, value: Value) -> Record {
        Record {
            position: Position(7),
            source_position: Some(Position(3)),
            key: Key::new(PartitionId(1), 9),
            timestamp: Timestamp(1_700_000_000_123),
            record_type: RecordType::Event,
            intent,
            rejection: None,
            partition: PartitionId(1),
            record_version: 1,
            operation_reference: -1,
            batch_operation_reference: Key::NONE,
            authorization: Document::EMPTY,
            value,
        }
    }

    fn round_trip(record: &Record) -> Record {
        let mut bytes = Vec::new();
        encode(record, &mut ValueWriter::default(), &mut bytes);
        let mut rest = bytes.as_slice();
        let back = decode(&mut rest).expect("own bytes decode");
        assert!(rest.is_empty());
        back
    }

    #[test]
    fn every_intent_survives_with_an_empty_value() {
        for &intent in Intent::ALL {
            let record = record(intent, Value::default_of(intent.value_type()));
            assert_eq!(round_trip(&record), record);
        }
    }

    #[test]
    fn a_full_job_survives() {
        let job = JobRecord {
            job_type: "pay".into(),
            retries: 3,
            variables: Document::from(vec![0x81, 0xa1, b'a', 1]),
            error_message: "no \u{20ac} left".into(),
            element_instance_key: Key::new(PartitionId(1), 5),
            changed_attributes: vec!["retries".into(), "timeout".into()],
            ..JobRecord::default()
        };
        let mut record = record(Intent::Job(of::Job::Fail), job.into());
        record.record_type = RecordType::CommandRejection;
        record.rejection = Some(Rejection::new(RejectionType::NotFound, "no such job"));
        assert_eq!(round_trip(&record), record);
    }

    #[test]
    fn truncated_or_flipped_bytes_never_panic() {
        let job = JobRecord {
            job_type: "pay".into(),
            ..JobRecord::default()
        };
        let record = record(Intent::Job(of::Job::Created), job.into());
        let mut bytes = Vec::new();
        encode(&record, &mut ValueWriter::default(), &mut bytes);
        for cut in 0..bytes.len() {
            assert!(decode(&mut &bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let _ = decode(&mut flipped.as_slice());
            }
        }
    }
}
