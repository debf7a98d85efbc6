//! A compiled file: decisions, knowledge and cells, held together by indices.
//!
//! Cells that say the same are compiled once and shared. Everything is immutable after compilation
//! and usable from any thread; evaluation borrows names and literals from here.

use crate::feel::{Expression, UnaryTests};

/// A name or text of the file.
pub(super) type Name = Box<str>;

/// A decision requirements graph: one DMN file.
#[derive(Debug)]
pub struct Graph {
    pub(super) id: Name,
    pub(super) name: Name,
    pub(super) namespace: Name,
    pub(super) decisions: Box<[Decision]>,
    pub(super) knowledge: Box<[Knowledge]>,
    pub(super) expressions: Box<[Expression]>,
    pub(super) tests: Box<[UnaryTests]>,
    /// Texts of cells that could not be compiled; empty unless that was asked for.
    pub(super) refusals: Box<[Name]>,
}

impl Graph {
    /// Id of the definitions.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Name of the definitions.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace of the definitions.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The decisions in the order of the file.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Position of the decision with an id.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.decisions
            .iter()
            .position(|decision| *decision.id == *id)
    }

    /// Position of the decision with a name.
    #[must_use]
    pub fn position_by_name(&self, name: &str) -> Option<usize> {
        self.decisions
            .iter()
            .position(|decision| *decision.name == *name)
    }
}

/// A decision.
#[derive(Debug)]
pub struct Decision {
    pub(super) id: Name,
    pub(super) name: Name,
    /// Value of the version tag of the modeller, if the file has one.
    pub(super) version_tag: Option<Name>,
    pub(super) logic: Logic,
    /// Under which name decisions that require this one see its result.
    pub(super) result_name: Name,
    pub(super) result_type: Option<Name>,
    pub(super) requires: Box<[u32]>,
    pub(super) knowledge: Box<[u32]>,
}

impl Decision {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version tag.
    #[must_use]
    pub fn version_tag(&self) -> Option<&str> {
        self.version_tag.as_deref()
    }
}

/// A business knowledge model: a function with typed parameters.
#[derive(Debug)]
pub(super) struct Knowledge {
    pub(super) id: Name,
    pub(super) name: Name,
    pub(super) parameters: Parameters,
    pub(super) logic: Logic,
    pub(super) requires: Box<[u32]>,
}

/// Parameters of a function; both lists are equally long.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) names: Box<[Name]>,
    pub(super) types: Box<[Option<Name>]>,
}

/// One place where FEEL stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Expression(u32),
    Tests(u32),
    /// An empty test: always true.
    Any,
    /// Could not be compiled; fails when evaluated.
    Refused(u32),
}

/// A row of a relation: its cells by the names of their columns.
pub(super) type RelationRow = Box<[(Name, Logic)]>;

/// What a decision or a part of one does.
#[derive(Debug)]
pub(super) enum Logic {
    Table(Box<Table>),
    Literal(Cell),
    /// Knowledge without logic.
    Nothing,
    /// Entries in order, and the one that is the result.
    Context(Box<[(Name, Logic)]>, Option<Box<Logic>>),
    List(Box<[Logic]>),
    Relation(Box<[RelationRow]>),
    Invocation(Box<Invocation>),
    Function(Box<Definition>),
    Refused(u32),
}

impl Logic {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Logic::Table(_) => Kind::DecisionTable,
            Logic::Literal(_) | Logic::Nothing | Logic::Refused(_) => Kind::LiteralExpression,
            Logic::Context(..) => Kind::Context,
            Logic::List(_) => Kind::List,
            Logic::Relation(_) => Kind::Relation,
            Logic::Invocation(_) => Kind::Invocation,
            Logic::Function(_) => Kind::Unknown,
        }
    }
}

/// What kind of logic was evaluated, as records name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    DecisionTable,
    LiteralExpression,
    Context,
    List,
    Relation,
    Invocation,
    Unknown,
}

impl Kind {
    /// Camunda's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::DecisionTable => "DECISION_TABLE",
            Kind::LiteralExpression => "LITERAL_EXPRESSION",
            Kind::Context => "CONTEXT",
            Kind::List => "LIST",
            Kind::Relation => "RELATION",
            Kind::Invocation => "INVOCATION",
            Kind::Unknown => "UNKNOWN",
        }
    }
}

/// A call of knowledge with parameters by name.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) bindings: Box<[(Name, Cell)]>,
    pub(super) knowledge: u32,
}

/// A function inside a decision.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) parameters: Parameters,
    pub(super) body: Cell,
}

/// How the outputs of matched rules become a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HitPolicy {
    Unique,
    First,
    Any,
    Priority,
    OutputOrder,
    RuleOrder,
    Collect(Option<Aggregator>),
}

/// How collected numbers become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregator {
    Sum,
    Min,
    Max,
    Count,
}

/// A decision table.
#[derive(Debug)]
pub struct Table {
    pub(super) policy: HitPolicy,
    pub(super) inputs: Box<[Input]>,
    pub(super) outputs: Box<[Output]>,
    /// Tests of all rules, row by row; a row is as long as there are inputs.
    pub(super) tests: Box<[Cell]>,
    pub(super) rules: Box<[Rule]>,
}

/// What a table looks at.
#[derive(Debug)]
pub struct Input {
    pub(super) id: Name,
    /// Its label, or the beginning of its expression.
    pub(super) name: Name,
    pub(super) expression: Cell,
}

impl Input {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its label, or the beginning of its expression.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a table gives.
#[derive(Debug)]
pub struct Output {
    pub(super) id: Name,
    pub(super) name: Option<Name>,
    pub(super) label: Option<Name>,
    /// Allowed values, best first, without quotes.
    pub(super) priorities: Box<[Name]>,
    pub(super) default: Option<Cell>,
}

impl Output {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its label, else its name.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.label
            .as_deref()
            .or(self.name.as_deref())
            .unwrap_or_default()
    }

    /// Name of the context entry.
    pub(super) fn key(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// A rule: its outputs; its tests are in the table.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: Name,
    pub(super) outputs: Box<[Cell]>,
}

impl Table {
    /// Columns it looks at.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Columns it gives.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Id of a rule, empty if it has none.
    #[must_use]
    pub fn rule_id(&self, rule: usize) -> &str {
        self.rules.get(rule).map_or("", |rule| &*rule.id)
    }
}
