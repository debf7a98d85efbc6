//! Where an instance or an incident stands in the hierarchy of calls, as text:
//! `PI_1/FN_call/FNI_2/PI_3`, root first.
//!
//! Records tell keys, and of a call activity its place among those of its file; the id comes from
//! the definition's text. Where that is not known the place stands for it, as in the reference.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{BpmnElementType, IncidentRecord, ProcessInstanceRecord};
use ringflow_core::record::{Intent, Record, Value};

use crate::names::Names;

/// A path per call level: keys from the process instance down, definition, calling element.
pub(crate) struct Path<'r> {
    instances: &'r [Vec<Key>],
    definitions: &'r [Key],
    calls: &'r [Key],
}

impl<'r> Path<'r> {
    pub(crate) fn of_instance(value: &'r ProcessInstanceRecord) -> Self {
        Self {
            instances: &value.element_instance_path,
            definitions: &value.process_definition_path,
            calls: &value.calling_element_path,
        }
    }

    pub(crate) fn of_incident(value: &'r IncidentRecord) -> Self {
        Self {
            instances: &value.element_instance_path,
            definitions: &value.process_definition_path,
            calls: &value.calling_element_path,
        }
    }

    /// The text down to the process instance of the last level; `instance` if there is no path.
    pub(crate) fn text(&self, names: &mut Names, instance: Key) -> String {
        let mut text = String::new();
        for (level, keys) in self.instances.iter().enumerate() {
            let Some(first) = keys.first() else {
                continue;
            };
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(&format!("PI_{}", first.0));
            if level + 1 == self.instances.len() {
                break;
            }
            let call = self.calls.get(level).map_or(0, |call| call.0);
            let definition = self.definitions.get(level).copied().unwrap_or_default();
            match names.call(definition, call) {
                Some(id) => text.push_str(&format!("/FN_{id}")),
                None => text.push_str(&format!("/FN_{call}")),
            }
            let last = keys.last().unwrap_or(first);
            text.push_str(&format!("/FNI_{}", last.0));
        }
        if text.is_empty() {
            text = format!("PI_{}", instance.0);
        }
        text
    }
}

/// The definitions whose call activities the path of `record` names.
#[must_use]
pub fn callers_of(record: &Record) -> &[Key] {
    let path = if let Value::ProcessInstance(value) = &record.value {
        let written = matches!(
            record.intent,
            Intent::ProcessInstance(
                of::ProcessInstance::ElementActivating
                    | of::ProcessInstance::ElementMigrated
                    | of::ProcessInstance::AncestorMigrated
            )
        );
        let process = value.bpmn_element_type == BpmnElementType::Process;
        if written && process {
            &value.process_definition_path[..]
        } else {
            &[]
        }
    } else if let Value::Incident(value) = &record.value {
        &value.process_definition_path[..]
    } else {
        &[]
    };
    path.split_last().map_or(&[], |(_, callers)| callers)
}
