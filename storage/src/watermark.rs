//! How much disk is left, and what that means.
//!
//! Checked now and then by the shard (a `statvfs` costs microseconds). Two thresholds, as in
//! Camunda's `data.disk.freeSpace`: below the first no new work is taken, so that running work can
//! still finish; below the second nothing is appended at all, so that compaction keeps its room.

use std::path::Path;

use crate::error::Error;

/// Space on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes this process may still write.
    pub free_bytes: u64,
    /// Bytes of the file system.
    pub total_bytes: u64,
}

/// What the space left allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Normal,
    /// No new work.
    Paused,
    /// No processing at all.
    Stopped,
}

/// The two thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    pause_bytes: u64,
    stop_bytes: u64,
}

impl Thresholds {
    /// Pauses intake below `pause_bytes` free, stops below `stop_bytes`.
    ///
    /// # Errors
    /// [`Error::Misuse`] if intake would pause later than everything stops.
    pub fn new(pause_bytes: u64, stop_bytes: u64) -> Result<Self, Error> {
        if stop_bytes > pause_bytes {
            return Err(Error::Misuse(format!(
                "free space to stop at ({stop_bytes} bytes) is above the one to pause at \
                 ({pause_bytes} bytes)"
            )));
        }
        Ok(Self {
            pause_bytes,
            stop_bytes,
        })
    }

    /// What `space` allows.
    #[must_use]
    pub const fn level(self, space: DiskSpace) -> Level {
        if space.free_bytes < self.stop_bytes {
            Level::Stopped
        } else if space.free_bytes < self.pause_bytes {
            Level::Paused
        } else {
            Level::Normal
        }
    }
}

impl DiskSpace {
    /// The space on the device of `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file system does not answer.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let stat = rustix::fs::statvfs(path)
            .map_err(|error| Error::io("measure the space of", path, error.into()))?;
        Ok(Self {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_thresholds() {
        let thresholds = Thresholds::new(200, 100).unwrap();
        let level = |free_bytes| {
            thresholds.level(DiskSpace {
                free_bytes,
                total_bytes: 1000,
            })
        };
        assert_eq!(level(200), Level::Normal);
        assert_eq!(level(199), Level::Paused);
        assert_eq!(level(100), Level::Paused);
        assert_eq!(level(99), Level::Stopped);
        assert!(Thresholds::new(100, 200).is_err());
    }

    #[test]
    fn this_machine_has_a_disk() {
        let space = DiskSpace::of(Path::new("/")).unwrap();
        assert!(space.total_bytes >= space.free_bytes);
        assert!(space.total_bytes > 0);
    }
}
