//! Comparison, three-valued logic, conditions and type tests.
//!
//! Everything is tolerant: what is no truth value counts as null, with a warning, and null decides
//! nothing by itself.

use std::cmp::Ordering;

use crate::feel::WarningKind;
use crate::feel::ast::{Comparison, Expr};
use crate::feel::value::Value;

use super::{Eval, Interpreter, Shown, Trouble};

impl Comparison {
    /// Whether an order of two sides satisfies the comparison.
    #[inline]
    pub(super) fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl<'e> Interpreter<'e> {
    pub(super) fn comparison(
        &mut self,
        comparison: Comparison,
        sides: &'e (Expr, Expr),
    ) -> Eval<'e> {
        // Numbers are compared where they were put: moving values is most of the cost.
        let x = self.eval(&sides.0);
        #[expect(
            clippy::question_mark,
            reason = "the error is handed on where it lies, not cloned"
        )]
        if x.is_err() {
            return x;
        }
        let y = self.eval(&sides.1);
        if let (Ok(Value::Number(x)), Ok(Value::Number(y))) = (&x, &y) {
            return Ok(Value::Bool(comparison.accepts(x.cmp(y))));
        }
        let (x, y) = (x?, y?);
        if let (Value::List(_) | Value::Context(_), _) = (&x, &y) {
            self.charge(x.size().weight as usize / 16)?;
        }
        Ok(self.compared(comparison, &x, &y))
    }

    /// The comparison of two values; null with a warning if they have no order.
    pub(super) fn compared(
        &mut self,
        comparison: Comparison,
        x: &Value<'e>,
        y: &Value<'e>,
    ) -> Value<'e> {
        let result = match comparison {
            Comparison::Equal => x.equals(y),
            Comparison::Less
            | Comparison::LessOrEqual
            | Comparison::Greater
            | Comparison::GreaterOrEqual => x.order(y).map(|order| comparison.accepts(order)),
        };
        match result {
            Some(holds) => Value::Bool(holds),
            None => {
                self.warn(WarningKind::NotComparable, || {
                    format!("Can't compare '{}' with '{}'", Shown(x), Shown(y))
                });
                Value::Null
            }
        }
    }

    #[inline(never)]
    pub(super) fn between(&mut self, parts: &'e (Expr, Expr, Expr)) -> Eval<'e> {
        let value = self.eval(&parts.0)?;
        let low = self.eval(&parts.1)?;
        let from = self.compared(Comparison::GreaterOrEqual, &value, &low);
        let mut all = Logic::new(false);
        if all.take(self, Ok(from))? {
            return Ok(all.result());
        }
        let high = self.eval(&parts.2)?;
        let to = self.compared(Comparison::LessOrEqual, &value, &high);
        all.take(self, Ok(to))?;
        Ok(all.result())
    }

    pub(super) fn not(&mut self, operand: &'e Expr) -> Eval<'e> {
        let value = self.eval(operand);
        Ok(self
            .truth(value)?
            .map_or(Value::Null, |truth| Value::Bool(!truth)))
    }

    /// The truth of a value; `None`, with a warning, if it has none.
    #[inline]
    pub(super) fn truth(&mut self, value: Eval<'e>) -> Result<Option<bool>, Trouble> {
        match value {
            Ok(Value::Bool(truth)) => Ok(Some(truth)),
            Ok(other) => {
                self.unexpected("boolean", &other);
                Ok(None)
            }
            Err(Trouble::Error(_)) => Ok(None),
            Err(fatal @ Trouble::Fatal(_)) => Err(fatal),
        }
    }

    pub(super) fn all(&mut self, parts: impl Iterator<Item = &'e Expr>) -> Eval<'e> {
        self.chain(parts, false)
    }

    pub(super) fn any(&mut self, parts: impl Iterator<Item = &'e Expr>) -> Eval<'e> {
        self.chain(parts, true)
    }

    fn chain(&mut self, parts: impl Iterator<Item = &'e Expr>, decisive: bool) -> Eval<'e> {
        let mut logic = Logic::new(decisive);
        for (index, part) in parts.enumerate() {
            if index > 1 && logic.unknown {
                // A chain stands for nested pairs, of which this one finds a null on its left.
                self.unexpected("boolean", &Value::Null);
            }
            let value = self.eval(part);
            if let (Ok(Value::Bool(truth)), false) = (&value, logic.unknown) {
                if *truth == decisive {
                    return Ok(Value::Bool(decisive));
                }
            } else if logic.take(self, value)? {
                break;
            }
        }
        Ok(logic.result())
    }

    #[inline(never)]
    pub(super) fn conditional(
        &mut self,
        branches: &'e [(Expr, Expr)],
        otherwise: &'e Expr,
    ) -> Eval<'e> {
        for (condition, result) in branches {
            let condition = self.eval(condition);
            if self.truth(condition)? == Some(true) {
                return self.eval(result);
            }
        }
        self.eval(otherwise)
    }

    #[inline(never)]
    pub(super) fn instance_of(&mut self, operand: &'e Expr, name: &str) -> Eval<'e> {
        let value = self.eval(operand)?;
        let actual = value.type_name();
        Ok(Value::Bool(match name {
            "Any" => !value.is_null(),
            "date time" => actual == "date and time",
            "year-month-duration" => actual == "years and months duration",
            "day-time-duration" => actual == "days and time duration",
            _ => actual == name,
        }))
    }
}

/// A conjunction or disjunction that is being worked out.
pub(super) struct Logic {
    /// The truth that settles the result: false for a conjunction.
    decisive: bool,
    settled: bool,
    unknown: bool,
}

impl Logic {
    pub(super) fn new(decisive: bool) -> Logic {
        Logic {
            decisive,
            settled: false,
            unknown: false,
        }
    }

    /// Takes the next part into account; true if the result is settled.
    #[inline]
    pub(super) fn take<'e>(
        &mut self,
        interpreter: &mut Interpreter<'e>,
        part: Eval<'e>,
    ) -> Result<bool, Trouble> {
        let truth = if self.unknown {
            // After a null other values are ignored without a warning.
            match part {
                Ok(value) => value.as_bool(),
                Err(Trouble::Error(_)) => None,
                Err(fatal @ Trouble::Fatal(_)) => return Err(fatal),
            }
        } else {
            interpreter.truth(part)?
        };
        match truth {
            Some(truth) if truth == self.decisive => self.settled = true,
            Some(_) => {}
            None => self.unknown = true,
        }
        Ok(self.settled)
    }

    #[inline]
    pub(super) fn result<'e>(&self) -> Value<'e> {
        if self.settled {
            Value::Bool(self.decisive)
        } else if self.unknown {
            Value::Null
        } else {
            Value::Bool(!self.decisive)
        }
    }
}
