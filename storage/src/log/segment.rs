//! One segment file: its name, its header, how it comes to be and is used again.
//!
//! A segment is named only after its header is flushed: `segment-<generation>.log` therefore
//! always has a valid header, and a segment that has none is corrupt, never merely unfinished. A
//! purged segment becomes `spare-<generation>.log`; nothing in a spare means anything.
//!
//! | offset | width | header field |
//! |---|---|---|
//! | 0 | 8 | `RINGFLOG` |
//! | 8 | 4 | CRC32C of bytes 12..64 |
//! | 12 | 4 | format version, 1 |
//! | 16 | 8 | generation: 1 for the first segment of the log, then counting on |
//! | 24 | 8 | bytes of the file |
//! | 32 | 4 | largest body of a batch in this segment |
//! | 36 | 4 | salt, random |
//! | 40 | 2 | partition |
//! | 42 | 22 | zero |
//!
//! The first batch is at offset 4096. Bytes 0..16 and the extent of the checksum stay as they are
//! in every later version, so that a version is always told from damage.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc32c::crc32c;

use super::frame::{batch_len, u32_at, u64_at};
use crate::crashsafe;
use crate::disk::{AlignedBuf, BLOCK, Disk, DiskFile, Mode};
use crate::error::Error;

/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"RINGFLOG";
/// Version this code writes and reads.
pub const SEGMENT_VERSION: u32 = 1;
/// Bytes of the header; the rest of its block is zero.
pub const SEGMENT_HEADER_LEN: usize = 64;
/// Where the first batch is.
pub const FIRST_BATCH: u64 = BLOCK as u64;

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Number of the segment in the log.
    pub generation: u64,
    /// Bytes of the file.
    pub len: u64,
    /// Largest body of a batch.
    pub max_batch_bytes: u32,
    /// Seeds the checksums of its batches.
    pub salt: u32,
    /// Whose log it is.
    pub partition: u16,
}

impl SegmentHeader {
    /// A salt nobody can guess.
    #[must_use]
    pub fn random_salt() -> u32 {
        RandomState::new().hash_one(0) as u32
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[12..16].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.len.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.max_batch_bytes.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.salt.to_le_bytes());
        bytes[40..42].copy_from_slice(&self.partition.to_le_bytes());
        let crc = crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let corrupt = |what: &str| Err(Error::corrupt(path, 0, what));
        let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_LEN>() else {
            return corrupt("segment is shorter than its header");
        };
        if header[0..8] != SEGMENT_MAGIC {
            return corrupt("segment does not start with its magic");
        }
        if crc32c(&header[12..]) != u32_at(header, 8) {
            return corrupt("checksum of the segment header does not match");
        }
        let version = u32_at(header, 12);
        if version != SEGMENT_VERSION {
            return Err(Error::Version {
                path: path.to_owned(),
                found: version.to_string(),
                supported: SEGMENT_VERSION,
            });
        }
        if header[42..].iter().any(|byte| *byte != 0) {
            return corrupt("reserved bytes of the segment header are not zero");
        }
        Ok(Self {
            generation: u64_at(header, 16),
            len: u64_at(header, 24),
            max_batch_bytes: u32_at(header, 32),
            salt: u32_at(header, 36),
            partition: u16::from_le_bytes([header[40], header[41]]),
        })
    }
}

/// An open segment.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn DiskFile>,
}

/// What a name in a log directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u64),
    Spare(u64),
    /// Left by an interrupted creation.
    Unfinished,
    Foreign,
}

impl Name {
    pub(super) fn parse(name: &str) -> Self {
        if name.ends_with(".new") {
            return Self::Unfinished;
        }
        let number = |prefix: &str| {
            let hex = name.strip_prefix(prefix)?.strip_suffix(".log")?;
            let number = u64::from_str_radix(hex, 16).ok()?;
            (hex.len() == 16).then_some(number)
        };
        if let Some(generation) = number("segment-") {
            Self::Segment(generation)
        } else if let Some(generation) = number("spare-") {
            Self::Spare(generation)
        } else {
            Self::Foreign
        }
    }
}

/// Path of the segment of a generation.
pub(super) fn segment_path(directory: &Path, generation: u64) -> PathBuf {
    directory.join(format!("segment-{generation:016x}.log"))
}

