//! The list of a snapshot's files, with lengths and checksums, as text.
//!
//! One line each, so that it can be read on a broken machine; the last line is a checksum of all
//! before it. Written once, when the snapshot is complete; read by whoever opens, sends or
//! receives it. At most [`MAX_FILES`] files of plain names, so that a manifest from a peer can
//! neither fill the memory nor name a file elsewhere.
//!
//! | line | content |
//! |---|---|
//! | first | `ringflow-snapshot 1` |
//! | second | `applied <index> <term> <position>`, decimal |
//! | one for each file | `file <crc32c, 8 hex digits> <length, decimal> <name>`, ordered by name |
//! | last | `end <crc32c of all bytes before this line, 8 hex digits>` |

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crc32c::{crc32c, crc32c_append};
use ringflow_core::ids::Position;

use crate::crashsafe;
use crate::disk::posix::PosixDisk;
use crate::error::Error;
use crate::state::Applied;

/// Name of the manifest in the snapshot's directory.
pub(super) const MANIFEST_NAME: &str = "MANIFEST.ringflow";
/// First line.
pub(super) const MANIFEST_TITLE: &str = "ringflow-snapshot 1";
/// Most files of a snapshot.
pub(super) const MAX_FILES: usize = 1 << 20;
/// Most bytes of a manifest.
const MAX_BYTES: u64 = 128 << 20;
/// Bytes read at once for a checksum.
const CHUNK: usize = 256 << 10;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Up to where the state goes.
    pub applied: Applied,
    /// The files, ordered by name.
    pub files: Vec<ManifestFile>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its name in the directory.
    pub name: String,
    /// Its bytes.
    pub len: u64,
    /// CRC32C of them.
    pub crc: u32,
}

impl Manifest {
    /// As text.
    #[must_use]
    pub fn encode(&self) -> String {
        let Applied {
            index,
            term,
            position,
        } = self.applied;
        let mut text = format!("{MANIFEST_TITLE}\napplied {index} {term} {position}\n");
        for file in &self.files {
            text.push_str(&format!(
                "file {:08x} {} {}\n",
                file.crc, file.len, file.name
            ));
        }
        let crc = crc32c(text.as_bytes());
        text.push_str(&format!("end {crc:08x}\n"));
        text
    }

    /// From text.
    ///
    /// # Errors
    /// What does not fit, and at which byte.
    pub fn decode(text: &[u8]) -> Result<Self, (u64, &'static str)> {
        let text = std::str::from_utf8(text).map_err(|_| (0, "manifest is not text"))?;
        let body_len = text
            .trim_end_matches('\n')
            .rfind('\n')
            .ok_or((0, "manifest has no lines"))?
            + 1;
        let (body, end) = text.split_at(body_len);
        let at_end = body_len as u64;
        let crc = end
            .strip_prefix("end ")
            .and_then(|rest| rest.strip_suffix('\n'))
            .filter(|hex| hex.len() == 8)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .ok_or((at_end, "manifest does not end with its checksum"))?;
        if crc32c(body.as_bytes()) != crc {
            return Err((at_end, "checksum of the manifest does not match"));
        }
        let mut lines = body.lines();
        if lines.next() != Some(MANIFEST_TITLE) {
            return Err((0, "manifest is of an unknown version"));
        }
        let applied = lines
            .next()
            .and_then(decode_applied)
            .ok_or((0, "second line of the manifest does not decode"))?;
        let mut files: Vec<ManifestFile> = Vec::new();
        for line in lines {
            let file = decode_file(line).ok_or((0, "a file of the manifest does not decode"))?;
            if files.last().is_some_and(|before| before.name >= file.name) {
                return Err((0, "files of the manifest are not in order"));
            }
            if files.len() == MAX_FILES {
                return Err((0, "manifest has too many files"));
            }
            files.push(file);
        }
        Ok(Self { applied, files })
    }

