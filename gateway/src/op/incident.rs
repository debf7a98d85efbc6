//! Resolving incidents: the instance tries again what failed.
//!
//! The partition of the incident's key decides; a job without retries keeps its incident.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::IncidentRecord;

use super::Caller;
use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

/// Resolve an incident.
#[derive(Clone, Debug)]
pub(crate) struct Resolve {
    pub(crate) key: Key,
    pub(crate) operation_reference: Option<i64>,
}

impl Resolve {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let command = caller.command(
            self.key,
            of::Incident::Resolve,
            IncidentRecord::default(),
            self.operation_reference,
        );
        front.call(&Target::Key(self.key), command, None).await?;
        Ok(())
    }
}

/// `resolveIncident`.
pub(crate) async fn resolve(call: Call) -> Result<Answer, Problem> {
    let request = Resolve {
        key: call.path_key("incidentKey"),
        operation_reference: Members(&call.body).int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}
