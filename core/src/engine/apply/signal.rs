//! SIGNAL_SUBSCRIPTION events: a subscription is there from CREATED to DELETED.
//!
//! A broadcast itself leaves nothing in state: signals are not buffered.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::SignalSubscriptionRecord;
use crate::state::SignalSubscriptionRow;

type Value = Arc<SignalSubscriptionRecord>;

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let record = value.clone();
    Ok(a.state
        .put_signal_subscription(SignalSubscriptionRow { key, record })?)
}

pub(super) fn deleted(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    Ok(a.state.remove_signal_subscription(value)?)
}

pub(super) fn migrated(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<SignalSubscriptionRecord>,
) -> Applied {
    created(a, key, value)
}
