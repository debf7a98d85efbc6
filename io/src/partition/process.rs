//! What a partition does with commands and committed entries, and in which order.
//!
//! # The order
//!
//! This is the only statement of it; other files refer here.
//!
//! 1. **Process.** One iteration takes the commands that wait and runs each through the engine, on
//!    top of everything processed before, committed or not. Nothing leaves.
//! 2. **Propose.** All records of the iteration become one entry. Its state changes and effects are
//!    held ([`Held`]) while it is replicated and made durable by a quorum; the next iteration goes
//!    on meanwhile, up to the pipeline's depth.
//! 3. **Commit.** openraft applies entries in log order, each after a quorum has it on disk. If the
//!    entry is the oldest one held, its effects leave: answers, pushed jobs, commands to other
//!    partitions; then it is published to the feed; then its state changes become readable through
//!    the state store. An entry that is not our own is replayed: its events are applied to the
//!    engine, nothing leaves but the feed.
//! 4. **Persist.** The state store writes committed changes to disk later, in order, together with
//!    the position they reach. Its disk therefore always equals a prefix of the committed log.
//!
//! So before a caller hears anything, its records are durable on a quorum; a crash at any point loses
//! at most effects, which their owners in state send again, and never a committed record.
//!
//! An entry is built on a position. One that does not continue where this replica stands has no
//! effect on any replica: it is skipped identically everywhere ([`Core::apply`]). Losing leadership
//! drops the engine with everything uncommitted; it is opened again from the store, which stands at
//! the last applied entry.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ringflow_core::engine::effect::Effect;
use ringflow_core::engine::input::Command;
use ringflow_core::engine::{Due, Engine, EngineConfig, Step};
use ringflow_core::ids::{Position, Timestamp};
use ringflow_core::record::batch;
use ringflow_core::record::codec;
use ringflow_core::record::field::ValueWriter;
use ringflow_core::record::intent::of;
use ringflow_core::record::{Record, RecordType};
use ringflow_core::state::store::WriteSet;
use ringflow_storage::state::{Applied, StateStore};

use crate::driver;
use crate::feed::{FeedBatch, Published};
use crate::partition::push::{OpenStreams, Pushed};
use crate::partition::respond::Callers;
use crate::raft::{Proposal, payload};
use crate::shard::mailbox::{Control, Loss, Mailbox, Request};
use crate::submit::Shared;

/// Bytes of records after which an iteration is sealed. With one step on top (at most the step
/// bound) an entry stays below the log's largest batch.
const ITERATION_BYTES: usize = 1 << 20;

/// Why a partition cannot go on; it is dead until the process starts again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// An entry that was proposed and not yet committed, and everything it holds back.
#[derive(Debug)]
struct Held {
    base: Position,
    records: Arc<Vec<Record>>,
    write_set: WriteSet,
    /// Number of the write set as the engine counts them.
    write_set_number: u64,
    effects: Vec<Effect>,
    /// Budget slots of its commands.
    slots: u32,
    /// When the oldest of its counted commands was admitted.
    admitted: Option<Instant>,
    proposed: Instant,
}

/// The engine of a partition and everything that goes in and out of it. Owned by the partition's
/// shard; borrowed for the length of one call, never across an await.
pub(crate) struct Core {
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
    store: Rc<StateStore>,
    engine: Engine,
    /// Term in which this replica processes; `None` = it only applies.
    leading: Option<u64>,
    held: VecDeque<Held>,
    callers: Callers,
    streams: OpenStreams,
    /// Last position applied, and the entry that reached it.
    applied: Applied,
    last_time: i64,
    step: Step,
    due: Due,
    scratch: ValueWriter,
}

fn open_engine(
    mailbox: &Mailbox,
    shared: &Shared,
    store: &Rc<StateStore>,
) -> Result<Engine, Broken> {
    let limits = &shared.options.limits;
    let config = EngineConfig {
        partition: mailbox.partition,
        partition_count: shared.options.partitions,
        max_commands_in_batch: limits.commands_in_batch,
        max_batch_bytes: limits.step_bytes,
        ..EngineConfig::default()
    };
    let store: Rc<StateStore> = Rc::clone(store);
    Engine::open(config, store).map_err(|fault| Broken(format!("the engine: {fault}")))
}

