//! CLUSTER_VARIABLE CREATE, UPDATE, DELETE: what every process can read, on every partition.
//!
//! The partition that is asked decides; the others follow, changes of one name in their order. A
//! distributed command that does not fit (any more) is refused there and acknowledged all the same
//! (Camunda: `ClusterVariableCreateProcessor` and its kin).

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::model::length::{NAME_MAX, is_longer};
use crate::record::intent::of;
use crate::record::value::{ClusterVariableRecord, ClusterVariableScope};
use crate::record::{Rejection, RejectionType};

/// Creates a variable.
pub(crate) fn create(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClusterVariableRecord>,
) -> Outcome {
    change(p, command, value, of::ClusterVariable::Created, false)
}

/// Gives a variable another value.
pub(crate) fn update(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClusterVariableRecord>,
) -> Outcome {
    change(p, command, value, of::ClusterVariable::Updated, true)
}

/// Deletes a variable.
pub(crate) fn delete(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClusterVariableRecord>,
) -> Outcome {
    change(p, command, value, of::ClusterVariable::Deleted, true)
}

fn change(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClusterVariableRecord>,
    done: of::ClusterVariable,
    wanted: bool,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let refusal = refusal(p, value, wanted)?;
    if distributed {
        match refusal {
            Some(rejection) => p.reject(command, rejection)?,
            None => p.event(command.key, done, value.clone())?,
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if let Some(rejection) = refusal {
        return Err(Stop::Reject(rejection));
    }
    let key = p.next_key();
    p.event(key, done, value.clone())?;
    p.respond(key, done, value.clone());
    let queue = value.name.as_str();
    distribute::distribute(p, key, queue, command.intent, &value.clone().into())
}

/// Why the change is not made. `wanted` says whether the variable has to be there.
fn refusal(
    p: &Processing<'_>,
    value: &ClusterVariableRecord,
    wanted: bool,
) -> Outcome<Option<Rejection>> {
    let name = &value.name;
    let refuse = |kind, reason: String| Ok(Some(Rejection::new(kind, reason)));
    if name.is_empty() {
        let reason = format!(
            "Invalid cluster variable name: '{name}'. Cluster variable can not be null or empty."
        );
        return refuse(RejectionType::InvalidArgument, reason);
    }
    if name.chars().any(char::is_whitespace) {
        let reason = format!(
            "Invalid cluster variable name: '{name}'. The name must not contains any whitespace."
        );
        return refuse(RejectionType::InvalidArgument, reason);
    }
    if is_longer(name, NAME_MAX) {
        let reason = format!(
            "Invalid cluster variable name: '{name}'. The name must not be longer than {NAME_MAX} characters."
        );
        return refuse(RejectionType::InvalidArgument, reason);
    }
    let fits = match value.scope {
        ClusterVariableScope::Global => value.tenant_id.is_empty(),
        ClusterVariableScope::Tenant => !value.tenant_id.is_empty(),
        ClusterVariableScope::Unspecified => false,
    };
    if !fits {
        let reason = "Invalid cluster variable scope. The scope must be either 'GLOBAL' or \
                      'TENANT', and a tenant belongs to 'TENANT' only.";
        return refuse(RejectionType::InvalidArgument, reason.to_owned());
    }
    let known = p
        .state()
        .cluster_variables
        .get(&value.tenant_id, name)?
        .is_some();
    let scope = if value.tenant_id.is_empty() {
        "GLOBAL".to_owned()
    } else {
        format!("tenant: '{}'", value.tenant_id)
    };
    match (known, wanted) {
        (true, true) | (false, false) => Ok(None),
        (true, false) => refuse(
            RejectionType::AlreadyExists,
            format!(
                "Invalid cluster variable name: '{name}'. The name already exists in the scope \
                 '{scope}'"
            ),
        ),
        (false, true) => refuse(
            RejectionType::NotFound,
            format!(
                "Invalid cluster variable name: '{name}'. The variable does not exist in the \
                 scope '{scope}'"
            ),
        ),
    }
}
