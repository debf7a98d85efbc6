//! Searches of REST v2 over the exported tables.
//!
//! A search is data: an entity, a filter tree, a sort and a page. Fields carry their REST names; each
//! entity's file under `query/` says which it has and which column or join each is. SQL text is
//! assembled only from constants of those files; every value is a bind parameter.
//!
//! Invariants: the entity's key is always the last sort key, so the order is total and cursors are
//! exact; NULL sorts first ascending and last descending in every dialect; counts stop at
//! [`TOTAL_MAX`]; a search uses connections of its own and never touches the exporter's.
//!
//! Searches lag behind commands by the export delay; a database that does not answer is
//! [`QueryError::Unavailable`], never an empty page.

use std::time::Duration;

use crate::database::{Database, Dialect};
use crate::error::{ConfigError, QueryError};
use crate::prefix::Prefix;

mod agent;
mod aggregate;
mod audit_log;
mod batch_operation;
mod batch_operation_item;
mod cluster_variable;
mod correlated_message_subscription;
mod decision_definition;
mod decision_instance;
mod decision_requirements;
mod element_instance;
mod element_statistics;
pub(crate) mod fetch;
pub(crate) mod field;
mod filter;
mod form;
mod global_listener;
mod identity;
mod incident;
mod job;
mod message_subscription;
mod page;
mod pattern;
mod process_definition;
mod process_instance;
mod sequence_flow;
pub(crate) mod statement;
mod stored;
mod user_task;
mod variable;
mod variable_name;
mod wait_state;

pub use aggregate::{Aggregate, Aggregation, Span};
pub use element_statistics::{ElementStatistics, StatisticsOf};
pub use page::is_cursor;

/// Matches counted at most; more set [`Page::has_more`].
pub const TOTAL_MAX: u64 = 10_000;
/// Items of a page at most.
pub const LIMIT_MAX: u32 = 10_000;
/// Items of a page if nothing is said.
pub const LIMIT_DEFAULT: u32 = 100;
/// Values in one search at most (SQLite takes 32 766 parameters, MySQL 65 535).
pub const VALUES_MAX: usize = 20_000;
/// Nesting of filters at most.
pub const FILTER_DEPTH_MAX: usize = 16;
/// Sort fields at most.
pub const SORT_MAX: usize = 32;

/// What can be searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Entity {
    /// Process definitions.
    ProcessDefinition,
    /// Process instances.
    ProcessInstance,
    /// Element instances ("flow nodes").
    ElementInstance,
    /// Variables.
    Variable,
    /// Jobs.
    Job,
    /// Incidents.
    Incident,
    /// User tasks.
    UserTask,
    /// Message subscriptions.
    MessageSubscription,
    /// Correlations of messages with subscriptions.
    CorrelatedMessageSubscription,
    /// Sequence flows taken, per instance.
    SequenceFlow,
    /// Forms.
    Form,
    /// Deployed files that are neither process, decision nor form.
    Resource,
    /// Batch operations.
    BatchOperation,
    /// Entities of batch operations.
    BatchOperationItem,
    /// Decisions.
    DecisionDefinition,
    /// Decision requirements graphs.
    DecisionRequirements,
    /// Evaluated decisions.
    DecisionInstance,
    /// Operations of users.
    AuditLog,
    /// Variables of the cluster and of its tenants.
    ClusterVariable,
    /// Listeners of all user tasks.
    GlobalListener,
    /// Names of variables, per process definition.
    VariableName,
    /// What active elements wait for.
    WaitState,
    /// Elements that are agents.
    AgentDefinition,
    /// Agents that run or ran.
    AgentInstance,
    /// What agents said.
    AgentHistory,
    /// Users.
    User,
    /// Users with the hashes of their passwords; for the front alone.
    Credential,
    /// Groups.
    Group,
    /// Members of groups.
    GroupMember,
    /// Roles.
    Role,
    /// Members of roles.
    RoleMember,
    /// Tenants.
    Tenant,
    /// Members of tenants.
    TenantMember,
    /// Mapping rules.
    MappingRule,
    /// Authorizations.
    Authorization,
}