impl Core {
    /// Opens the engine on what the store shows.
    pub(crate) fn open(
        mailbox: Arc<Mailbox>,
        shared: Arc<Shared>,
        store: Rc<StateStore>,
    ) -> Result<Self, Broken> {
        let engine = open_engine(&mailbox, &shared, &store)?;
        let applied = store.applied();
        if engine.position() != applied.position {
            return Err(Broken(format!(
                "the state says it was built up to record {}, its store up to {}",
                engine.position(),
                applied.position
            )));
        }
        mailbox.feed.start_at(applied.position, applied.index);
        let callers = Callers::new(shared.options.limits.waiting_callers);
        Ok(Self {
            mailbox,
            shared,
            store,
            engine,
            leading: None,
            held: VecDeque::new(),
            callers,
            streams: OpenStreams::default(),
            applied,
            last_time: 0,
            step: Step::default(),
            due: Due::default(),
            scratch: ValueWriter::default(),
        })
    }

    /// Last entry applied.
    pub(crate) fn applied(&self) -> Applied {
        self.applied
    }

    /// True while this replica processes commands.
    pub(crate) fn is_leading(&self) -> bool {
        self.leading.is_some()
    }

    /// Starts processing in `term`; everything in the log has been applied.
    pub(crate) fn lead(&mut self, term: u64) {
        self.leading = Some(term);
    }

    /// Entries proposed and not yet committed.
    pub(crate) fn in_flight(&self) -> usize {
        self.held.len()
    }

