//! Documents become variables: in one scope, or up the scopes.
//!
//! Local: every entry is created or updated in the scope; equal bytes give no record. Propagating:
//! from the scope upwards, entries that a scope has with another value are updated there; what is
//! left at the root is created there. Camunda's quirk is kept: an entry that a scope has with an
//! equal value is not consumed and goes on upwards.

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::conditions::{self, Change};
use crate::ids::Key;
use crate::msgpack;
use crate::record::intent::of;
use crate::record::value::{ProcessInstanceRecord, VariableRecord};
use crate::record::{Document, RawValue, Text};

/// What variable records say about the instance around them.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) process_instance_key: Key,
    pub(crate) root_process_instance_key: Key,
    pub(crate) process_definition_key: Key,
    pub(crate) bpmn_process_id: Text,
    pub(crate) tenant_id: Text,
}

impl Owner {
    /// As the record of an element instance says.
    pub(crate) fn of(record: &ProcessInstanceRecord) -> Self {
        Self {
            process_instance_key: record.process_instance_key,
            root_process_instance_key: record.root_process_instance_key,
            process_definition_key: record.process_definition_key,
            bpmn_process_id: record.bpmn_process_id.clone(),
            tenant_id: record.tenant_id.clone(),
        }
    }
}

/// Sets the entries of a document in `scope` itself.
pub(crate) fn merge_local(
    p: &mut Processing<'_>,
    scope: Key,
    owner: &Owner,
    document: &Document,
) -> Outcome {
    let mut writer = Writer::new(owner);
    for (name, value) in entries(document)? {
        writer.set(p, scope, name, value)?;
    }
    writer.finish(p)
}

/// Sets the entries of a document in the nearest scopes that have them, else in the root.
pub(crate) fn merge(
    p: &mut Processing<'_>,
    scope: Key,
    owner: &Owner,
    document: &Document,
) -> Outcome {
    let mut writer = Writer::new(owner);
    let mut left = entries(document)?;
    let mut at = scope;
    while let Some(parent) = p.state().parent_scope(at)? {
        let mut rest = Vec::with_capacity(left.len());
        for (name, value) in left {
            let known = p.state().variables.get(&at, &name)?;
            if known.is_some_and(|row| row.value != value) {
                writer.set(p, at, name, value)?;
            } else {
                rest.push((name, value));
            }
        }
        left = rest;
        if left.is_empty() {
            return writer.finish(p);
        }
        at = parent;
    }
    for (name, value) in left {
        writer.set(p, at, name, value)?;
    }
    writer.finish(p)
}

/// Sets one variable in `scope` itself.
pub(crate) fn set(
    p: &mut Processing<'_>,
    scope: Key,
    owner: &Owner,
    name: Text,
    value: RawValue,
) -> Outcome {
    let mut writer = Writer::new(owner);
    writer.set(p, scope, name, value)?;
    writer.finish(p)
}

/// Writes the variables of one document and tells the conditions that watch them.
struct Writer<'o> {
    owner: &'o Owner,
    /// Whether a condition watches; asked at the first change.
    watched: Option<bool>,
    changes: Vec<Change>,
}

impl<'o> Writer<'o> {
    fn new(owner: &'o Owner) -> Self {
        Self {
            owner,
            watched: None,
            changes: Vec::new(),
        }
    }

    fn set(&mut self, p: &mut Processing<'_>, scope: Key, name: Text, value: RawValue) -> Outcome {
        let known = p.state().variables.get(&scope, &name)?;
        let (key, intent) = match known {
            Some(row) if row.value == value => return Ok(()),
            Some(row) => (row.key, of::Variable::Updated),
            None => (p.next_key(), of::Variable::Created),
        };
        let watched = match self.watched {
            Some(watched) => watched,
            None => conditions::watched(p, self.owner)?,
        };
        self.watched = Some(watched);
        if watched {
            self.changes.push(Change {
                scope,
                name: name.clone(),
                created: intent == of::Variable::Created,
            });
        }
        let owner = self.owner;
        let record = VariableRecord {
            name,
            value,
            scope_key: scope,
            process_instance_key: owner.process_instance_key,
            root_process_instance_key: owner.root_process_instance_key,
            process_definition_key: owner.process_definition_key,
            bpmn_process_id: owner.bpmn_process_id.clone(),
            tenant_id: owner.tenant_id.clone(),
        };
        p.event(key, intent, record)
    }

    fn finish(self, p: &mut Processing<'_>) -> Outcome {
        if self.changes.is_empty() {
            return Ok(());
        }
        conditions::evaluate(p, &self.changes)
    }
}

/// Sets one variable in the scope of an element instance itself.
pub(crate) fn set_local(p: &mut Processing<'_>, at: &At, name: Text, value: RawValue) -> Outcome {
    set(p, at.key, &Owner::of(&at.record), name, value)
}

/// The entries of a document, the last of equal names.
fn entries(document: &Document) -> Outcome<Vec<(Text, RawValue)>> {
    let malformed = |error: msgpack::Error| Stop::fault(format!("variables: {error}"));
    let mut found: Vec<(Text, RawValue)> = Vec::new();
    for entry in msgpack::entries(document.as_bytes()).map_err(malformed)? {
        let (name, value) = entry.map_err(malformed)?;
        found.push((Text::from(name), RawValue::from(value)));
    }
    Ok(found)
}
