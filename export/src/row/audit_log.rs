//! Records that a person caused -> `audit_log`: who did what, when, and did it work.
//!
//! Only the client's command says who asks; the events of its step name that command as their
//! source. The trail therefore remembers the last command that came from outside, and the table
//! below says which events (and which refusals) of its step are operations worth a row. Whose, and of
//! which kind, is configured (`audited.rs`); callers without a name never are.
//! While nobody proves a name, nothing here costs more than a look at a flag.
//!
//! Rows are told by names, not by types: a value type that comes later only needs its line.

use ringflow_core::ids::{Key, Position};
use ringflow_core::msgpack::{self, Reader};
use ringflow_core::record::{Document, Record, RecordType, RejectionType, Text};
use serde_json::Value as Json;

use crate::batch::{RowKey, Window};
use crate::retain::RetainOptions;
use crate::row::{Context, Datum};
use crate::schema::Table;
use crate::schema::audit_log::*;

/// Claim that names the user.
const USERNAME: &str = "authorized_username";
/// Claim that names a program.
const CLIENT_ID: &str = "authorized_client_id";
/// Most characters of a claim that are kept.
const ACTOR_CHARS: usize = 400;

/// The command from outside whose events follow.
#[derive(Debug, Default)]
pub struct Trail {
    actor: Option<Text>,
    client: Option<Text>,
    position: Position,
    key: Key,
    value_type: &'static str,
    intent: &'static str,
}

impl Trail {
    /// Kind and name of who is behind `record`, if that is known.
    #[must_use]
    pub fn behind(&self, record: &Record) -> Option<(&'static str, &Text)> {
        if record.source_position != Some(self.position) {
            return None;
        }
        let client = self.client.as_ref().map(|id| ("CLIENT", id));
        client.or(self.actor.as_ref().map(|name| ("USER", name)))
    }
}

/// What is audited.
struct Row {
    value_type: &'static str,
    intent: &'static str,
    operation: &'static str,
    entity: &'static str,
    category: &'static str,
    /// Value type of the command that has to stand behind it; empty = any.
    asked: &'static str,
}

const fn row(
    value_type: &'static str,
    intent: &'static str,
    operation: &'static str,
    entity: &'static str,
    category: &'static str,
    asked: &'static str,
) -> Row {
    Row {
        value_type,
        intent,
        operation,
        entity,
        category,
        asked,
    }
}

const RESOURCES: &str = "DEPLOYED_RESOURCES";
const TASKS: &str = "USER_TASKS";
const ADMIN: &str = "ADMIN";