impl Entity {
    /// All entities.
    pub const ALL: &'static [Self] = &[
        Self::ProcessDefinition,
        Self::ProcessInstance,
        Self::ElementInstance,
        Self::Variable,
        Self::Job,
        Self::Incident,
        Self::UserTask,
        Self::MessageSubscription,
        Self::CorrelatedMessageSubscription,
        Self::SequenceFlow,
        Self::Form,
        Self::Resource,
        Self::BatchOperation,
        Self::BatchOperationItem,
        Self::DecisionDefinition,
        Self::DecisionRequirements,
        Self::DecisionInstance,
        Self::AuditLog,
        Self::ClusterVariable,
        Self::GlobalListener,
        Self::VariableName,
        Self::WaitState,
        Self::AgentDefinition,
        Self::AgentInstance,
        Self::AgentHistory,
        Self::User,
        Self::Credential,
        Self::Group,
        Self::GroupMember,
        Self::Role,
        Self::RoleMember,
        Self::Tenant,
        Self::TenantMember,
        Self::MappingRule,
        Self::Authorization,
    ];

    /// REST names of the fields of a result, in their order.
    #[must_use]
    pub fn result_fields(self) -> Vec<&'static str> {
        let entity = field::entity(self);
        let lists = entity.lists.iter().map(|list| list.name);
        entity
            .results()
            .map(|field| field.name)
            .chain(lists)
            .collect()
    }

    /// REST names of the fields that can be filtered by.
    #[must_use]
    pub fn filter_fields(self) -> Vec<&'static str> {
        field::entity(self)
            .fields
            .iter()
            .filter(|field| field.filterable)
            .map(|field| field.name)
            .collect()
    }

    /// REST names of the fields that can be sorted by.
    #[must_use]
    pub fn sort_fields(self) -> Vec<&'static str> {
        field::entity(self)
            .fields
            .iter()
            .filter(|field| field.sortable)
            .map(|field| field.name)
            .collect()
    }
}

/// A value in a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// Text; also keys and enum values, as REST writes them.
    Text(String),
    /// An integer or a key.
    Int(i64),
    /// A flag.
    Bool(bool),
    /// Milliseconds since the epoch.
    Time(i64),
    /// No value.
    Null,
}

/// How a field is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Equal. On `tags`, every given value is there.
    Eq,
    /// Not equal, or no value.
    Neq,
    /// There is a value (`Bool(true)`) or none (`Bool(false)`).
    Exists,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of; an empty list matches nothing.
    In,
    /// None of, or no value.
    NotIn,
    /// Pattern: `*` any run, `?` one character, `\` escapes; case-sensitive.
    Like,
}

/// A condition on the rows of an entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// All hold; empty = no condition.
    All(Vec<Filter>),
    /// At least one holds; empty = nothing matches.
    Any(Vec<Filter>),
    /// One field.
    Field {
        /// REST name.
        field: String,
        /// Comparison.
        op: Op,
        /// One value, or the list of `In`, `NotIn`.
        values: Vec<Literal>,
    },
    /// A variable of the instance (or of the user task, if `local`) has such a value.
    Variable {
        /// Its name.
        name: String,
        /// Comparison of its JSON text.
        op: Op,
        /// JSON texts: `"\"foo\""`, `10`, `true`.
        values: Vec<Literal>,
        /// Of the user task's own scope instead of the process instance's.
        local: bool,
    },
    /// Variables only: of these scopes, those that no inner scope hides.
    Effective {
        /// Keys of an element instance and of everything that encloses it.
        scopes: Vec<i64>,
    },
}

/// One sort key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// REST name.
    pub field: String,
    /// Greatest first.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// At the row with this number, from 0.
    From(u64),
    /// Behind the row of this cursor.
    After(String),
    /// Ends before the row of this cursor.
    Before(String),
}

/// Which part of the result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageSpec {
    /// Items at most; cut to [`LIMIT_MAX`].
    pub limit: u32,
    /// Where it begins.
    pub start: PageStart,
}

impl Default for PageSpec {
    fn default() -> Self {
        Self {
            limit: LIMIT_DEFAULT,
            start: PageStart::From(0),
        }
    }
}

/// A search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Of what.
    pub entity: Entity,
    /// Which.
    pub filter: Filter,
    /// In which order; the entity key is appended.
    pub sort: Vec<Sort>,
    /// Which part.
    pub page: PageSpec,
    /// Variables only: hand out whole values (`truncateValues=false`), not previews.
    pub full_values: bool,
}

impl Query {
    /// All of `entity`, by key, first page.
    #[must_use]
    pub fn of(entity: Entity) -> Self {
        Self {
            entity,
            filter: Filter::All(Vec::new()),
            sort: Vec::new(),
            page: PageSpec::default(),
            full_values: false,
        }
    }
}

