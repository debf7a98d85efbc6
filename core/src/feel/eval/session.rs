//! Many evaluations that share names, steps and depth: how a decision runs its expressions.
//!
//! A session keeps one interpreter over all cells of all tables of a decision, so that a cell costs
//! no allocation, limits hold for the decision as a whole, and functions the decision defines run
//! inside the evaluation that calls them. Warnings are not kept: decisions do not report them.
//!
//! An expression that fails, also by an assertion, is a [`Trouble::Error`] with the text of an
//! incident; only limits stay fatal.

use crate::feel::value::Value;
use crate::feel::{Environment, Expression, UnaryTests};

use super::{Binding, Eval, Fatal, INPUT, Interpreter, MAX_DEPTH, Trouble, ended, unasserted};

/// Names in scope, to be captured by a function.
pub(crate) struct Scope<'e>(pub(super) Vec<Binding<'e>>);

impl<'e> Scope<'e> {
    /// Adds a name, which hides an earlier one.
    pub(crate) fn bind(&mut self, name: &'e str, value: Value<'e>) {
        self.0.push(Binding::Named(name, value));
    }

    /// Levels of values the scope holds.
    pub(super) fn depth(&self) -> u32 {
        let depths = self.0.iter().map(|binding| {
            let (Binding::Named(_, value) | Binding::Item(value)) = binding;
            value.size().depth
        });
        depths.max().unwrap_or(0)
    }
}

impl<'e> Interpreter<'e> {
    /// A session without names over the variables of an environment.
    pub(crate) fn session(environment: &'e Environment<'e>) -> Interpreter<'e> {
        Interpreter {
            environment,
            scope: Vec::new(),
            warnings: Vec::new(),
            warnings_max: 0,
            steps: environment.step_budget,
            depth: 0,
            random: environment.random_seed,
            assertion: None,
            patterns: super::Patterns::default(),
        }
    }

    /// Goes one level deeper; [`Self::leave`] comes back.
    pub(crate) fn enter(&mut self) -> Result<(), Trouble> {
        self.charge(1)?;
        if self.depth == MAX_DEPTH {
            return Err(Fatal::Depth.into());
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back from a deeper level.
    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Adds a name, which hides an earlier one and the variable of this name.
    pub(crate) fn bind(&mut self, name: &'e str, value: Value<'e>) {
        self.scope.push(Binding::Named(name, value));
    }

    /// How many names are in scope, for [`Self::unbind`].
    pub(crate) fn level(&self) -> usize {
        self.scope.len()
    }

    /// Removes the names added since there were `level` of them.
    pub(crate) fn unbind(&mut self, level: usize) {
        self.scope.truncate(level);
    }

    /// A copy of all names in scope.
    pub(crate) fn capture(&mut self) -> Result<Scope<'e>, Trouble> {
        self.charge(1 + self.scope.len() / 16)?;
        Ok(Scope(self.scope.clone()))
    }

    /// The value under a name, functions included.
    pub(crate) fn find(&self, name: &str) -> Option<Value<'e>> {
        let bound = self.scope.iter().rev().find_map(|binding| match binding {
            Binding::Named(known, value) if *known == name => Some(value.clone()),
            Binding::Named(..) | Binding::Item(_) => None,
        });
        bound.or_else(|| {
            let bytes = self.environment.variables.get(name)?;
            Some(Value::from_variable(bytes))
        })
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&mut self, expression: &'e Expression) -> Eval<'e> {
        let (depth, outside) = (self.depth, self.assertion.take());
        let result = self.eval(&expression.root);
        self.settled(result, &expression.source, depth, outside)
    }

    /// The verdict of unary tests on an input.
    pub(crate) fn put_to(&mut self, tests: &'e UnaryTests, input: &Value<'e>) -> Eval<'e> {
        let (depth, level) = (self.depth, self.scope.len());
        let outside = self.assertion.take();
        self.scope.push(Binding::Named(INPUT, input.clone()));
        let result = self.eval(&tests.root);
        self.scope.truncate(level);
        self.settled(result, &tests.source, depth, outside)
    }

    /// A value that was just built, unless it stands for too much.
    pub(crate) fn built(&mut self, value: Value<'e>) -> Eval<'e> {
        self.measured(value)
    }

    /// The outcome of an evaluation that began at `depth`, inside of one in which `outside` had
    /// failed already.
    #[inline]
    fn settled(
        &mut self,
        result: Eval<'e>,
        source: &str,
        depth: u32,
        outside: Option<Box<str>>,
    ) -> Eval<'e> {
        let inside = std::mem::replace(&mut self.assertion, outside);
        match (result, inside) {
            (Err(trouble @ Trouble::Fatal(_)), _) | (Err(trouble), None) => {
                self.depth = depth;
                Err(failed(trouble, source))
            }
            (_, Some(why)) => {
                self.depth = depth;
                Err(Trouble::Error(unasserted(&why, source).to_string().into()))
            }
            (value, None) => value,
        }
    }
}

#[cold]
fn failed(trouble: Trouble, source: &str) -> Trouble {
    match trouble {
        limit @ Trouble::Fatal(Fatal::Steps | Fatal::Depth | Fatal::Size) => limit,
        other @ (Trouble::Error(_) | Trouble::Fatal(Fatal::Thrown(_) | Fatal::NoInput)) => {
            Trouble::Error(ended(other, source).to_string().into())
        }
    }
}
