//! An expression that a client wants evaluated, and what came of it.
//!
//! Zeebe: `ExpressionRecord`. The command carries the question, the event question and answer.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, RawValue, Text};
use crate::record_value;

record_value! {
    /// An expression, its context, its result.
    pub struct ExpressionRecord {
        /// FEEL with a leading `=`, or a fixed value.
        expression "expression": Text,
        /// The value; null until it is evaluated.
        result_value "resultValue": RawValue,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// What was wrong on the way to the value.
        warnings "warnings": Vec<Text>,
        /// Variables of the caller; they hide those of the scope.
        variables "variables": Document,
        /// Element instance whose variables are visible; -1 = none.
        scope_key "scopeKey": Key,
    }
}
