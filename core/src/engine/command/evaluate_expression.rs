//! EXPRESSION EVALUATE: a client asks what an expression gives.
//!
//! Variables are looked for in the request first, then upwards from the scope it names, then among
//! the cluster variables of the scope's tenant, or of the one that is named. Nothing but the answer is
//! written. Camunda: `ExpressionValidator`, `ExpressionBehavior`.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::feel::DocumentVariables;
use crate::model::Expr;
use crate::record::RejectionType;
use crate::record::intent::of;
use crate::record::value::ExpressionRecord;

/// Evaluates an expression and answers with its value.
pub(crate) fn evaluate(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<ExpressionRecord>,
) -> Outcome {
    let invalid = |reason: String| Stop::reject(RejectionType::InvalidArgument, reason);
    if value.expression.trim().is_empty() {
        return Err(invalid(
            "The expression must not be blank or empty".to_owned(),
        ));
    }
    let expression = Expr::parse(&value.expression)
        .map_err(|error| invalid(format!("Failed to parse expression: {error}")))?;
    let scope = value.scope_key;
    let mut tenant = value.tenant_id.clone();
    if scope.is_some() {
        let Some(row) = p.state().elements.get(&scope)? else {
            return Err(Stop::not_found(format!(
                "No scope found with key '{scope}'"
            )));
        };
        let owner = &row.record.tenant_id;
        if !tenant.is_empty() && tenant != *owner {
            return Err(Stop::not_found(format!(
                "No scope found with key '{scope}' for tenant '{tenant}'"
            )));
        }
        tenant = owner.clone();
    }
    let context = DocumentVariables(value.variables.as_bytes());
    let (result, warnings) = expressions::with_warnings(p, &expression, scope, &tenant, &context)?;
    let evaluated = Arc::new(ExpressionRecord {
        result_value: result,
        warnings,
        tenant_id: tenant,
        ..ExpressionRecord::clone(value)
    });
    let key = p.next_key();
    p.event(key, of::Expression::Evaluated, evaluated.clone())?;
    p.respond(key, of::Expression::Evaluated, evaluated);
    Ok(())
}
