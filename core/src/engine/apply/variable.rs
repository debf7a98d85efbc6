//! VARIABLE events.

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
