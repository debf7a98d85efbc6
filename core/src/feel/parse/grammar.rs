//! Expressions from the loosest binding to the tightest: control structures, `or`, `and`,
//! comparison, arithmetic, negation, steps.
//!
//! `if`, `for`, `some` and `every` are tried first and given up silently, since they may also be
//! names. Comparisons do not chain: `a < b < c` is an error.

use crate::feel::ast::{
    Comparison, Expr, For, Iteration, Operator, Quantified, RangeExpr, Source, Step, Test,
};

use super::{Parser, Tail};

const ADDITIVE: u8 = 0;
const MULTIPLICATIVE: u8 = 1;
const POWER: u8 = 2;

impl<'s> Parser<'s> {
    pub(super) fn expression(&mut self) -> Option<Expr> {
        self.nested(|p| {
            p.blank();
            let control = match p.peek() {
                Some('i') => p.attempt(Self::conditional),
                Some('f') => p.attempt(Self::iteration),
                Some('s' | 'e') => p.attempt(Self::quantified),
                _ => None,
            };
            match control {
                Some(expr) => Some(expr),
                None => p.disjunction(),
            }
        })
    }

    fn conditional(&mut self) -> Option<Expr> {
        self.keyword("if")?;
        let mut branches = vec![self.branch()?];
        while let Some(branch) = self.attempt(|p| {
            p.keyword("if")?;
            p.branch()
        }) {
            branches.push(branch);
        }
        let otherwise = self.expression()?;
        Some(Expr::If(branches.into(), Box::new(otherwise)))
    }

    /// Condition and result, up to the `else` that follows. Chains of conditions are one node.
    fn branch(&mut self) -> Option<(Expr, Expr)> {
        let condition = self.expression()?;
        self.keyword("then")?;
        let result = self.expression()?;
        self.keyword("else")?;
        Some((condition, result))
    }

    fn iteration(&mut self) -> Option<Expr> {
        self.keyword("for")?;
        let iterations = self.separated(Self::iterator)?.into();
        self.keyword("return")?;
        self.blank();
        let start = self.at;
        let body = self.expression()?;
        let partial = self.source[start..self.at].contains("partial");
        Some(Expr::For(Box::new(For {
            iterations,
            body,
            partial,
        })))
    }

    fn quantified(&mut self) -> Option<Expr> {
        let every = self.attempt(|p| p.keyword("every")).is_some();
        if !every {
            self.keyword("some")?;
        }
        let iterations = self.separated(Self::iterator)?.into();
        self.keyword("satisfies")?;
        let condition = self.expression()?;
        Some(Expr::Quantified(Box::new(Quantified {
            every,
            iterations,
            condition,
        })))
    }

    /// A name and what it runs over: a count from one number to another, or a value without
    /// operators.
    fn iterator(&mut self) -> Option<Iteration> {
        let name = self.name()?.into();
        self.keyword("in")?;
        self.blank();
        let start = self.at;
        let value = self.attempt(Self::stepped);
        let end = self.at;
        self.blank();
        let goes_on = value.is_none()
            || self.rest().starts_with("..")
            || self.rest().starts_with(['+', '-', '*', '/']);
        self.at = start;
        let counting = if goes_on {
            self.attempt(|p| {
                let first = p.arithmetic(ADDITIVE)?;
                p.symbol("..")?;
                Some(Source::Counting(first, p.arithmetic(ADDITIVE)?))
            })
        } else {
            None
        };
        let source = match counting {
            Some(counting) => counting,
            None => {
                let value = value?;
                self.at = end;
                Source::List(value)
            }
        };
        Some(Iteration { name, source })
    }

    fn disjunction(&mut self) -> Option<Expr> {
        self.chain("or", Self::conjunction, Expr::Or)
    }

