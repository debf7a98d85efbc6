//! Decisions in the engine: deployed, called by tasks, evaluated for clients, deleted.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DecisionEvaluationRecord, DeploymentRecord, DeploymentResource, ErrorType,
    ResourceDeletionRecord,
};
use ringflow_core::record::{Blob, Document, Record, RejectionType, Text, Value};

use crate::dmn::{file, table};
use crate::harness::{Answer, EngineHarness};

const SECOND: &str = "<decision id='second' name='Second'><informationRequirement><requiredDecision href='#first'/></informationRequirement><literalExpression><text>first + 1</text></literalExpression></decision>";

/// Two decisions; `result` is what the first gives for x = 1, others have no rule.
fn model(result: &str) -> String {
    let first = table("UNIQUE", "x", "y", &[&format!("1 => {result}")]);
    file(&format!(
        "<decision id='first' name='First'>{first}</decision>{SECOND}"
    ))
}

fn process(called: &str) -> String {
    format!(
        "<definitions xmlns='http://www.omg.org/spec/BPMN/20100524/MODEL' xmlns:zeebe='http://camunda.org/schema/zeebe/1.0' targetNamespace='t'><process id='p' isExecutable='true'><startEvent id='s'/><sequenceFlow id='f1' sourceRef='s' targetRef='t'/><businessRuleTask id='t'><extensionElements><zeebe:calledDecision {called} resultVariable='result'/></extensionElements></businessRuleTask><sequenceFlow id='f2' sourceRef='t' targetRef='e'/><endEvent id='e'/></process></definitions>"
    )
}

fn deploy(h: &mut EngineHarness, files: &[(&str, &str)]) -> Answer {
    let record = DeploymentRecord {
        resources: files
            .iter()
            .map(|(name, content)| DeploymentResource {
                resource: Blob::from(content.as_bytes()),
                resource_name: Text::from(*name),
            })
            .collect(),
        ..DeploymentRecord::default()
    };
    let command = Command::internal(Key::NONE, of::Deployment::Create, record);
    h.request(command).expect("answered at once")
}

fn deployed(h: &mut EngineHarness, files: &[(&str, &str)]) -> DeploymentRecord {
    let answer = deploy(h, files).unwrap();
    let Value::Deployment(value) = answer.value else {
        panic!("{answer:?}");
    };
    DeploymentRecord::clone(&value)
}

fn evaluate(h: &mut EngineHarness, id: &str, key: Key, variables: &str) -> Answer {
    let record = DecisionEvaluationRecord {
        decision_id: Text::from(id),
        decision_key: key,
        variables: Document::from(json::to_msgpack(variables).unwrap()),
        ..DecisionEvaluationRecord::default()
    };
    h.request(Command::internal(
        Key::NONE,
        of::DecisionEvaluation::Evaluate,
        record,
    ))
    .expect("answered at once")
}

fn evaluation(answer: Answer) -> DecisionEvaluationRecord {
    let answer = answer.unwrap();
    let Value::DecisionEvaluation(value) = answer.value else {
        panic!("{answer:?}");
    };
    DecisionEvaluationRecord::clone(&value)
}

fn json_of(bytes: &[u8]) -> String {
    let mut out = String::new();
    json::from_msgpack(bytes, &mut out).unwrap();
    out
}

fn created(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .filter_map(|record| match &record.value {
            Value::Decision(value) => Some(format!("{} {}", value.decision_id, value.version)),
            Value::DecisionRequirements(value) => Some(format!(
                "{} {}",
                value.decision_requirements_id, value.decision_requirements_version
            )),
            _ => None,
        })
        .collect()
}

