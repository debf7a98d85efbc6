//! Commands for all partitions: sent after the commit, sent again until acknowledged.
//!
//! The origin keeps one row per distribution and one per partition that has not acknowledged; the
//! send itself is an effect and may be lost. Receivers recognise a distributed command by its key,
//! which another partition generated, apply it at most once and always acknowledge.
//!
//! Distributions of one queue reach a partition in the order of their keys: one is sent only when
//! all older ones of its queue are acknowledged there, so that a deletion never overtakes the
//! deployment it deletes from.
//!
//! Resends follow Camunda: cycles of 10 s; a pending entry is sent again on cycles 1, 2, 4, 8, 16
//! after it was first seen, then every 30 cycles.

use std::collections::BTreeMap;

use crate::engine::effect::Effect;
use crate::engine::fault::{Fault, Outcome};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::{Key, PartitionId, Timestamp};
use crate::record::field::ValueWriter;
use crate::record::intent::of;
use crate::record::value::CommandDistributionRecord;
use crate::record::{Blob, Intent, Text, Value, ValueType};
use crate::state::State;

/// Time between two looks at pending distributions.
pub(crate) const RESEND_CYCLE_MILLIS: i64 = 10_000;
/// Cycles between two sends once the doubling has ended.
pub(crate) const RESEND_CYCLES_MAX: u32 = 30;

/// Pending distributions seen so far, and in which cycle.
#[derive(Debug, Default)]
pub(crate) struct Resend {
    next_cycle: Option<Timestamp>,
    seen: BTreeMap<(Key, PartitionId), u32>,
}

impl Resend {
    /// When pending distributions are looked at next.
    pub(crate) fn next(&self, state: &State) -> Option<Timestamp> {
        if state.pending_distributions.is_empty() {
            return None;
        }
        Some(self.next_cycle.unwrap_or(Timestamp(0)))
    }
}

/// Sends again what is due.
pub(crate) fn resend(
    state: &State,
    resend: &mut Resend,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Fault> {
    if state.pending_distributions.is_empty() {
        resend.seen.clear();
        resend.next_cycle = None;
        return Ok(());
    }
    if resend.next_cycle.is_some_and(|next| now < next) {
        return Ok(());
    }
    let first_look = resend.next_cycle.is_none();
    resend.next_cycle = Some(now.plus_millis(RESEND_CYCLE_MILLIS));
    let mut seen = BTreeMap::new();
    for entry in state.pending_distributions.iter() {
        let cycle = resend.seen.get(entry).map_or(0, |cycle| cycle + 1);
        seen.insert(*entry, cycle);
        let due = cycle.is_power_of_two() && cycle <= 16
            || cycle > 0 && cycle.is_multiple_of(RESEND_CYCLES_MAX);
        if due && !first_look && is_next(state, entry.0, entry.1)? {
            effects.push(send(state, entry.0, entry.1)?);
        }
    }
    resend.seen = seen;
    Ok(())
}

/// The effect that carries a distributed command to a partition.
fn send(state: &State, key: Key, to: PartitionId) -> Result<Effect, Fault> {
    let row = state
        .distributions
        .get(&key)?
        .ok_or_else(|| Fault::Apply(format!("pending distribution '{key}' without command")))?;
    let malformed = || Fault::Apply(format!("distribution '{key}' of an unknown command"));
    let value_type = ValueType::from_code(row.record.value_type).ok_or_else(malformed)?;
    let intent = Intent::from_codes(value_type, row.record.intent).ok_or_else(malformed)?;
    let value =
        Value::take(value_type, row.record.command_value.as_bytes()).map_err(|_| malformed())?;
    Ok(Effect::Send {
        to,
        command: Box::new(Command::internal(row.record.command_key, intent, value)),
    })
}

/// True if `key` says that a command came from another partition.
pub(crate) fn is_distributed(p: &Processing<'_>, key: Key) -> bool {
    key.is_some() && key.partition() != p.partition()
}

/// Distributes a command to all other partitions, in the order of its queue. `key` names the
/// distribution and becomes the key of the command.
pub(crate) fn distribute(
    p: &mut Processing<'_>,
    key: Key,
    queue: &str,
    intent: impl Into<Intent>,
    value: &Value,
) -> Outcome {
    let here = p.partition();
    let others: Vec<PartitionId> = (1..=p.config.partition_count)
        .map(PartitionId)
        .filter(|to| *to != here)
        .collect();
    distribute_among(p, key, queue, &others, intent.into(), value)
}

/// Distributes a command to the partition `to`, which is another one.
pub(crate) fn distribute_to(
    p: &mut Processing<'_>,
    key: Key,
    queue: &str,
    to: PartitionId,
    intent: impl Into<Intent>,
    value: &Value,
) -> Outcome {
    distribute_among(p, key, queue, &[to], intent.into(), value)
}

fn distribute_among(
    p: &mut Processing<'_>,
    key: Key,
    queue: &str,
    partitions: &[PartitionId],
    intent: Intent,
    value: &Value,
) -> Outcome {
    if partitions.is_empty() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    value.put(&mut ValueWriter::default(), &mut bytes);
    let record = CommandDistributionRecord {
        partition_id: p.partition(),
        queue_id: Text::from(queue),
        value_type: intent.value_type() as u8,
        intent: intent.code(),
        command_value: Blob::from(bytes),
        command_key: key,
    };
    p.event(key, of::CommandDistribution::Started, record.clone())?;
    for &to in partitions {
        let record = CommandDistributionRecord {
            partition_id: to,
            command_value: Blob::EMPTY,
            ..record.clone()
        };
        p.event(key, of::CommandDistribution::Distributing, record)?;
        if is_next(p.state(), key, to)? {
            let effect = send(p.state(), key, to)?;
            p.effect(effect);
        }
    }
    Ok(())
}

/// Whether nothing older of its queue waits for the same partition.
fn is_next(state: &State, key: Key, to: PartitionId) -> Result<bool, Fault> {
    let queue = |key: Key| -> Result<Text, Fault> {
        let row = state.distributions.get(&key)?;
        Ok(row
            .map(|row| row.record.queue_id.clone())
            .unwrap_or_default())
    };
    let own = queue(key)?;
    if own.is_empty() {
        return Ok(true);
    }
    for (older, partition) in state.pending_distributions.iter() {
        if *older >= key {
            break;
        }
        if *partition == to && queue(*older)? == own {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends what waited for a partition to acknowledge something older.
pub(crate) fn send_next(p: &mut Processing<'_>, acknowledged: Key, to: PartitionId) -> Outcome {
    let waiting: Vec<Key> = p
        .state()
        .pending_distributions
        .from((acknowledged, to))
        .filter(|(_, partition)| *partition == to)
        .map(|(key, _)| *key)
        .collect();
    for key in waiting {
        if is_next(p.state(), key, to)? {
            let effect = send(p.state(), key, to)?;
            p.effect(effect);
            break;
        }
    }
    Ok(())
}

/// Tells the origin that a distributed command is applied here.
pub(crate) fn acknowledge(p: &mut Processing<'_>, key: Key, intent: impl Into<Intent>) -> Outcome {
    let intent = intent.into();
    let record = CommandDistributionRecord {
        partition_id: p.partition(),
        value_type: intent.value_type() as u8,
        intent: intent.code(),
        ..CommandDistributionRecord::default()
    };
    p.send(
        key.partition(),
        key,
        of::CommandDistribution::Acknowledge,
        record,
    )
}
