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
//! | due date of a timer | TIMER TRIGGER |
//! | end of a message's life | MESSAGE_BATCH EXPIRE |
//! | batch operation with items to do, or to find | BATCH_OPERATION_EXECUTION EXECUTE, or a question; see [`batch`] |
//! | subscription that waits for the other partition | sent again, see [`resend`] |

use std::collections::BTreeMap;

use crate::engine::command::message::EXPIRED_PER_BATCH;
use crate::engine::effect::Effect;
use crate::engine::fault::Fault;
use crate::engine::input::Command;
use crate::engine::{Engine, Positions, batch, distribute, resend};
use crate::ids::{Key, Position, Timestamp};
use crate::record::intent::of;
use crate::record::value::MessageBatchRecord;
use crate::record::{Record, codec};
use crate::state::{Index, State};

/// Time after which a timer that was refused is handed out again.
pub(crate) const REFUSED_TIMER_MILLIS: i64 = 10_000;
/// Time between two looks for messages whose life is over.
pub(crate) const EXPIRY_MILLIS: i64 = 1_000;

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
    /// Timers handed out that are still there, and when they are handed out again: a timer whose
    /// scope waits with an incident is refused until that is resolved.
    timers: BTreeMap<(Timestamp, Key, Key), Timestamp>,
    /// When messages are expired next at the earliest.
    next_expiry: Option<Timestamp>,
    subscriptions: resend::Subscriptions,
    items: batch::Items,
}

