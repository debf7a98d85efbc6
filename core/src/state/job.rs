//! Jobs and the indexes that find them: by type while they can be taken, by time while they cannot.
//!
//! The indexes follow the row: [`State::put_job`] moves a job between them, so that no applier can
//! forget one.
//!
//! Jobs that can be taken are in two indexes: those of priority 0, which nearly all have, need no
//! more than type and key; the others are ordered by priority as well, the highest first.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::value::JobRecord;
use crate::state::{State, StateError};
use crate::{field_enum, record_value};

field_enum! {
    /// Where a job stands.
    pub enum JobState {
        /// Can be taken.
        #[default] Activatable = 0 "ACTIVATABLE",
        /// A worker has it.
        Activated = 1 "ACTIVATED",
        /// Waits for its back-off, or without retries for an operator.
        Failed = 2 "FAILED",
        /// Threw an error that nobody caught.
        ErrorThrown = 3 "ERROR_THROWN",
    }
}

record_value! {
    /// A job.
    pub struct JobRow {
        /// Its record, without variables.
        record "": Arc<JobRecord>,
        /// Its state.
        state "": JobState,
    }
}

impl State {
    /// Writes a job and moves it between the indexes.
    pub(crate) fn put_job(&mut self, key: Key, row: JobRow) -> Result<(), StateError> {
        self.unindex_job(key)?;
        self.index_job(key, &row);
        self.jobs.put(key, row)
    }

    /// Adds a job under a new key.
    pub(crate) fn insert_job(&mut self, key: Key, row: JobRow) {
        self.index_job(key, &row);
        self.jobs.insert_new(key, row);
    }

    /// Deletes a job.
    pub(crate) fn remove_job(&mut self, key: Key) -> Result<(), StateError> {
        self.unindex_job(key)?;
        self.jobs.remove(&key)
    }

    /// Jobs of a type that can be taken, with their tenants: by priority, then in order of creation.
    pub fn jobs_to_take<'s>(&'s self, job_type: &'s Text) -> impl Iterator<Item = (Key, &'s Text)> {
        let prioritized = |inverted: RangeInclusive<i32>| {
            let (first, last) = inverted.into_inner();
            let from = (job_type.clone(), first, Key(i64::MIN), Text::EMPTY);
            self.prioritized_jobs
                .from(from)
                .take_while(move |(of, inverted, _, _)| of == job_type && *inverted <= last)
                .map(|(_, _, key, tenant)| (*key, tenant))
        };
        let from = (job_type.clone(), Key(i64::MIN), Text::EMPTY);
        let plain = self.activatable_jobs.from(from);
        let plain = plain.take_while(move |(of, _, _)| of == job_type);
        prioritized(i32::MIN..=!1)
            .chain(plain.map(|(_, key, tenant)| (*key, tenant)))
            .chain(prioritized(0..=i32::MAX))
    }

    fn index_job(&mut self, key: Key, row: &JobRow) {
        let record = &row.record;
        match row.state {
            JobState::Activatable if record.priority == 0 => self.activatable_jobs.insert((
                record.job_type.clone(),
                key,
                record.tenant_id.clone(),
            )),
            JobState::Activatable => self.prioritized_jobs.insert((
                record.job_type.clone(),
                !record.priority,
                key,
                record.tenant_id.clone(),
            )),
            JobState::Activated => self.job_deadlines.insert((record.deadline, key)),
            JobState::Failed if record.retries > 0 && record.recurring_time > Timestamp(0) => {
                self.job_backoffs.insert((record.recurring_time, key));
            }
            JobState::Failed | JobState::ErrorThrown => {}
        }
    }

    fn unindex_job(&mut self, key: Key) -> Result<(), StateError> {
        let Some(row) = self.jobs.get(&key)? else {
            return Ok(());
        };
        let record = &row.record;
        match row.state {
            JobState::Activatable if record.priority == 0 => self.activatable_jobs.remove(&(
                record.job_type.clone(),
                key,
                record.tenant_id.clone(),
            )),
            JobState::Activatable => self.prioritized_jobs.remove(&(
                record.job_type.clone(),
                !record.priority,
                key,
                record.tenant_id.clone(),
            )),
            JobState::Activated => self.job_deadlines.remove(&(record.deadline, key)),
            JobState::Failed => self.job_backoffs.remove(&(record.recurring_time, key)),
            JobState::ErrorThrown => {}
        }
        Ok(())
    }
}
