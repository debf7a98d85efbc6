//! VARIABLE events: one variable of one scope gets a value.
//!
//! Created and updated differ only for exporters; the row holds the last value under scope and name.
//! Rows of a scope are removed when the element instance that owns the scope ends.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::VariableRecord;
use crate::state::VariableRow;

pub(super) fn written(a: &mut Applying<'_>, key: Key, value: &Arc<VariableRecord>) -> Applied {
    let row = VariableRow {
        key,
        value: value.value.clone(),
    };
    a.state
        .variables
        .put(value.scope_key, value.name.clone(), row)?;
    Ok(())
}
