//! The engine of one partition: commands in; records, state changes and effects out.
//!
//! Two doors: [`Engine::process`] runs a command on the leader, [`Engine::replay`] applies the events
//! of committed records everywhere else; both end in the same appliers, so that leader and follower
//! have the same state after the same records. One command, with the commands it causes, is one
//! step: its records are final and consecutive, and it either happens whole or not at all.
//!
//! Invariants: state changes only through an event; nothing volatile (streams, callers, compiled
//! definitions) decides what an event does to state; a step never writes more than
//! [`EngineConfig::max_batch_bytes`].
//!
//! | end of a step | records |
//! |---|---|
//! | accepted | command, events, follow-up commands with their events |
//! | refused | command, rejection |
//! | fault or panic | command, ERROR CREATED, rejection; see [`Engine::contain`] |
//! | no room | shorter step; what is left becomes a step of its own, see [`Engine::due`] |

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::intent::of;
use crate::record::value::ErrorRecord;
use crate::record::{Intent, Record, RecordType, Rejection, RejectionType, Value};
use crate::state::store::{StateRead, WriteSet};
use crate::state::{Digest, State};

mod apply;
mod await_result;
mod batch;
mod command;
mod definitions;
mod dispatch;
mod distribute;
mod due;
pub mod effect;
mod element;
pub mod fault;
mod guard;
pub mod input;
mod lifecycle;
mod output;
mod resend;
mod rule;
pub mod streams;

pub use command::global_listener::EVENT_TYPES as GLOBAL_LISTENER_EVENTS;
pub use command::identity::setup::defaults as identity_defaults;
pub use due::Due;
pub use fault::Fault;
pub use streams::{JobStreams, StreamSpec};

use await_result::AwaitedResults;
use command::modify_instance;
use definitions::Definitions;
use effect::Effect;
use fault::Stop;
use input::Command;
use output::{Mark, Parts, Processing};

/// Version of the events this engine writes, and of the commands processed in the step that wrote
/// them.
pub const EVENT_VERSION: u16 = 1;
/// Version of a follow-up command that had no room in its step and waits for one of its own.
pub const DEFERRED_COMMAND_VERSION: u16 = 0;
/// Element id in JOB ERROR_THROWN when nothing catches the error.
pub const NO_CATCH_EVENT_FOUND: &str = "NO_CATCH_EVENT_FOUND";

/// What an engine is told when it opens.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The partition.
    pub partition: PartitionId,
    /// Number of partitions, from 1.
    pub partition_count: u16,
    /// Commands one step processes at most, the first included.
    pub max_commands_in_batch: usize,
    /// Bytes the records of one step may have.
    pub max_batch_bytes: usize,
    /// Calls of call activities inside each other.
    pub max_call_depth: i32,
    /// Of the running root instances of a process, one at most has a business id.
    pub unique_business_ids: bool,
    /// Characters kept of an error message.
    pub max_error_message: usize,
    /// Steps an expression may take.
    pub expression_steps: u32,
    /// Time zone of calendar timers and of `now()`.
    pub time_zone: String,
    /// Who sends a command needs the permission for it.
    pub authorizations: bool,
    /// Who sends a command has to be of its tenant.
    pub tenancy: bool,
    /// Users are kept here, not elsewhere.
    pub local_users: bool,
    /// Groups are kept here, not named by tokens.
    pub local_groups: bool,
}

impl EngineConfig {
    /// Whether it matters who sends a command.
    #[must_use]
    pub fn guarded(&self) -> bool {
        self.authorizations || self.tenancy
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            partition: PartitionId(1),
            partition_count: 1,
            max_commands_in_batch: 100,
            max_batch_bytes: 4 << 20,
            max_call_depth: 1000,
            unique_business_ids: false,
            max_error_message: 10_000,
            expression_steps: 1_000_000,
            time_zone: "UTC".to_owned(),
            authorizations: false,
            tenancy: false,
            local_users: true,
            local_groups: true,
        }
    }
}