impl Engine {
    /// Finds what is due at the wall clock's `now`, at most `limit` commands.
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
        let time = self.time(now);
        let timed_out = self
            .live_jobs(&self.state.job_deadlines)
            .take_while(|(deadline, _)| *deadline < time);
        for (_, key) in timed_out.take(room(out)).collect::<Vec<_>>() {
            self.push_job(key, of::Job::TimeOut, out)?;
        }
        let recurring = self
            .live_jobs(&self.state.job_backoffs)
            .take_while(|(recurring, _)| *recurring <= time);
        for (_, key) in recurring.take(room(out)).collect::<Vec<_>>() {
            self.push_job(key, of::Job::RecurAfterBackoff, out)?;
        }
        self.due_timers(now, limit, out)?;
        self.due_messages(now, limit, out);
        let here = self.config.partition;
        self.due.subscriptions.resend(&self.state, here, now, out)?;
        self.due.items.due(&self.state, now, limit, out)?;
        distribute::resend(&self.state, &mut self.due.resend, now, &mut out.effects)
    }

    fn due_timers(&mut self, now: Timestamp, limit: usize, out: &mut Due) -> Result<(), Fault> {
        let time = self.time(now);
        let index = &self.state.timer_due_dates;
        self.due.timers.retain(|timer, _| index.contains(timer));
        let due: Vec<_> = self
            .live_timers()
            .take_while(|(due, ..)| *due <= time)
            .filter(|timer| {
                let again = self.due.timers.get(timer);
                again.is_none_or(|again| *again <= now)
            })
            .take(limit.saturating_sub(out.commands.len()))
            .collect();
        for timer in due {
            let (_, element, key) = timer;
            if let Some(row) = self.state.timers.get(&element, &key)? {
                let again = now.plus_millis(REFUSED_TIMER_MILLIS);
                self.due.timers.insert(timer, again);
                let record = row.record.clone();
                out.commands
                    .push(Command::internal(key, of::Timer::Trigger, record));
            }
        }
        Ok(())
    }

    /// Timers whose instance is not banned.
    fn live_timers(&self) -> impl Iterator<Item = (Timestamp, Key, Key)> + '_ {
        let timers = self.state.timer_due_dates.iter().copied();
        timers.filter(|(_, element, key)| {
            self.state.banned.is_empty()
                || match self.state.timers.get(element, key) {
                    Ok(Some(timer)) => {
                        let instance = timer.record.process_instance_key;
                        !self.state.banned.contains(&instance)
                    }
                    Ok(None) | Err(_) => true,
                }
        })
    }

    fn due_messages(&mut self, now: Timestamp, limit: usize, out: &mut Due) {
        if self.due.next_expiry.is_some_and(|next| now < next) {
            return;
        }
        let time = self.time(now);
        let expired = (self.state.message_deadlines.iter())
            .take_while(|(deadline, _)| *deadline <= time)
            .map(|(_, key)| *key);
        let room = limit.saturating_sub(out.commands.len());
        let keys: Vec<Key> = expired
            .take(room.saturating_mul(EXPIRED_PER_BATCH))
            .collect();
        if keys.is_empty() {
            return;
        }
        if keys.len() < room.saturating_mul(EXPIRED_PER_BATCH) {
            self.due.next_expiry = Some(now.plus_millis(EXPIRY_MILLIS));
        }
        for keys in keys.chunks(EXPIRED_PER_BATCH) {
            let record = MessageBatchRecord {
                message_keys: keys.to_vec(),
            };
            out.commands.push(Command::internal(
                Key::NONE,
                of::MessageBatch::Expire,
                record,
            ));
        }
    }

    /// When a timer is to be handed out next.
    fn next_timer(&self) -> Option<Timestamp> {
        let handed_out = &self.due.timers;
        let new = self
            .live_timers()
            .find(|timer| !handed_out.contains_key(timer))
            .and_then(|(due, ..)| self.on_wall_clock(due));
        let again = (handed_out.iter())
            .filter(|(timer, _)| self.state.timer_due_dates.contains(timer))
            .map(|(_, again)| *again);
        new.into_iter().chain(again).min()
    }

    /// When the wall clock shows that the engine's time `due` is reached: a pinned clock is there
    /// already, or never gets there.
    fn on_wall_clock(&self, due: Timestamp) -> Option<Timestamp> {
        match self.state.clock.first() {
            None => Some(due),
            Some(pinned) => (due <= *pinned).then_some(Timestamp(0)),
        }
    }

    /// True if a step left commands that had no room: they come before every newer command, as they
    /// stand before it in the log, and [`Engine::due`] hands them out.
    #[must_use]
    pub fn has_deferred(&self) -> bool {
        let handed_out = &self.due.continuations;
        let waiting = &self.state.continuations;
        waiting
            .with(&State::CONTINUATIONS, |rows| {
                rows.keys().any(|position| !handed_out.contains(position))
            })
            .unwrap_or_default()
    }

    /// When [`Engine::due`] finds something next; none = nothing waits for a time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.has_deferred() {
            return Some(Timestamp(0));
        }
        let deadline = self.live_jobs(&self.state.job_deadlines).next();
        let backoff = self.live_jobs(&self.state.job_backoffs).next();
        [
            deadline.and_then(|(time, _)| self.on_wall_clock(time.plus_millis(1))),
            backoff.and_then(|(time, _)| self.on_wall_clock(time)),
            self.due.resend.next(&self.state),
            self.next_timer(),
            (self.state.message_deadlines.first())
                .and_then(|(deadline, _)| self.on_wall_clock(*deadline))
                .map(|deadline| deadline.max(self.due.next_expiry.unwrap_or_default())),
            self.due.subscriptions.next(&self.state),
            self.due.items.next(&self.state),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn push_job(&self, key: Key, intent: of::Job, out: &mut Due) -> Result<(), Fault> {
        if let Some(job) = self.state.jobs.get(&key)? {
            out.commands
                .push(Command::internal(key, intent, job.record.clone()));
        }
        Ok(())
    }

    /// Entries of jobs whose instance is not banned: commands for a banned one are dropped, and what
    /// is never processed would stay due for ever.
    fn live_jobs<'s>(
        &'s self,
        index: &'s Index<(Timestamp, Key)>,
    ) -> impl Iterator<Item = (Timestamp, Key)> + 's {
        index.iter().copied().filter(|(_, key)| {
            self.state.banned.is_empty()
                || match self.state.jobs.get(key) {
                    Ok(Some(job)) => {
                        let instance = job.record.process_instance_key;
                        !self.state.banned.contains(&instance)
                    }
                    Ok(None) | Err(_) => true,
                }
        })
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
    fn continuation_source(&self, command: &Command) -> Option<Position> {
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

    /// As [`Engine::continuation_source`]; it counts as not handed out from here on.
    pub(super) fn take_continuation(&mut self, command: &Command) -> Option<Position> {
        let source = self.continuation_source(command)?;
        self.due.continuations.remove(&source);
        Some(source)
    }
}

fn same(record: &Record, command: &Command) -> bool {
    record.key == command.key
        && record.intent == command.intent
        && record.authorization == command.authorization
        && record.value == command.value
}

fn command_of(record: Record) -> Command {
    Command {
        operation_reference: record.operation_reference,
        batch_operation_reference: record.batch_operation_reference,
        authorization: record.authorization,
        ..Command::internal(record.key, record.intent, record.value)
    }
}
