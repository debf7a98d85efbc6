//! COMMAND_DISTRIBUTION ACKNOWLEDGE: a partition has applied a distributed command.
//!
//! Acknowledgements come again when one was lost on its way back; the second finds nothing pending
//! and is rejected, which is harmless. The last one finishes the distribution.

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::Blob;
use crate::record::intent::of;
use crate::record::value::CommandDistributionRecord;

/// Notes the acknowledgement; the last one finishes the distribution.
pub(crate) fn acknowledge(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<CommandDistributionRecord>,
) -> Outcome {
    let (key, partition) = (command.key, value.partition_id);
    if !p.state().pending_distributions.contains(&(key, partition)) {
        return Err(Stop::not_found(format!(
            "Expected to find pending distribution with key {key} for partition {partition}, but no such distribution was found."
        )));
    }
    p.event(key, of::CommandDistribution::Acknowledged, value.clone())?;
    distribute::send_next(p, key, partition)?;
    if p.state().has_pending_distribution(key) {
        return Ok(());
    }
    let Some(row) = p.state().distributions.get(&key)? else {
        return Err(Stop::fault(format!("distribution '{key}' without command")));
    };
    let finished = CommandDistributionRecord {
        command_value: Blob::EMPTY,
        ..CommandDistributionRecord::clone(&row.record)
    };
    p.event(key, of::CommandDistribution::Finished, finished)
}
