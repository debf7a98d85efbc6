//! Unary tests against the implicit input: in decision tables and behind `in`.
//!
//! The input is a name in scope that no source can spell. An expression is first computed without
//! `?`; only if it asks for `?` it is computed again with it, and then has to be a truth value.

use crate::feel::WarningKind;
use crate::feel::ast::{Comparison, Expr, RangeExpr, Test};
use crate::feel::value::Value;

use super::{Binding, Eval, Fatal, INPUT, INPUT_SYMBOL, Interpreter, Shown, Trouble};

impl<'e> Interpreter<'e> {
    #[inline(never)]
    pub(super) fn membership(&mut self, sides: &'e (Expr, Expr)) -> Eval<'e> {
        let value = self.eval(&sides.0)?;
        self.scoped(Binding::Named(INPUT, value), |this| this.eval(&sides.1))
    }

    #[inline(never)]
    pub(super) fn test(&mut self, test: &'e Test) -> Eval<'e> {
        match test {
            Test::Equal(expr) => {
                let input = self.input();
                let value = self.eval(expr)?;
                Ok(self.compared(Comparison::Equal, &input, &value))
            }
            Test::Compare(comparison, expr) => {
                let input = self.input();
                let value = self.eval(expr)?;
                Ok(self.compared(*comparison, &input, &value))
            }
            Test::InRange(range) => self.in_range(range),
            Test::Expression(expr) => self.test_expression(expr),
            Test::AnyOf(tests) => self.any(tests.iter()),
        }
    }

    fn input(&mut self) -> Value<'e> {
        self.lookup(INPUT).unwrap_or_else(|| {
            self.warn(WarningKind::NoVariableFound, || {
                "No input value found.".to_owned()
            });
            Value::Null
        })
    }

    fn in_range(&mut self, range: &'e RangeExpr) -> Eval<'e> {
        let start = self.eval(&range.start)?;
        let end = self.eval(&range.end)?;
        // Each bound asks for the input; without one, that is said twice.
        let _ = self.input();
        let input = self.input();
        let (Some(from), Some(to)) = (input.order(&start), input.order(&end)) else {
            self.warn(WarningKind::NotComparable, || {
                format!(
                    "Can't compare '{}' with '{}' and '{}'",
                    Shown(&input),
                    Shown(&start),
                    Shown(&end)
                )
            });
            return Ok(Value::Null);
        };
        let inside = (from.is_gt() || (range.start_closed && from.is_eq()))
            && (to.is_lt() || (range.end_closed && to.is_eq()));
        Ok(Value::Bool(inside))
    }

    fn test_expression(&mut self, expr: &'e Expr) -> Eval<'e> {
        let input = self.input();
        let value = match self.eval(expr) {
            Ok(value) => value,
            Err(Trouble::Fatal(Fatal::NoInput)) => {
                let symbol = Binding::Named(INPUT_SYMBOL, input);
                return match self.scoped(symbol, |this| this.eval(expr)) {
                    Ok(truth @ Value::Bool(_)) => Ok(truth),
                    Ok(_) | Err(Trouble::Error(_)) => Ok(Value::Null),
                    Err(fatal) => Err(fatal),
                };
            }
            Err(trouble) => return Err(trouble),
        };
        if let Value::Bool(true) = value {
            return Ok(value);
        }
        if let Value::List(list) = &value {
            self.charge(list.len())?;
            if list.iter().any(|item| item.same(&input)) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(match self.compared(Comparison::Equal, &input, &value) {
            Value::Bool(true) => Value::Bool(true),
            Value::Null if !matches!(value, Value::Bool(false) | Value::List(_)) => Value::Null,
            _ => Value::Bool(false),
        })
    }
}
