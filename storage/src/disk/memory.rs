//! A disk in memory that loses power: for tests of everything above the port.
//!
//! Every file has a live image and a durable one; writes and names that were not synced lie in
//! between. [`MemoryDisk::crash`] decides by a seed, for each unsynced write, whether it is lost,
//! kept, or torn into sectors of which some are kept; unsynced names are kept up to a point and
//! lost from there, as a journal does. Faults are planned by counting operations (write, sync,
//! create, rename, remove, sync of a directory): the n-th one fails, or the power goes there.
//!
//! Shared by clones; a mutex around everything, as speed does not matter here.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::posix::PlainCommitter;
use super::{BLOCK, Committer, Disk, DiskFile, Mode, parent};

/// What a device writes whole or not at all.
pub const SECTOR: usize = 512;

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation of this number (from 1) and all after it fail; the failing write may have
    /// reached the device in part.
    PowerLoss(u64),
    /// This operation alone fails with an input/output error.
    Error(u64),
    /// New files may hold this many bytes in total.
    Space(u64),
}

#[derive(Debug, Clone)]
enum Change {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    /// Old name, new name: both change at once.
    Rename(PathBuf, PathBuf, u64),
}

impl Change {
    /// A path in the directory that it changes.
    fn path(&self) -> &Path {
        match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path, _) => path,
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Link(path, image) => {
                names.insert(path, image);
            }
            Self::Unlink(path) => {
                names.remove(&path);
            }
            Self::Rename(from, to, image) => {
                names.remove(&from);
                names.insert(to, image);
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Written, not synced, in order.
    unsynced: Vec<(u64, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct State {
    images: BTreeMap<u64, Image>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Not synced, in order.
    renamed: Vec<Change>,
    next_image: u64,
    operations: u64,
    bytes_read: u64,
    faults: Vec<Fault>,
    dead: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    image: u64,
    path: PathBuf,
    mode: Mode,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// xorshift; the seed tells which of the many crashes it was.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl State {
    /// Counts an operation, and fails it if that was planned.
    fn operate(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the power is gone"));
        }
        self.operations += 1;
        for fault in &self.faults {
            match fault {
                Fault::PowerLoss(number) if *number == self.operations => {
                    self.dead = true;
                    return Err(io::Error::other("the power goes"));
                }
                Fault::Error(number) if *number == self.operations => {
                    return Err(io::Error::other("planned input/output error"));
                }
                Fault::PowerLoss(_) | Fault::Error(_) | Fault::Space(_) => {}
            }
        }
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let used: u64 = self
            .names
            .values()
            .filter_map(|image| self.images.get(image))
            .map(|image| image.live.len() as u64)
            .sum();
        for fault in &self.faults {
            if let Fault::Space(bytes) = fault
                && used + len > *bytes
            {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    fn image(&mut self, number: u64) -> io::Result<&mut Image> {
        self.images
            .get_mut(&number)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Image {
    fn write(&mut self, bytes: &[u8], offset: u64) {
        put(&mut self.live, bytes, offset);
        self.unsynced.push((offset, bytes.to_vec()));
    }

    fn sync(&mut self) {
        // In order, and only what changed: the files of a log are large and synced often.
        for (offset, bytes) in self.unsynced.drain(..) {
            put(&mut self.durable, &bytes, offset);
        }
    }
}

fn put(image: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let end = offset as usize + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset as usize..end].copy_from_slice(bytes);
}

impl MemoryDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans a fault.
    pub fn plan(&self, fault: Fault) {
        lock(&self.state).faults.push(fault);
    }

    /// Forgets the faults that were planned; a disk that lost its power stays without.
    pub fn mend(&self) {
        lock(&self.state).faults.clear();
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        let state = lock(&self.state);
        let images = state.names.values();
        images
            .filter_map(|image| state.images.get(image))
            .map(|image| image.live.len() as u64)
            .sum()
    }

    /// Bytes read so far, by block.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        lock(&self.state).bytes_read
    }

    /// Operations so far, those that failed included.
    #[must_use]
    pub fn operations(&self) -> u64 {
        lock(&self.state).operations
    }

    /// The disk as it is found after the power was lost now; this one stays as it is.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let state = lock(&self.state);
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut names = state.durable_names.clone();
        let kept = random.below(state.renamed.len() as u64 + 1) as usize;
        for change in &state.renamed[..kept] {
            change.clone().apply(&mut names);
        }
        let mut images = BTreeMap::new();
        for number in names.values() {
            let Some(image) = state.images.get(number) else {
                continue;
            };
            let found = settle(image, &mut random);
            images.insert(
                *number,
                Image {
                    live: found.clone(),
                    durable: found,
                    unsynced: Vec::new(),
                },
            );
        }
        Self {
            state: Arc::new(Mutex::new(State {
                images,
                durable_names: names.clone(),
                names,
                next_image: state.next_image,
                ..State::default()
            })),
        }
    }

    /// Flips bits of a file, live and durable.
    ///
    /// # Errors
    /// If there is no such file or byte.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let mut state = lock(&self.state);
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let image = state.image(number)?;
        for bytes in [&mut image.live, &mut image.durable] {
            *bytes
                .get_mut(offset as usize)
                .ok_or(io::ErrorKind::UnexpectedEof)? ^= mask;
        }
        Ok(())
    }

    /// Cuts a file short, live and durable.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let image = state.image(number)?;
        image.live.truncate(len as usize);
        image.durable.truncate(len as usize);
        Ok(())
    }

    /// The live bytes of a file.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = lock(&self.state);
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.image(number)?.live.clone())
    }
}

