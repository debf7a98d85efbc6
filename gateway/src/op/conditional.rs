//! Evaluating the conditions of process start events.
//!
//! Any partition knows the newest definitions; instances start on the one that was asked.

use std::sync::Arc;

use ringflow_core::ids::Key;
use ringflow_core::record::Document;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::ConditionalEvaluationRecord;

use super::shape::{Members, ObjectWriter, put_list};
use super::{Caller, answered, tenant};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

pub(crate) const EVALUATE: OperationName = OperationName {
    rpc: "EvaluateConditional",
    human: "Evaluate Conditional",
};

/// Evaluate conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluate {
    /// Only start events of this definition; [`Key::NONE`] for those of all.
    pub(crate) definition: Key,
    pub(crate) variables: Document,
    pub(crate) tenant_id: Option<String>,
}

/// What an evaluation brought about.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    pub(crate) key: Key,
    pub(crate) record: Arc<ConditionalEvaluationRecord>,
}

impl Evaluate {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Evaluated, Problem> {
        let record = ConditionalEvaluationRecord {
            process_definition_key: self.definition,
            variables: self.variables,
            tenant_id: tenant(front, EVALUATE, self.tenant_id.as_deref())?,
            ..ConditionalEvaluationRecord::default()
        };
        let intent = of::ConditionalEvaluation::Evaluate;
        let command = caller.command(Key::NONE, intent, record, None);
        let response = front.call(&Target::Any, command, None).await?;
        Ok(Evaluated {
            key: response.key,
            record: answered!(response, ConditionalEvaluation)?,
        })
    }
}

/// `evaluateConditionals`.
pub(crate) async fn evaluate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Evaluate {
        definition: body.key("processDefinitionKey").unwrap_or_default(),
        variables: body.document("variables"),
        tenant_id: body.str("tenantId").map(str::to_owned),
    };
    let evaluated = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.key("conditionalEvaluationKey", evaluated.key)
        .str("tenantId", &evaluated.record.tenant_id)
        .with("processInstances", |out| {
            put_list(out, &evaluated.record.started, |started| {
                let mut one = ObjectWriter::new();
                one.key("processDefinitionKey", started.process_definition_key)
                    .key("processInstanceKey", started.process_instance_key);
                one.finish()
            });
        });
    Ok(Answer::Json(out.finish()))
}
