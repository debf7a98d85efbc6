//! Where the JSON of a value differs from Camunda's 8.9: members that only one of them has.
//!
//! The value itself writes its JSON; here members are left out (of a later version, or our own), and
//! those are added that Camunda's values say without holding them. One table serves documents and
//! templates, so that a strict template takes every document. `tests/camunda` lists the differences.

use ringflow_core::json::{from_msgpack, write_string};
use ringflow_core::record::field::Shape;
use ringflow_core::record::value::{JobRecord, JobResult};
use ringflow_core::record::{Value, ValueType};

/// A member that is added: its name, its JSON, and what that is.
type Added = (&'static str, &'static str, Shape);

/// What is left out and what is added.
struct Adapted {
    left_out: &'static [&'static str],
    added: &'static [Added],
}

const NOTHING: Adapted = Adapted {
    left_out: &[],
    added: &[],
};
const DUPLICATE: Added = ("duplicate", "false", Shape::Flag);
const NO_ELEMENT: Added = ("elementInstanceKey", "-1", Shape::Long);
const TENANT: Added = ("tenantId", "\"<default>\"", Shape::Text);
/// What a listener or an ad-hoc sub-process is told where nothing was corrected.
const CORRECTIONS: [(&str, &str); 6] = [
    ("priority", "-1"),
    ("assignee", "\"\""),
    ("candidateGroupsList", "[]"),
    ("candidateUsersList", "[]"),
    ("dueDate", "\"\""),
    ("followUpDate", "\"\""),
];

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a table of exceptions: all others are as they are"
)]
const fn adapted(value_type: ValueType) -> Adapted {
    const fn left_out(names: &'static [&'static str]) -> Adapted {
        Adapted {
            left_out: names,
            added: &[],
        }
    }
    const fn with(added: &'static [Added]) -> Adapted {
        Adapted {
            left_out: &[],
            added,
        }
    }
    match value_type {
        ValueType::Job => Adapted {
            left_out: &["priority", "result"],
            added: &[("jobToUserTaskMigration", "false", Shape::Flag)],
        },
        ValueType::Process | ValueType::Decision | ValueType::DecisionRequirements => {
            with(&[DUPLICATE])
        }
        ValueType::ProcessInstance | ValueType::ProcessInstanceMigration => with(&[NO_ELEMENT]),
        ValueType::ProcessInstanceModification => {
            with(&[NO_ELEMENT, ("ancestorScopeKeys", "[]", Shape::Long)])
        }
        ValueType::ProcessInstanceCreation => Adapted {
            left_out: &["fetchVariables"],
            added: &[NO_ELEMENT],
        },
        ValueType::Variable => with(&[("source", "{\"type\":\"UNKNOWN\"}", Shape::Opaque)]),
        ValueType::Escalation | ValueType::ProcessInstanceBatch => with(&[TENANT]),
        ValueType::DecisionEvaluation => left_out(&["businessId"]),
        ValueType::ConditionalSubscription | ValueType::Timer => {
            left_out(&["rootProcessInstanceKey"])
        }
        ValueType::MessageSubscription => left_out(&["elementId"]),
        ValueType::SignalSubscription => left_out(&["processInstanceKey"]),
        _ => NOTHING,
    }
}

/// Members that follow from others: their names and what they are.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a table of exceptions: all others are as they are"
)]
fn derived(value_type: ValueType) -> Vec<(&'static str, Shape)> {
    match value_type {
        ValueType::Job => vec![("result", Shape::Members(result_shape()))],
        ValueType::Variable => vec![("elementInstanceKey", Shape::Long)],
        ValueType::ProcessInstanceCreation => vec![("rootProcessInstanceKey", Shape::Long)],
        _ => Vec::new(),
    }
}

/// The members that documents of `value_type` have below `value`.
pub(super) fn shapes(value_type: ValueType) -> Vec<(&'static str, Shape)> {
    let adapted = adapted(value_type);
    let mut shapes = value_type.shapes();
    shapes.retain(|(name, _)| !adapted.left_out.contains(name));
    let added = adapted.added.iter();
    shapes.extend(added.map(|(name, _, shape)| (*name, shape.clone())));
    shapes.extend(derived(value_type));
    shapes
}

/// Writes `value` as Camunda does.
pub(super) fn value(value: &Value, out: &mut String) {
    let adapted = adapted(value.value_type());
    if adapted.left_out.is_empty() {
        value.json(out);
        out.pop();
    } else {
        let mut whole = String::new();
        value.json(&mut whole);
        out.push('{');
        for (name, member) in members(&whole) {
            if !adapted.left_out.contains(&name) {
                comma(out);
                out.push_str(member);
            }
        }
    }
    for (name, json, _) in adapted.added {
        member(name, json, out);
    }
    if let Value::Job(job) = value {
        member("result", &result(job), out);
    } else if let Value::Variable(variable) = value {
        member("elementInstanceKey", &json_of(&variable.scope_key), out);
    } else if let Value::ProcessInstanceCreation(creation) = value {
        // What a client creates is the root of what it calls.
        let root = json_of(&creation.process_instance_key);
        member("rootProcessInstanceKey", &root, out);
    }
    out.push('}');
}

