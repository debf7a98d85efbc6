//! CLOCK events: where the clock stands while it is pinned.
//!
//! At most one time is kept; without one the engine's time is the wall clock's.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::ClockRecord;

type Value = Arc<ClockRecord>;

pub(super) fn pinned(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    unpin(a);
    a.state.clock.insert(value.time);
    Ok(())
}

pub(super) fn resetted(a: &mut Applying<'_>, _key: Key, _value: &Value) -> Applied {
    unpin(a);
    Ok(())
}

fn unpin(a: &mut Applying<'_>) {
    if let Some(time) = a.state.clock.first().copied() {
        a.state.clock.remove(&time);
    }
}
