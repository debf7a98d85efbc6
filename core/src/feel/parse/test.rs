//! Unary tests: the cells of decision tables, and what may follow `in`.
//!
//! A test is a comparison without left side (`< 5`), a range, or an expression that is a condition,
//! a value or a list of values; several separated by commas hold if one of them does.

use crate::feel::ast::{Comparison, Expr, Test};

use super::Parser;

impl Parser<'_> {
    pub(super) fn unary_tests(&mut self) -> Option<Expr> {
        let negation = self.attempt(|p| {
            p.keyword("not")?;
            p.symbol("(")?;
            let tests = p.positive_tests()?;
            p.symbol(")")?;
            p.blank();
            p.rest().is_empty().then(|| Expr::Not(Box::new(tests)))
        });
        if let Some(negation) = negation {
            return Some(negation);
        }
        let any = self.attempt(|p| {
            p.symbol("-")?;
            p.blank();
            p.rest().is_empty().then_some(Expr::Bool(true))
        });
        match any {
            Some(any) => Some(any),
            None => self.positive_tests(),
        }
    }

    pub(super) fn positive_tests(&mut self) -> Option<Expr> {
        let mut tests = self.separated(Self::positive_test)?;
        if tests.len() == 1 {
            return tests.pop();
        }
        Some(Expr::Test(Test::AnyOf(tests.into())))
    }

    pub(super) fn positive_test(&mut self) -> Option<Expr> {
        self.blank();
        if let Some('<' | '>') = self.peek() {
            return self.comparing_test();
        }
        let expr = self.expression()?;
        self.blank();
        Some(Expr::Test(match expr {
            // A truth value that is the whole test is compared with the input.
            Expr::Bool(_) if self.rest().is_empty() => Test::Equal(Box::new(expr)),
            Expr::Test(test) => test,
            other => Test::Expression(Box::new(other)),
        }))
    }

    pub(super) fn comparing_test(&mut self) -> Option<Expr> {
        self.blank();
        let rest = self.rest();
        let (comparison, len) = match rest.chars().next()? {
            '<' if rest.starts_with("<=") => (Comparison::LessOrEqual, 2),
            '>' if rest.starts_with(">=") => (Comparison::GreaterOrEqual, 2),
            '<' => (Comparison::Less, 1),
            '>' => (Comparison::Greater, 1),
            _ => return None,
        };
        self.attempt(|p| {
            p.at += len;
            Some(Expr::Test(Test::Compare(
                comparison,
                Box::new(p.operand()?),
            )))
        })
    }
}
