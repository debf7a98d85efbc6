//! COMMAND_DISTRIBUTION events, on the partition where the distribution started.
//!
//! A distribution's row holds the command until every partition has acknowledged it; what is pending
//! per partition is an index of its own, because that is what the resender looks for.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::CommandDistributionRecord;
use crate::state::DistributionRow;

type Value = Arc<CommandDistributionRecord>;

pub(super) fn started(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let record = value.clone();
    a.state
        .distributions
        .insert_new(key, DistributionRow { record });
    Ok(())
}

pub(super) fn distributing(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state
        .pending_distributions
        .insert((key, value.partition_id));
    Ok(())
}

pub(super) fn acknowledged(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state
        .pending_distributions
        .remove(&(key, value.partition_id));
    Ok(())
}

pub(super) fn finished(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    a.state.distributions.remove(&key)?;
    Ok(())
}
