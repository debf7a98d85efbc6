//! What is due: deadlines and unfinished business found in state become commands and resends.
//!
//! Runs between commands on the leader. Nothing here changes state: a command that is handed out may
//! be lost with the process, and is found again by the next leader. What was handed out and not yet
//! processed is remembered (volatile) so that it is not handed out twice in a row.
//!
//! | due | command |
//! |---|---|
//! | commands that had no room in their step | themselves |
//! | deadline of an activated job | JOB TIME_OUT |
//! | end of a back-off | JOB RECUR_AFTER_BACKOFF |
//! | distribution without acknowledgement | sent again |

use crate::engine::effect::Effect;
use crate::engine::fault::Fault;
use crate::engine::input::Command;
use crate::engine::{Engine, Positions, distribute};
use crate::ids::{Position, Timestamp};
use crate::record::intent::of;
use crate::record::{Record, codec};
use crate::state::State;

/// What is due now.
#[derive(Debug, Default)]
pub struct Due {
    /// Commands to process.
    pub commands: Vec<Command>,
    /// Effects that need no commit: resends to other partitions.
    pub effects: Vec<Effect>,
}

/// What was handed out and waits to be processed.
#[derive(Debug, Default)]
pub(super) struct HandedOut {
    continuations: Positions,
    pub(super) resend: distribute::Resend,
}

impl Engine {
    /// Finds what is due, at most `limit` commands.
    pub fn due(&mut self, now: Timestamp, limit: usize, out: &mut Due) {
        if self.broken.is_some() {
            return;
        }
        if let Err(fault) = self.find_due(now, limit, out) {
            self.broken = Some(fault);
        }
    }

    fn find_due(&mut self, now: Timestamp, limit: usize, out: &mut Due) -> Result<(), Fault> {
        let room = |out: &Due| limit.saturating_sub(out.commands.len());
        for (position, record) in self.continuations(room(out))? {
            self.due.continuations.insert(position);
            out.commands.push(command_of(record));
        }
        for (_, key) in self
            .state
            .job_deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline < now)
            .take(room(out))
        {
            if let Some(job) = self.state.jobs.get(key)? {
                out.commands.push(Command::internal(
                    *key,
                    of::Job::TimeOut,
                    job.record.clone(),
                ));
            }
        }
        for (_, key) in self
            .state
            .job_backoffs
            .iter()
            .take_while(|(recurring, _)| *recurring <= now)
            .take(room(out))
        {
            if let Some(job) = self.state.jobs.get(key)? {
                out.commands.push(Command::internal(
                    *key,
                    of::Job::RecurAfterBackoff,
                    job.record.clone(),
                ));
            }
        }
        distribute::resend(&self.state, &mut self.due.resend, now, &mut out.effects)
    }

    /// When [`Engine::due`] finds something next; none = nothing waits for a time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let waiting = self
            .state
            .continuations
            .members(&State::CONTINUATIONS)
            .unwrap_or_default();
        if waiting
            .iter()
            .any(|position| !self.due.continuations.contains(position))
        {
            return Some(Timestamp(0));
        }
        let deadline = self.state.job_deadlines.first();
        let backoff = self.state.job_backoffs.first();
        [
            deadline.map(|(time, _)| time.plus_millis(1)),
            backoff.map(|(time, _)| *time),
            self.due.resend.next(&self.state),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn continuations(&self, limit: usize) -> Result<Vec<(Position, Record)>, Fault> {
        let handed_out = &self.due.continuations;
        self.state
            .continuations
            .with(&State::CONTINUATIONS, |rows| {
                rows.iter()
                    .filter(|(position, _)| !handed_out.contains(position))
                    .take(limit)
                    .map(|(position, row)| {
                        codec::decode(&mut row.record.as_bytes())
                            .map(|record| (*position, record))
                            .map_err(|error| Fault::Apply(error.to_string()))
                    })
                    .collect()
            })?
    }

    /// If `command` is a continuation that was handed out: where it was written.
    pub(super) fn continuation_source(&self, command: &Command) -> Option<Position> {
        let handed_out = &self.due.continuations;
        if handed_out.is_empty() || command.request.is_some() {
            return None;
        }
        let waiting = self
            .state
            .continuations
            .with(&State::CONTINUATIONS, |rows| {
                rows.iter()
                    .find(|(position, row)| {
                        handed_out.contains(position)
                            && codec::decode(&mut row.record.as_bytes())
                                .is_ok_and(|record| same(&record, command))
                    })
                    .map(|(position, _)| *position)
            });
        waiting.unwrap_or_default()
    }

    pub(super) fn take_continuation(
        &mut self,
        command: &Command,
    ) -> Result<Option<Position>, Fault> {
        let source = self.continuation_source(command);
        if let Some(source) = source {
            self.due.continuations.remove(&source);
            // Found in state below the step; the record of the command clears it there.
            debug_assert!(self.state.has_continuations()?);
        }
        Ok(source)
    }
}

fn same(record: &Record, command: &Command) -> bool {
    record.key == command.key && record.intent == command.intent && record.value == command.value
}

fn command_of(record: Record) -> Command {
    Command {
        operation_reference: record.operation_reference,
        batch_operation_reference: record.batch_operation_reference,
        ..Command::internal(record.key, record.intent, record.value)
    }
}
