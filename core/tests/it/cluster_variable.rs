//! Cluster variables: created, changed, deleted on every partition, and read by expressions.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::json;
use ringflow_core::msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ClusterVariableRecord, ClusterVariableScope, ExpressionRecord, JobRecord,
};
use ringflow_core::record::{RawValue, RejectionType, Value};

use super::harness::{Answer, Cluster, EngineHarness, json_of};

const READS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="test">
  <bpmn:process id="process" isExecutable="true">
    <bpmn:startEvent id="start" />
    <bpmn:sequenceFlow id="a" sourceRef="start" targetRef="task" />
    <bpmn:serviceTask id="task">
      <bpmn:extensionElements>
        <zeebe:taskDefinition type="work" />
        <zeebe:ioMapping>
          <zeebe:input source="=camunda.vars.env.region" target="env" />
          <zeebe:input source="=camunda.vars.cluster.region" target="cluster" />
          <zeebe:input source="=camunda.vars.tenant.region" target="tenant" />
        </zeebe:ioMapping>
      </bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:sequenceFlow id="b" sourceRef="task" targetRef="end" />
    <bpmn:endEvent id="end" />
  </bpmn:process>
</bpmn:definitions>"#;

fn variable(tenant: &str, name: &str, value: &str) -> ClusterVariableRecord {
    let mut bytes = Vec::new();
    msgpack::write_str(&mut bytes, value);
    ClusterVariableRecord {
        name: name.into(),
        value: RawValue::from(bytes),
        tenant_id: tenant.into(),
        scope: if tenant.is_empty() {
            ClusterVariableScope::Global
        } else {
            ClusterVariableScope::Tenant
        },
        ..ClusterVariableRecord::default()
    }
}

fn ask(
    h: &mut EngineHarness,
    intent: of::ClusterVariable,
    record: ClusterVariableRecord,
) -> Answer {
    h.request(Command::internal(Key::NONE, intent, record))
        .unwrap()
}

fn seen(h: &mut EngineHarness) -> String {
    h.create("process", "{}");
    let (key, job) = h.activate("work").remove(0);
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    json_of(&job.variables)
}

#[test]
fn expressions_read_the_tenants_variable_before_the_clusters() {
    use of::ClusterVariable as On;
    let mut h = EngineHarness::new();
    h.deploy(READS);
    ask(&mut h, On::Create, variable("", "region", "north")).unwrap();
    assert_eq!(
        seen(&mut h),
        r#"{"cluster":"north","env":"north","tenant":null}"#
    );
    ask(&mut h, On::Create, variable("<default>", "region", "south")).unwrap();
    assert_eq!(
        seen(&mut h),
        r#"{"cluster":"north","env":"south","tenant":"south"}"#
    );
    ask(&mut h, On::Update, variable("", "region", "east")).unwrap();
    ask(&mut h, On::Delete, variable("<default>", "region", "")).unwrap();
    assert_eq!(
        seen(&mut h),
        r#"{"cluster":"east","env":"east","tenant":null}"#
    );
    // A variable of the process is nearer.
    h.create(
        "process",
        r#"{"camunda":{"vars":{"env":{"region":"own"}}}}"#,
    );
    let (_, job) = h.activate("work").remove(0);
    assert!(json_of(&job.variables).contains(r#""env":"own""#));
}

#[test]
fn what_does_not_fit_is_refused_in_camundas_words() {
    use of::ClusterVariable as On;
    let mut h = EngineHarness::new();
    ask(&mut h, On::Create, variable("", "x", "1")).unwrap();
    let refused = ask(&mut h, On::Create, variable("", "x", "2")).unwrap_err();
    assert_eq!(refused.kind, RejectionType::AlreadyExists);
    assert_eq!(
        refused.reason.as_str(),
        "Invalid cluster variable name: 'x'. The name already exists in the scope 'GLOBAL'"
    );
    for intent in [On::Update, On::Delete] {
        let refused = ask(&mut h, intent, variable("t", "x", "")).unwrap_err();
        assert_eq!(refused.kind, RejectionType::NotFound);
        assert_eq!(
            refused.reason.as_str(),
            "Invalid cluster variable name: 'x'. The variable does not exist in the scope \
             'tenant: 't''"
        );
    }
    for name in ["", "a b"] {
        let refused = ask(&mut h, On::Create, variable("", name, "")).unwrap_err();
        assert_eq!(refused.kind, RejectionType::InvalidArgument);
    }
    let unscoped = ClusterVariableRecord {
        scope: ClusterVariableScope::Unspecified,
        ..variable("", "y", "")
    };
    assert!(ask(&mut h, On::Create, unscoped).is_err());
}

#[test]
fn every_partition_has_the_variable() {
    use of::ClusterVariable as On;
    let mut cluster = Cluster::new(3);
    for (intent, value) in [(On::Create, "a"), (On::Update, "b")] {
        ask(cluster.at(1), intent, variable("", "x", value)).unwrap();
        cluster.deliver();
    }
    for partition in 1..=3 {
        // It is there, so it cannot be created again.
        let refused = ask(cluster.at(partition), On::Create, variable("", "x", "c"));
        assert_eq!(refused.unwrap_err().kind, RejectionType::AlreadyExists);
    }
    ask(cluster.at(1), On::Delete, variable("", "x", "")).unwrap();
    cluster.deliver();
    for partition in 1..=3 {
        let refused = ask(cluster.at(partition), On::Delete, variable("", "x", ""));
        assert_eq!(refused.unwrap_err().kind, RejectionType::NotFound);
    }
}

#[test]
fn expressions_of_clients_read_those_of_the_tenant_they_name() {
    let mut h = EngineHarness::new();
    for (tenant, value) in [("", "all"), ("<default>", "ours"), ("other", "theirs")] {
        let record = variable(tenant, "region", value);
        ask(&mut h, of::ClusterVariable::Create, record).unwrap();
    }
    let source = "={ c: camunda.vars.cluster.region, t: camunda.vars.tenant.region, e: camunda.vars.env.region }";
    for (tenant, shown) in [
        ("<default>", r#"{"c":"all","t":"ours","e":"ours"}"#),
        ("other", r#"{"c":"all","t":"theirs","e":"theirs"}"#),
        ("", r#"{"c":"all","t":null,"e":"all"}"#),
    ] {
        let record = ExpressionRecord {
            expression: source.into(),
            tenant_id: tenant.into(),
            ..ExpressionRecord::default()
        };
        let command = Command::internal(Key::NONE, of::Expression::Evaluate, record);
        let Value::Expression(value) = h.answered(command).unwrap().value else {
            panic!("another answer");
        };
        let mut text = String::new();
        json::from_msgpack(value.result_value.as_bytes(), &mut text).unwrap();
        assert_eq!(text, shown, "{tenant}");
    }
}
