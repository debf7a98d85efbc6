//! How an entity's file says what it exposes: fields, columns, joins, lists.
//!
//! A field binds a REST name to a constant SQL expression over the entity's row (`t`) and its joins.
//! A field with a [`Related`] lives in another table: it can be filtered by (as EXISTS), not sorted
//! by. Fields of one `Related` that stand in the same conjunction hold for the same related row if
//! the relation says so, because "element A is active" means one element instance.
//!
//! Expressions are constants of this crate; nothing a client sends becomes SQL text.

use super::Entity;
use super::{
    agent, audit_log, batch_operation, batch_operation_item, cluster_variable,
    correlated_message_subscription, decision_definition, decision_instance, decision_requirements,
    element_instance, form, global_listener, identity, incident, job, message_subscription,
    process_definition, process_instance, sequence_flow, user_task, variable, variable_name,
    wait_state,
};

/// What kind of value an expression yields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Key,
    Text,
    Int,
    Bool,
    Time,
    Json,
}

/// Rows of another table that belong to a row of the entity.
#[derive(Debug)]
pub(crate) struct Related {
    /// FROM and WHERE that tie `r` to `t`.
    pub(crate) from: &'static str,
    /// Several conditions in one conjunction hold for the same related row.
    pub(crate) same_row: bool,
}

/// One field of an entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    pub(crate) kind: Kind,
    pub(crate) result: bool,
    pub(crate) filterable: bool,
    pub(crate) sortable: bool,
    /// Never NULL: spares the NULL handling that would keep an index from being used.
    pub(crate) present: bool,
    /// Enum values that REST names otherwise than the row: (REST, row, column).
    pub(crate) renamed: Option<Renamed>,
    /// Equality means "contains, whatever the case": error messages.
    pub(crate) phrase: bool,
    pub(crate) related: Option<&'static Related>,
    /// Several values of one equality must all be there (`tags`).
    pub(crate) all_of: bool,
}

/// Row values that REST calls otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renamed {
    /// The plain column, for comparisons that an index can serve.
    pub(crate) column: &'static str,
    /// REST name and row value.
    pub(crate) pairs: &'static [(&'static str, &'static str)],
}

impl Field {
    const fn new(name: &'static str, sql: &'static str, kind: Kind) -> Self {
        Self {
            name,
            sql,
            kind,
            result: true,
            filterable: true,
            sortable: true,
            present: false,
            renamed: None,
            phrase: false,
            related: None,
            all_of: false,
        }
    }
    pub(crate) const fn key(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Key)
    }
    pub(crate) const fn text(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Text)
    }
    pub(crate) const fn int(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Int)
    }
    pub(crate) const fn flag(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Bool)
    }
    pub(crate) const fn time(name: &'static str, sql: &'static str) -> Self {
        Self::new(name, sql, Kind::Time)
    }
    /// A JSON document: only handed out.
    pub(crate) const fn json(name: &'static str, sql: &'static str) -> Self {
        let mut field = Self::new(name, sql, Kind::Json);
        field.filterable = false;
        field.sortable = false;
        field
    }
    /// Never NULL.
    pub(crate) const fn present(mut self) -> Self {
        self.present = true;
        self
    }
    /// Not part of the result.
    pub(crate) const fn hidden(mut self) -> Self {
        self.result = false;
        self
    }
    /// Cannot be sorted by.
    pub(crate) const fn unsorted(mut self) -> Self {
        self.sortable = false;
        self
    }
    /// Cannot be filtered by.
    pub(crate) const fn unfiltered(mut self) -> Self {
        self.filterable = false;
        self
    }
    pub(crate) const fn renamed(
        mut self,
        column: &'static str,
        pairs: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.renamed = Some(Renamed { column, pairs });
        self
    }
    pub(crate) const fn phrase(mut self) -> Self {
        self.phrase = true;
        self
    }
    /// Lives in `related`: a filter, neither result nor sort key.
    pub(crate) const fn of(mut self, related: &'static Related) -> Self {
        self.related = Some(related);
        self.result = false;
        self.sortable = false;
        self
    }
    pub(crate) const fn all_of(mut self) -> Self {
        self.all_of = true;
        self
    }
}

