//! Evaluating an expression with variables of the caller, and of a scope if one is named.
//!
//! The partition of the scope evaluates it, any partition one without scope.

use ringflow_core::ids::Key;
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::ExpressionRecord;
use ringflow_core::record::{Document, RawValue, Text};

use super::shape::{Members, ObjectWriter, put_list};
use super::{Caller, answered, tenant};
use crate::problem::{OperationName, Problem, Violations};
use crate::rest::{Answer, Call, Given};
use crate::route::Target;
use crate::submit::Front;

const EVALUATE: OperationName = OperationName {
    rpc: "EvaluateExpression",
    human: "Expression Evaluation",
};

/// Evaluate an expression.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluate {
    pub(crate) expression: String,
    pub(crate) tenant_id: Option<String>,
    /// Element instance whose variables are visible; [`Key::NONE`] = none.
    pub(crate) scope: Key,
    pub(crate) variables: Document,
}

/// What it gave.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    pub(crate) expression: Text,
    pub(crate) result: RawValue,
    pub(crate) warnings: Vec<Text>,
}

impl Evaluate {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Evaluated, Problem> {
        let target = if self.scope.is_some() {
            Target::Key(self.scope)
        } else {
            Target::Any
        };
        let record = ExpressionRecord {
            expression: Text::from(self.expression),
            tenant_id: match self.tenant_id.as_deref() {
                // The scope, if there is one, says of which tenant it is.
                None | Some("") if front.tenancy => Text::default(),
                given => tenant(front, EVALUATE, given)?,
            },
            scope_key: self.scope,
            variables: self.variables,
            ..ExpressionRecord::default()
        };
        let command = caller.command(Key::NONE, of::Expression::Evaluate, record, None);
        let response = front.call(&target, command, None).await?;
        let evaluated = answered!(response, Expression)?;
        Ok(Evaluated {
            expression: evaluated.expression.clone(),
            result: evaluated.result_value.clone(),
            warnings: evaluated.warnings.clone(),
        })
    }
}

/// What is wrong with the body of `evaluateExpression`: this comes alone, and without period.
pub(crate) fn rules(given: &Given<'_>, _: &mut Violations) -> Result<(), Problem> {
    let expression = given.body.str("expression").unwrap_or_default();
    if expression.trim().is_empty() {
        return Err(Problem::plain("No expression provided"));
    }
    Ok(())
}

/// `evaluateExpression`.
pub(crate) async fn evaluate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Evaluate {
        expression: body.str("expression").unwrap_or_default().to_owned(),
        tenant_id: body.str("tenantId").map(str::to_owned),
        scope: body.key("scopeKey").unwrap_or(Key::NONE),
        variables: body.document("variables"),
    };
    let evaluated = request.run(&call.front, &call.caller).await?;
    let mut result = String::new();
    json::from_msgpack(evaluated.result.as_bytes(), &mut result)
        .map_err(|error| Problem::Internal(format!("an unreadable result: {error}")))?;
    let mut out = ObjectWriter::new();
    out.str("expression", &evaluated.expression)
        .raw("result", &result)
        .with("warnings", |out| {
            put_list(out, &evaluated.warnings, |warning| {
                let mut item = ObjectWriter::new();
                item.str("message", warning);
                item.finish()
            });
        });
    Ok(Answer::Json(out.finish()))
}
