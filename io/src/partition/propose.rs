//! Commands that wait become one entry: intake, processing, sealing. The only place that does.
//!
//! An iteration takes whatever waits when it begins and is sealed when nothing waits any more, or
//! when records, bytes or time reach their bound, or when the executor wants the thread back. Its
//! records are encoded as they come, so that the bytes of the entry are known at every command. What
//! is due goes through the same bounds: the engine hands it out a number at a time, and what has no
//! room waits for the next iteration.
//! Where this stands in the order of things is told in `process.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ringflow_core::engine::effect::Effect;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Position, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::{Record, RecordType, RejectionType, batch, codec};

use crate::driver;
use crate::partition::process::{Broken, Core, Held};
use crate::raft::{Proposal, payload};
use crate::shard::mailbox::{Loss, Request};

/// What one iteration gathers.
struct Iteration {
    base: Position,
    records: Vec<Record>,
    effects: Vec<Effect>,
    bytes: Vec<u8>,
    slots: u32,
    admitted: Option<Instant>,
}

/// What the last iteration held: the next one starts with room for as much, so that under a steady
/// load nothing grows by copying.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    bytes: usize,
    records: usize,
    effects: usize,
}

impl Iteration {
    /// Where the batch begins in the entry's bytes: after the payload tag.
    const TAG_LEN: usize = 1;

    fn begin(base: Position, like: Sizes) -> Self {
        let mut bytes = Vec::with_capacity(like.bytes);
        bytes.push(payload::BATCH);
        batch::begin(base, &mut bytes);
        Self {
            base,
            records: Vec::with_capacity(like.records),
            effects: Vec::with_capacity(like.effects),
            bytes,
            slots: 0,
            admitted: None,
        }
    }
}

impl Core {
    /// Runs one iteration over what waits; the entry to propose, if it wrote records.
    pub(crate) fn iterate(&mut self) -> Result<Option<Proposal>, Broken> {
        let limits = self.shared.options.limits;
        let started = driver::now();
        let now = self.now();
        let mut iteration = Iteration::begin(self.engine.position(), self.sizes);
        if self.ready.is_empty() && self.engine.next_due().is_some_and(|due| due <= now) {
            self.take_due(now, &mut iteration);
        }
        let mut clock = started;
        // At least one command is taken whatever the executor says, or nothing would ever be.
        while let Some(command) = self.next_command(clock, &mut iteration) {
            let cuts = command.intent == of::Checkpoint::Create.into();
            self.process(now, command, &mut iteration);
            let finished = driver::now();
            let metrics = &self.mailbox.metrics;
            metrics
                .command_process
                .record(finished.duration_since(clock));
            clock = finished;
            // A backup ends with the entry of its checkpoint, so nothing may follow in it.
            if cuts
                || iteration.records.len() >= limits.iteration_records
                || iteration.bytes.len() >= limits.iteration_bytes
                || clock.duration_since(started) >= limits.iteration_time
                || driver::need_preempt()
            {
                break;
            }
            // What a step deferred stands in the log before everything that still waits.
            if self.ready.is_empty() && self.engine.has_deferred() {
                self.take_due(now, &mut iteration);
            }
        }
        if let Some(fault) = self.engine.broken() {
            return Err(Broken(format!("the engine: {fault}")));
        }
        let bytes = iteration.bytes.len();
        if bytes > limits.log_batch_bytes {
            // The limits rule it out; the log would refuse it, and with it the whole group.
            return Err(Broken(format!(
                "an entry of {bytes} bytes, of which {} are allowed",
                limits.log_batch_bytes
            )));
        }
        Ok(self.seal(iteration, started))
    }

    /// Takes the next command: what is due first, then those of other partitions, then what ends work,
    /// then the rest.
    fn next_command(&mut self, now: Instant, iteration: &mut Iteration) -> Option<Command> {
        if let Some(command) = self.ready.pop_front() {
            return Some(command);
        }
        if let Some(command) = self.postponed.take() {
            return Some(command);
        }
        if let Some(stamped) = self.mailbox.pop_peer() {
            return Some(self.checkpoint_first(stamped));
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

    /// True if something that is due waits for the next iteration.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Has the engine hand out what is due.
    fn take_due(&mut self, now: Timestamp, iteration: &mut Iteration) {
        let limit = self.shared.options.limits.due_commands;
        self.engine.due(now, limit, &mut self.due);
        self.mailbox
            .metrics
            .due_commands
            .add(self.due.commands.len() as u64);
        iteration.effects.append(&mut self.due.effects);
        self.ready.extend(self.due.commands.drain(..));
    }

    fn process(&mut self, now: Timestamp, command: Command, iteration: &mut Iteration) {
        self.run(now, command);
        for record in &self.step.records {
            codec::encode(record, &mut self.scratch, &mut iteration.bytes);
            self.mailbox.metrics.records.add(record);
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
        let rejections = self
            .step
            .records
            .iter()
            .filter_map(|r| r.rejection.as_ref());
        for rejection in rejections {
            metrics.rejections_written.add(1);
            if rejection.kind == RejectionType::ProcessingError {
                metrics.engine_faults.add(1);
            }
        }
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
        self.sizes = Sizes {
            bytes: iteration.bytes.len(),
            records: iteration.records.len(),
            effects: iteration.effects.len(),
        };
        // Log and feed keep these a while: not with the room of a much larger iteration before.
        if iteration.bytes.len() < iteration.bytes.capacity() / 2 {
            iteration.bytes.shrink_to_fit();
        }
        if iteration.records.len() < iteration.records.capacity() / 2 {
            iteration.records.shrink_to_fit();
        }
        let write_set = self.engine.take_write_set();
        let proposed = driver::now();
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
}