/// Path of the spare that a generation's segment became.
pub(super) fn spare_path(directory: &Path, generation: u64) -> PathBuf {
    directory.join(format!("spare-{generation:016x}.log"))
}

impl Segment {
    /// Makes a segment that did not exist, from zeros.
    pub(super) fn create(
        disk: &dyn Disk,
        directory: &Path,
        header: SegmentHeader,
    ) -> Result<Self, Error> {
        let path = segment_path(directory, header.generation);
        crashsafe::create(disk, &path, header.len, &header.encode())?;
        Self::reopen(disk, &path, header)
    }

    /// Makes a segment of a spare, which keeps its length; of zeros, if the spare is too short for
    /// the largest batch.
    pub(super) fn recycle(
        disk: &dyn Disk,
        directory: &Path,
        spare: &Path,
        mut header: SegmentHeader,
    ) -> Result<Self, Error> {
        let path = segment_path(directory, header.generation);
        let wanted = header.len;
        header.len = disk
            .open(spare, Mode::Direct)
            .and_then(|file| file.size())
            .map_err(|error| Error::io("open", spare, error))?;
        if header.len < FIRST_BATCH + batch_len(header.max_batch_bytes as usize) as u64 {
            header.len = wanted;
            crashsafe::remove(disk, spare)?;
            return Self::create(disk, directory, header);
        }
        crashsafe::restart(disk, spare, &header.encode())?;
        crashsafe::rename(disk, spare, &path)?;
        Self::reopen(disk, &path, header)
    }

    fn reopen(disk: &dyn Disk, path: &Path, header: SegmentHeader) -> Result<Self, Error> {
        let file = disk
            .open(path, Mode::Direct)
            .map_err(|error| Error::io("open", path, error))?;
        Ok(Self { header, file })
    }

    /// Opens the segment of a generation and checks its header.
    pub(super) fn open(disk: &dyn Disk, directory: &Path, generation: u64) -> Result<Self, Error> {
        let path = segment_path(directory, generation);
        let fail = |error| Error::io("open", &path, error);
        let file = disk.open(&path, Mode::Direct).map_err(fail)?;
        let len = file.size().map_err(fail)?;
        if len < FIRST_BATCH {
            return Err(Error::corrupt(&path, len, "segment is cut short"));
        }
        let mut block = AlignedBuf::zeroed(BLOCK);
        file.read_at(block.as_mut_slice(), 0).map_err(fail)?;
        let header = SegmentHeader::decode(block.as_slice(), &path)?;
        if header.generation != generation {
            return Err(Error::corrupt(
                &path,
                16,
                format!("header names generation {}", header.generation),
            ));
        }
        if header.len != len {
            let what = format!("file has {len} bytes, header says {}", header.len);
            return Err(Error::corrupt(&path, 24, what));
        }
        Ok(Self { header, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        generation: 2,
        len: 65536,
        max_batch_bytes: 8192,
        salt: 7,
        partition: 3,
    };

    #[test]
    fn every_flipped_bit_of_the_header_is_found() {
        let path = Path::new("segment");
        assert_eq!(
            SegmentHeader::decode(&HEADER.encode(), path).unwrap(),
            HEADER
        );
        for at in 0..SEGMENT_HEADER_LEN {
            for bit in 0..8 {
                let mut bytes = HEADER.encode();
                bytes[at] ^= 1 << bit;
                let error = SegmentHeader::decode(&bytes, path).unwrap_err();
                assert!(matches!(error, Error::Corrupt { .. }), "byte {at}: {error}");
            }
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = HEADER.encode();
        bytes[12] = 2;
        let crc = crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        let error = SegmentHeader::decode(&bytes, Path::new("segment")).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("version 2") && text.contains("version 1"),
            "{text}"
        );
    }

    #[test]
    fn names_are_told_apart() {
        let path = segment_path(Path::new("d"), 0x1f);
        assert_eq!(path, Path::new("d/segment-000000000000001f.log"));
        assert_eq!(
            Name::parse("segment-000000000000001f.log"),
            Name::Segment(31)
        );
        assert_eq!(Name::parse("spare-0000000000000001.log"), Name::Spare(1));
        assert_eq!(Name::parse("segment-1f.log"), Name::Foreign);
        assert_eq!(
            Name::parse("segment-000000000000001f.log.new"),
            Name::Unfinished
        );
    }
}
