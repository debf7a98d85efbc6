//! What a multi-instance body iterates over.
//!
//! Written once, when the body activates: later changes of the variable have no effect. Zeebe:
//! `MultiInstanceRecord`.

use crate::record::RawValue;
use crate::record_value;

record_value! {
    /// The items of a multi-instance body, in order.
    pub struct MultiInstanceRecord {
        /// The items.
        input_collection "inputCollection": Vec<RawValue>,
    }
}
