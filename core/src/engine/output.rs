//! What a processor sees and says: read access to state, and the records of the step.
//!
//! An event is applied in the act of writing it, and that is the only way to change state: the
//! `&mut State` inside [`Processing`] is private to this file, [`Applying`] is made here and in
//! replay. Follow-up commands are written at once and processed later in the same step, first in
//! first out; those over the limit are written as deferred (record version 0) and become a step of
//! their own.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::engine::apply;
use crate::engine::await_result::AwaitedResults;
use crate::engine::definitions::{Definition, Definitions};
use crate::engine::effect::{Effect, Response, StreamId};
use crate::engine::fault::{Fault, Outcome, Stop};
use crate::engine::input::{Command, RequestId};
use crate::engine::streams::JobStreams;
use crate::engine::{DEFERRED_COMMAND_VERSION, EVENT_VERSION, EngineConfig};
use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::codec::HEADER_LEN;
use crate::record::{Document, Intent, Record, RecordType, Rejection, Text, Value};
use crate::state::State;

/// Write access to state; exists only while an event is applied.
pub(crate) struct Applying<'a> {
    /// The state.
    pub(crate) state: &'a mut State,
    /// Compiled definitions, for appliers that have to look into the model.
    pub(crate) definitions: &'a Definitions,
}

/// Where a step stands when it is undone or fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) records: usize,
    pub(crate) effects: usize,
}

/// What is said of every record of a step.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) position: Position,
    pub(crate) operation_reference: i64,
    pub(crate) batch_operation_reference: Key,
}

/// One step in progress.
pub(crate) struct Processing<'e> {
    state: &'e mut State,
    pub(crate) definitions: &'e Definitions,
    pub(crate) config: &'e EngineConfig,
    pub(crate) now: Timestamp,
    pub(crate) streams: &'e mut JobStreams,
    pub(crate) awaited: &'e mut AwaitedResults,
    origin: Origin,
    /// Who waits for the answer to the command in hand.
    request: Option<RequestId>,
    records: &'e mut Vec<Record>,
    effects: &'e mut Vec<Effect>,
    queue: VecDeque<Command>,
    /// Commands of this step taken from the queue so far.
    processed: usize,
    /// Commands a step may process.
    command_limit: usize,
    bytes: usize,
    next_counter: i64,
}

/// Parts of the engine a step borrows.
pub(crate) struct Parts<'e> {
    pub(crate) state: &'e mut State,
    pub(crate) definitions: &'e Definitions,
    pub(crate) config: &'e EngineConfig,
    pub(crate) streams: &'e mut JobStreams,
    pub(crate) awaited: &'e mut AwaitedResults,
    pub(crate) records: &'e mut Vec<Record>,
    pub(crate) effects: &'e mut Vec<Effect>,
}

impl<'e> Processing<'e> {
    /// Starts a step with `command`, which `source` deferred if it is a continuation.
    pub(crate) fn begin(
        parts: Parts<'e>,
        now: Timestamp,
        command: &Command,
        source: Option<Position>,
        command_limit: usize,
    ) -> Result<Self, Fault> {
        let position = parts.state.position().next();
        let next_counter = parts.state.key_counter();
        let mut step = Self {
            state: parts.state,
            definitions: parts.definitions,
            config: parts.config,
            now,
            streams: parts.streams,
            awaited: parts.awaited,
            origin: Origin {
                position,
                operation_reference: command.operation_reference,
                batch_operation_reference: command.batch_operation_reference,
            },
            request: command.request,
            records: parts.records,
            effects: parts.effects,
            queue: VecDeque::new(),
            processed: 0,
            command_limit,
            bytes: 0,
            next_counter,
        };
        let record = step.record(
            RecordType::Command,
            command.key,
            command.intent,
            command.value.clone(),
            EVENT_VERSION,
        );
        // The command itself does not count: it has a limit of its own, which is the same.
        step.push(Record {
            source_position: source,
            authorization: command.authorization.clone(),
            ..record
        })?;
        step.queue.push_back(command.clone());
        Ok(step)
    }

    /// The next command of the step.
    pub(crate) fn next(&mut self) -> Option<Command> {
        let command = self.queue.pop_front()?;
        self.processed += 1;
        self.request = command.request;
        Some(command)
    }

    /// Commands of this step that were processed to their end.
    pub(crate) fn finished(&self) -> usize {
        self.processed.saturating_sub(1)
    }

    /// Records of all steps in the buffer so far.
    pub(crate) fn written(&self) -> usize {
        self.records.len()
    }

    /// State, to read.
    pub(crate) fn state(&self) -> &State {
        self.state
    }

    /// Partition of this engine.
    pub(crate) fn partition(&self) -> PartitionId {
        self.config.partition
    }

    /// The definition that a record names.
    pub(crate) fn definition(&self, key: Key) -> Outcome<Rc<Definition>> {
        Ok(self.definitions.expect(self.state, key)?)
    }

    /// A key nobody has.
    pub(crate) fn next_key(&mut self) -> Key {
        self.next_counter += 1;
        Key::new(self.config.partition, self.next_counter)
    }

