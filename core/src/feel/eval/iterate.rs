//! `for`, `some` and `every`: iterations over the product of lists and counted ranges.
//!
//! All sources are evaluated before the first round, outside of the names they introduce. Counted
//! ranges are never built as lists, so a million rounds cost no memory.

use crate::feel::ast::{Expr, For, Iteration, Quantified, Source};
use crate::feel::number::Dec;
use crate::feel::value::{List, Value};

use super::compare::Logic;
use super::{Binding, Eval, Interpreter, Trouble, or_null};

/// What one name of an iteration runs over.
enum Items<'e> {
    List(List<'e>),
    Counting { from: Dec, to: Dec },
}

enum ItemsIter<'e> {
    List(crate::feel::value::ListIter<'e>),
    Counting {
        next: Option<Dec>,
        to: Dec,
        step: Dec,
    },
}

impl<'e> Items<'e> {
    fn iter(&self) -> ItemsIter<'e> {
        match self {
            Items::List(list) => ItemsIter::List(list.iter()),
            Items::Counting { from, to } => {
                let step = if from < to {
                    Dec::ONE
                } else {
                    Dec::ONE.negate()
                };
                ItemsIter::Counting {
                    next: Some(*from),
                    to: *to,
                    step,
                }
            }
        }
    }
}

impl<'e> Iterator for ItemsIter<'e> {
    type Item = Value<'e>;

    fn next(&mut self) -> Option<Value<'e>> {
        match self {
            ItemsIter::List(items) => items.next(),
            ItemsIter::Counting { next, to, step } => {
                let current = next.take()?;
                let past = if step.is_negative() {
                    current < *to
                } else {
                    current > *to
                };
                if past {
                    return None;
                }
                // Numbers beyond 34 digits would not move any more.
                *next = current
                    .checked_add(*step)
                    .filter(|following| *following != current);
                Some(Value::Number(current))
            }
        }
    }
}

impl<'e> Interpreter<'e> {
    #[inline(never)]
    pub(super) fn iteration(&mut self, iteration: &'e For) -> Eval<'e> {
        let mut results = List::new(Vec::new());
        let rounds = self.rounds(&iteration.iterations, |this| {
            let value = if iteration.partial {
                let so_far = Binding::Named("partial", Value::List(results.clone()));
                this.scoped(so_far, |this| this.eval(&iteration.body))
            } else {
                this.eval(&iteration.body)
            };
            let value = match value {
                Ok(value) => value,
                Err(Trouble::Error(_)) => Value::Null,
                Err(fatal) => return Err(fatal),
            };
            let copied = results.push(value);
            this.charge(copied / 16)?;
            Ok(true)
        });
        match rounds {
            Ok(()) => or_null(self.measured(Value::List(results))),
            Err(Trouble::Error(_)) => Ok(Value::Null),
            Err(fatal) => Err(fatal),
        }
    }

    #[inline(never)]
    pub(super) fn quantified(&mut self, quantified: &'e Quantified) -> Eval<'e> {
        let mut logic = Logic::new(!quantified.every);
        let rounds = self.rounds(&quantified.iterations, |this| {
            let holds = this.eval(&quantified.condition);
            Ok(!logic.take(this, holds)?)
        });
        match rounds {
            Ok(()) => Ok(logic.result()),
            Err(Trouble::Error(_)) => Ok(Value::Null),
            Err(fatal) => Err(fatal),
        }
    }

    /// Runs `round` for every combination until it says false; the last name changes fastest.
    fn rounds(
        &mut self,
        iterations: &'e [Iteration],
        mut round: impl FnMut(&mut Self) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        let mut sources = Vec::with_capacity(iterations.len());
        let mut failure = None;
        for iteration in iterations {
            match self.source(&iteration.source) {
                Ok(items) => sources.push(items),
                Err(Trouble::Error(error)) => failure = failure.or(Some(error)),
                Err(fatal) => return Err(fatal),
            }
        }
        if let Some(error) = failure {
            return Err(Trouble::Error(error));
        }
        let level = self.scope.len();
        let mut open: Vec<ItemsIter<'e>> = vec![sources[0].iter()];
        let result = loop {
            let Some(current) = open.last_mut() else {
                break Ok(());
            };
            let Some(item) = current.next() else {
                open.pop();
                self.scope.truncate(level + open.len().saturating_sub(1));
                continue;
            };
            let index = open.len() - 1;
            self.scope.truncate(level + index);
            self.scope
                .push(Binding::Named(&iterations[index].name, item));
            if let Err(trouble) = self.charge(1) {
                break Err(trouble);
            }
            match sources.get(open.len()) {
                Some(inner) => open.push(inner.iter()),
                None => match round(self) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(trouble) => break Err(trouble),
                },
            }
        };
        self.scope.truncate(level);
        result
    }

    fn source(&mut self, source: &'e Source) -> Result<Items<'e>, Trouble> {
        match source {
            Source::List(expr) => match self.eval(expr)? {
                Value::List(list) => Ok(Items::List(list)),
                other => Err(self.unexpected("list", &other)),
            },
            Source::Counting(from, to) => {
                let from = self.counter(from)?;
                Ok(Items::Counting {
                    from,
                    to: self.counter(to)?,
                })
            }
        }
    }

    fn counter(&mut self, expr: &'e Expr) -> Result<Dec, Trouble> {
        match self.eval(expr)? {
            Value::Number(number) => Ok(number),
            other => Err(self.unexpected("number", &other)),
        }
    }
}
