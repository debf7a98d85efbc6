//! Unary tests: the cells of decision tables, and what may follow `in`.
//!
//! A test is a comparison without left side (`< 5`), a range, or an expression that is a condition,
//! a value or a list of values; several separated by commas hold if one of them does.

use crate::feel::ast::{Comparison, Expr, Test};

use super::{Parser, Tail};

impl Parser<'_> {
    pub(super) fn unary_tests(&mut self) -> Option<Expr> {
        let negation = self.attempt(|p| {
            p.keyword("not")?;
            p.symbol("(")?;
            let tests = p.positive_tests()?;
            p.symbol(")")?;
            p.tail = Tail::Test;
            Some(Expr::Not(Box::new(tests)))
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
        if let Some(range) = self.range_test() {
            return Some(range);
        }
        let expr = self.expression()?;
        self.blank();
        if let Expr::Test(_) = expr {
            return Some(expr);
        }
        // A truth value that is the whole test is compared with the input.
        let plain = matches!(expr, Expr::Bool(_)) && self.rest().is_empty();
        let expr = Box::new(expr);
        Some(Expr::Test(if plain {
            Test::Equal(expr)
        } else {
            Test::Expression(expr)
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
            let bound = p.operand()?;
            p.tail = Tail::Operand;
            Some(Expr::Test(Test::Compare(comparison, Box::new(bound))))
        })
    }
}
