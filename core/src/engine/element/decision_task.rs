//! Business rule task that the engine evaluates: one decision, its result in one variable.
//!
//! The result goes the way of a job's result, so that output mappings can reshape it. A decision
//! that fails leaves its evaluation in the log before the incident.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{decisions, triggers};
use crate::model::Behavior;
use crate::msgpack;
use crate::record::Document;

/// A business rule task with a called decision.
pub(super) struct DecisionTask;

impl Element for DecisionTask {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::Decision(called) = &at.element().behavior else {
            return Err(Stop::fault("not a called decision"));
        };
        let result = decisions::call(p, at, called)?;
        let variables = Document::from(msgpack::build_document([(
            called.result_variable.as_str(),
            result.as_bytes(),
        )]));
        triggers::triggering(p, at, &at.record.element_id, variables)?;
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }
}