#[test]
fn deploying_gives_versions_and_finds_what_is_there() {
    let mut h = EngineHarness::new();
    let one = deployed(&mut h, &[("a.dmn", &model("5"))]);
    assert_eq!(created(&h.log), ["drg 1", "first 1", "second 1"]);
    let graph = &one.decision_requirements_metadata[0];
    assert_eq!(graph.namespace, "test");
    assert_eq!(
        one.decisions_metadata[0].decision_requirements_key,
        graph.decision_requirements_key
    );

    let again = deployed(&mut h, &[("a.dmn", &model("5"))]);
    assert!(again.decision_requirements_metadata[0].is_duplicate);
    assert!(
        again
            .decisions_metadata
            .iter()
            .all(|decision| decision.is_duplicate)
    );
    assert_eq!(
        again.decisions_metadata[1].decision_key,
        one.decisions_metadata[1].decision_key
    );
    assert_eq!(created(&h.log).len(), 3);

    // The same content under another name, and what is deployed with something new, is new.
    deployed(&mut h, &[("b.dmn", &model("5"))]);
    let process = process("decisionId='second'");
    deployed(&mut h, &[("b.dmn", &model("5")), ("p.bpmn", &process)]);
    assert_eq!(created(&h.log)[6..], ["drg 3", "first 3", "second 3"]);

    let answer = deploy(&mut h, &[("a.dmn", &model("5")), ("b.dmn", &model("6"))]);
    let rejection = answer.unwrap_err();
    assert_eq!(rejection.kind, RejectionType::InvalidArgument);
    assert_eq!(
        rejection.reason,
        "Expected to deploy new resources, but encountered the following errors:\nExpected the decision requirements ids to be unique within a deployment but found a duplicated id 'drg' in the resources 'a.dmn' and 'b.dmn'."
    );
    let rejection = deploy(&mut h, &[("c.dmn", &model("5 +"))]).unwrap_err();
    assert!(
        rejection
            .reason
            .contains("'c.dmn': FEEL expression: failed to parse")
    );
}

