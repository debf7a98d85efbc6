//! HISTORY_DELETION DELETE: what the secondary storage knows of an instance or definition goes.
//!
//! The engine keeps no history; it refuses for what still runs and states the rest as an event, which
//! the secondary storage follows. Camunda: `HistoryDeletionDeleteProcessor`.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::intent::of;
use crate::record::value::{HistoryDeletionRecord, HistoryDeletionType};

/// Deletes history.
pub(crate) fn delete(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<HistoryDeletionRecord>,
) -> Outcome {
    let key = value.resource_key;
    let running = match value.resource_type {
        HistoryDeletionType::ProcessInstance => p.state().elements.contains(&key)?,
        HistoryDeletionType::ProcessDefinition
        | HistoryDeletionType::DecisionInstance
        | HistoryDeletionType::DecisionRequirements => false,
    };
    if running {
        return Err(Stop::invalid_state(format!(
            "Expected to delete history for process instance with key '{key}', but it is still active."
        )));
    }
    p.event(key, of::HistoryDeletion::Deleted, value.clone())?;
    p.respond(key, of::HistoryDeletion::Deleted, value.clone());
    Ok(())
}
