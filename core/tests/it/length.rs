//! Ids, names and types of jobs that are too long.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ClusterVariableRecord, ClusterVariableScope, ErrorType};

use super::element::{bpmn, flow, service_task};
use super::harness::EngineHarness;

/// Characters that are allowed.
const MAX: usize = 32_768;

fn process(task: &str) -> String {
    bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            task.to_owned(),
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ]
        .concat(),
    )
}

fn refusal(bpmn: &str) -> Option<String> {
    let answer = EngineHarness::new().try_deploy("process.bpmn", bpmn);
    answer.err().map(|rejection| rejection.reason.to_string())
}

#[test]
fn a_file_with_what_is_too_long_is_refused_in_camundas_words() {
    let long = "x".repeat(MAX + 1);
    let named = |name: &str| {
        let task = format!(r#"<bpmn:manualTask id="task" name="{name}"/>"#);
        process(&task)
    };
    let told = |what: &str, limit: &str| {
        format!("{what} must not be longer than the configured {limit} of {MAX} characters.")
    };
    assert_eq!(refusal(&named(&"x".repeat(MAX))), None);
    let text = refusal(&named(&long)).unwrap();
    assert!(text.contains("- Element: task\n"));
    assert!(text.contains(&told("Names", "max-name-length")));
    let text = refusal(&process(&service_task("task", &long))).unwrap();
    assert!(text.contains(&told("Worker types", "max-worker-type-length")));
    let with_id = bpmn(
        "process",
        &format!(r#"<bpmn:startEvent id="start"/><bpmn:manualTask id="{long}"/>"#),
    );
    // The report names the element, and has no room for that.
    let text = refusal(&with_id).unwrap();
    assert!(text.contains("and 1 more errors and/or warnings"), "{text}");
    let root = "targetNamespace=\"test\"";
    let with_id = process(r#"<bpmn:manualTask id="task"/>"#).replace(
        &format!(r#"id="definitions" {root}"#),
        &format!(r#"id="{long}" {root}"#),
    );
    let text = refusal(&with_id).unwrap();
    assert!(text.contains(&told("IDs", "max-id-length")), "{text}");
}

#[test]
fn a_correlation_key_that_is_too_long_is_an_incident() {
    let mut h = EngineHarness::new();
    let receive = r#"<bpmn:receiveTask id="task" messageRef="m"/>"#;
    let message = r#"<bpmn:message id="m" name="paid"><bpmn:extensionElements>
<zeebe:subscription correlationKey="= key"/></bpmn:extensionElements></bpmn:message></bpmn:definitions>"#;
    h.deploy(&process(receive).replace("</bpmn:definitions>", message));
    let variables = format!(r#"{{"key":"{}"}}"#, "x".repeat(MAX + 1));
    let instance = h.create("process", &variables);
    let (incident, record) = h.incidents().remove(0);
    assert_eq!(record.error_type, ErrorType::ExtractValueError);
    assert_eq!(
        record.error_message.as_str(),
        "Expected correlation key to be at most 32768 characters long (configured max-name-length), but was 32769 characters."
    );
    h.set_variables(instance, r#"{"key":"k"}"#).unwrap();
    h.resolve(incident).unwrap();
    assert!(h.incidents().is_empty());
}

#[test]
fn a_cluster_variable_with_too_long_a_name_is_refused() {
    let mut h = EngineHarness::new();
    let name = "x".repeat(MAX + 1);
    let record = ClusterVariableRecord {
        name: name.as_str().into(),
        tenant_id: "".into(),
        scope: ClusterVariableScope::Global,
        ..ClusterVariableRecord::default()
    };
    let command = Command::internal(Key::NONE, of::ClusterVariable::Create, record);
    let refused = h.answered(command).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!(
            "Invalid cluster variable name: '{name}'. The name must not be longer than 32768 characters."
        )
    );
}
