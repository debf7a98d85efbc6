//! Decisions over both protocols: one answer of the engine, and how each of them tells it.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DecisionEvaluationRecord, DecisionMetadata, DecisionRequirementsMetadata, DeploymentRecord,
    EvaluatedDecision, EvaluatedInput, EvaluatedOutput, MatchedRule,
};
use ringflow_core::record::{RawValue, RejectionType, Value};
use serde_json::json;

use crate::fake::{Fake, accepted, refused, start};
use crate::proto;

const KEY: i64 = 2_251_799_813_685_249;

/// The number 7 as a value.
fn seven() -> RawValue {
    RawValue::from(vec![7])
}

fn evaluation() -> DecisionEvaluationRecord {
    DecisionEvaluationRecord {
        decision_key: Key(KEY + 1),
        decision_id: "d".into(),
        decision_name: "Decision".into(),
        decision_version: 2,
        decision_requirements_id: "drg".into(),
        decision_requirements_key: Key(KEY + 2),
        decision_output: seven(),
        evaluated_decisions: vec![EvaluatedDecision {
            decision_id: "d".into(),
            decision_name: "Decision".into(),
            decision_key: Key(KEY + 1),
            decision_version: 2,
            decision_type: "DECISION_TABLE".into(),
            decision_output: seven(),
            decision_evaluation_instance_key: format!("{KEY}-1").into(),
            evaluated_inputs: vec![EvaluatedInput {
                input_id: "i".into(),
                input_name: "in".into(),
                input_value: seven(),
            }],
            matched_rules: vec![MatchedRule {
                rule_id: "r".into(),
                rule_index: 1,
                evaluated_outputs: vec![EvaluatedOutput {
                    output_id: "o".into(),
                    output_name: "out".into(),
                    output_value: seven(),
                }],
            }],
            ..EvaluatedDecision::default()
        }],
        ..DecisionEvaluationRecord::default()
    }
}

#[tokio::test]
async fn an_evaluation_is_told_by_both_protocols() {
    let script = |_, _: &_| accepted(Key(KEY), of::DecisionEvaluation::Evaluated, evaluation());
    let running = start(Fake::new(1, script)).await;
    let request = proto::EvaluateDecisionRequest {
        decision_id: "d".into(),
        variables: r#"{"x":1}"#.into(),
        ..proto::EvaluateDecisionRequest::default()
    };
    let answer = running.grpc().await.evaluate_decision(request).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.decision_output, "7");
    assert_eq!(
        (answer.decision_evaluation_key, answer.decision_instance_key),
        (KEY, KEY)
    );
    let one = &answer.evaluated_decisions[0];
    assert_eq!(one.evaluated_inputs[0].input_value, "7");
    assert_eq!(one.matched_rules[0].evaluated_outputs[0].output_name, "out");
    assert_eq!(one.decision_evaluation_instance_key, format!("{KEY}-1"));

    let by_key = json!({"decisionDefinitionKey": (KEY + 1).to_string(), "variables": {"x": 1}});
    let answer = running
        .post("/decision-definitions/evaluation", by_key)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::DecisionEvaluation(sent) = running.fake.last().value else {
        panic!("another command");
    };
    assert_eq!(sent.decision_key, Key(KEY + 1));
    assert!(sent.decision_id.is_empty());
    let answer = answer.json();
    assert_eq!(answer["output"], "7");
    assert_eq!(answer["failureMessage"], json!(null));
    assert_eq!(answer["decisionEvaluationKey"], KEY.to_string());
    assert_eq!(
        answer["evaluatedDecisions"][0]["matchedRules"],
        json!([{"ruleId": "r", "ruleIndex": 1, "evaluatedOutputs": [
            {"outputId": "o", "outputName": "out", "outputValue": "7", "ruleId": "r", "ruleIndex": 1}
        ]}])
    );
}

