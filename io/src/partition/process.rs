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
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ringflow_core::engine::effect::Effect;
use ringflow_core::engine::input::Command;
use ringflow_core::engine::{Due, Engine, EngineConfig, Step};
use ringflow_core::ids::{Position, Timestamp};
use ringflow_core::record::field::ValueWriter;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::CheckpointRecord;
use ringflow_core::record::{Record, batch};
use ringflow_core::state::store::WriteSet;
use ringflow_storage::state::{Applied, StateStore};

use crate::driver;
use crate::feed::marks::{Mark, Marks};
use crate::feed::{FeedBatch, Published};
use crate::partition::cut::Stamped;
use crate::partition::propose::Sizes;
use crate::partition::push::{OpenStreams, Pushed};
use crate::partition::respond::Callers;
use crate::partition::unsent::{Sent, Unsent};
use crate::raft::payload;
use crate::shard::mailbox::{Control, Loss, Mailbox, Request};
use crate::submit::{AskedItems, Shared};

/// Entries after which the export is told anew where a reader may begin.
const RESUME_EVERY: u64 = 64;

/// Why a partition cannot go on; it is dead until the process starts again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// An entry that was proposed and not yet committed, and everything it holds back.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) base: Position,
    pub(super) records: Arc<Vec<Record>>,
    pub(super) write_set: WriteSet,
    /// Number of the write set as the engine counts them.
    pub(super) write_set_number: u64,
    pub(super) effects: Vec<Effect>,
    /// Budget slots of its commands.
    pub(super) slots: u32,
    /// When the oldest of its counted commands was admitted.
    pub(super) admitted: Option<Instant>,
    pub(super) proposed: Instant,
}

