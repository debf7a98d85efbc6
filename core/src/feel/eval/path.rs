//! Properties of values and filters of lists.
//!
//! A property of a list is the list of the properties of its items. A filter is an index if it is a
//! number, else a condition on each item; which one it is may depend on its value for the first.

use crate::feel::WarningKind;
use crate::feel::ast::{Expr, Step};
use crate::feel::number::Dec;
use crate::feel::value::{List, Value};

use super::{Binding, Eval, Interpreter, Shown, Trouble, or_null};

impl<'e> Interpreter<'e> {
    #[inline(never)]
    pub(super) fn steps(&mut self, base: &'e Expr, steps: &'e [Step]) -> Eval<'e> {
        let mut value = self.eval(base);
        for step in steps {
            value = match (step, value) {
                (_, Err(fatal @ Trouble::Fatal(_))) => return Err(fatal),
                (Step::Property(key), Ok(value)) => self.property(&value, key),
                (Step::Property(_), Err(error)) => Err(error),
                (Step::Filter(filter), Ok(Value::List(list))) => {
                    or_null(self.filter(&list, filter))
                }
                (Step::Filter(_), Ok(other)) => or_null(Err(self.unexpected("list", &other))),
                (Step::Filter(_), Err(error)) => or_null(Err(error)),
            };
        }
        value
    }

    #[inline]
    pub(super) fn property(&mut self, value: &Value<'e>, key: &str) -> Eval<'e> {
        if let Value::Context(context) = value
            && let Some(entry) = context.get(key)
        {
            self.charge(context.walked() / 512)?;
            return Ok(entry);
        }
        self.property_of_any(value, key)
    }

    #[inline(never)]
    fn property_of_any(&mut self, value: &Value<'e>, key: &str) -> Eval<'e> {
        match value {
            Value::Context(context) => {
                self.charge(context.walked() / 512)?;
                let entry = context.get(key);
                if entry.is_none() {
                    self.warn(WarningKind::NoContextEntryFound, || {
                        let keys: Vec<String> = context
                            .iter()
                            .take(100)
                            .map(|(key, _)| format!("'{key}'"))
                            .collect();
                        let detail = if keys.is_empty() {
                            "The context is empty".to_owned()
                        } else {
                            format!("Available keys: {}", keys.join(", "))
                        };
                        format!("No context entry found with key '{key}'. {detail}")
                    });
                }
                Ok(entry.unwrap_or(Value::Null))
            }
            Value::List(list) => {
                let mut values = Vec::with_capacity(list.len().min(1024));
                self.depth += 1;
                if self.depth > super::MAX_DEPTH {
                    return Err(super::Fatal::Depth.into());
                }
                for item in list.iter() {
                    self.charge(1)?;
                    values.push(self.property(&item, key)?);
                }
                self.depth -= 1;
                self.measured(Value::list(values))
            }
            Value::Null => {
                self.warn(WarningKind::NoContextEntryFound, || {
                    format!("No context entry found with key '{key}'. The context is null")
                });
                Ok(Value::Null)
            }
            other => {
                let property = other.property(key);
                if property.is_none() {
                    self.warn(WarningKind::NoPropertyFound, || {
                        let names: Vec<String> = other
                            .property_names()
                            .iter()
                            .map(|name| format!("'{name}'"))
                            .collect();
                        format!(
                            "No property found with name '{key}' of value '{}'. Available \
                             properties: {}",
                            Shown(other),
                            names.join(", ")
                        )
                    });
                }
                Ok(property.unwrap_or(Value::Null))
            }
        }
    }

    fn filter(&mut self, list: &List<'e>, filter: &'e Expr) -> Eval<'e> {
        self.charge(list.walked() / 512)?;
        match filter {
            Expr::Number(index) => Ok(at(list, *index)),
            // Evaluated per item only, so that nobody sees them called once too often.
            Expr::Compare(..) | Expr::Call(_) => self.filter_items(list, filter),
            _ => match self.eval(filter) {
                Ok(Value::Number(index)) => Ok(at(list, index)),
                Err(fatal @ Trouble::Fatal(_)) => Err(fatal),
                Ok(_) | Err(Trouble::Error(_)) => self.filter_items(list, filter),
            },
        }
    }

    fn filter_items(&mut self, list: &List<'e>, filter: &'e Expr) -> Eval<'e> {
        let mut kept = Vec::new();
        for (index, item) in list.iter().enumerate() {
            self.charge(1)?;
            let verdict = self.scoped(Binding::Item(item.clone()), |this| this.eval(filter));
            match verdict {
                Ok(Value::Bool(true)) => kept.push(item),
                Ok(Value::Number(position)) if index == 0 => return Ok(at(list, position)),
                Err(fatal @ Trouble::Fatal(_)) => return Err(fatal),
                Err(error) if index == 0 => return Err(error),
                Ok(_) | Err(Trouble::Error(_)) => {}
            }
        }
        self.measured(Value::list(kept))
    }
}

/// The item at a position counted from 1, or from the end if it is negative.
fn at<'e>(list: &List<'e>, position: Dec) -> Value<'e> {
    let len = list.len();
    let Some(position) = position.to_i64() else {
        return Value::Null;
    };
    let index = if position > 0 {
        usize::try_from(position - 1).ok()
    } else {
        usize::try_from(position.unsigned_abs())
            .ok()
            .and_then(|back| len.checked_sub(back))
    };
    index
        .filter(|index| *index < len)
        .and_then(|index| list.get(index))
        .unwrap_or(Value::Null)
}
