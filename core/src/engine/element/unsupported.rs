//! Elements that this version can deploy but not run: they stop with an incident that says so.
//!
//! The incident cannot be resolved by retrying; the instance can be cancelled.

use crate::engine::element::Element;
use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::record::value::{BpmnElementType, ErrorType};

/// Any element without behaviour.
pub(super) struct Unsupported;

impl Element for Unsupported {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, _p: &mut Processing<'_>, at: &At) -> Outcome {
        if at.record.bpmn_element_type == BpmnElementType::SendTask {
            let message = "Currently, only job worker-based implementation is supported for 'sendTask'. To recover, model the task using a 'zeebe:taskDefinition' with a valid job type, deploy the updated process version, and migrate the instance to it.";
            return Err(Failure::new(ErrorType::Unknown, message).into());
        }
        let message = format!(
            "Expected to activate element '{}', but elements of type '{}' with event type '{}' are not supported by this version",
            at.record.element_id,
            at.record.bpmn_element_type.name(),
            at.record.bpmn_event_type.name()
        );
        Err(Failure::new(ErrorType::Unknown, message).into())
    }
}
