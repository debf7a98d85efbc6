//! PROCESS_INSTANCE_BUSINESS_ID events, and which instances a business id leads to.
//!
//! Found are running instances that start a hierarchy of calls; those that they call have the same
//! business id and are not looked for. The row of an instance names its id, the index follows its
//! life: see [`element_instance`](super::element_instance).

use std::sync::Arc;

use crate::engine::apply::{Applied, missing};
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{ProcessInstanceBusinessIdRecord, ProcessInstanceRecord};
use crate::state::Unit;

/// Whether a business id was given to the instance itself, which starts the hierarchy of calls.
pub(super) fn is_own(value: &ProcessInstanceRecord) -> bool {
    !value.business_id.is_empty() && !value.parent_process_instance_key.is_some()
}

/// What a business id is looked up by.
pub(super) fn group(value: &ProcessInstanceRecord) -> (Text, Text, Text) {
    (
        value.tenant_id.clone(),
        value.bpmn_process_id.clone(),
        value.business_id.clone(),
    )
}

/// The instance has got the business id.
pub(super) fn assigned(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<ProcessInstanceBusinessIdRecord>,
) -> Applied {
    let mut known = None;
    a.state.elements.update(&key, |row| {
        let record = Arc::make_mut(&mut row.record);
        record.business_id = value.business_id.clone();
        known = Some(group(record));
    })?;
    let Some(group) = known else {
        return Err(missing("process instance", key));
    };
    Ok(a.state.instances_by_business_id.put(group, key, Unit {})?)
}
