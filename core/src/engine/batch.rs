//! What batch operations need next: a page of items from outside, or the next items done.
//!
//! The engine has no index over what a filter can ask for; the secondary storage has. So a pending
//! operation asks for a page with an effect ([`ItemQuery`]), and the answer comes as a command
//! (BATCH_OPERATION_CHUNK CREATE, or BATCH_OPERATION_PARTITION_LIFECYCLE FAIL). One question is open
//! at a time, for the oldest operation that nobody suspended. A question is asked again when no
//! answer came in time; what was asked is volatile, how far the operation has got is state, so a new
//! leader simply asks again, and an answer that comes twice is refused the second time.
//!
//! An active operation gets one EXECUTE each time due work is looked for: its items take turns with
//! everything else the partition does.

use crate::engine::due::Due;
use crate::engine::effect::{Effect, ItemQuery};
use crate::engine::fault::Fault;
use crate::engine::input::Command;
use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::BatchOperationExecutionRecord;
use crate::state::State;

/// Time after which a question is asked again. Longer than whoever answers tries.
pub(crate) const ASK_AGAIN_MILLIS: i64 = 120_000;

/// The open question.
#[derive(Debug, Default)]
pub(super) struct Items {
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    operation: Key,
    cursor: Text,
    again: Timestamp,
}

impl Items {
    /// When there is something to do next, on the wall clock.
    pub(super) fn next(&self, state: &State) -> Option<Timestamp> {
        if !state.active_batch_operations.is_empty() {
            return Some(Timestamp(0));
        }
        let Some((operation, cursor, _)) = oldest(state).ok()? else {
            // A question of which the operation was suspended or cancelled is to be forgotten.
            return self.asked.is_some().then_some(Timestamp(0));
        };
        Some(match &self.asked {
            Some(asked) if asked.operation == operation && asked.cursor == cursor => asked.again,
            Some(_) | None => Timestamp(0),
        })
    }

    /// Hands out the next commands and asks for items if that is due.
    pub(super) fn due(
        &mut self,
        state: &State,
        now: Timestamp,
        limit: usize,
        out: &mut Due,
    ) -> Result<(), Fault> {
        let room = limit.saturating_sub(out.commands.len());
        for key in state.active_batch_operations.iter().take(room) {
            let record = BatchOperationExecutionRecord {
                batch_operation_key: *key,
                ..BatchOperationExecutionRecord::default()
            };
            let command = Command::internal(*key, of::BatchOperationExecution::Execute, record);
            out.commands.push(Command {
                batch_operation_reference: *key,
                ..command
            });
        }
        let Some((operation, cursor, query)) = oldest(state)? else {
            self.asked = None;
            return Ok(());
        };
        let open = self.asked.as_ref().is_some_and(|asked| {
            asked.operation == operation && asked.cursor == cursor && now < asked.again
        });
        if !open {
            self.asked = Some(Asked {
                operation,
                cursor,
                again: now.plus_millis(ASK_AGAIN_MILLIS),
            });
            out.effects.push(Effect::FindItems(Box::new(query)));
        }
        Ok(())
    }
}

/// The oldest operation that needs items.
fn oldest(state: &State) -> Result<Option<(Key, Text, ItemQuery)>, Fault> {
    for key in state.pending_batch_operations.iter() {
        let Some(row) = state.batch_operations.get(key)? else {
            continue;
        };
        if row.suspended {
            continue;
        }
        let record = &row.record;
        let query = ItemQuery {
            batch_operation: *key,
            kind: record.batch_operation_type,
            filter: record.entity_filter.clone(),
            after: row.cursor.clone(),
            authentication: record.authentication.clone(),
        };
        return Ok(Some((*key, row.cursor.clone(), query)));
    }
    Ok(None)
}
