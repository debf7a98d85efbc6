//! What is wrong with a request that its contract cannot say: rules of single operations.
//!
//! They come after the contract's checks, add to the same list, and see a request of the right shape
//! in which anything may still be missing. A rule that answers with a problem of its own takes the
//! place of all that was found. Rules that both protocols have are with the operations themselves
//! (`run`); these are of REST alone, as in the reference.
//!
//! [`TENANT_FIRST`] names operations that look at their tenant before anything else: what is wrong
//! with it is said instead of all other violations. Requests without violations pass by: there the
//! operation itself looks.

use std::collections::HashMap;

use serde_json::Value;

use crate::contract::{Contract, ContractError};
use crate::op::shape::Members;
use crate::op::{self, conditional, decision, expression, job, message, process_instance, signal};
use crate::problem::{OperationName, Problem, Violations};
use crate::submit::Front;

/// A request as far as it was read.
pub(crate) struct Given<'g> {
    /// The body; an empty object if there is none.
    pub(crate) body: Members<'g>,
    query: &'g HashMap<String, Value>,
}

impl<'g> Given<'g> {
    /// The text in the query under `name`; empty if there is none.
    pub(crate) fn query_text(&self, name: &str) -> &'g str {
        let value = self.query.get(name).and_then(Value::as_str);
        value.unwrap_or_default()
    }
}

/// Rules of one operation.
type Rule = fn(&Given<'_>, &mut Violations) -> Result<(), Problem>;

/// Operations with rules: contract id, function.
const RULES: &[(&str, Rule)] = &[
    ("activateJobs", job::activate::rules),
    ("evaluateExpression", expression::rules),
    ("getUsageMetrics", op::search::statistics::usage_rules),
    ("updateJob", job::update_rules),
    ("updateJobsBatchOperation", job::update_rules),
];

/// Operations that look at their tenant first.
const TENANT_FIRST: &[(&str, OperationName)] = &[
    ("broadcastSignal", signal::BROADCAST),
    ("correlateMessage", message::CORRELATE),
    ("createProcessInstance", process_instance::CREATE),
    ("evaluateConditionals", conditional::EVALUATE),
    ("evaluateDecision", decision::EVALUATE),
    ("publishMessage", message::PUBLISH),
];

/// The rules of one operation, found at start.
#[derive(Clone, Copy, Default)]
pub(super) struct Rules {
    own: Option<Rule>,
    tenant_first: Option<OperationName>,
}

impl Rules {
    /// Those of every operation of `contract`, in its order.
    ///
    /// # Errors
    /// A row above names an operation that the contract does not have.
    pub(super) fn of(contract: &Contract) -> Result<Vec<Self>, ContractError> {
        let mut all = vec![Self::default(); contract.operations.len()];
        let at = |id: &str| {
            let operations = &contract.operations;
            let at = operations.iter().position(|it| &*it.id == id);
            at.ok_or_else(|| ContractError(format!("operation {id} does not exist")))
        };
        for &(id, rule) in RULES {
            all[at(id)?].own = Some(rule);
        }
        for &(id, name) in TENANT_FIRST {
            all[at(id)?].tenant_first = Some(name);
        }
        Ok(all)
    }

    /// Ends the search for violations.
    ///
    /// # Errors
    /// Something was found.
    pub(super) fn end(
        self,
        front: &Front,
        body: &Value,
        query: &HashMap<String, Value>,
        mut found: Violations,
    ) -> Result<(), Problem> {
        let body = Members(body);
        if let Some(rule) = self.own {
            rule(&Given { body, query }, &mut found)?;
        }
        if let Some(name) = self.tenant_first
            && !found.is_empty()
        {
            op::tenant(front, name, body.str("tenantId"))?;
        }
        found.end()
    }
}