#[test]
fn a_client_gets_the_result_and_how_it_came_about() {
    let mut h = EngineHarness::new();
    let deployment = deployed(&mut h, &[("a.dmn", &model("5"))]);
    let result = evaluation(evaluate(&mut h, "second", Key::NONE, r#"{"x":1}"#));
    assert_eq!(json_of(result.decision_output.as_bytes()), "6");
    assert_eq!(
        (result.decision_name.as_str(), result.decision_version),
        ("Second", 1)
    );
    let [first, second] = &result.evaluated_decisions[..] else {
        panic!("{result:?}");
    };
    assert_eq!(
        (first.decision_id.as_str(), first.decision_type.as_str()),
        ("first", "DECISION_TABLE")
    );
    assert_eq!(
        first.decision_key,
        deployment.decisions_metadata[0].decision_key
    );
    assert_eq!(
        json_of(first.evaluated_inputs[0].input_value.as_bytes()),
        "1"
    );
    assert_eq!(first.evaluated_inputs[0].input_name, "x");
    let rule = &first.matched_rules[0];
    assert_eq!((rule.rule_id.as_str(), rule.rule_index), ("r1", 1));
    assert_eq!(
        json_of(rule.evaluated_outputs[0].output_value.as_bytes()),
        "5"
    );
    assert!(second.decision_evaluation_instance_key.ends_with("-2"));

    let key = deployment.decisions_metadata[0].decision_key;
    let by_key = evaluation(evaluate(&mut h, "", key, r#"{"x":2}"#));
    assert_eq!(json_of(by_key.decision_output.as_bytes()), "null");

    let missing = evaluate(&mut h, "none", Key::NONE, "{}").unwrap_err();
    assert_eq!(missing.kind, RejectionType::NotFound);
    assert_eq!(
        missing.reason,
        "Expected to evaluate decision 'none', but no decision found for id 'none'"
    );
    let missing = evaluate(&mut h, "", Key(7), "{}").unwrap_err();
    assert_eq!(
        missing.reason,
        "Expected to evaluate decision '7', but no decision found for key '7'"
    );
    let missing = evaluate(&mut h, "", Key::NONE, "{}").unwrap_err();
    assert_eq!(missing.kind, RejectionType::InvalidArgument);
}

#[test]
fn a_failed_decision_is_an_answer_too() {
    let mut h = EngineHarness::new();
    let rules = table("UNIQUE", "x", "y", &["- => 1", "- => 2"]);
    let model = file(&format!(
        "<decision id='first' name='First'>{rules}</decision>{SECOND}"
    ));
    deployed(&mut h, &[("a.dmn", &model)]);
    let answer = evaluate(&mut h, "second", Key::NONE, "{}");
    assert_eq!(
        answer.as_ref().unwrap().intent,
        of::DecisionEvaluation::Failed.into()
    );
    let failed = evaluation(answer);
    assert_eq!(failed.failed_decision_id, "first");
    assert_eq!(
        failed.evaluation_failure_message,
        "Expected to evaluate decision 'second', but multiple values aren't allowed for UNIQUE hit policy. found: 'List(Map(y -> 1), Map(y -> 2))'"
    );
    assert_eq!(json_of(failed.decision_output.as_bytes()), "null");
}

#[test]
fn a_task_calls_a_decision() {
    let mut h = EngineHarness::new();
    deployed(
        &mut h,
        &[
            ("a.dmn", &model("5")),
            ("p.bpmn", &process("decisionId='=name'")),
        ],
    );
    let instance = h.create("p", r#"{"name":"second","x":1}"#);
    let evaluations = h
        .log
        .iter()
        .filter(|record| record.intent == of::DecisionEvaluation::Evaluated.into());
    let Some(Value::DecisionEvaluation(value)) = evaluations.map(|record| &record.value).next()
    else {
        panic!("no evaluation");
    };
    assert_eq!(
        (value.element_id.as_str(), value.process_instance_key),
        ("t", instance)
    );
    let result = h.log.iter().find_map(|record| match &record.value {
        Value::Variable(value) if value.name == "result" => Some(json_of(value.value.as_bytes())),
        _ => None,
    });
    assert_eq!(result.as_deref(), Some("6"));
    h.assert_clean();
}

fn incident(h: &EngineHarness) -> (ErrorType, String) {
    let last = h.log.iter().rev().find_map(|record| match &record.value {
        Value::Incident(value) if record.intent == of::Incident::Created.into() => {
            Some((value.error_type, value.error_message.to_string()))
        }
        _ => None,
    });
    last.expect("an incident")
}

#[test]
fn decisions_that_cannot_be_called_or_fail_are_incidents() {
    let mut h = EngineHarness::new();
    deployed(&mut h, &[("p.bpmn", &process("decisionId='first'"))]);
    h.create("p", "{}");
    assert_eq!(
        incident(&h),
        (
            ErrorType::CalledDecisionError,
            "Expected to evaluate decision 'first', but no decision found for id 'first'"
                .to_owned()
        )
    );
    let bound = process("decisionId='=name' bindingType='deployment'");
    let deployment = deployed(&mut h, &[("p.bpmn", &bound)]).deployment_key;
    h.create("p", r#"{"name":"first"}"#);
    assert_eq!(
        incident(&h).1,
        format!(
            "Expected to evaluate decision 'first' with binding type 'deployment', but no such decision found in the deployment with key {deployment} which contained the current process. To resolve this incident, migrate the process instance to a process definition that is deployed together with the intended decision to evaluate."
        )
    );
    let tagged = process("decisionId='first' bindingType='versionTag' versionTag='v1'");
    deployed(&mut h, &[("p.bpmn", &tagged)]);
    h.create("p", "{}");
    assert_eq!(
        incident(&h).1,
        "Expected to evaluate decision with id 'first' and version tag 'v1', but no such decision found. To resolve this incident, deploy a decision with the given id and version tag."
    );
    let rules = table("UNIQUE", "x", "y", &["- => 1", "- => 2"]);
    let failing = file(&format!(
        "<decision id='first' name='First'>{rules}</decision>"
    ));
    deployed(
        &mut h,
        &[
            ("a.dmn", &failing),
            ("p.bpmn", &process("decisionId='first'")),
        ],
    );
    h.create("p", "{}");
    let (kind, message) = incident(&h);
    assert_eq!(kind, ErrorType::DecisionEvaluationError);
    assert!(message.starts_with("Expected to evaluate decision 'first', but multiple values"));
    let failed = |record: &&Record| record.intent == of::DecisionEvaluation::Failed.into();
    assert_eq!(h.log.iter().filter(failed).count(), 1);
}

#[test]
fn bindings_choose_the_version() {
    let tag = "<extensionElements><zeebe:versionTag xmlns:zeebe='http://camunda.org/schema/zeebe/1.0' value='v1'/></extensionElements>";
    let tagged = model("10").replace("name='First'>", &format!("name='First'>{tag}"));
    let result = |binding: &str| {
        let mut h = EngineHarness::new();
        let called = format!("decisionId='first' {binding}");
        deployed(&mut h, &[("a.dmn", &tagged)]);
        deployed(
            &mut h,
            &[("a.dmn", &model("20")), ("p.bpmn", &process(&called))],
        );
        deployed(&mut h, &[("a.dmn", &model("30"))]);
        h.create("p", r#"{"x":1}"#);
        let value = h.log.iter().find_map(|record| match &record.value {
            Value::Variable(value) if value.name == "result" => {
                Some(json_of(value.value.as_bytes()))
            }
            _ => None,
        });
        value.expect("a result")
    };
    assert_eq!(result("bindingType='versionTag' versionTag='v1'"), "10");
    assert_eq!(result("bindingType='deployment'"), "20");
    assert_eq!(result("bindingType='latest'"), "30");
}

#[test]
fn deleting_a_graph_deletes_its_decisions() {
    let mut h = EngineHarness::new();
    deployed(&mut h, &[("a.dmn", &model("5"))]);
    let second = deployed(&mut h, &[("a.dmn", &model("6"))]);
    let delete = |h: &mut EngineHarness, key: Key| {
        let record = ResourceDeletionRecord {
            resource_key: key,
            ..ResourceDeletionRecord::default()
        };
        h.request(Command::internal(
            Key::NONE,
            of::ResourceDeletion::Delete,
            record,
        ))
        .expect("answered at once")
    };
    let key = second.decision_requirements_metadata[0].decision_requirements_key;
    delete(&mut h, key).unwrap();
    let events: Vec<String> = h.log[h.log.len() - 5..]
        .iter()
        .map(|record| format!("{:?}", record.intent))
        .collect();
    assert_eq!(
        events,
        [
            "RESOURCE_DELETION DELETING",
            "DECISION DELETED",
            "DECISION DELETED",
            "DECISION_REQUIREMENTS DELETED",
            "RESOURCE_DELETION DELETED"
        ]
    );
    // The version before counts again.
    let result = evaluation(evaluate(&mut h, "first", Key::NONE, r#"{"x":1}"#));
    assert_eq!(
        (
            result.decision_version,
            json_of(result.decision_output.as_bytes()).as_str()
        ),
        (1, "5")
    );
    assert_eq!(
        delete(&mut h, key).unwrap_err().kind,
        RejectionType::NotFound
    );
}

#[test]
fn other_partitions_get_the_same_decisions() {
    let mut h = EngineHarness::with_config(EngineConfig {
        partition_count: 2,
        ..EngineConfig::default()
    });
    let mut other = EngineHarness::with_config(EngineConfig {
        partition: ringflow_core::ids::PartitionId(2),
        partition_count: 2,
        ..EngineConfig::default()
    });
    let deployment = deployed(&mut h, &[("a.dmn", &model("5"))]);
    let (to, command) = h.outbox.remove(0);
    assert_eq!(to.0, 2);
    other.process(command.clone());
    // Sent twice, applied once.
    other.process(command);
    assert_eq!(created(&other.log), ["drg 1", "first 1", "second 1"]);
    let key = deployment.decisions_metadata[0].decision_key;
    let result = evaluation(evaluate(&mut other, "", key, r#"{"x":1}"#));
    assert_eq!(json_of(result.decision_output.as_bytes()), "5");
}