fn json_of(field: &impl ringflow_core::record::field::Field) -> String {
    let mut json = String::new();
    field.json(&mut json);
    json
}

fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

fn member(name: &str, json: &str, out: &mut String) {
    comma(out);
    write_string(name, out);
    out.push(':');
    out.push_str(json);
}

/// The members of an object that this program wrote: each with its name and its whole text.
fn members(object: &str) -> Vec<(&str, &str)> {
    let bytes = object.as_bytes();
    let mut members = Vec::new();
    let (mut depth, mut start, mut name_end) = (0_u32, 1, None);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quoted = false;
                    if depth == 1 && name_end.is_none() {
                        name_end = Some(at);
                    }
                }
                _ => {}
            }
            continue;
        }
        let ends = match byte {
            b'"' => {
                quoted = true;
                false
            }
            b'{' | b'[' => {
                depth += 1;
                false
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                depth == 0
            }
            b',' => depth == 1,
            _ => false,
        };
        if ends {
            if let Some(end) = name_end.take() {
                members.push((&object[start + 1..end], &object[start..at]));
            }
            start = at + 1;
        }
    }
    members
}

/// What a worker says about the outcome of a job: at most one thing, and there is always one told.
fn result(job: &JobRecord) -> String {
    let nothing = JobResult::default();
    let result = job.result.first().unwrap_or(&nothing);
    let kind = match &*result.kind {
        "adHocSubProcess" => "AD_HOC_SUB_PROCESS",
        _ => "USER_TASK",
    };
    let mut out = String::from("{");
    member("type", &format!("\"{kind}\""), &mut out);
    member("denied", &json_of(&result.denied), &mut out);
    member("deniedReason", &json_of(&result.denied_reason), &mut out);
    member("corrections", &corrections(result), &mut out);
    let corrected = json_of(&result.corrected_attributes);
    member("correctedAttributes", &corrected, &mut out);
    let cancels = json_of(&result.cancel_remaining_instances);
    member("cancelRemainingInstances", &cancels, &mut out);
    let activated = json_of(&result.activate_elements);
    member("activateElements", &activated, &mut out);
    let fulfilled = json_of(&result.completion_condition_fulfilled);
    member("completionConditionFulfilled", &fulfilled, &mut out);
    out.push('}');
    out
}

fn corrections(result: &JobResult) -> String {
    let mut told = String::new();
    if from_msgpack(result.corrections.as_bytes(), &mut told).is_err() {
        told = "{}".to_owned();
    }
    let told = members(&told);
    let mut out = String::from("{");
    for (name, nothing) in CORRECTIONS {
        match told.iter().find(|(corrected, _)| *corrected == name) {
            Some((_, whole)) => {
                comma(&mut out);
                out.push_str(whole);
            }
            None => member(name, nothing, &mut out),
        }
    }
    out.push('}');
    out
}

fn result_shape() -> Vec<(&'static str, Shape)> {
    let corrections = vec![
        ("priority", Shape::Integer),
        ("assignee", Shape::Text),
        ("candidateGroupsList", Shape::Text),
        ("candidateUsersList", Shape::Text),
        ("dueDate", Shape::Text),
        ("followUpDate", Shape::Text),
    ];
    vec![
        ("type", Shape::Text),
        ("denied", Shape::Flag),
        ("deniedReason", Shape::Text),
        ("corrections", Shape::Members(corrections)),
        ("correctedAttributes", Shape::Text),
        ("cancelRemainingInstances", Shape::Flag),
        (
            "activateElements",
            Shape::Members(vec![
                ("elementId", Shape::Text),
                ("variables", Shape::Opaque),
            ]),
        ),
        ("completionConditionFulfilled", Shape::Flag),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_they_hold() {
        let object = r#"{"a":"x,\"}","b":{"c":[1,{"d":2}]},"e":-1}"#;
        let found = members(object);
        assert_eq!(
            found,
            [
                ("a", r#""a":"x,\"}""#),
                ("b", r#""b":{"c":[1,{"d":2}]}"#),
                ("e", r#""e":-1"#),
            ]
        );
        assert!(members("{}").is_empty());
    }

    /// Every document fits the strict template of its value type.
    #[test]
    fn every_member_is_declared() {
        for value_type in ValueType::ALL {
            let mut json = String::new();
            value(&Value::default_of(*value_type), &mut json);
            let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
            let declared = shapes(*value_type);
            for name in parsed.as_object().unwrap().keys() {
                let times = declared.iter().filter(|(known, _)| known == name).count();
                assert_eq!(times, 1, "{value_type:?}.{name}");
            }
            assert_eq!(parsed.as_object().unwrap().len(), declared.len());
        }
    }
}
