//! Attributes of the model that may be expressions, evaluated in a variable scope.
//!
//! Each kind of use accepts certain types only; anything else is a failure of the element with
//! Camunda's text. Static attributes cost nothing.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::output::Processing;
use crate::feel::{
    Environment, EvalError, Expression, NoVariables, ResultType, Value, Variables, Warning,
    warnings_text,
};
use crate::ids::Key;
use crate::model::{Code, Expr, write_static};
use crate::msgpack;
use crate::record::value::{ErrorType, default_tenant};
use crate::record::{RawValue, RejectionType, Text};
use crate::state::StateError;
use crate::state::cluster_variable::NAMESPACE;

/// A string.
pub(crate) fn text(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Text> {
    match &expr.code {
        Code::Text => Ok(expr.source.clone()),
        Code::Number(_) => Err(mismatch(expr, "STRING", ResultType::Number, &[])),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
            (value.as_str().map(Text::from))
                .ok_or_else(|| mismatch(expr, "STRING", value.result_type(), warnings))
        }),
    }
}

/// A whole number.
pub(crate) fn number(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<i64> {
    match &expr.code {
        Code::Text => Err(mismatch(expr, "NUMBER", ResultType::String, &[])),
        Code::Number(number) => Ok(*number),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
            (value.as_i64()).ok_or_else(|| mismatch(expr, "NUMBER", value.result_type(), warnings))
        }),
    }
}

/// A number that has to be whole as it is.
pub(crate) fn integer(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<i64> {
    let Code::Feel(feel) = &expr.code else {
        return number(p, expr, scope);
    };
    evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
        let Some(number) = value.as_number() else {
            return Err(mismatch(expr, "NUMBER", value.result_type(), warnings));
        };
        if !number.is_whole() {
            let message = format!(
                "Expected result of the expression '{}' to be an integer, but was a decimal.{}",
                text_of(expr),
                warnings_text(warnings)
            );
            return Err(Failure::new(ErrorType::ExtractValueError, message).into());
        }
        Ok(value.as_i64().unwrap_or(i64::MAX))
    })
}

/// The priority of a job: a whole number of 32 bits.
pub(crate) fn job_priority(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<i32> {
    let expected = |what: &str, was: &dyn Display, warnings: &[Warning]| -> Stop {
        let message = format!(
            "Expected result of the expression '{}' for the job priority to be {what}, but was '{was}'.{}",
            text_of(expr),
            warnings_text(warnings)
        );
        Failure::new(ErrorType::ExtractValueError, message).into()
    };
    let in_range = |number: Option<i64>, was: &dyn Display, warnings: &[Warning]| {
        (number.and_then(|number| i32::try_from(number).ok())).ok_or_else(|| {
            let what = "an integer within the 32-bit signed range";
            expected(what, was, warnings)
        })
    };
    match &expr.code {
        Code::Text => Err(expected("'NUMBER'", &ResultType::String, &[])),
        Code::Number(number) => in_range(Some(*number), number, &[]),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
            let Some(number) = value.as_number() else {
                return Err(expected("'NUMBER'", &value.result_type(), warnings));
            };
            let whole = number.is_whole().then(|| number.to_i64()).flatten();
            in_range(whole, value, warnings)
        }),
    }
}

/// A boolean.
pub(crate) fn boolean(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<bool> {
    boolean_with(p, expr, scope, &NoVariables)
}

/// A boolean; `before` hides variables of the scope.
pub(crate) fn boolean_with(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
    before: &dyn Variables,
) -> Outcome<bool> {
    match &expr.code {
        Code::Text => Err(mismatch(expr, "BOOLEAN", ResultType::String, &[])),
        Code::Number(_) => Err(mismatch(expr, "BOOLEAN", ResultType::Number, &[])),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, before, |value, warnings| {
            (value.as_bool())
                .ok_or_else(|| mismatch(expr, "BOOLEAN", value.result_type(), warnings))
        }),
    }
}

