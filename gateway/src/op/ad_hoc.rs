//! Activities of an ad-hoc sub-process that a client starts.
//!
//! The command goes to the partition of the sub-process' key; the engine knows what can be activated.
//! What is wrong with the body is said before what is wrong with the key.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::AdHocSubProcessInstructionRecord;

use super::job::activities;
use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

/// `activateAdHocSubProcessActivities`.
pub(crate) async fn activate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let elements = body.list("elements");
    let key = call.path_text("adHocSubProcessInstanceKey");
    let key = key
        .parse()
        .map(Key)
        .map_err(|_| Problem::Malformed(format!("For input string: \"{key}\"")))?;
    let record = AdHocSubProcessInstructionRecord {
        ad_hoc_sub_process_instance_key: key,
        activate_elements: activities(elements),
        cancel_remaining_instances: body.flag("cancelRemainingInstances").unwrap_or(false),
        ..AdHocSubProcessInstructionRecord::default()
    };
    let intent = of::AdHocSubProcessInstruction::Activate;
    let command = call.caller.command(key, intent, record, None);
    call.front.call(&Target::Key(key), command, None).await?;
    Ok(Answer::NoContent)
}
