//! CLUSTER_VARIABLE events: a variable is there from CREATED to DELETED.
//!
//! The row is the record of the last change; applying an event twice leaves the same row.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::ClusterVariableRecord;
use crate::state::ClusterVariableRow;

type Value = Arc<ClusterVariableRecord>;

pub(super) fn written(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    let row = ClusterVariableRow {
        record: value.clone(),
    };
    let (tenant, name) = (value.tenant_id.clone(), value.name.clone());
    Ok(a.state.cluster_variables.put(tenant, name, row)?)
}

pub(super) fn deleted(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    Ok(a.state
        .cluster_variables
        .remove(&value.tenant_id, &value.name)?)
}
