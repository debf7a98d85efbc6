//! COMPENSATION_SUBSCRIPTION events: there from CREATED until COMPLETED or DELETED.
//!
//! TRIGGERED notes who compensates; a subscription that was triggered is not triggered again.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::CompensationSubscriptionRecord;
use crate::state::CompensationSubscriptionRow;

type Value = Arc<CompensationSubscriptionRecord>;

pub(super) fn written(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let row = CompensationSubscriptionRow {
        record: value.clone(),
    };
    Ok(a.state
        .compensation_subscriptions
        .put(value.process_instance_key, key, row)?)
}

pub(super) fn ended(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    Ok(a.state
        .compensation_subscriptions
        .remove(&value.process_instance_key, &key)?)
}
