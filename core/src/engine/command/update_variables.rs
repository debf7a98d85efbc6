//! VARIABLE_DOCUMENT UPDATE: a client sets variables.
//!
//! Propagating, each entry goes to the nearest scope that has the name, else to the root; local, all
//! entries go to the scope that was named (Camunda: `VariableDocumentUpdateProcessor`).

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::msgpack;
use crate::record::intent::of;
use crate::record::value::{UpdateSemantics, VariableDocumentRecord};

/// Sets variables from an element instance on.
pub(crate) fn update(
    p: &mut Processing<'_>,
    _command: &Command,
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