    /// Reads the manifest of a snapshot's directory.
    pub(super) fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(MANIFEST_NAME);
        let text = crashsafe::read_small(&path, MAX_BYTES)?;
        Self::decode(&text).map_err(|(offset, what)| Error::corrupt(&path, offset, what))
    }

    /// Writes it into a directory and syncs it.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Error> {
        crashsafe::replace(
            &PosixDisk::new(),
            &directory.join(MANIFEST_NAME),
            self.encode().as_bytes(),
        )
    }

    /// Lists the files of a directory. Checksums of files that `known` has as well (the very same
    /// file, by device and inode) are taken from there: sorted tables are shared between
    /// snapshots, and are most of the bytes.
    pub(super) fn of(
        directory: &Path,
        applied: Applied,
        known: Option<(&Path, &Self)>,
    ) -> Result<Self, Error> {
        let known: BTreeMap<&str, &ManifestFile> = known
            .iter()
            .flat_map(|(_, manifest)| &manifest.files)
            .map(|file| (file.name.as_str(), file))
            .filter(|(name, _)| {
                known.is_some_and(|(other, _)| is_same(&other.join(name), &directory.join(name)))
            })
            .collect();
        let mut files = Vec::new();
        for name in super::names(directory)? {
            let path = directory.join(&name);
            let len = length(&path)?;
            let crc = match known.get(name.as_str()) {
                Some(file) if file.len == len => file.crc,
                Some(_) | None => checksum(&path)?,
            };
            files.push(ManifestFile { name, len, crc });
        }
        Ok(Self { applied, files })
    }

    /// Compares the lengths of the files in a directory.
    pub(super) fn check_lengths(&self, directory: &Path) -> Result<(), Error> {
        for file in &self.files {
            let path = directory.join(&file.name);
            let len = length(&path)?;
            if len != file.len {
                let what = format!("file has {len} bytes, the manifest says {}", file.len);
                return Err(Error::corrupt(&path, len, what));
            }
        }
        Ok(())
    }

    /// Compares lengths and checksums of the files in a directory.
    pub(super) fn check_contents(&self, directory: &Path) -> Result<(), Error> {
        self.check_lengths(directory)?;
        for file in &self.files {
            let path = directory.join(&file.name);
            if checksum(&path)? != file.crc {
                let what = "checksum of the file is not the manifest's";
                return Err(Error::corrupt(&path, 0, what));
            }
        }
        Ok(())
    }
}

fn decode_applied(line: &str) -> Option<Applied> {
    let mut words = line.strip_prefix("applied ")?.split(' ');
    let mut number = || words.next()?.parse().ok();
    let applied = Applied {
        index: number()?,
        term: number()?,
        position: Position(number()?),
    };
    words.next().is_none().then_some(applied)
}

fn decode_file(line: &str) -> Option<ManifestFile> {
    let mut words = line.strip_prefix("file ")?.splitn(3, ' ');
    let crc = u32::from_str_radix(words.next()?, 16).ok()?;
    let len = words.next()?.parse().ok()?;
    let name = words.next()?;
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let usable = plain && !name.is_empty() && !name.starts_with('.') && name != MANIFEST_NAME;
    usable.then(|| ManifestFile {
        name: name.to_owned(),
        len,
        crc,
    })
}

fn length(path: &Path) -> Result<u64, Error> {
    let data = std::fs::symlink_metadata(path).map_err(|error| Error::io("read", path, error))?;
    if !data.is_file() {
        return Err(Error::corrupt(path, 0, "a snapshot holds plain files only"));
    }
    Ok(data.len())
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => one.dev() == other.dev() && one.ino() == other.ino(),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

fn checksum(path: &Path) -> Result<u32, Error> {
    let fail = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(fail)?;
    let mut chunk = vec![0; CHUNK];
    let mut crc = 0;
    loop {
        let read = file.read(&mut chunk).map_err(fail)?;
        if read == 0 {
            return Ok(crc);
        }
        crc = crc32c_append(crc, &chunk[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            applied: Applied {
                index: 12,
                term: 3,
                position: Position(345),
            },
            files: vec![
                ManifestFile {
                    name: "000009.sst".to_owned(),
                    len: 1000,
                    crc: 0xdead_beef,
                },
                ManifestFile {
                    name: "CURRENT".to_owned(),
                    len: 16,
                    crc: 7,
                },
            ],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let text = manifest().encode();
        assert!(
            text.starts_with(
                "ringflow-snapshot 1\napplied 12 3 345\nfile deadbeef 1000 000009.sst\n\
                 file 00000007 16 CURRENT\nend "
            ),
            "{text}"
        );
        assert_eq!(Manifest::decode(text.as_bytes()), Ok(manifest()));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let text = manifest().encode().into_bytes();
        for at in 0..text.len() {
            assert!(Manifest::decode(&text[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = text.clone();
                flipped[at] ^= 1 << bit;
                // Upper and lower case of a hexadecimal digit mean the same.
                if Manifest::decode(&flipped) == Ok(manifest()) {
                    assert!(flipped[at].eq_ignore_ascii_case(&text[at]), "byte {at}");
                } else {
                    assert!(Manifest::decode(&flipped).is_err(), "byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for name in ["../x", "a/b", ".hidden", "", "..", "MANIFEST.ringflow"] {
            let mut wrong = manifest();
            wrong.files.truncate(1);
            wrong.files[0].name = name.to_owned();
            assert!(
                Manifest::decode(wrong.encode().as_bytes()).is_err(),
                "{name}"
            );
        }
    }
}