/// A list.
pub(crate) fn list(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<RawValue> {
    match &expr.code {
        Code::Text => Err(mismatch(expr, "ARRAY", ResultType::String, &[])),
        Code::Number(_) => Err(mismatch(expr, "ARRAY", ResultType::Number, &[])),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
            if value.as_list().is_none() {
                return Err(mismatch(expr, "ARRAY", value.result_type(), warnings));
            }
            let mut bytes = Vec::new();
            value.to_msgpack(&mut bytes);
            Ok(RawValue::from(bytes))
        }),
    }
}

/// A value of any type.
pub(crate) fn any(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<RawValue> {
    any_with(p, expr, scope, &NoVariables)
}

/// A value of any type; `before` hides variables of the scope.
pub(crate) fn any_with(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
    before: &dyn Variables,
) -> Outcome<RawValue> {
    let mut bytes = Vec::new();
    match &expr.code {
        Code::Text => msgpack::write_str(&mut bytes, &expr.source),
        Code::Number(number) => msgpack::write_int(&mut bytes, *number),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, before, |value, _| {
            value.to_msgpack(&mut bytes);
            Ok(())
        })?,
    }
    Ok(RawValue::from(bytes))
}

/// A value of any type, with its type and what was wrong on the way to it.
pub(crate) struct Typed {
    pub(crate) value: RawValue,
    pub(crate) kind: ResultType,
    pub(crate) warnings: Vec<Warning>,
}

/// A value of any type with its type, which a temporal value loses where it becomes text.
pub(crate) fn typed(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Typed> {
    let of_model = |kind| {
        Ok(Typed {
            value: any(p, expr, scope)?,
            kind,
            warnings: Vec::new(),
        })
    };
    match &expr.code {
        Code::Text => of_model(ResultType::String),
        Code::Number(_) => of_model(ResultType::Number),
        Code::Feel(feel) => evaluate(p, expr, feel, scope, &NoVariables, |value, warnings| {
            let mut bytes = Vec::new();
            value.to_msgpack(&mut bytes);
            Ok(Typed {
                value: RawValue::from(bytes),
                kind: value.result_type(),
                warnings: warnings.to_vec(),
            })
        }),
    }
}

/// A value of any type for a client that asked for it, with everything that was wrong on the way; a
/// failure is a refusal. Cluster variables are those that `tenant` sees.
pub(crate) fn with_warnings(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
    tenant: &Text,
    before: &dyn Variables,
) -> Outcome<(RawValue, Vec<Text>)> {
    let mut texts = Vec::new();
    let mut bytes = Vec::new();
    let result = match &expr.code {
        Code::Text | Code::Number(_) => {
            write_static(&expr.source, &mut bytes);
            return Ok((RawValue::from(bytes), texts));
        }
        Code::Feel(feel) => {
            let variables = Scope {
                tenant: Some(tenant),
                ..Scope::new(p, scope, before)
            };
            evaluate_in(&variables, expr, feel, |value, warnings| {
                value.to_msgpack(&mut bytes);
                texts.extend(
                    warnings
                        .iter()
                        .map(|warning| warning.message.as_str().into()),
                );
                Ok(())
            })
        }
    };
    match result {
        Ok(()) => Ok((RawValue::from(bytes), texts)),
        Err(Stop::Incident(failure)) => Err(Stop::reject(
            RejectionType::ProcessingError,
            failure.message,
        )),
        Err(stop @ (Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_))) => Err(stop),
    }
}

