//! CONDITIONAL_SUBSCRIPTION events: a condition is watched from CREATED to DELETED.
//!
//! An interrupting one ends when it is triggered; others stay and may be triggered again.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::ConditionalSubscriptionRecord;

type Value = Arc<ConditionalSubscriptionRecord>;

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    Ok(a.state.put_conditional_subscription(key, value)?)
}

pub(super) fn triggered(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    if value.interrupting && value.element_instance_key.is_some() {
        return deleted(a, key, value);
    }
    Ok(())
}

pub(super) fn deleted(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    Ok(a.state.remove_conditional_subscription(key, value)?)
}
