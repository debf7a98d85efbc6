//! Elements that are to publish a message. No engine of this version publishes one: as in Camunda,
//! events pass without it, and a send task stops with an incident that says so. The incident cannot
//! be resolved by retrying; the instance can be cancelled or migrated.

use crate::engine::element::Element;
use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::record::value::{BpmnElementType, ErrorType};

/// Send task, message throw and message end event with `publishMessage`.
pub(super) struct Publishing;

impl Element for Publishing {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        if at.record.bpmn_element_type == BpmnElementType::SendTask {
            let message = "Currently, only job worker-based implementation is supported for 'sendTask'. To recover, model the task using a 'zeebe:taskDefinition' with a valid job type, deploy the updated process version, and migrate the instance to it.";
            return Err(Failure::new(ErrorType::Unknown, message).into());
        }
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }
}
