//! The neutral form of a search, as the secondary storage takes it.
//!
//! Fields are named as REST names them; the gateway has checked names, operators and types against
//! the contract before a query is built.

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// Process definitions.
    ProcessDefinition,
    /// Process instances.
    ProcessInstance,
    /// Element instances.
    ElementInstance,
    /// Sequence flows taken.
    SequenceFlow,
    /// Variables.
    Variable,
    /// Jobs.
    Job,
    /// Incidents.
    Incident,
    /// User tasks.
    UserTask,
    /// Subscriptions that wait for a message.
    MessageSubscription,
    /// Messages that were correlated.
    CorrelatedMessageSubscription,
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is searched.
    pub entity: Entity,
    /// Which of them.
    pub filter: Filter,
    /// In which order; the key is the last criterion in any case.
    pub sort: Vec<Sort>,
    /// Which part.
    pub page: PageSpec,
}

/// A criterion of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// REST name of the field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// A part of the result.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PageSpec {
    /// Most items.
    pub limit: u32,
    /// Items to skip.
    pub from: Option<u32>,
    /// Only what comes after this cursor.
    pub after: Option<String>,
    /// Only what comes before this cursor.
    pub before: Option<String>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold; true if empty.
    All(Vec<Filter>),
    /// At least one holds.
    Any(Vec<Filter>),
    /// A field compares with values.
    Field {
        /// REST name.
        field: String,
        /// How.
        op: Op,
        /// With what; more than one for `In` and `NotIn`.
        values: Vec<Literal>,
    },
    /// A variable compares with values.
    Variable {
        /// Its name.
        name: String,
        /// How.
        op: Op,
        /// With what JSON texts.
        values: Vec<Literal>,
        /// Only the entity's own scope.
        local: bool,
    },
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Not null if the value is true.
    Exists,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of.
    In,
    /// None of.
    NotIn,
    /// Matches a pattern of `*`, `?` and `\`.
    Like,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// Number or key.
    Int(i64),
    /// Truth.
    Bool(bool),
    /// Epoch milliseconds.
    Time(i64),
    /// Null.
    Null,
}

/// One entity: REST field names and values.
pub type Row = Vec<(&'static str, Cell)>;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// Number.
    Int(i64),
    /// Key, text on the wire.
    Key(i64),
    /// Truth.
    Bool(bool),
    /// Epoch milliseconds.
    Time(i64),
    /// Fraction.
    Float(f64),
    /// Several.
    List(Vec<Cell>),
}

/// A page of entities.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Page {
    /// The entities.
    pub items: Vec<Row>,
    /// Matches of the filter.
    pub total: u64,
    /// `total` is a lower bound.
    pub has_more: bool,
    /// Cursor of the first item.
    pub start_cursor: Option<String>,
    /// Cursor of the last item.
    pub end_cursor: Option<String>,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The entity has no such field, or the field no such operator.
    #[error("unknown field or operator: {0}")]
    InvalidField(String),
    /// The cursor does not fit the sort.
    #[error("Cannot decode pagination cursor '{0}'")]
    InvalidCursor(String),
    /// The database does not answer.
    #[error("the secondary storage does not answer: {0}")]
    Unavailable(String),
}