    /// When the next timer, time-out or the like is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.engine.next_due()
    }

    /// The wall clock, never backwards within one process.
    pub(crate) fn now(&mut self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        self.last_time = self.last_time.max(millis);
        Timestamp(self.last_time)
    }

    /// Takes in stream registrations.
    pub(crate) fn take_control(&mut self) {
        while let Some(control) = self.mailbox.pop_control() {
            match control {
                Control::AddStream { id, spec, jobs } => {
                    self.engine.streams().add(id, spec.clone());
                    self.streams.open(id, spec, jobs);
                }
                Control::RemoveStream(id) => {
                    if self.streams.close(id) {
                        self.engine.streams().remove(id);
                    }
                }
                Control::Digest(to) => {
                    // Whoever asked may have left.
                    let _ = to.send(self.engine.digest().0);
                }
            }
        }
        let metrics = &self.mailbox.metrics;
        metrics.streams_open.set(self.streams.len() as u64);
    }

    /// Runs one iteration over what waits; the entry to propose, if it wrote records.
    pub(crate) fn iterate(&mut self) -> Result<Option<Proposal>, Broken> {
        let limits = self.shared.options.limits;
        let started = Instant::now();
        let now = self.now();
        let mut iteration = Iteration::begin(self.engine.position());
        if self.engine.next_due().is_some_and(|due| due <= now) {
            self.process_due(now, &mut iteration);
        }
        let mut clock = started;
        while iteration.records.len() < limits.iteration_records
            && iteration.bytes.len() < ITERATION_BYTES
            && clock.duration_since(started) < limits.iteration_time
            && !driver::need_preempt()
        {
            let Some(command) = self.next_command(clock, &mut iteration) else {
                break;
            };
            self.process(now, command, &mut iteration);
            let finished = Instant::now();
            let metrics = &self.mailbox.metrics;
            metrics
                .command_process
                .record(finished.duration_since(clock));
            clock = finished;
        }
        if let Some(fault) = self.engine.broken() {
            return Err(Broken(format!("the engine: {fault}")));
        }
        Ok(self.seal(iteration, started))
    }

    /// Takes the next command: those of other partitions first, then what ends work, then the rest.
    fn next_command(&mut self, now: Instant, iteration: &mut Iteration) -> Option<Command> {
        if let Some(command) = self.mailbox.pop_peer() {
            return Some(command);
        }
        loop {
            let request = self
                .mailbox
                .pop_reserved()
                .or_else(|| self.mailbox.pop_request())?;
            if let Some(command) = self.admit(request, now, iteration) {
                return Some(command);
            }
        }
    }

    /// Enters the caller of a request; `None` if the request is not to be processed.
    fn admit(
        &mut self,
        request: Request,
        now: Instant,
        iteration: &mut Iteration,
    ) -> Option<Command> {
        let Request {
            command,
            reply,
            enqueued,
            counted,
        } = request;
        let metrics = &self.mailbox.metrics;
        metrics
            .queue_wait
            .record(now.saturating_duration_since(enqueued));
        if counted {
            iteration.slots += 1;
            iteration.admitted.get_or_insert(enqueued);
        }
        let Some(reply) = reply else {
            return Some(command);
        };
        if reply.is_closed() {
            metrics.requests_abandoned.add(1);
            return None;
        }
        let request = command.request?;
        if let Err(reply) = self.callers.enter(request, reply) {
            // The caller may have left meanwhile.
            let _ = reply.send(Err(Loss::NotTaken("too many callers wait for an answer")));
            return None;
        }
        Some(command)
    }

    fn process_due(&mut self, now: Timestamp, iteration: &mut Iteration) {
        let mut due = std::mem::take(&mut self.due);
        let limit = self.shared.options.limits.due_commands;
        self.engine.due(now, limit, &mut due);
        self.mailbox
            .metrics
            .due_commands
            .add(due.commands.len() as u64);
        iteration.effects.append(&mut due.effects);
        for command in due.commands.drain(..) {
            self.process(now, command, iteration);
        }
        self.due = due;
    }

    fn process(&mut self, now: Timestamp, command: Command, iteration: &mut Iteration) {
        self.run(now, command);
        for record in &self.step.records {
            codec::encode(record, &mut self.scratch, &mut iteration.bytes);
        }
        let commands = self
            .step
            .records
            .iter()
            .filter(|record| match record.record_type {
                RecordType::Command => true,
                RecordType::Event | RecordType::CommandRejection => false,
            });
        let followups = commands.count().saturating_sub(1);
        let metrics = &self.mailbox.metrics;
        metrics.commands_processed.add(1);
        metrics.followups_processed.add(followups as u64);
        let rejections = self.step.records.iter().filter(|r| r.rejection.is_some());
        metrics.rejections_written.add(rejections.count() as u64);
        iteration.records.append(&mut self.step.records);
        iteration.effects.append(&mut self.step.effects);
    }

    /// Calls the engine; a panic in it is contained like any other fault of the engine. Sound because
    /// everything a step did is undone from the engine's journal before anything looks at it.
    fn run(&mut self, now: Timestamp, command: Command) {
        let again = command.clone();
        let (engine, step) = (&mut self.engine, &mut self.step);
        let ran = catch_unwind(AssertUnwindSafe(|| engine.process(now, command, step)));
        if let Err(panic) = ran {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "the engine panicked".to_owned());
            self.mailbox.metrics.engine_faults.add(1);
            tracing::error!(
                partition = %self.mailbox.partition,
                intent = ?again.intent,
                message,
                "the engine panicked; its step is undone"
            );
            self.engine.contain(now, &again, &message, &mut self.step);
        }
    }

    /// Ends an iteration: holds back what it caused and returns its entry.
    fn seal(&mut self, mut iteration: Iteration, started: Instant) -> Option<Proposal> {
        if iteration.records.is_empty() {
            self.mailbox.budget.give_back(iteration.slots);
            // Nothing was written, so nothing is waited for except the order of what was.
            match self.held.back_mut() {
                Some(held) => held.effects.append(&mut iteration.effects),
                None => self.release_effects(iteration.effects),
            }
            return None;
        }
        batch::finish(
            Iteration::TAG_LEN,
            iteration.records.len() as u32,
            &mut iteration.bytes,
        );
        let write_set = self.engine.take_write_set();
        let proposed = Instant::now();
        let metrics = &self.mailbox.metrics;
        metrics
            .iteration_process
            .record(proposed.duration_since(started));
        metrics.entries_proposed.add(1);
        metrics.entry_bytes.add(iteration.bytes.len() as u64);
        metrics.records_written.add(iteration.records.len() as u64);
        metrics
            .last_processed_position
            .set(self.engine.position().0);
        self.held.push_back(Held {
            base: iteration.base,
            records: Arc::new(iteration.records),
            write_set,
            write_set_number: self.engine.write_sets_taken(),
            effects: iteration.effects,
            slots: iteration.slots,
            admitted: iteration.admitted,
            proposed,
        });
        metrics.entries_in_flight.set(self.held.len() as u64);
        Some(Proposal(Bytes::from(iteration.bytes)))
    }

    /// Applies a committed entry, the step 3 of the order above.
    pub(crate) fn apply(&mut self, index: u64, term: u64, bytes: &[u8]) -> Result<(), Broken> {
        let corrupt = |what: &str| Broken(format!("log entry {index} cannot be applied: {what}"));
        let batch = payload::batch(bytes).ok_or_else(|| corrupt("it is not a record batch"))?;
        let (base, count) = batch::peek(batch).map_err(|error| corrupt(&error.to_string()))?;
        let own = self.leading == Some(term)
            && self
                .held
                .front()
                .is_some_and(|held| held.base == base && held.records.len() == count as usize);
        if own {
            return self.commit_own(index, term);
        }
        if self.is_leading() {
            self.step_down()?;
        }
        if base != self.applied.position {
            self.mailbox.metrics.entries_refused.add(1);
            tracing::warn!(
                partition = %self.mailbox.partition,
                index,
                built_on = %base,
                stands_at = %self.applied.position,
                "an entry that was built on another position has no effect"
            );
            self.advance(self.applied.position, index, term, WriteSet::default());
            return Ok(());
        }
        let (_, records) = batch::decode(batch).map_err(|error| corrupt(&error.to_string()))?;
        self.engine
            .replay(&records)
            .map_err(|fault| corrupt(&fault.to_string()))?;
        let write_set = self.engine.take_write_set();
        let number = self.engine.write_sets_taken();
        self.mailbox
            .metrics
            .records_replayed
            .add(records.len() as u64);
        let last = self.engine.position();
        self.publish(base, Arc::new(records), index);
        self.advance(last, index, term, write_set);
        self.engine.persisted(number);
        Ok(())
    }

    fn commit_own(&mut self, index: u64, term: u64) -> Result<(), Broken> {
        let held = self
            .held
            .pop_front()
            .ok_or_else(|| Broken("an own entry was committed that is not held".to_owned()))?;
        let committed = Instant::now();
        let last = Position(held.base.0 + held.records.len() as u64);
        self.mailbox
            .metrics
            .commit
            .record(committed.duration_since(held.proposed));
        self.release_effects(held.effects);
        self.publish(held.base, held.records, index);
        self.advance(last, index, term, held.write_set);
        self.engine.persisted(held.write_set_number);
        self.mailbox.budget.give_back(held.slots);
        if let Some(admitted) = held.admitted {
            self.mailbox
                .budget
                .sample(committed.saturating_duration_since(admitted));
        }
        let metrics = &self.mailbox.metrics;
        metrics.release.record(committed.elapsed());
        metrics.entries_in_flight.set(self.held.len() as u64);
        metrics.callers_waiting.set(self.callers.len() as u64);
        Ok(())
    }

    /// Records that an entry without records was applied, with the state changes it causes.
    pub(crate) fn apply_control(&mut self, index: u64, term: u64, changes: WriteSet) {
        self.advance(self.applied.position, index, term, changes);
    }

    fn advance(&mut self, position: Position, index: u64, term: u64, changes: WriteSet) {
        self.applied = Applied {
            position,
            index,
            term,
        };
        self.store.commit(changes, self.applied);
        self.mailbox.metrics.last_committed_position.set(position.0);
    }

    fn publish(&self, base: Position, records: Arc<Vec<Record>>, index: u64) {
        let last = Position(base.0 + records.len() as u64);
        let batch = FeedBatch {
            partition: self.mailbox.partition,
            records,
            last,
        };
        if !self.mailbox.feed.publish(Published { batch, base, index }) {
            self.mailbox.metrics.feed_spilled.add(1);
        }
    }

    fn release_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let metrics = &self.mailbox.metrics;
            match effect {
                Effect::Respond(response) => {
                    if self.callers.answer(response) {
                        metrics.responses_sent.add(1);
                    } else {
                        metrics.responses_dropped.add(1);
                    }
                }
                Effect::Send { to, command } => {
                    let sent = self
                        .shared
                        .partitions
                        .get(to)
                        .is_some_and(|mailbox| mailbox.push_peer(*command).is_ok());
                    if sent {
                        metrics.sends.add(1);
                    } else {
                        metrics.sends_dropped.add(1);
                    }
                }
                Effect::PushJob { stream, key, job } => {
                    match self.streams.push(stream, key, Arc::clone(&job)) {
                        Pushed::Delivered => {
                            metrics.jobs_pushed.add(1);
                            continue;
                        }
                        Pushed::Full => {}
                        Pushed::Gone => self.engine.streams().remove(stream),
                    }
                    self.mailbox.metrics.pushes_failed.add(1);
                    self.give_back(Command::internal(key, of::Job::Yield, job));
                }
                Effect::JobsAvailable { job_type } => {
                    // Nobody listens while no poll is parked.
                    let _ = self.shared.available.send(job_type);
                }
            }
        }
    }

    fn give_back(&self, command: Command) {
        let request = Request {
            command,
            reply: None,
            enqueued: Instant::now(),
            counted: false,
        };
        // If even the reserved lane is full, the job's time-out gives it back.
        let _ = self.mailbox.push_reserved(request);
    }

    /// Stops processing and forgets everything uncommitted; see the end of the order above.
    pub(crate) fn step_down(&mut self) -> Result<(), Broken> {
        self.leading = None;
        let slots: u32 = self.held.drain(..).map(|held| held.slots).sum();
        self.mailbox.budget.give_back(slots);
        self.callers.lose_all();
        self.engine = open_engine(&self.mailbox, &self.shared, &self.store)?;
        for (id, spec) in self.streams.iter() {
            self.engine.streams().add(id, spec.clone());
        }
        Ok(())
    }

    /// Answers everything that waits in the lanes without processing it.
    pub(crate) fn refuse_waiting(&mut self, reason: &'static str) {
        while let Some(request) = self
            .mailbox
            .pop_reserved()
            .or_else(|| self.mailbox.pop_request())
        {
            if request.counted {
                self.mailbox.budget.give_back(1);
            }
            if let Some(reply) = request.reply {
                // The caller may have left.
                let _ = reply.send(Err(Loss::NotTaken(reason)));
            }
        }
        while self.mailbox.pop_peer().is_some() {
            self.mailbox.metrics.sends_dropped.add_shared(1);
        }
    }

    /// Tells every waiting caller that no answer will come from this process.
    pub(crate) fn lose_callers(&mut self) {
        self.callers.lose_all();
    }
}

/// What one iteration gathers.
struct Iteration {
    base: Position,
    records: Vec<Record>,
    effects: Vec<Effect>,
    bytes: Vec<u8>,
    slots: u32,
    admitted: Option<Instant>,
}

impl Iteration {
    /// Where the batch begins in the entry's bytes: after the payload tag.
    const TAG_LEN: usize = 1;

    fn begin(base: Position) -> Self {
        let mut bytes = vec![payload::BATCH];
        batch::begin(base, &mut bytes);
        Self {
            base,
            records: Vec::new(),
            effects: Vec::new(),
            bytes,
            slots: 0,
            admitted: None,
        }
    }
}