#[tokio::test]
async fn a_failed_decision_is_an_answer_and_a_missing_one_is_not() {
    let failing = |_, _: &_| {
        let record = DecisionEvaluationRecord {
            evaluation_failure_message: "it failed".into(),
            failed_decision_id: "d".into(),
            decision_output: RawValue::default(),
            evaluated_decisions: Vec::new(),
            ..evaluation()
        };
        accepted(Key(KEY), of::DecisionEvaluation::Failed, record)
    };
    let running = start(Fake::new(1, failing)).await;
    let by_id = json!({"decisionDefinitionId": "d"});
    let answer = running
        .post("/decision-definitions/evaluation", by_id.clone())
        .await;
    let answer = answer.json();
    assert_eq!(answer["failureMessage"], "it failed");
    assert_eq!(answer["failedDecisionDefinitionId"], "d");
    assert_eq!(answer["output"], "null");

    let missing = "Expected to evaluate decision 'd', but no decision found for id 'd'";
    let running = start(Fake::new(1, move |_, command| {
        refused(command, RejectionType::NotFound, missing)
    }))
    .await;
    let problem = running
        .post("/decision-definitions/evaluation", by_id)
        .await
        .problem();
    assert_eq!(problem.0, 404);
    assert!(problem.2.contains(missing), "{problem:?}");
    let request = proto::EvaluateDecisionRequest {
        decision_id: "d".into(),
        ..proto::EvaluateDecisionRequest::default()
    };
    let status = running
        .grpc()
        .await
        .evaluate_decision(request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert!(status.message().contains(missing), "{}", status.message());
}

#[tokio::test]
async fn deployments_list_decisions_and_graphs() {
    let script = |_, _: &_| {
        accepted(
            Key(KEY),
            of::Deployment::Created,
            DeploymentRecord {
                decisions_metadata: vec![DecisionMetadata {
                    decision_id: "d".into(),
                    decision_name: "Decision".into(),
                    version: 2,
                    decision_key: Key(KEY + 1),
                    decision_requirements_id: "drg".into(),
                    decision_requirements_key: Key(KEY + 2),
                    ..DecisionMetadata::default()
                }],
                decision_requirements_metadata: vec![DecisionRequirementsMetadata {
                    decision_requirements_id: "drg".into(),
                    decision_requirements_name: "Graph".into(),
                    decision_requirements_version: 3,
                    decision_requirements_key: Key(KEY + 2),
                    resource_name: "a.dmn".into(),
                    ..DecisionRequirementsMetadata::default()
                }],
                ..DeploymentRecord::default()
            },
        )
    };
    let running = start(Fake::new(1, script)).await;
    let request = proto::DeployResourceRequest {
        resources: vec![proto::Resource {
            name: "a.dmn".into(),
            content: b"<x/>"[..].into(),
        }],
        ..proto::DeployResourceRequest::default()
    };
    let answer = running.grpc().await.deploy_resource(request).await;
    let entries: Vec<_> = answer.unwrap().into_inner().deployments;
    use proto::deployment::Metadata;
    let Some(Metadata::Decision(decision)) = &entries[0].metadata else {
        panic!("{entries:?}");
    };
    assert_eq!((decision.decision_key, decision.version), (KEY + 1, 2));
    let Some(Metadata::DecisionRequirements(graph)) = &entries[1].metadata else {
        panic!("{entries:?}");
    };
    assert_eq!(graph.dmn_decision_requirements_name, "Graph");

    let url = format!("http://{}/v2/deployments", running.gateway.rest);
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.dmn\"\r\n\r\n\
                <x/>\r\n--b--\r\n";
    let answer = crate::fake::http("POST", &url, &headers, body.into())
        .await
        .json();
    assert_eq!(
        answer["deployments"],
        json!([
            {
                "processDefinition": null,
                "decisionDefinition": {
                    "decisionDefinitionId": "d",
                    "version": 2,
                    "name": "Decision",
                    "tenantId": "<default>",
                    "decisionRequirementsId": "drg",
                    "decisionDefinitionKey": (KEY + 1).to_string(),
                    "decisionRequirementsKey": (KEY + 2).to_string(),
                },
                "decisionRequirements": null,
                "form": null,
                "resource": null,
            },
            {
                "processDefinition": null,
                "decisionDefinition": null,
                "decisionRequirements": {
                    "decisionRequirementsId": "drg",
                    "decisionRequirementsName": "Graph",
                    "version": 3,
                    "resourceName": "a.dmn",
                    "tenantId": "<default>",
                    "decisionRequirementsKey": (KEY + 2).to_string(),
                },
                "form": null,
                "resource": null,
            }
        ])
    );
}