/// Whether a field has this name; also while compiling.
pub(crate) const fn named(field: &str, name: &str) -> bool {
    let (field, name) = (field.as_bytes(), name.as_bytes());
    let mut at = 0;
    while at < field.len() && at < name.len() && field[at] == name[at] {
        at += 1;
    }
    at == field.len() && at == name.len()
}

/// A list that hangs on the rows of an entity.
#[derive(Debug)]
pub(crate) struct ListField {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) owner: &'static str,
    pub(crate) value: &'static str,
}

/// An entity: where its rows are and what they show.
#[derive(Debug)]
pub(crate) struct EntityFields {
    /// FROM: the table as `t`, and its joins.
    pub(crate) from: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) lists: &'static [ListField],
    /// REST names of the fields that make the row unique; the last sort keys.
    pub(crate) key: &'static [&'static str],
    /// Scopes of variable filters: conditions on `v`, of the instance and of the row itself.
    pub(crate) variables: Option<VariableScopes>,
}

/// What ties a variable `v` to a row `t`.
#[derive(Debug)]
pub(crate) struct VariableScopes {
    pub(crate) instance: &'static str,
    pub(crate) local: Option<&'static str>,
}

impl EntityFields {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn results(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(|field| field.result)
    }

    /// The fields that make the row unique.
    pub(crate) fn key_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.key.iter().filter_map(|name| self.field(name))
    }
}

/// The fields of an entity.
pub(crate) const fn entity(entity: Entity) -> &'static EntityFields {
    match entity {
        Entity::ProcessDefinition => &process_definition::FIELDS,
        Entity::ProcessInstance => &process_instance::FIELDS,
        Entity::ElementInstance => &element_instance::FIELDS,
        Entity::Variable => &variable::FIELDS,
        Entity::Job => &job::FIELDS,
        Entity::Incident => &incident::FIELDS,
        Entity::UserTask => &user_task::FIELDS,
        Entity::MessageSubscription => &message_subscription::FIELDS,
        Entity::CorrelatedMessageSubscription => &correlated_message_subscription::FIELDS,
        Entity::SequenceFlow => &sequence_flow::FIELDS,
        Entity::Form => &form::FORM,
        Entity::Resource => &form::RESOURCE,
        Entity::BatchOperation => &batch_operation::FIELDS,
        Entity::BatchOperationItem => &batch_operation_item::FIELDS,
        Entity::DecisionDefinition => &decision_definition::FIELDS,
        Entity::DecisionRequirements => &decision_requirements::FIELDS,
        Entity::DecisionInstance => &decision_instance::FIELDS,
        Entity::AuditLog => &audit_log::FIELDS,
        Entity::ClusterVariable => &cluster_variable::FIELDS,
        Entity::GlobalListener => &global_listener::FIELDS,
        Entity::VariableName => &variable_name::FIELDS,
        Entity::WaitState => &wait_state::FIELDS,
        Entity::AgentDefinition => &agent::DEFINITION,
        Entity::AgentInstance => &agent::INSTANCE,
        Entity::AgentHistory => &agent::HISTORY,
        Entity::User => &identity::USER,
        Entity::Credential => &identity::CREDENTIAL,
        Entity::Group => &identity::GROUP,
        Entity::GroupMember => &identity::GROUP_MEMBER,
        Entity::Role => &identity::ROLE,
        Entity::RoleMember => &identity::ROLE_MEMBER,
        Entity::Tenant => &identity::TENANT,
        Entity::TenantMember => &identity::TENANT_MEMBER,
        Entity::MappingRule => &identity::MAPPING_RULE,
        Entity::Authorization => &identity::AUTHORIZATION,
    }
}