/// What steps give; the caller clears it between iterations.
#[derive(Debug, Default)]
pub struct Step {
    /// Records, final and consecutive.
    pub records: Vec<Record>,
    /// What to do once the records are committed.
    pub effects: Vec<Effect>,
}

/// The engine of one partition.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    state: State,
    definitions: Definitions,
    streams: JobStreams,
    awaited: AwaitedResults,
    due: due::HandedOut,
    /// Where the step in progress began, for the caller that contains a panic.
    mark: Mark,
    /// Where the command in progress was written, if an earlier step deferred it.
    source: Option<Position>,
    broken: Option<Fault>,
}

impl Engine {
    /// The engine over what `store` shows.
    ///
    /// # Errors
    /// When the store cannot answer or holds what is no state, or the time zone is not known.
    pub fn open(config: EngineConfig, store: Rc<dyn StateRead>) -> Result<Self, Fault> {
        if jiff::tz::TimeZone::get(&config.time_zone).is_err() {
            let message = format!("the time zone '{}' is not known", config.time_zone);
            return Err(Fault::Processing(message));
        }
        Ok(Self {
            config,
            state: State::open(store)?,
            definitions: Definitions::default(),
            streams: JobStreams::default(),
            awaited: AwaitedResults::default(),
            due: due::HandedOut::default(),
            mark: Mark {
                records: 0,
                effects: 0,
            },
            source: None,
            broken: None,
        })
    }

    /// The last record written or applied.
    #[must_use]
    pub fn position(&self) -> Position {
        self.state.position()
    }

    /// Why the engine can do nothing any more; the partition stops when it says something.
    #[must_use]
    pub fn broken(&self) -> Option<&Fault> {
        self.broken.as_ref()
    }

    /// State, to read: for tests and diagnosis.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Number of the newest checkpoint; 0 if there is none.
    #[must_use]
    pub fn checkpoint(&self) -> i64 {
        self.state.checkpoints.first().map_or(0, |newest| newest.0)
    }

