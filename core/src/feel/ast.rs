//! The tree an expression is compiled to: immutable, free of variable values, `Send + Sync`.
//!
//! Chains of one kind (`a + b - c`, `a and b and c`, `x[1].y[2]`, `else if`) are one node with many
//! parts, so that the depth of the tree follows the nesting of the source and not its length.
//! Functions of the language are resolved to their registry index; everything else is looked up by
//! name when evaluated, because names in scope are not known before.

use super::number::Dec;
use super::temporal::parse::Temporal;

/// A name as written, shared by nothing.
pub(super) type Name = Box<str>;

/// One expression.
#[derive(Debug)]
pub(super) enum Expr {
    Null,
    Bool(bool),
    Number(Dec),
    String(Name),
    Temporal(Temporal),
    /// `?`: the input of the unary test around.
    Input,
    /// A variable and the path behind it.
    Variable(Name, Box<[Name]>),
    List(Box<[Expr]>),
    Context(Box<[(Name, Expr)]>),
    /// Operators of equal binding in a row, applied from the left.
    Arithmetic(Box<Expr>, Box<[(Operator, Expr)]>),
    Negate(Box<Expr>),
    Compare(Comparison, Box<(Expr, Expr)>),
    /// Value, lower and upper bound, both included.
    Between(Box<(Expr, Expr, Expr)>),
    Not(Box<Expr>),
    And(Box<[Expr]>),
    Or(Box<[Expr]>),
    /// Conditions with their results, and the result if none holds.
    If(Box<[(Expr, Expr)]>, Box<Expr>),
    For(Box<For>),
    Quantified(Box<Quantified>),
    /// A value and the steps taken from it.
    Steps(Box<Expr>, Box<[Step]>),
    /// A value and the tests it is put to.
    In(Box<(Expr, Expr)>),
    InstanceOf(Box<Expr>, Name),
    Call(Box<Call>),
    Function(Box<[Name]>, Box<Expr>),
    Range(Box<RangeExpr>),
    /// Tests of the implicit input.
    Test(Test),
}

/// A test of the implicit input value.
#[derive(Debug)]
pub(super) enum Test {
    Equal(Box<Expr>),
    Compare(Comparison, Box<Expr>),
    InRange(Box<RangeExpr>),
    /// An expression that may be a condition, a value or a list of values.
    Expression(Box<Expr>),
    AnyOf(Box<[Expr]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
pub(super) struct RangeExpr {
    pub start: Expr,
    pub start_closed: bool,
    pub end: Expr,
    pub end_closed: bool,
}

/// What an iteration runs over.
#[derive(Debug)]
pub(super) enum Source {
    List(Expr),
    /// Whole steps from one number to another, in either direction.
    Counting(Expr, Expr),
}

#[derive(Debug)]
pub(super) struct Iteration {
    pub name: Name,
    pub source: Source,
}

#[derive(Debug)]
pub(super) struct For {
    pub iterations: Box<[Iteration]>,
    pub body: Expr,
    /// Whether the body may look at the results so far.
    pub partial: bool,
}

#[derive(Debug)]
pub(super) struct Quantified {
    pub every: bool,
    pub iterations: Box<[Iteration]>,
    pub condition: Expr,
}

#[derive(Debug)]
pub(super) enum Step {
    Property(Name),
    Filter(Expr),
}

#[derive(Debug)]
pub(super) struct Call {
    /// The path of the context that holds the function, for a call like `a.b.f(x)`.
    pub path: Option<Expr>,
    pub name: Name,
    pub arguments: Arguments,
    /// Index in the registry of the built-in function that fits, if there is one.
    pub builtin: Option<u16>,
}

#[derive(Debug)]
pub(super) enum Arguments {
    Positional(Box<[Expr]>),
    Named(Box<[(Name, Expr)]>),
}
