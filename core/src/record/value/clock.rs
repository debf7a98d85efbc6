//! The engine's clock: pinned to a time, or free again.
//!
//! Zeebe: `ClockRecord`. RESET and RESETTED carry no time.

use crate::ids::Timestamp;
use crate::record_value;

record_value! {
    /// A change of the engine's clock.
    pub struct ClockRecord {
        /// Where the clock stands while it is pinned; milliseconds since the epoch.
        time "time": Timestamp = Timestamp(0),
    }
}