/// Events that are operations.
const EVENTS: &[Row] = &[
    row(
        "PROCESS_INSTANCE_CREATION",
        "CREATED",
        "CREATE",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row(
        "PROCESS_INSTANCE_MIGRATION",
        "MIGRATED",
        "MIGRATE",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row(
        "PROCESS_INSTANCE_MODIFICATION",
        "MODIFIED",
        "MODIFY",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row(
        "PROCESS_INSTANCE",
        "CANCELING",
        "CANCEL",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row(
        "INCIDENT", "RESOLVED", "RESOLVE", "INCIDENT", RESOURCES, "INCIDENT",
    ),
    row(
        "VARIABLE",
        "CREATED",
        "CREATE",
        "VARIABLE",
        RESOURCES,
        "VARIABLE_DOCUMENT",
    ),
    row(
        "VARIABLE",
        "UPDATED",
        "UPDATE",
        "VARIABLE",
        RESOURCES,
        "VARIABLE_DOCUMENT",
    ),
    row(
        "USER_TASK",
        "ASSIGNED",
        "ASSIGN",
        "USER_TASK",
        TASKS,
        "USER_TASK",
    ),
    row(
        "USER_TASK",
        "UPDATED",
        "UPDATE",
        "USER_TASK",
        TASKS,
        "USER_TASK",
    ),
    row(
        "USER_TASK",
        "COMPLETED",
        "COMPLETE",
        "USER_TASK",
        TASKS,
        "USER_TASK",
    ),
    row(
        "DECISION_EVALUATION",
        "EVALUATED",
        "EVALUATE",
        "DECISION",
        RESOURCES,
        "DECISION_EVALUATION",
    ),
    row(
        "DECISION_EVALUATION",
        "FAILED",
        "EVALUATE",
        "DECISION",
        RESOURCES,
        "DECISION_EVALUATION",
    ),
    row("PROCESS", "CREATED", "CREATE", "RESOURCE", RESOURCES, ""),
    row("PROCESS", "DELETED", "DELETE", "RESOURCE", RESOURCES, ""),
    row("FORM", "CREATED", "CREATE", "RESOURCE", RESOURCES, ""),
    row("FORM", "DELETED", "DELETE", "RESOURCE", RESOURCES, ""),
    row("RESOURCE", "CREATED", "CREATE", "RESOURCE", RESOURCES, ""),
    row("RESOURCE", "DELETED", "DELETE", "RESOURCE", RESOURCES, ""),
    row("DECISION", "CREATED", "CREATE", "DECISION", RESOURCES, ""),
    row("DECISION", "DELETED", "DELETE", "DECISION", RESOURCES, ""),
    row(
        "DECISION_REQUIREMENTS",
        "CREATED",
        "CREATE",
        "RESOURCE",
        RESOURCES,
        "",
    ),
    row(
        "DECISION_REQUIREMENTS",
        "DELETED",
        "DELETE",
        "RESOURCE",
        RESOURCES,
        "",
    ),
    row(
        "HISTORY_DELETION",
        "DELETED",
        "DELETE",
        "RESOURCE",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_CREATION",
        "CREATED",
        "CREATE",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "RESUMED",
        "RESUME",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "SUSPENDED",
        "SUSPEND",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "CANCELED",
        "CANCEL",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "AUTHORIZATION",
        "CREATED",
        "CREATE",
        "AUTHORIZATION",
        ADMIN,
        "",
    ),
    row(
        "AUTHORIZATION",
        "UPDATED",
        "UPDATE",
        "AUTHORIZATION",
        ADMIN,
        "",
    ),
    row(
        "AUTHORIZATION",
        "DELETED",
        "DELETE",
        "AUTHORIZATION",
        ADMIN,
        "",
    ),
    row("USER", "CREATED", "CREATE", "USER", ADMIN, ""),
    row("USER", "UPDATED", "UPDATE", "USER", ADMIN, ""),
    row("USER", "DELETED", "DELETE", "USER", ADMIN, ""),
    row("GROUP", "CREATED", "CREATE", "GROUP", ADMIN, ""),
    row("GROUP", "UPDATED", "UPDATE", "GROUP", ADMIN, ""),
    row("GROUP", "DELETED", "DELETE", "GROUP", ADMIN, ""),
    row("GROUP", "ENTITY_ADDED", "ASSIGN", "GROUP", ADMIN, ""),
    row("GROUP", "ENTITY_REMOVED", "UNASSIGN", "GROUP", ADMIN, ""),
    row("ROLE", "CREATED", "CREATE", "ROLE", ADMIN, ""),
    row("ROLE", "UPDATED", "UPDATE", "ROLE", ADMIN, ""),
    row("ROLE", "DELETED", "DELETE", "ROLE", ADMIN, ""),
    row("ROLE", "ENTITY_ADDED", "ASSIGN", "ROLE", ADMIN, ""),
    row("ROLE", "ENTITY_REMOVED", "UNASSIGN", "ROLE", ADMIN, ""),
    row("TENANT", "CREATED", "CREATE", "TENANT", ADMIN, ""),
    row("TENANT", "UPDATED", "UPDATE", "TENANT", ADMIN, ""),
    row("TENANT", "DELETED", "DELETE", "TENANT", ADMIN, ""),
    row("TENANT", "ENTITY_ADDED", "ASSIGN", "TENANT", ADMIN, ""),
    row("TENANT", "ENTITY_REMOVED", "UNASSIGN", "TENANT", ADMIN, ""),
    row(
        "MAPPING_RULE",
        "CREATED",
        "CREATE",
        "MAPPING_RULE",
        ADMIN,
        "",
    ),
    row(
        "MAPPING_RULE",
        "UPDATED",
        "UPDATE",
        "MAPPING_RULE",
        ADMIN,
        "",
    ),
    row(
        "MAPPING_RULE",
        "DELETED",
        "DELETE",
        "MAPPING_RULE",
        ADMIN,
        "",
    ),
];

/// Commands whose refusal for the state of things is an operation that failed.
const REFUSALS: &[Row] = &[
    row(
        "PROCESS_INSTANCE",
        "CANCEL",
        "CANCEL",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row(
        "PROCESS_INSTANCE_MIGRATION",
        "MIGRATE",
        "MIGRATE",
        "PROCESS_INSTANCE",
        RESOURCES,
        "",
    ),
    row("INCIDENT", "RESOLVE", "RESOLVE", "INCIDENT", RESOURCES, ""),
    row("USER_TASK", "ASSIGN", "ASSIGN", "USER_TASK", TASKS, ""),
    row("USER_TASK", "UPDATE", "UPDATE", "USER_TASK", TASKS, ""),
    row("USER_TASK", "COMPLETE", "COMPLETE", "USER_TASK", TASKS, ""),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "RESUME",
        "RESUME",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "SUSPEND",
        "SUSPEND",
        "BATCH",
        RESOURCES,
        "",
    ),
    row(
        "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
        "CANCEL",
        "CANCEL",
        "BATCH",
        RESOURCES,
        "",
    ),
];

/// Follows the trail, and writes the row of a record that is an operation of a user.
pub fn write(window: &mut Window, context: &mut Context<'_>, record: &Record) {
    let trail = &mut *context.trail;
    match record.record_type {
        RecordType::Command => {
            // Follow-ups of the same step come without claims and change nothing.
            if record.source_position.is_none() {
                *trail = Trail {
                    actor: claim(&record.authorization, USERNAME),
                    client: claim(&record.authorization, CLIENT_ID),
                    position: record.position,
                    key: record.key,
                    value_type: record.intent.value_type().name(),
                    intent: record.intent.name(),
                };
            }
        }
        RecordType::Event => {
            let Some((kind, actor)) = trail.behind(record) else {
                return;
            };
            let value_type = record.intent.value_type().name();
            let mut intent = record.intent.name();
            // The instance that a user canceled says so by terminating.
            if value_type == "PROCESS_INSTANCE"
                && intent == "ELEMENT_TERMINATING"
                && trail.intent == "CANCEL"
                && trail.key == record.key
            {
                intent = "CANCELING";
            }
            let found = EVENTS.iter().find(|row| {
                row.value_type == value_type
                    && row.intent == intent
                    && (row.asked.is_empty() || row.asked == trail.value_type)
            });
            if let Some(found) = found
                && context.audit.audits(kind, found.category, found.entity)
            {
                let actor = (kind, actor.clone());
                put(window, context.retain, record, actor, found, None);
            }
        }
        RecordType::CommandRejection => {
            let (Some((kind, actor)), Some(rejection)) = (trail.behind(record), &record.rejection)
            else {
                return;
            };
            let state = rejection.kind == RejectionType::InvalidState
                || rejection.kind == RejectionType::ProcessingError;
            let value_type = record.intent.value_type().name();
            let intent = record.intent.name();
            let found = REFUSALS
                .iter()
                .find(|row| row.value_type == value_type && row.intent == intent);
            if let (Some(found), true) = (found, state)
                && context.audit.audits(kind, found.category, found.entity)
            {
                let actor = (kind, actor.clone());
                let refusal = Some(rejection.kind.name());
                put(window, context.retain, record, actor, found, refusal);
            }
        }
    }
}

/// A name in the claims of a command; what a token holds further down is none.
fn claim(claims: &Document, name: &str) -> Option<Text> {
    if claims.is_empty() {
        return None;
    }
    let found = msgpack::get(claims.as_bytes(), name).ok()??;
    let text = Reader::new(found).string_value().ok()?;
    Some(Text::from(crate::row::cut(text, ACTOR_CHARS)))
}

fn put(
    window: &mut Window,
    retain: Option<&RetainOptions>,
    record: &Record,
    (actor_type, actor): (&'static str, Text),
    row: &Row,
    refusal: Option<&'static str>,
) {
    let mut text = String::new();
    record.value.json(&mut text);
    let value: Json = serde_json::from_str(&text).unwrap_or_default();
    let word = |name: &str| match value.get(name).and_then(Json::as_str) {
        Some(text) if !text.is_empty() => Datum::from(text),
        Some(_) | None => Datum::Null,
    };
    let key = |name: &str| match value.get(name).and_then(Json::as_i64) {
        Some(key) if key > 0 => Datum::Int(key),
        Some(_) | None => Datum::Null,
    };
    let is_null = |datum: &Datum| matches!(datum, Datum::Null);
    let first_of = |first: Datum, second: Datum| if is_null(&first) { second } else { first };
    let unassigned =
        row.operation == "ASSIGN" && row.entity == "USER_TASK" && is_null(&word("assignee"));
    let operation = if unassigned {
        "UNASSIGN"
    } else {
        row.operation
    };
    let digits = |number: i64| Datum::Text(Text::from(number.to_string()));
    let named = match row.entity {
        "PROCESS_INSTANCE" => match key("processInstanceKey") {
            Datum::Int(key) => digits(key),
            Datum::Null | Datum::Text(_) | Datum::Bool(_) | Datum::Time(_) | Datum::Float(_) => {
                Datum::Null
            }
        },
        "USER" => word("username"),
        "GROUP" => word("groupId"),
        "ROLE" => word("roleId"),
        "TENANT" => word("tenantId"),
        "MAPPING_RULE" => word("mappingRuleId"),
        _ => Datum::Null,
    };
    let entity_key = first_of(named, digits(record.key.0));
    let related = matches!(row.operation, "ASSIGN" | "UNASSIGN") && row.category == ADMIN;
    let if_related = |datum: Datum| if related { datum } else { Datum::Null };
    let description = match refusal {
        Some(kind) => Datum::from(kind),
        None if row.entity == "VARIABLE" || row.category == ADMIN => word("name"),
        None => Datum::Null,
    };
    let tenant = if row.category == ADMIN {
        Datum::Null
    } else {
        word("tenantId")
    };
    let scope = if is_null(&tenant) { "GLOBAL" } else { "TENANT" };
    let instance = key("processInstanceKey");
    let root = first_of(key("rootProcessInstanceKey"), instance.clone());
    // What belongs to an instance goes with it.
    let cleanup = match (&root, retain) {
        (Datum::Null, Some(retain)) => record.timestamp.plus_millis(retain.ttl_ms()).into(),
        (_, _) => Datum::Null,
    };
    let audit_key = Key::new(record.partition, record.position.0 as i64);
    window.upsert(
        Table::AuditLog,
        RowKey::of(audit_key),
        record.position,
        vec![
            (ENTITY_KEY, entity_key),
            (ENTITY_TYPE, row.entity.into()),
            (OPERATION_TYPE, operation.into()),
            (ENTITY_VERSION, i32::from(record.record_version).into()),
            (
                ENTITY_VALUE_TYPE,
                i32::from(record.intent.value_type() as u8).into(),
            ),
            (
                ENTITY_OPERATION_INTENT,
                i32::from(record.intent.code()).into(),
            ),
            (BATCH_OPERATION_KEY, record.batch_operation_reference.into()),
            (BATCH_OPERATION_TYPE, word("batchOperationType")),
            (TIMESTAMP, record.timestamp.into()),
            (ACTOR_TYPE, actor_type.into()),
            (ACTOR_ID, actor.into()),
            (TENANT_ID, tenant),
            (TENANT_SCOPE, scope.into()),
            (
                RESULT,
                if refusal.is_some() { "FAIL" } else { "SUCCESS" }.into(),
            ),
            (CATEGORY, row.category.into()),
            (
                PROCESS_DEFINITION_ID,
                first_of(word("bpmnProcessId"), word("processDefinitionId")),
            ),
            (DECISION_REQUIREMENTS_ID, word("decisionRequirementsId")),
            (DECISION_DEFINITION_ID, word("decisionId")),
            (PROCESS_DEFINITION_KEY, key("processDefinitionKey")),
            (PROCESS_INSTANCE_KEY, instance),
            (ROOT_PROCESS_INSTANCE_KEY, root),
            (ELEMENT_INSTANCE_KEY, key("elementInstanceKey")),
            (JOB_KEY, key("jobKey")),
            (USER_TASK_KEY, key("userTaskKey")),
            (DECISION_REQUIREMENTS_KEY, key("decisionRequirementsKey")),
            (DECISION_DEFINITION_KEY, key("decisionKey")),
            (DEPLOYMENT_KEY, key("deploymentKey")),
            (FORM_KEY, key("formKey")),
            (RESOURCE_KEY, key("resourceKey")),
            (RELATED_ENTITY_TYPE, if_related(word("entityType"))),
            (RELATED_ENTITY_KEY, if_related(word("entityId"))),
            (ENTITY_DESCRIPTION, description),
            (PARTITION_ID, record.partition.0.into()),
            (HISTORY_CLEANUP_DATE, cleanup),
        ],
    );
}