/// Evaluates FEEL and lets `f` take the value, with the warnings as an incident shows them.
fn evaluate<T>(
    p: &Processing<'_>,
    expr: &Expr,
    feel: &Expression,
    scope: Key,
    before: &dyn Variables,
    f: impl FnOnce(&Value<'_>, &[Warning]) -> Outcome<T>,
) -> Outcome<T> {
    evaluate_in(&Scope::new(p, scope, before), expr, feel, f)
}

fn evaluate_in<T>(
    variables: &Scope<'_, '_>,
    expr: &Expr,
    feel: &Expression,
    f: impl FnOnce(&Value<'_>, &[Warning]) -> Outcome<T>,
) -> Outcome<T> {
    let p = variables.p;
    let environment = Environment {
        variables,
        now_millis: p.now.0,
        zone: &p.config.time_zone,
        // Evaluated on the leader only; what comes of it is in the events.
        random_seed: p.state().position().0 ^ (p.now.0 as u64).rotate_left(32),
        step_budget: p.config.expression_steps,
    };
    let result = match feel.evaluate(&environment) {
        Ok(evaluation) => f(&evaluation.value, &evaluation.warnings),
        Err(error) => Err(failed(expr, &error)),
    };
    match variables.unreadable.take() {
        Some(error) => Err(error.into()),
        None => result,
    }
}

/// Lets `f` look at the variables of a scope.
pub(crate) fn with_scope<T>(
    p: &Processing<'_>,
    scope: Key,
    f: impl FnOnce(&dyn Variables) -> Outcome<T>,
) -> Outcome<T> {
    let variables = Scope::new(p, scope, &NoVariables);
    let result = f(&variables);
    match variables.unreadable.take() {
        Some(error) => Err(error.into()),
        None => result,
    }
}

/// The variables an expression sees.
struct Scope<'s, 'e> {
    p: &'s Processing<'e>,
    scope: Key,
    before: &'s dyn Variables,
    /// Whose cluster variables; without it, those of the scope's tenant.
    tenant: Option<&'s Text>,
    /// State that could not be read ends the evaluation afterwards.
    unreadable: Cell<Option<StateError>>,
}

impl<'s, 'e> Scope<'s, 'e> {
    fn new(p: &'s Processing<'e>, scope: Key, before: &'s dyn Variables) -> Self {
        Self {
            p,
            scope,
            before,
            tenant: None,
            unreadable: Cell::new(None),
        }
    }

    /// Cluster variables, as processes of this tenant see them.
    fn namespace(&self) -> Option<Cow<'_, [u8]>> {
        let state = self.p.state();
        let tenant = match self.tenant {
            Some(tenant) => Ok(tenant.clone()),
            None => (state.elements.get(&self.scope))
                .map(|row| row.map_or_else(default_tenant, |row| row.record.tenant_id.clone())),
        };
        match tenant.and_then(|tenant| state.cluster_namespace(&tenant)) {
            Ok(bytes) => Some(Cow::Owned(bytes)),
            Err(error) => {
                self.unreadable.set(Some(error));
                None
            }
        }
    }
}

impl Variables for Scope<'_, '_> {
    fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if let Some(value) = self.before.get(name) {
            return Some(value);
        }
        match self.p.state().visible_variable(self.scope, name) {
            Ok(Some(row)) => Some(Cow::Owned(row.value.as_bytes().to_vec())),
            Ok(None) if name == NAMESPACE => self.namespace(),
            Ok(None) => None,
            Err(error) => {
                self.unreadable.set(Some(error));
                None
            }
        }
    }
}

/// An expression without its leading `=`.
fn text_of(expr: &Expr) -> &str {
    expr.source.strip_prefix('=').unwrap_or(&expr.source)
}

/// The failure of an expression without a result. Limits are this engine's own: their texts do not
/// name the expression.
fn failed(expr: &Expr, error: &EvalError) -> Stop {
    let message = match error {
        EvalError::AssertFailed(text) | EvalError::Failed(text) => text.clone(),
        EvalError::StepBudgetExceeded | EvalError::DepthExceeded | EvalError::ValueTooLarge => {
            format!("Failed to evaluate expression '{}'. {error}", text_of(expr))
        }
    };
    Failure::new(ErrorType::ExtractValueError, message).into()
}

/// The failure of a result of the wrong type.
fn mismatch(expr: &Expr, expected: &str, actual: ResultType, warnings: &[Warning]) -> Stop {
    let message = format!(
        "Expected result of the expression '{}' to be '{expected}', but was '{}'.{}",
        text_of(expr),
        actual,
        warnings_text(warnings)
    );
    Failure::new(ErrorType::ExtractValueError, message).into()
}