    fn conjunction(&mut self) -> Option<Expr> {
        self.chain("and", Self::comparison, Expr::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: impl Fn(&mut Self) -> Option<Expr>,
        join: impl FnOnce(Box<[Expr]>) -> Expr,
    ) -> Option<Expr> {
        let first = part(self)?;
        let mut parts = Vec::new();
        while let Some(next) = self.attempt(|p| {
            p.keyword(word)?;
            part(p)
        }) {
            parts.push(next);
        }
        if parts.is_empty() {
            return Some(first);
        }
        parts.insert(0, first);
        Some(join(parts.into()))
    }

    fn comparison(&mut self) -> Option<Expr> {
        self.blank();
        if let Some('<' | '>') = self.peek() {
            return self.comparing_test();
        }
        let Some(left) = self.attempt(|p| p.arithmetic(ADDITIVE)) else {
            return self.range_test();
        };
        self.tail = Tail::Value;
        self.blank();
        let (comparison, negated) = match self.peek() {
            Some('=') => (Comparison::Equal, false),
            Some('!') => (Comparison::Equal, true),
            Some('<') if self.rest().starts_with("<=") => (Comparison::LessOrEqual, false),
            Some('>') if self.rest().starts_with(">=") => (Comparison::GreaterOrEqual, false),
            Some('<') => (Comparison::Less, false),
            Some('>') => (Comparison::Greater, false),
            Some('b') => return self.maybe(left, |p, left| p.between(left)),
            Some('i') => return self.maybe(left, |p, left| p.type_or_membership(left)),
            _ => return Some(left),
        };
        self.maybe(left, |p, left| {
            let long = negated
                || matches!(
                    comparison,
                    Comparison::LessOrEqual | Comparison::GreaterOrEqual
                );
            if negated && !p.rest().starts_with("!=") {
                return Err(left);
            }
            p.at += if long { 2 } else { 1 };
            match p.arithmetic(ADDITIVE) {
                Some(right) => {
                    p.tail = Tail::Operand;
                    let compare = Expr::Compare(comparison, Box::new((left, right)));
                    Ok(if negated {
                        Expr::Not(Box::new(compare))
                    } else {
                        compare
                    })
                }
                None => Err(left),
            }
        })
    }

    /// Tries to read on from a value that was read; on failure the value stays as it is.
    fn maybe(
        &mut self,
        left: Expr,
        rule: impl FnOnce(&mut Self, Expr) -> Result<Expr, Expr>,
    ) -> Option<Expr> {
        let start = self.at;
        match rule(self, left) {
            Ok(expr) => Some(expr),
            Err(left) => {
                self.at = start;
                Some(left)
            }
        }
    }

    fn between(&mut self, left: Expr) -> Result<Expr, Expr> {
        let bounds = self.keyword("between").and_then(|()| {
            let low = self.arithmetic(ADDITIVE)?;
            self.keyword("and")?;
            Some((low, self.arithmetic(ADDITIVE)?))
        });
        match bounds {
            Some((low, high)) => {
                self.tail = Tail::Operand;
                Ok(Expr::Between(Box::new((left, low, high))))
            }
            None => Err(left),
        }
    }

    fn type_or_membership(&mut self, left: Expr) -> Result<Expr, Expr> {
        if self.attempt(|p| p.keyword("instance")).is_some() {
            return match self.keyword("of").and_then(|()| self.type_name()) {
                Some(name) => {
                    let spaced = name.contains(' ') || &*name == "function";
                    self.tail = if spaced { Tail::Test } else { Tail::TypeName };
                    Ok(Expr::InstanceOf(Box::new(left), name))
                }
                None => Err(left),
            };
        }
        let tests = self.keyword("in").and_then(|()| {
            let group = self.attempt(|p| {
                p.symbol("(")?;
                let tests = p.nested(Self::positive_tests)?;
                p.symbol(")")?;
                p.tail = Tail::Test;
                Some(tests)
            });
            match group {
                Some(tests) => Some(tests),
                None => self.positive_test(),
            }
        });
        match tests {
            Some(tests) => Ok(Expr::In(Box::new((left, tests)))),
            None => Err(left),
        }
    }

    fn type_name(&mut self) -> Option<Box<str>> {
        const SPACED: [&str; 4] = [
            "years and months duration",
            "days and time duration",
            "date and time",
            "function",
        ];
        for name in SPACED {
            if self.attempt(|p| p.keyword(name)).is_some() {
                return Some(name.into());
            }
        }
        let mut name = self.name()?.to_owned();
        while self.attempt(|p| p.symbol(".")).is_some() {
            name.push('.');
            name.push_str(self.name()?);
        }
        Some(name.into())
    }

    /// Operands joined by operators that bind at least as tight as `level`. Operators of equal
    /// strength in a row become one node.
    fn arithmetic(&mut self, level: u8) -> Option<Expr> {
        let mut left = self.negation()?;
        let mut row: Vec<(Operator, Expr)> = Vec::new();
        let mut row_level = level;
        loop {
            let start = self.at;
            let Some((operator, strength)) = self.operator().filter(|(_, of)| *of >= level) else {
                self.at = start;
                break;
            };
            let Some(right) = self.arithmetic(strength + 1) else {
                self.at = start;
                break;
            };
            if strength != row_level {
                left = in_a_row(left, std::mem::take(&mut row));
                row_level = strength;
            }
            row.push((operator, right));
        }
        Some(in_a_row(left, row))
    }

    /// Arithmetic where no whole expression may stand: the ends of ranges.
    pub(super) fn operand(&mut self) -> Option<Expr> {
        self.nested(|p| p.arithmetic(ADDITIVE))
    }

    /// An operator and how tight it binds.
    fn operator(&mut self) -> Option<(Operator, u8)> {
        self.blank();
        let rest = self.rest();
        let (operator, len, strength) = match rest.chars().next()? {
            '+' => (Operator::Add, 1, ADDITIVE),
            '-' => (Operator::Subtract, 1, ADDITIVE),
            '*' if rest.starts_with("**") => (Operator::Power, 2, POWER),
            '*' => (Operator::Multiply, 1, MULTIPLICATIVE),
            '/' => (Operator::Divide, 1, MULTIPLICATIVE),
            _ => return None,
        };
        self.at += len;
        Some((operator, strength))
    }

    fn negation(&mut self) -> Option<Expr> {
        self.blank();
        if self.peek() == Some('-') {
            return self.attempt(|p| {
                p.at += 1;
                Some(Expr::Negate(Box::new(p.stepped()?)))
            });
        }
        self.stepped()
    }

    /// A terminal with the properties and filters behind it.
    fn stepped(&mut self) -> Option<Expr> {
        let base = self.terminal()?;
        let mut steps = Vec::new();
        while let Some(step) = self.attempt(Self::step) {
            steps.push(step);
        }
        if steps.is_empty() {
            Some(base)
        } else {
            Some(Expr::Steps(Box::new(base), steps.into()))
        }
    }

    fn step(&mut self) -> Option<Step> {
        self.blank();
        match self.peek()? {
            // Two dots belong to a range.
            '.' if !self.rest().starts_with("..") => {
                self.at += 1;
                Some(Step::Property(self.property()?.into()))
            }
            '[' => {
                self.at += 1;
                let filter = self.expression()?;
                self.symbol("]")?;
                Some(Step::Filter(filter))
            }
            _ => None,
        }
    }

    pub(super) fn property(&mut self) -> Option<&'s str> {
        const SPACED: &str = "time offset";
        self.blank();
        if self.attempt(|p| p.keyword(SPACED)).is_some() {
            return Some(SPACED);
        }
        self.name()
    }

    /// A range as a test of the implicit input.
    pub(super) fn range_test(&mut self) -> Option<Expr> {
        let range = self.attempt(Self::range)?;
        self.tail = Tail::Test;
        Some(Expr::Test(Test::InRange(Box::new(range))))
    }

    /// A range. Nothing is tried where no dots follow, since brackets mean other things too.
    pub(super) fn range(&mut self) -> Option<RangeExpr> {
        self.blank();
        let start_closed = match self.peek()? {
            '[' => true,
            '(' | ']' => false,
            _ => return None,
        };
        if !self.rest().contains("..") {
            return None;
        }
        self.at += 1;
        let start = self.operand()?;
        self.symbol("..")?;
        let end = self.operand()?;
        self.blank();
        let end_closed = match self.peek()? {
            ']' => true,
            ')' | '[' => false,
            _ => return None,
        };
        self.at += 1;
        Some(RangeExpr {
            start,
            start_closed,
            end,
            end_closed,
        })
    }
}

fn in_a_row(first: Expr, rest: Vec<(Operator, Expr)>) -> Expr {
    if rest.is_empty() {
        first
    } else {
        Expr::Arithmetic(Box::new(first), rest.into())
    }
}