    /// Writes an event and applies it.
    pub(crate) fn event(
        &mut self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> Outcome {
        let record = self.record(
            RecordType::Event,
            key,
            intent.into(),
            value.into(),
            EVENT_VERSION,
        );
        self.grow(&record)?;
        Ok(self.push(record)?)
    }

    /// Writes a command that is processed after the ones already waiting.
    pub(crate) fn command(
        &mut self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> Outcome {
        let (intent, value) = (intent.into(), value.into());
        let here = self.processed + self.queue.len() < self.command_limit;
        let version = if here {
            EVENT_VERSION
        } else {
            DEFERRED_COMMAND_VERSION
        };
        let record = self.record(RecordType::Command, key, intent, value.clone(), version);
        self.grow(&record)?;
        self.push(record)?;
        if here {
            self.queue.push_back(Command {
                operation_reference: self.origin.operation_reference,
                batch_operation_reference: self.origin.batch_operation_reference,
                ..Command::internal(key, intent, value)
            });
        }
        Ok(())
    }

    /// Writes a command that becomes a step of its own, whatever becomes of this one's others.
    pub(crate) fn deferred_command(
        &mut self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> Outcome {
        self.deferred_command_of(&Document::EMPTY, key, intent, value)
    }

    /// As [`Processing::deferred_command`], in the name of whom `claims` tell of.
    pub(crate) fn deferred_command_of(
        &mut self,
        claims: &Document,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> Outcome {
        let record = Record {
            authorization: claims.clone(),
            ..self.record(
                RecordType::Command,
                key,
                intent.into(),
                value.into(),
                DEFERRED_COMMAND_VERSION,
            )
        };
        self.grow(&record)?;
        Ok(self.push(record)?)
    }

    /// From here on the records of the step refer to a batch operation.
    pub(crate) fn refer_to_batch_operation(&mut self, key: Key) {
        self.origin.batch_operation_reference = key;
    }

    /// Writes the rejection of `command` and answers its caller.
    pub(crate) fn reject(&mut self, command: &Command, rejection: Rejection) -> Outcome {
        let record = Record {
            rejection: Some(rejection.clone()),
            ..self.record(
                RecordType::CommandRejection,
                command.key,
                command.intent,
                command.value.clone(),
                EVENT_VERSION,
            )
        };
        // Not counted either: a refusal repeats the command, and there has to be room for it. So a step
        // is at most three times its limit: the command, its events, its refusal.
        self.push(record)?;
        if let Some(request) = command.request {
            self.answer(Response {
                request,
                key: command.key,
                intent: command.intent,
                value: command.value.clone(),
                rejection: Some(rejection),
            });
        }
        Ok(())
    }

    /// Answers the caller of the command in hand, if anybody waits.
    pub(crate) fn respond(&mut self, key: Key, intent: impl Into<Intent>, value: impl Into<Value>) {
        if let Some(request) = self.request {
            self.answer(Response {
                request,
                key,
                intent: intent.into(),
                value: value.into(),
                rejection: None,
            });
        }
    }

    /// Answers any caller.
    pub(crate) fn answer(&mut self, response: Response) {
        self.effects.push(Effect::Respond(response));
    }

    /// Who waits for the command in hand.
    pub(crate) fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// Hands a command to the partition `to`: as a follow-up if that is this one.
    pub(crate) fn send(
        &mut self,
        to: PartitionId,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> Outcome {
        if to == self.config.partition {
            return self.command(key, intent, value);
        }
        self.effects.push(Effect::Send {
            to,
            command: Box::new(Command::internal(key, intent, value)),
        });
        Ok(())
    }

    /// Adds an effect.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Wakes who waits for jobs of a type, unless that is done already in this step.
    pub(crate) fn jobs_available(&mut self, job_type: &Text) {
        let known = self.effects.iter().rev().any(|effect| match effect {
            Effect::JobsAvailable { job_type: known } => known == job_type,
            Effect::Respond(_)
            | Effect::Send { .. }
            | Effect::PushJob { .. }
            | Effect::FindItems(_)
            | Effect::CheckpointCreated(_) => false,
        });
        if !known {
            self.effects.push(Effect::JobsAvailable {
                job_type: job_type.clone(),
            });
        }
    }

    /// The stream that takes the next job of a type, if there is one that is not barred.
    pub(crate) fn stream_for(
        &mut self,
        job_type: &Text,
        tenant: &Text,
        barred: &[StreamId],
    ) -> Option<StreamId> {
        self.streams.next(job_type, tenant, barred)
    }

    /// Bytes the step may still write.
    pub(crate) fn room(&self) -> usize {
        self.config.max_batch_bytes.saturating_sub(self.bytes)
    }

    fn grow(&mut self, record: &Record) -> Outcome {
        self.bytes += weight(record);
        if self.bytes > self.config.max_batch_bytes {
            return Err(Stop::TooLarge);
        }
        Ok(())
    }

    fn record(
        &self,
        record_type: RecordType,
        key: Key,
        intent: Intent,
        value: Value,
        record_version: u16,
    ) -> Record {
        Record {
            position: self.state.position().next(),
            source_position: Some(self.origin.position),
            key,
            timestamp: self.now,
            record_type,
            intent,
            rejection: None,
            partition: self.config.partition,
            record_version,
            operation_reference: self.origin.operation_reference,
            batch_operation_reference: self.origin.batch_operation_reference,
            authorization: Document::EMPTY,
            value,
        }
    }

    fn push(&mut self, record: Record) -> Result<(), Fault> {
        apply::apply(self.state, self.definitions, &record)?;
        self.records.push(record);
        Ok(())
    }
}

fn weight(record: &Record) -> usize {
    let reason = record.rejection.as_ref().map_or(0, |r| r.reason.len());
    HEADER_LEN + reason + record.value.weight()
}