/// The engine of a partition and everything that goes in and out of it. Owned by the partition's
/// shard; borrowed for the length of one call, never across an await.
pub(crate) struct Core {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Rc<StateStore>,
    pub(super) engine: Engine,
    /// Term in which this replica processes; `None` = it only applies.
    pub(super) leading: Option<u64>,
    pub(super) held: VecDeque<Held>,
    pub(super) callers: Callers,
    pub(super) streams: OpenStreams,
    pub(super) unsent: Unsent,
    /// Places in the log of which the position is known.
    pub(super) marks: Marks,
    /// Last position applied, and the entry that reached it.
    pub(super) applied: Applied,
    pub(super) last_time: i64,
    pub(super) step: Step,
    pub(super) due: Due,
    /// Handed out by the engine as due, and not processed yet.
    pub(super) ready: VecDeque<Command>,
    pub(super) scratch: ValueWriter,
    /// Broker that somebody wants to lead.
    pub(super) wanted_leader: Option<u32>,
    /// True while nothing new is processed, because another broker is about to lead.
    pub(super) pausing: bool,
    pub(super) sizes: Sizes,
    /// Comes from a partition that is past a checkpoint, which has to be committed before.
    pub(super) postponed: Option<Command>,
    /// A checkpoint that is committed and of which nobody was told yet.
    pub(super) cut: Option<Arc<CheckpointRecord>>,
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
        time_zone: shared.options.time_zone.clone(),
        unique_business_ids: shared.options.unique_business_ids,
        authorizations: shared.options.authorizations,
        tenancy: shared.options.tenancy,
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
        mailbox.feed.open_at(Mark {
            index: applied.index,
            position: applied.position,
        });
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
            unsent: Unsent::default(),
            marks: Marks::default(),
            applied,
            last_time: 0,
            step: Step::default(),
            due: Due::default(),
            ready: VecDeque::new(),
            scratch: ValueWriter::default(),
            wanted_leader: None,
            pausing: false,
            sizes: Sizes::default(),
            postponed: None,
            cut: None,
        })
    }

    /// Makes its state another than its log says.
    #[cfg(test)]
    pub(crate) fn bend(&mut self) {
        let mut changes = WriteSet::default();
        changes.rows.push(ringflow_core::state::store::RowChange {
            key: Box::from(&b"\x01bent"[..]),
            value: Some(Box::from(&b"bent"[..])),
            born: true,
        });
        self.store.commit(changes, self.applied);
    }

    #[cfg(test)]
    pub(crate) fn digest(&self) -> [u8; 16] {
        self.engine.digest().0
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
        self.change_hands();
    }

    /// Stops or resumes processing without giving up leadership.
    pub(crate) fn pause(&mut self, pausing: bool) {
        self.pausing = pausing;
    }

    /// The broker that somebody wants to lead, once.
    pub(crate) fn take_wanted_leader(&mut self) -> Option<u32> {
        self.wanted_leader.take()
    }

    /// True if commands are to be processed now.
    pub(crate) fn takes(&self) -> bool {
        self.leading.is_some() && !self.pausing
    }

    /// Lets the export of a group of many go where the leader is.
    fn change_hands(&self) {
        if self.shared.is_many() {
            self.mailbox.feed.change_hands();
        }
    }

    /// Entries proposed and not yet committed.
    pub(crate) fn in_flight(&self) -> usize {
        self.held.len()
    }

    /// When the next timer, time-out or the like is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.engine.next_due()
    }

    /// The broker's clock, never backwards within one process unless somebody controls it.
    pub(crate) fn now(&mut self) -> Timestamp {
        let clock = &self.shared.clock;
        let millis = clock.millis();
        self.last_time = if clock.is_controlled() {
            millis
        } else {
            self.last_time.max(millis)
        };
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
                Control::Transfer(to) => self.wanted_leader = Some(to),
            }
        }
        let metrics = &self.mailbox.metrics;
        metrics.streams_open.set(self.streams.len() as u64);
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
            return self.commit_own(index, term, bytes.len());
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
        let metrics = &self.mailbox.metrics;
        metrics.records_replayed.add(records.len() as u64);
        metrics.replayed_bytes.add(bytes.len() as u64);
        let last = self.engine.position();
        self.publish(base, Arc::new(records), index, bytes.len());
        self.advance(last, index, term, write_set);
        self.engine.persisted(number);
        Ok(())
    }

    fn commit_own(&mut self, index: u64, term: u64, bytes: usize) -> Result<(), Broken> {
        let held = self
            .held
            .pop_front()
            .ok_or_else(|| Broken("an own entry was committed that is not held".to_owned()))?;
        let committed = driver::now();
        let last = Position(held.base.0 + held.records.len() as u64);
        self.mailbox
            .metrics
            .commit
            .record(committed.duration_since(held.proposed));
        // First of all: who gets an answer may ask again at once.
        self.mailbox.budget.give_back(held.slots);
        self.release_effects(held.effects);
        self.publish(held.base, held.records, index, bytes);
        self.advance(last, index, term, held.write_set);
        self.engine.persisted(held.write_set_number);
        if let Some(admitted) = held.admitted {
            self.mailbox
                .budget
                .sample(committed.saturating_duration_since(admitted));
        }
        let metrics = &self.mailbox.metrics;
        metrics.release.record(driver::since(committed));
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

    fn publish(&mut self, base: Position, records: Arc<Vec<Record>>, index: u64, bytes: usize) {
        self.marks.note(index, base);
        if index.is_multiple_of(RESUME_EVERY)
            && let Some(mark) = self.marks.before(self.mailbox.feed.acknowledged(), index)
        {
            self.mailbox.feed.resume_at(mark);
        }
        let last = Position(base.0 + records.len() as u64);
        let batch = FeedBatch {
            partition: self.mailbox.partition,
            records,
            last,
        };
        let published = Published {
            batch,
            base,
            index,
            bytes,
        };
        if !self.mailbox.feed.publish(published) {
            self.mailbox.metrics.feed_spilled.add(1);
        }
    }

    pub(super) fn release_effects(&mut self, effects: Vec<Effect>) {
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
                    let stamped = Stamped {
                        stamp: self.stamp(),
                        command: *command,
                    };
                    let waits = match self.shared.send_between(to, stamped) {
                        Sent::Handed => {
                            metrics.sends.add(1);
                            true
                        }
                        Sent::Lost => false,
                        Sent::Unreached(command) => self.unsent.hold(to, command),
                    };
                    if !waits {
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
                Effect::CheckpointCreated(created) => self.cut = Some(created),
                Effect::FindItems(query) => {
                    let asked = AskedItems {
                        partition: self.mailbox.partition,
                        query: *query,
                    };
                    // Nobody answers, or too much is asked at once: the engine asks again.
                    let _ = self.shared.items.try_send(asked);
                }
                Effect::JobsAvailable { job_type } => {
                    // Nobody listens while no poll is parked.
                    if self.shared.is_many() {
                        let _ = self.shared.available_here.send(job_type.clone());
                    }
                    let _ = self.shared.available.send(job_type);
                }
            }
        }
    }

    /// Sends what waited for a leader of another partition.
    pub(crate) fn send_held(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let stamp = self.stamp();
        let (sent, lost) = self.unsent.send(&self.shared, stamp);
        self.mailbox.metrics.sends.add(sent);
        self.mailbox.metrics.sends_dropped.add(lost);
    }

    /// True if something waits for a leader of another partition.
    pub(crate) fn holds_sends(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn give_back(&self, command: Command) {
        let request = Request {
            command,
            reply: None,
            enqueued: driver::now(),
            counted: false,
        };
        // If even the reserved lane is full, the job's time-out gives it back.
        let _ = self.mailbox.push_reserved(request);
    }

    /// Stops processing and forgets everything uncommitted; see the end of the order above.
    pub(crate) fn step_down(&mut self) -> Result<(), Broken> {
        self.leading = None;
        self.pausing = false;
        self.unsent.clear();
        // Its sender sends it again, to whoever leads next.
        self.postponed = None;
        self.change_hands();
        let slots: u32 = self.held.drain(..).map(|held| held.slots).sum();
        self.mailbox.budget.give_back(slots);
        self.callers.lose_all(Loss::LeadershipLost);
        self.reopen_engine()
    }

    fn reopen_engine(&mut self) -> Result<(), Broken> {
        // Found again by whoever leads next.
        self.ready.clear();
        self.engine = open_engine(&self.mailbox, &self.shared, &self.store)?;
        for (id, spec) in self.streams.iter() {
            self.engine.streams().add(id, spec.clone());
        }
        Ok(())
    }

    /// Goes on with the state that took the place of the one it had (`install.rs`).
    pub(crate) fn reopen(&mut self) -> Result<(), Broken> {
        self.leading = None;
        let slots: u32 = self.held.drain(..).map(|held| held.slots).sum();
        self.mailbox.budget.give_back(slots);
        self.callers.lose_all(Loss::LeadershipLost);
        self.reopen_engine()?;
        self.applied = self.store.applied();
        self.marks.clear();
        self.mailbox.feed.open_at(Mark {
            index: self.applied.index,
            position: self.applied.position,
        });
        let metrics = &self.mailbox.metrics;
        metrics.snapshots_installed.add(1);
        metrics.last_committed_position.set(self.applied.position.0);
        metrics.last_persisted_position.set(self.applied.position.0);
        Ok(())
    }

    /// Answers everything that waits in the lanes without processing it.
    pub(crate) fn refuse_waiting(&mut self, reason: &'static str) {
        let here = self.mailbox.partition;
        while let Some(command) = self.mailbox.pop_peer() {
            if !self.shared.is_many() || !self.unsent.hold(here, command) {
                self.mailbox.metrics.sends_dropped.add(1);
            }
        }
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
    }

    /// Tells every waiting caller that no answer will come from this process.
    pub(crate) fn lose_callers(&mut self) {
        self.callers.lose_all(Loss::Unknown);
    }
}

#[cfg(test)]
mod tests;