/// What is left of a file: its durable bytes, and whatever of the unsynced ones had got there.
fn settle(image: &Image, random: &mut Random) -> Vec<u8> {
    let mut found = image.durable.clone();
    for (offset, bytes) in &image.unsynced {
        match random.below(3) {
            0 => {}
            1 => put(&mut found, bytes, *offset),
            _ => {
                for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                    if random.below(2) == 0 {
                        put(&mut found, sector, offset + (number * SECTOR) as u64);
                    }
                }
            }
        }
    }
    found
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path, len: u64, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        state.operate()?;
        state.reserve(len)?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.next_image += 1;
        let image = state.next_image;
        let mut zeros = Image::default();
        zeros.write(&vec![0; len as usize], 0);
        state.images.insert(image, zeros);
        state.names.insert(path.to_owned(), image);
        state.renamed.push(Change::Link(path.to_owned(), image));
        drop(state);
        Ok(self.file(path, image, mode))
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let image = *lock(&self.state)
            .names
            .get(path)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(path, image, mode))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        Ok(lock(&self.state)
            .names
            .keys()
            .filter(|path| parent(path) == directory)
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        // Every directory exists: a file's path is only a name here.
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.operate()?;
        let image = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), image);
        state
            .renamed
            .push(Change::Rename(from.to_owned(), to.to_owned(), image));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.operate()?;
        state.names.remove(path);
        state.renamed.push(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let state = &mut *lock(&self.state);
        state.operate()?;
        for change in std::mem::take(&mut state.renamed) {
            if parent(change.path()) == path {
                change.apply(&mut state.durable_names);
            } else {
                state.renamed.push(change);
            }
        }
        Ok(())
    }

    fn committer(&self) -> io::Result<Box<dyn Committer>> {
        Ok(Box::new(PlainCommitter))
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}

impl MemoryDisk {
    fn file(&self, path: &Path, image: u64, mode: Mode) -> Arc<dyn DiskFile> {
        Arc::new(MemoryFile {
            state: Arc::clone(&self.state),
            image,
            path: path.to_owned(),
            mode,
        })
    }
}

impl MemoryFile {
    /// What a real disk would refuse.
    fn check_alignment(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let aligned = bytes.as_ptr().align_offset(BLOCK) == 0
            && bytes.len().is_multiple_of(BLOCK)
            && offset.is_multiple_of(BLOCK as u64);
        if self.mode == Mode::Direct && !aligned {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.state).image(self.image)?.live.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.check_alignment(buf, offset)?;
        let mut state = lock(&self.state);
        let live = &state.image(self.image)?.live;
        let bytes = live
            .get(offset as usize..offset as usize + buf.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        state.bytes_read += buf.len() as u64;
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check_alignment(bytes, offset)?;
        let mut state = lock(&self.state);
        let outcome = if state.dead {
            return Err(io::Error::other("the power is gone"));
        } else {
            state.operate()
        };
        // A write that failed may have reached the device: the crash decides how much of it.
        state.image(self.image)?.write(bytes, offset);
        outcome
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.operate()?;
        state.image(self.image)?.sync();
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_and_named_is_sure_to_survive() {
        let disk = MemoryDisk::new();
        let path = Path::new("d/file");
        let file = disk.create(path, 4, Mode::Buffered).unwrap();
        file.write_at(b"kept", 0).unwrap();
        file.sync_data().unwrap();
        let gone = (0..20).filter(|seed| disk.crash(*seed).read(path).is_err());
        assert!(gone.count() > 0, "a name that was not synced can be lost");
        disk.sync_directory(Path::new("d")).unwrap();
        file.write_at(b"lost", 0).unwrap();
        let found: Vec<_> = (0..20)
            .map(|seed| disk.crash(seed).read(path).unwrap())
            .collect();
        assert!(found.contains(&b"kept".to_vec()));
        assert!(found.contains(&b"lost".to_vec()));
    }

    #[test]
    fn direct_files_demand_alignment() {
        let disk = MemoryDisk::new();
        let file = disk
            .create(Path::new("d/file"), BLOCK as u64, Mode::Direct)
            .unwrap();
        assert!(file.write_at(&[0; 10], 0).is_err());
        let block = super::super::AlignedBuf::zeroed(BLOCK);
        file.write_at(block.as_slice(), 0).unwrap();
        assert!(file.write_at(block.as_slice(), 512).is_err());
    }
}
