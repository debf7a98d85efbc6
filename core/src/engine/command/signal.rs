//! SIGNAL BROADCAST: everything that waits for a signal now is triggered, on all partitions.
//!
//! Instances are started only on the partition that was asked; waiting instances are triggered
//! everywhere. Nothing is kept: who waits later does not see it.

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{starts, triggers};
use crate::record::intent::of;
use crate::record::value::SignalRecord;

/// Broadcasts a signal.
pub(crate) fn broadcast(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<SignalRecord>,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let key = if distributed {
        command.key
    } else {
        p.next_key()
    };
    let address = (value.tenant_id.clone(), value.signal_name.clone());
    let subscriptions: Vec<_> = p
        .state()
        .signal_subscriptions
        .with(&address, |rows| rows.values().cloned().collect())?;
    p.event(key, of::Signal::Broadcasted, value.clone())?;
    for row in subscriptions {
        let subscription = &row.record;
        if subscription.catch_event_instance_key.is_some() {
            let Some(scope) = At::find(p, subscription.catch_event_instance_key)? else {
                continue;
            };
            let event = &subscription.catch_event_id;
            if triggers::accepts(p, &scope, event)? {
                let target = scope
                    .process()
                    .element(event)
                    .ok_or_else(|| Stop::fault(format!("no element with id '{event}'")))?;
                triggers::trigger(p, &scope, target, value.variables.clone())?;
            }
        } else if !distributed {
            let instance = p.next_key();
            starts::start(
                p,
                subscription.process_definition_key,
                instance,
                &subscription.catch_event_id,
                value.variables.clone(),
            )?;
        }
    }
    if distributed {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    p.respond(key, of::Signal::Broadcasted, value.clone());
    let value = value.clone().into();
    distribute::distribute(p, key, "", of::Signal::Broadcast, &value)
}
