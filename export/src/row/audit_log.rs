//! Records that a person caused -> `audit_log`: who did what, when, and did it work.
//!
//! Only the client's command says who asks; the events of its step name that command as their
//! source. The trail therefore remembers the last command that came from outside, and a table
//! (`operations.rs`) says which events and refusals of its step are worth a row. Whose, and of
//! which kind, is configured (`audited.rs`); callers without a name never are.
//! While nobody proves a name, nothing here costs more than a look at a flag.

use ringflow_core::ids::{Key, Position};
use ringflow_core::msgpack::{self, Reader};
use ringflow_core::record::{Document, Record, RecordType, RejectionType, Text};
use serde_json::Value as Json;

use crate::batch::{RowKey, Window};
use crate::retain::RetainOptions;
use crate::row::{Context, Datum};
use crate::schema::audit_log::*;
use crate::schema::{Column, Table};
use operations::{ADMIN, EVENTS, REFUSALS, Row};

mod operations;

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

/// What a deletion of history is about.
struct History {
    entity: &'static str,
    column: Column,
}

fn history(value: &Json) -> Option<History> {
    let (entity, column) = match value.get("resourceType").and_then(Json::as_str)? {
        // Not in the column of instances: the entry does not go with what it tells of.
        "PROCESS_INSTANCE" => ("PROCESS_INSTANCE", ENTITY_KEY),
        "DECISION_INSTANCE" => ("DECISION", DECISION_EVALUATION_KEY),
        "DECISION_REQUIREMENTS" => ("RESOURCE", DECISION_REQUIREMENTS_KEY),
        "PROCESS_DEFINITION" => ("RESOURCE", PROCESS_DEFINITION_KEY),
        _ => return None,
    };
    Some(History { entity, column })
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
    let number = |name: &str| match key(name) {
        Datum::Int(key) => digits(key),
        Datum::Null | Datum::Text(_) | Datum::Bool(_) | Datum::Time(_) | Datum::Float(_) => {
            Datum::Null
        }
    };
    let history = history(&value).filter(|_| row.value_type == "HISTORY_DELETION");
    let entity = history.as_ref().map_or(row.entity, |it| it.entity);
    // Events of a deletion may have its key, not that of what goes.
    let named = match (row.value_type, row.entity) {
        ("DECISION", _) => number("decisionKey"),
        ("DECISION_REQUIREMENTS", _) => number("decisionRequirementsKey"),
        (_, "PROCESS_INSTANCE") => number("processInstanceKey"),
        (_, "USER") => word("username"),
        (_, "GROUP") => word("groupId"),
        (_, "ROLE") => word("roleId"),
        (_, "TENANT") => word("tenantId"),
        (_, "MAPPING_RULE") => word("mappingRuleId"),
        (_, _) => Datum::Null,
    };
    let entity_key = first_of(named, digits(record.key.0));
    let (related_type, related_key) = match row.operation {
        "ASSIGN" | "UNASSIGN" if row.category == ADMIN => (word("entityType"), word("entityId")),
        _ if row.entity == "AUTHORIZATION" => (word("ownerType"), word("ownerId")),
        _ => (Datum::Null, Datum::Null),
    };
    let description = match (refusal, row.value_type) {
        (Some(kind), _) => Datum::from(kind),
        (None, "PROCESS" | "FORM" | "RESOURCE" | "DECISION_REQUIREMENTS") => word("resourceName"),
        (None, "DECISION") => word("decisionName"),
        (None, "HISTORY_DELETION") => word("resourceType"),
        (None, _) if row.entity == "VARIABLE" || row.category == ADMIN => word("name"),
        (None, _) => Datum::Null,
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
    // What no longer is has its key in the column of its kind.
    let gone = |column: Column| match &history {
        Some(it) if it.column == column => key("resourceKey"),
        Some(_) | None => Datum::Null,
    };
    let audit_key = Key::new(record.partition, record.position.0 as i64);
    window.upsert(
        Table::AuditLog,
        RowKey::of(audit_key),
        record.position,
        vec![
            (ENTITY_KEY, entity_key),
            (ENTITY_TYPE, entity.into()),
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
                first_of(
                    first_of(word("bpmnProcessId"), word("processDefinitionId")),
                    word("processId"),
                ),
            ),
            (DECISION_REQUIREMENTS_ID, word("decisionRequirementsId")),
            (
                DECISION_DEFINITION_ID,
                first_of(word("decisionId"), word("decisionDefinitionId")),
            ),
            (
                PROCESS_DEFINITION_KEY,
                first_of(key("processDefinitionKey"), gone(PROCESS_DEFINITION_KEY)),
            ),
            (PROCESS_INSTANCE_KEY, instance),
            (ROOT_PROCESS_INSTANCE_KEY, root),
            (ELEMENT_INSTANCE_KEY, key("elementInstanceKey")),
            (JOB_KEY, key("jobKey")),
            (USER_TASK_KEY, key("userTaskKey")),
            (
                DECISION_REQUIREMENTS_KEY,
                first_of(
                    key("decisionRequirementsKey"),
                    gone(DECISION_REQUIREMENTS_KEY),
                ),
            ),
            (DECISION_EVALUATION_KEY, gone(DECISION_EVALUATION_KEY)),
            (DECISION_DEFINITION_KEY, key("decisionKey")),
            (DEPLOYMENT_KEY, key("deploymentKey")),
            (FORM_KEY, key("formKey")),
            (RESOURCE_KEY, key("resourceKey")),
            (RELATED_ENTITY_TYPE, related_type),
            (RELATED_ENTITY_KEY, related_key),
            (ENTITY_DESCRIPTION, description),
            (PARTITION_ID, record.partition.0.into()),
            (HISTORY_CLEANUP_DATE, cleanup),
        ],
    );
}
