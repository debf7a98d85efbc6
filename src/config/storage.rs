//! Settings of the secondary storage: what is kept how long, how hard is cleaned, what is audited.
//!
//! The names are Camunda's where it has one. What it decides per kind of batch operation may be left
//! out (`auto`) and is then as for all kinds; the same goes for decisions, which follow the default
//! of instances. Times of single processes are a setting of our own.

use std::collections::BTreeMap;
use std::time::Duration;

use ringflow_core::record::value::BatchOperationType;
use ringflow_export::{Audit, AuditedBy, Prefix, RetainOptions};

use super::{DAY, FLAGS, MINUTE, Reader, SECOND, millis};
use crate::settings::{Id, SettingError};

/// Longest time that history can be kept.
const TTL_MAX: u64 = 3650 * DAY;
/// Most rows that one statement deletes.
const ROWS_MAX: u64 = 1_000_000;

impl Reader<'_> {
    /// How history is kept and cleaned.
    pub(super) fn retain(&self) -> Result<RetainOptions, SettingError> {
        let ttl = self.duration(Id::HistoryTtl, MINUTE, TTL_MAX)?;
        let min = self.duration(Id::HistoryIntervalMin, SECOND, DAY)?;
        let max = self.duration(Id::HistoryIntervalMax, SECOND, DAY)?;
        if max < min {
            return Err(self.settings.invalid(
                Id::HistoryIntervalMax,
                "no shorter than secondary-storage.history.interval-min",
            ));
        }
        let mut batch_type_ttl = BTreeMap::new();
        for (id, kind) in [
            (
                Id::HistoryBatchCancelTtl,
                BatchOperationType::CancelProcessInstance,
            ),
            (
                Id::HistoryBatchMigrateTtl,
                BatchOperationType::MigrateProcessInstance,
            ),
            (
                Id::HistoryBatchModifyTtl,
                BatchOperationType::ModifyProcessInstance,
            ),
            (
                Id::HistoryBatchResolveTtl,
                BatchOperationType::ResolveIncident,
            ),
        ] {
            if self.text(id) != "auto" {
                let ttl = self.duration(id, MINUTE, TTL_MAX)?;
                batch_type_ttl.insert(kind.name().to_owned(), ttl);
            }
        }
        Ok(RetainOptions {
            ttl,
            process_ttl: self.process_ttl()?,
            decision_ttl: match self.text(Id::HistoryDecisionTtl) {
                "auto" => ttl,
                _ => self.duration(Id::HistoryDecisionTtl, MINUTE, TTL_MAX)?,
            },
            batch_ttl: self.duration(Id::HistoryBatchTtl, MINUTE, TTL_MAX)?,
            batch_type_ttl,
            usage_ttl: self.duration(Id::HistoryUsageTtl, MINUTE, TTL_MAX)?,
            usage_interval: self.duration(Id::HistoryUsageInterval, MINUTE, 30 * DAY)?,
            interval: min,
            interval_max: max,
            percent: self.percent(Id::HistoryShare)?,
            roots: self.number(Id::HistoryRoots, 1, ROWS_MAX)? as u32,
            rows: self.number(Id::HistoryRows, 1, ROWS_MAX)? as u32,
        })
    }

    /// `order=7d, invoice=90d`.
    fn process_ttl(&self) -> Result<BTreeMap<String, Duration>, SettingError> {
        let id = Id::HistoryProcessTtl;
        let mut times = BTreeMap::new();
        for entry in self.list(id) {
            let read = entry.split_once('=').and_then(|(process, time)| {
                let time = millis(time.trim()).filter(|it| (MINUTE..=TTL_MAX).contains(it))?;
                Some((process.trim().to_owned(), Duration::from_millis(time)))
            });
            let Some((process, time)) = read.filter(|(process, _)| !process.is_empty()) else {
                return Err(self.settings.invalid(
                    id,
                    "PROCESS=TIME with commas between, such as order=7d, of 1m to 3650d",
                ));
            };
            times.insert(process, time);
        }
        Ok(times)
    }

    /// A share such as `0.25`, as whole percents.
    fn percent(&self, id: Id) -> Result<u8, SettingError> {
        let share: Option<f64> = self.text(id).parse().ok();
        share
            .map(|share| (share * 100.0).round())
            .filter(|percent| (1.0..=100.0).contains(percent))
            .map(|percent| percent as u8)
            .ok_or_else(|| self.settings.invalid(id, "a share, 0.01 to 1"))
    }

    /// Whose operations are audited, and which.
    pub(super) fn audit(&self) -> Result<Audit, SettingError> {
        let by = |categories, excludes| {
            let unknown = |id, names: &[&str]| {
                let expected = format!("a list of {}, commas between", names.join(", "));
                self.settings.invalid(id, expected)
            };
            AuditedBy::new(&self.list(categories), &self.list(excludes)).map_err(|wrong| {
                let (id, names) = match wrong {
                    ringflow_export::AuditError::Category => (categories, AuditedBy::CATEGORIES),
                    ringflow_export::AuditError::Entity => (excludes, AuditedBy::ENTITIES),
                };
                unknown(id, names)
            })
        };
        if !self.one_of(Id::AuditEnabled, &FLAGS)? {
            return Ok(Audit::NONE);
        }
        Ok(Audit {
            user: by(Id::AuditUserCategories, Id::AuditUserExcludes)?,
            client: by(Id::AuditClientCategories, Id::AuditClientExcludes)?,
        })
    }

    /// What stands in front of all tables.
    pub(super) fn prefix(&self) -> Result<Prefix, SettingError> {
        Prefix::new(self.text(Id::TablePrefix)).map_err(|_| {
            self.settings.invalid(
                Id::TablePrefix,
                "empty, or at most 24 letters, digits and underscores, no digit first",
            )
        })
    }

    /// The entries of a list, which commas or blanks separate.
    fn list(&self, id: Id) -> Vec<&str> {
        let entries = self.text(id).split([',', ' ']);
        entries.filter(|entry| !entry.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::settings::Settings;

    fn config(pairs: &[(Id, &str)]) -> Result<Config, String> {
        let mut settings = Settings::default();
        for (id, value) in pairs {
            settings.set(*id, *value);
        }
        Config::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_for_everything() {
        let defaults = config(&[]).unwrap();
        assert_eq!(defaults.retain, RetainOptions::default());
        assert_eq!(defaults.audit, Audit::default());
        assert_eq!(defaults.table_prefix, Prefix::NONE);
        let retain = config(&[(Id::HistoryTtl, "P7D"), (Id::HistoryBatchTtl, "2d")]);
        let retain = retain.unwrap().retain;
        let days = |days: u64| Duration::from_millis(days * DAY);
        assert_eq!((retain.ttl, retain.decision_ttl), (days(7), days(7)));
        assert_eq!(
            (retain.batch_ttl, retain.batch_type_ttl.len()),
            (days(2), 0)
        );
    }

    #[test]
    fn times_of_processes_and_kinds_are_read() {
        let retain = config(&[
            (Id::HistoryProcessTtl, "order=7d, invoice=PT90M"),
            (Id::HistoryBatchCancelTtl, "1d"),
            (Id::HistoryShare, "0.5"),
            (Id::HistoryIntervalMin, "PT1S"),
            (Id::HistoryIntervalMax, "PT60M"),
        ]);
        let retain = retain.unwrap().retain;
        let of = |process: &str| retain.process_ttl.get(process).map(Duration::as_secs);
        assert_eq!(of("order"), Some(7 * 24 * 3600));
        assert_eq!(of("invoice"), Some(90 * 60));
        let cancel = retain.batch_type_ttl.get("CANCEL_PROCESS_INSTANCE");
        assert_eq!(cancel, Some(&Duration::from_millis(DAY)));
        assert_eq!(retain.percent, 50);
        assert_eq!(retain.interval_max, Duration::from_secs(3600));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (id, value) in [
            (Id::HistoryProcessTtl, "order"),
            (Id::HistoryProcessTtl, "=7d"),
            (Id::HistoryProcessTtl, "order=1s"),
            (Id::HistoryShare, "0"),
            (Id::HistoryShare, "NaN"),
            (Id::HistoryIntervalMax, "1s"),
            (Id::AuditUserCategories, "ADMIN,ALL"),
            (Id::AuditClientExcludes, "X"),
            (Id::TablePrefix, "a;b"),
        ] {
            let refusal = config(&[(id, value)]).unwrap_err();
            assert!(refusal.contains(id.row().name), "{refusal}");
        }
        let audit = config(&[
            (Id::AuditClientCategories, "ADMIN, USER_TASKS"),
            (Id::AuditUserExcludes, "VARIABLE"),
        ]);
        assert_ne!(audit.unwrap().audit, Audit::default());
        let off = config(&[(Id::AuditEnabled, "false")]);
        assert_eq!(off.unwrap().audit, Audit::NONE);
    }
}
