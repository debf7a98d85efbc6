//! Where backups are kept, and when they are taken.
//!
//! A store that this program does not have, and a schedule it does not understand, are refused: a
//! backup that is silently not taken is noticed when it is needed.

use std::path::PathBuf;
use std::time::Duration;

use ringflow_backup::{S3Options, StoreOptions};

use super::{DAY, FLAGS, MINUTE, Reader, SECOND};
use crate::settings::{Id, SettingError};

/// Which kind of store.
#[derive(Clone, Copy)]
enum Kind {
    None,
    Filesystem,
    S3,
}

/// What is configured of backups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BackupConfig {
    /// Where they are kept; `None` = there are none.
    pub store: Option<StoreOptions>,
    /// They follow each other without gaps.
    pub continuous: bool,
    /// Time between those that nobody asks for.
    pub schedule: Option<Duration>,
    /// Age at which they are deleted.
    pub retention: Option<Duration>,
}

impl Reader<'_> {
    pub(super) fn backups(&self) -> Result<BackupConfig, SettingError> {
        let kind = self.one_of(
            Id::BackupStore,
            &[
                ("none", Kind::None),
                ("filesystem", Kind::Filesystem),
                ("s3", Kind::S3),
            ],
        )?;
        self.one_of(Id::BackupCompression, &[("none", ())])?;
        let needed = |id, what: &str| match self.text(id) {
            "" => Err(self.settings.invalid(id, what)),
            text => Ok(text.to_owned()),
        };
        let text = |id| self.text(id).to_owned();
        let store = match kind {
            Kind::None => None,
            Kind::Filesystem => Some(StoreOptions::Filesystem {
                base_path: PathBuf::from(needed(
                    Id::BackupDirectory,
                    "a directory, for backup.store = filesystem",
                )?),
            }),
            Kind::S3 => Some(StoreOptions::S3(Box::new(S3Options {
                bucket: needed(Id::BackupBucket, "a bucket, for backup.store = s3")?,
                endpoint: text(Id::BackupEndpoint),
                region: text(Id::BackupRegion),
                access_key: text(Id::BackupAccessKey),
                secret_key: text(Id::BackupSecretKey),
                path_style: self.one_of(Id::BackupPathStyle, &FLAGS)?,
                base_path: text(Id::BackupBasePath),
                call_timeout: self.duration(Id::BackupCallTimeout, SECOND, 60 * MINUTE)?,
            }))),
        };
        Ok(BackupConfig {
            store,
            continuous: self.one_of(Id::BackupContinuous, &FLAGS)?,
            schedule: self.none_or(Id::BackupSchedule, 10 * SECOND, 30 * DAY)?,
            retention: self.none_or(Id::BackupRetention, MINUTE, 3650 * DAY)?,
        })
    }

    fn none_or(
        &self,
        id: Id,
        min_millis: u64,
        max_millis: u64,
    ) -> Result<Option<Duration>, SettingError> {
        if self.text(id).eq_ignore_ascii_case("none") || self.text(id).is_empty() {
            return Ok(None);
        }
        self.duration(id, min_millis, max_millis).map(Some)
    }
}
