//! VARIABLE_DOCUMENT UPDATE: a client sets variables.
//!
//! Propagating, each entry goes to the nearest scope that has the name, else to the root; local, all
//! entries go to the scope that was named (Camunda: `VariableDocumentUpdateProcessor`).

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{task_transitions, user_tasks};
use crate::ids::Key;
use crate::msgpack;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, UpdateSemantics, UserTaskRecord, VariableDocumentRecord,
};
use crate::state::UserTaskState;

/// Sets variables from an element instance on.
pub(crate) fn update(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<VariableDocumentRecord>,
) -> Outcome {
    let scope = value.scope_key;
    let row = p.state().elements.get(&scope)?;
    let Some(row) = row.filter(|row| !row.is_terminating()) else {
        return Err(Stop::not_found(format!(
            "Expected to update variables for element with key '{scope}', but no such element was found"
        )));
    };
    if let Err(error) = msgpack::validate_document(value.variables.as_bytes()) {
        return Err(Stop::invalid_argument(format!(
            "Expected document to be valid msgpack, but it could not be parsed: '{error}'"
        )));
    }
    if row.record.bpmn_element_type == BpmnElementType::UserTask && row.user_task_key.is_some() {
        return update_task(p, command, row.user_task_key, value);
    }
    let owner = Owner::of(&row.record);
    match value.update_semantics {
        UpdateSemantics::Local => variables::merge_local(p, scope, &owner, &value.variables)?,
        UpdateSemantics::Propagate => variables::merge(p, scope, &owner, &value.variables)?,
    }
    let key = p.next_key();
    p.event(key, of::VariableDocument::Updated, value.clone())?;
    p.respond(key, of::VariableDocument::Updated, value.clone());
    Ok(())
}

/// Variables of a user task change in a transition of the task, which listeners may refuse.
fn update_task(
    p: &mut Processing<'_>,
    command: &Command,
    task: Key,
    value: &Arc<VariableDocumentRecord>,
) -> Outcome {
    let Some(row) = p.state().user_tasks.get(&task)? else {
        return Err(Stop::fault("an element without its user task"));
    };
    if row.state != UserTaskState::Created {
        return Err(Stop::invalid_state(format!(
            "Expected to trigger update transition for user task with key '{task}', but it is in state '{}'",
            row.state.name()
        )));
    }
    let Some(at) = At::find(p, value.scope_key)? else {
        return Err(Stop::fault("a user task without its element"));
    };
    let key = p.next_key();
    p.event(key, of::VariableDocument::Updating, value.clone())?;
    let updating = Arc::new(UserTaskRecord {
        variables: value.variables.clone(),
        changed_attributes: if value.variables.is_empty() {
            Vec::new()
        } else {
            vec![Text::from(user_tasks::VARIABLES)]
        },
        listeners_config_key: user_tasks::listeners_config(p),
        ..UserTaskRecord::clone(&row.record)
    });
    p.event(task, of::UserTask::Updating, updating.clone())?;
    task_transitions::begin(p, &at, updating, command.request).map(|_ended| ())
}