/// A value in a result.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// No value.
    Null,
    /// Text or enum value, as REST writes it.
    Text(String),
    /// An integer.
    Int(i64),
    /// An entity key (a string on the wire).
    Key(i64),
    /// A flag.
    Bool(bool),
    /// Milliseconds since the epoch.
    Time(i64),
    /// A number.
    Float(f64),
    /// A JSON document as text (`customHeaders`), to be put on the wire as it is.
    Json(String),
    /// A list (`tags`, `candidateUsers`), ascending.
    List(Vec<Cell>),
}

/// One result: REST field names and values in a fixed order; every field is there.
#[derive(Clone, PartialEq, Debug)]
pub struct Row(pub Vec<(&'static str, Cell)>);

impl Row {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Cell> {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, cell)| cell)
    }
}

/// One page of a result.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<Row>,
    /// Matches of the filter, at most [`TOTAL_MAX`].
    pub total: u64,
    /// There are more matches than `total`.
    pub has_more: bool,
    /// Cursor of the first item; `None` if there are no items.
    pub start_cursor: Option<String>,
    /// Cursor of the last item.
    pub end_cursor: Option<String>,
}

/// An entity key as callers have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyLiteral(pub i64);

impl From<i64> for KeyLiteral {
    fn from(key: i64) -> Self {
        Self(key)
    }
}

/// How searches reach the database.
#[derive(Clone, Debug)]
pub struct QueriesOptions {
    /// The database; the schema is created by the exporter.
    pub database: Database,
    /// What stands in front of all tables there.
    pub prefix: Prefix,
    /// Connections at most.
    pub connections_max: u32,
    /// How long a search may wait for a connection before it is `Unavailable`.
    pub acquire_timeout: Duration,
    /// How long a statement may run before it is `Unavailable`.
    pub statement_timeout: Duration,
}

impl QueriesOptions {
    /// The usual bounds: 8 connections, 5 s to get one, 10 s per statement.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            prefix: Prefix::NONE,
            connections_max: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Answers searches. Cheap to clone; every clone shares the connections.
#[derive(Clone, Debug)]
pub struct Queries {
    pool: fetch::Pool,
    prefix: Prefix,
    statement_timeout: Duration,
}

impl Queries {
    /// Prepares connections but opens none: the database may still be down. Must be called within
    /// the tokio runtime that will run the searches.
    ///
    /// # Errors
    /// None at present; the result leaves room for options that can be wrong.
    pub fn open(options: &QueriesOptions) -> Result<Self, ConfigError> {
        Ok(Self {
            pool: fetch::Pool::open(options),
            prefix: options.prefix.clone(),
            statement_timeout: options.statement_timeout,
        })
    }

    /// How this database is spoken to.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// One page of the matches of a search.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn search(&self, query: &Query) -> Result<Page, QueryError> {
        page::search(self, query).await
    }

    /// The entity with this key, with whole values. Entities whose identity is more than one key
    /// (correlated subscriptions, sequence flows) are found by search only.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn get(
        &self,
        entity: Entity,
        key: impl Into<KeyLiteral>,
    ) -> Result<Option<Row>, QueryError> {
        page::get(self, entity, key.into()).await
    }

    /// The BPMN text of a process definition; `None` if there is no such definition.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn process_definition_xml(
        &self,
        key: impl Into<KeyLiteral>,
    ) -> Result<Option<String>, QueryError> {
        process_definition::xml(self, key.into()).await
    }

    /// The DMN text of a decision requirements graph; `None` if there is no such graph.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn decision_requirements_xml(
        &self,
        key: impl Into<KeyLiteral>,
    ) -> Result<Option<String>, QueryError> {
        decision_requirements::xml(self, key.into()).await
    }

    /// The DMN text of the graph of a decision; `None` if there is no such decision.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn decision_definition_xml(
        &self,
        key: impl Into<KeyLiteral>,
    ) -> Result<Option<String>, QueryError> {
        decision_requirements::xml_of_decision(self, key.into()).await
    }

    /// One page of numbers over many rows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn aggregate(&self, aggregation: &Aggregation) -> Result<Page, QueryError> {
        aggregate::page(self, aggregation).await
    }

    /// Counts per element of an instance, or of a definition's instances.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn element_statistics(
        &self,
        of: StatisticsOf<'_>,
    ) -> Result<Vec<ElementStatistics>, QueryError> {
        element_statistics::count(self, of).await
    }
}
