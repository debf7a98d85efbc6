//! Thrown escalations: who threw, and who caught if anybody did.
//!
//! Stated for the record; the catch event itself is triggered by other events. Zeebe:
//! `EscalationRecord`.

use crate::ids::Key;
use crate::record::Text;
use crate::record_value;

record_value! {
    /// A thrown escalation.
    pub struct EscalationRecord {
        /// Instance in which it was thrown.
        process_instance_key "processInstanceKey": Key,
        /// Its code.
        escalation_code "escalationCode": Text,
        /// Element that threw it.
        throw_element_id "throwElementId": Text,
        /// Element that caught it; empty if none did.
        catch_element_id "catchElementId": Text,
    }
}
