//! Script task that the engine evaluates: one FEEL expression, its result in one variable.
//!
//! The result goes the way of a job's result, so that output mappings can reshape it.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{expressions, triggers};
use crate::model::Behavior;
use crate::msgpack;
use crate::record::Document;

/// A FEEL script task.
pub(super) struct ScriptTask;

impl Element for ScriptTask {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::Script(script) = &at.element().behavior else {
            return Err(Stop::fault("not a script task"));
        };
        let result = expressions::any(p, &script.expression, at.key)?;
        let variables = Document::from(msgpack::build_document([(
            script.result_variable.as_str(),
            result.as_bytes(),
        )]));
        triggers::triggering(p, at, &at.record.element_id, variables)?;
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }
}