    /// The engine's time at the wall clock's `now`: the same, unless its clock is pinned.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Timestamp {
        self.state.clock.first().copied().unwrap_or(now)
    }

    /// One step at the wall clock's `now`. Appends to `out`; a command for a banned instance leaves nothing there.
    pub fn process(&mut self, now: Timestamp, command: Command, out: &mut Step) {
        if self.broken.is_some() || self.is_banned(&command) {
            return;
        }
        let now = self.time(now);
        self.mark = Mark {
            records: out.records.len(),
            effects: out.effects.len(),
        };
        let source = self.take_continuation(&command);
        self.source = source;
        if command.value.weight() > self.config.max_batch_bytes {
            return self.refuse_oversized(now, command, source, out);
        }
        let mut limit = self.config.max_commands_in_batch.max(1);
        loop {
            match self.run(now, &command, source, limit, out) {
                Ok(()) => return self.keep_step(),
                Err((Stop::TooLarge, finished)) => {
                    self.undo_step(out);
                    if finished > 0 && finished < limit {
                        limit = finished;
                        continue;
                    }
                    return self.refuse_large(now, &command, source, out);
                }
                Err((Stop::Fault(fault), _)) if fault.is_fatal() => {
                    self.undo_step(out);
                    self.broken = Some(fault);
                    return;
                }
                Err((Stop::Fault(fault), _)) => {
                    return self.contain(now, &command, &fault.to_string(), out);
                }
                Err((Stop::Reject(rejection), finished)) => {
                    self.undo_step(out);
                    if finished > 0 && finished < limit {
                        limit = finished;
                        continue;
                    }
                    return self.refuse(now, &command, source, rejection, out);
                }
                Err((Stop::Incident(_), _)) => {
                    return self.contain(now, &command, "a failure without an element", out);
                }
            }
        }
    }

    /// Ends a step that had a fault, or whose processing panicked: everything the step did is
    /// undone; an ERROR record and a rejection are written instead, and the instance is banned
    /// unless the command is of a kind that does not ban.
    pub fn contain(&mut self, now: Timestamp, command: &Command, message: &str, out: &mut Step) {
        self.undo_step(out);
        let now = self.time(now);
        let instance = dispatch::instance_of(&command.value)
            .or_else(|| self.instance_by_key(command))
            .filter(|_| dispatch::bans_on_fault(command.intent))
            .unwrap_or_default();
        let error = ErrorRecord {
            exception_message: message.into(),
            error_event_position: self.state.position().next(),
            process_instance_key: instance,
            ..ErrorRecord::default()
        };
        let source = self.source;
        let written = self.with_step(now, command, source, 1, out, |step| {
            step.next();
            let key = step.next_key();
            step.event(key, of::Error::Created, error)?;
            let reason = format!(
                "Expected to process command '{:?}' without errors, but exception occurred with message '{message}'.",
                command.intent
            );
            step.reject(
                command,
                Rejection::new(RejectionType::ProcessingError, reason),
            )
        });
        match written {
            Ok(()) => self.keep_step(),
            Err((Stop::Fault(fault), _)) => self.broken = Some(fault),
            Err((Stop::TooLarge | Stop::Reject(_) | Stop::Incident(_), _)) => {
                self.undo_step(out);
                self.broken = Some(Fault::Processing(message.to_owned()));
            }
        }
    }

    /// Follower and recovery: applies committed records, which follow the last one applied.
    ///
    /// # Errors
    /// When a record does not fit or state cannot be read; the engine is of no use any more.
    pub fn replay(&mut self, records: &[Record]) -> Result<(), Fault> {
        for record in records {
            apply::apply(&mut self.state, &self.definitions, record)?;
        }
        self.state.commit_step();
        Ok(())
    }

    /// Ends an iteration: the state changes since the last call.
    pub fn take_write_set(&mut self) -> WriteSet {
        self.state.take_write_set()
    }

    /// Write sets up to and including the `n`-th taken can be read through the store now.
    pub fn persisted(&mut self, n: u64) {
        self.state.persisted(n);
    }

    /// Write sets taken so far.
    #[must_use]
    pub fn write_sets_taken(&self) -> u64 {
        self.state.write_sets_taken()
    }

    /// Job streams of the clients of this partition.
    pub fn streams(&mut self) -> &mut JobStreams {
        &mut self.streams
    }

    /// Hash over all state, for comparing replicas. Reads everything.
    ///
    /// # Panics
    /// If the store cannot answer: a comparison of what cannot be read means nothing.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self.state.digest() {
            Ok(digest) => digest,
            Err(error) => panic!("{error}"),
        }
    }

    fn run(
        &mut self,
        now: Timestamp,
        command: &Command,
        source: Option<Position>,
        limit: usize,
        out: &mut Step,
    ) -> Result<(), (Stop, usize)> {
        self.with_step(now, command, source, limit, out, |step| {
            while let Some(command) = step.next() {
                let before = step.written();
                match dispatch::dispatch(step, &command) {
                    Ok(()) => {}
                    // What a refused command wrote before it was refused has to go.
                    Err(stop @ Stop::Reject(_)) if step.written() > before => return Err(stop),
                    Err(Stop::Reject(rejection)) => step.reject(&command, rejection)?,
                    Err(stop @ (Stop::Incident(_) | Stop::TooLarge | Stop::Fault(_))) => {
                        return Err(stop);
                    }
                }
            }
            Ok(())
        })
    }

    /// Runs `f` in a step; on failure also says how many commands were processed to their end.
    fn with_step(
        &mut self,
        now: Timestamp,
        command: &Command,
        source: Option<Position>,
        limit: usize,
        out: &mut Step,
        f: impl FnOnce(&mut Processing<'_>) -> Result<(), Stop>,
    ) -> Result<(), (Stop, usize)> {
        let parts = Parts {
            state: &mut self.state,
            definitions: &self.definitions,
            config: &self.config,
            streams: &mut self.streams,
            awaited: &mut self.awaited,
            records: &mut out.records,
            effects: &mut out.effects,
        };
        let mut step = Processing::begin(parts, now, command, source, limit)
            .map_err(|fault| (Stop::Fault(fault), 0))?;
        f(&mut step).map_err(|stop| (stop, step.finished()))
    }

    fn keep_step(&mut self) {
        self.state.commit_step();
        self.awaited.commit_step();
    }

    fn undo_step(&mut self, out: &mut Step) {
        self.state.rollback_step();
        self.awaited.rollback_step();
        // Keys of the undone step are given out again, to other definitions perhaps.
        self.definitions.clear();
        out.records.truncate(self.mark.records);
        out.effects.truncate(self.mark.effects);
    }

    /// Not even the first command fits: an element waits with an incident, others are refused.
    fn refuse_large(
        &mut self,
        now: Timestamp,
        command: &Command,
        source: Option<Position>,
        out: &mut Step,
    ) {
        let written = self.with_step(now, command, source, 1, out, |step| {
            step.next();
            if lifecycle::refuse_large(step, command)? {
                return Ok(());
            }
            let reason = format!(
                "Expected to process command, but the records it causes exceed the limit of {} bytes",
                step.config.max_batch_bytes
            );
            if let Some(rejection) = modify_instance::too_large(command) {
                return step.reject(command, rejection);
            }
            let mut command = command.clone();
            if let Intent::Deployment(_) = command.intent {
                command.value = Value::default_of(command.value.value_type());
            }
            step.reject(
                &command,
                Rejection::new(RejectionType::ExceededBatchRecordSize, reason),
            )
        });
        self.keep_refusal(command, written, out);
    }

    /// A command that is larger than its records may be: what it carried is written nowhere.
    fn refuse_oversized(
        &mut self,
        now: Timestamp,
        mut command: Command,
        source: Option<Position>,
        out: &mut Step,
    ) {
        let bytes = command.value.weight();
        command.value = Value::default_of(command.value.value_type());
        let written = self.with_step(now, &command, source, 1, out, |step| {
            step.next();
            let reason = format!(
                "Expected to process command, but it has {bytes} bytes, which exceeds the limit of {} bytes",
                step.config.max_batch_bytes
            );
            step.reject(
                &command,
                Rejection::new(RejectionType::ExceededBatchRecordSize, reason),
            )
        });
        self.keep_refusal(&command, written, out);
    }

    /// The first command of a step, which was undone, is refused.
    fn refuse(
        &mut self,
        now: Timestamp,
        command: &Command,
        source: Option<Position>,
        rejection: Rejection,
        out: &mut Step,
    ) {
        let written = self.with_step(now, command, source, 1, out, |step| {
            step.next();
            step.reject(command, rejection)
        });
        self.keep_refusal(command, written, out);
    }

    fn keep_refusal(
        &mut self,
        command: &Command,
        written: Result<(), (Stop, usize)>,
        out: &mut Step,
    ) {
        match written {
            Ok(()) => self.keep_step(),
            Err((stop, _)) => {
                self.undo_step(out);
                self.broken = Some(Fault::Processing(format!(
                    "no room for the refusal of {:?}: {stop:?}",
                    command.intent
                )));
            }
        }
    }

    fn is_banned(&self, command: &Command) -> bool {
        if self.state.banned.is_empty() {
            return false;
        }
        if let Intent::ProcessInstanceCreation(_) = command.intent {
            return false;
        }
        dispatch::instance_of(&command.value)
            .is_some_and(|instance| self.state.banned.contains(&instance))
    }

    /// The instance of the job or element that a command names by key only.
    fn instance_by_key(&self, command: &Command) -> Option<Key> {
        if let Ok(Some(row)) = self.state.jobs.get(&command.key) {
            return Some(row.record.process_instance_key);
        }
        match self.state.elements.get(&command.key) {
            Ok(Some(row)) => Some(row.record.process_instance_key),
            Ok(None) | Err(_) => None,
        }
    }
}

/// Positions of continuations that were handed out and not yet processed.
type Positions = BTreeSet<Position>;

/// True for records that a step begins with.
#[must_use]
pub fn begins_step(record: &Record) -> bool {
    record.record_type == RecordType::Command && record.source_position.is_none()
}
