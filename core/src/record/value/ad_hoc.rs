//! Ad-hoc sub-processes: which activities to run, and that it is done.
//!
//! Asked by clients and by the job of the sub-process. Zeebe: `AdHocSubProcessInstructionRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// An activity to run.
    pub struct ActivateElement {
        /// The activity.
        element_id "elementId": Text,
        /// Local variables of its inner instance.
        variables "variables": Document,
    }
}

record_value! {
    /// An instruction to an ad-hoc sub-process.
    pub struct AdHocSubProcessInstructionRecord {
        /// The sub-process.
        ad_hoc_sub_process_instance_key "adHocSubProcessInstanceKey": Key,
        /// Activities to run, in order.
        activate_elements "activateElements": Vec<ActivateElement>,
        /// What still runs is terminated.
        cancel_remaining_instances "cancelRemainingInstances": bool,
        /// The sub-process is done.
        completion_condition_fulfilled "completionConditionFulfilled": bool,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}
