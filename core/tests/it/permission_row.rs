//! Every command has its row: clients' ones ask for a permission, the others are refused to clients.
//!
//! The list of commands that no client sends is explicit. A new command that is in no list, and not
//! in the table of permissions, fails here.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::{IntentKind, of};
use ringflow_core::record::value::*;
use ringflow_core::record::{Blob, Intent, RejectionType, Text, Value};

use super::dmn::{file, table};
use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, EngineHarness};
use super::permission::{allow, as_user, guarded};

/// Commands that the cluster gives itself.
fn internal_only() -> Vec<Intent> {
    use of::MessageSubscription as Subscription;
    use of::ProcessMessageSubscription as ProcessSubscription;
    vec![
        of::Job::TimeOut.into(),
        of::Job::RecurAfterBackoff.into(),
        of::Job::Yield.into(),
        of::ProcessInstance::ActivateElement.into(),
        of::ProcessInstance::CompleteElement.into(),
        of::ProcessInstance::TerminateElement.into(),
        of::ProcessInstance::ContinueTerminatingElement.into(),
        of::ProcessInstance::CompleteExecutionListener.into(),
        of::ProcessInstanceBatch::Terminate.into(),
        of::ProcessInstanceBatch::Activate.into(),
        of::CommandDistribution::Acknowledge.into(),
        of::Message::Expire.into(),
        of::MessageBatch::Expire.into(),
        Subscription::Create.into(),
        Subscription::Correlate.into(),
        Subscription::Reject.into(),
        Subscription::Delete.into(),
        Subscription::Migrate.into(),
        ProcessSubscription::Create.into(),
        ProcessSubscription::Correlate.into(),
        ProcessSubscription::Delete.into(),
        of::Timer::Trigger.into(),
        of::ConditionalSubscription::Trigger.into(),
        of::UserTask::Create.into(),
        of::UserTask::Cancel.into(),
        of::UserTask::CompleteTaskListener.into(),
        of::UserTask::DenyTaskListener.into(),
        of::AdHocSubProcessInstruction::Complete.into(),
        of::BatchOperationChunk::Create.into(),
        of::BatchOperationExecution::Execute.into(),
        of::BatchOperationPartitionLifecycle::Fail.into(),
        of::BatchOperationPartitionLifecycle::CompletePartition.into(),
        of::BatchOperationPartitionLifecycle::FailPartition.into(),
        of::IdentitySetup::Initialize.into(),
        of::GlobalListenerBatch::Configure.into(),
        of::AgentInstance::Complete.into(),
        of::AgentHistory::Commit.into(),
        of::AgentHistory::Discard.into(),
        of::Checkpoint::Create.into(),
        of::Checkpoint::ConfirmBackup.into(),
    ]
}

#[test]
fn every_command_is_for_clients_or_on_the_list_of_those_that_are_not() {
    let internal = internal_only();
    for &intent in Intent::ALL {
        if intent.kind() != IntentKind::Command {
            continue;
        }
        let mut at = guarded();
        let value = Value::default_of(intent.value_type());
        let records = at.process(as_user("nobody", Key::NONE, intent, value));
        let refusal = records.iter().find_map(|record| record.rejection.clone());
        let refused = refusal.is_some_and(|refusal| {
            refusal.kind == RejectionType::Forbidden
                && refusal.reason.ends_with("is no command for clients")
        });
        assert_eq!(refused, internal.contains(&intent), "{intent:?}");
    }
}

/// What the cases below are about.
struct Fixture {
    at: EngineHarness,
    instance: Key,
    process: Key,
    decisions: Key,
    decision: Key,
    form: Key,
    resource: Key,
}

fn fixture() -> Fixture {
    let mut at = guarded();
    let process = bpmn(
        "process",
        &[
            "<bpmn:startEvent id=\"s\"/>".to_owned(),
            flow("f1", "s", "t"),
            service_task("t", "work"),
        ]
        .concat(),
    );
    let rules = table("UNIQUE", "x", "y", &["1 => 2"]);
    let decisions = file(&format!(
        "<decision id='first' name='First'>{rules}</decision>"
    ));
    let files = [
        ("p.bpmn", process.as_str()),
        ("d.dmn", decisions.as_str()),
        ("f.form", r#"{"id":"form","components":[]}"#),
        ("r.txt", "text"),
    ];
    let resources = files.iter().map(|(name, content)| DeploymentResource {
        resource: Blob::from(content.as_bytes()),
        resource_name: (*name).into(),
    });
    let deployment = DeploymentRecord {
        resources: resources.collect(),
        ..DeploymentRecord::default()
    };
    let command = Command::internal(Key::NONE, of::Deployment::Create, deployment);
    let Value::Deployment(deployed) = at.answered(command).unwrap().value else {
        panic!("another answer");
    };
    Fixture {
        instance: at.create("process", ""),
        process: deployed.processes_metadata[0].process_definition_key,
        decisions: deployed.decision_requirements_metadata[0].decision_requirements_key,
        decision: deployed.decisions_metadata[0].decision_key,
        form: deployed.form_metadata[0].key,
        resource: deployed.resource_metadata[0].key,
        at,
    }
}

/// A command, the permission that suffices for it, and on what (`*` = only on everything).
type Case = (Intent, Value, ResourceType, PermissionType, Text);

fn on_instances(f: &Fixture) -> Vec<Case> {
    use PermissionType as P;
    use ResourceType as R;
    let instance = f.instance;
    let modification = ProcessInstanceModificationRecord {
        process_instance_key: instance,
        ..ProcessInstanceModificationRecord::default()
    };
    let migration = ProcessInstanceMigrationRecord {
        process_instance_key: instance,
        target_process_definition_key: f.process,
        ..ProcessInstanceMigrationRecord::default()
    };
    let ad_hoc = AdHocSubProcessInstructionRecord {
        ad_hoc_sub_process_instance_key: instance,
        ..AdHocSubProcessInstructionRecord::default()
    };
    let conditional = ConditionalEvaluationRecord {
        process_definition_key: f.process,
        ..ConditionalEvaluationRecord::default()
    };
    let history = HistoryDeletionRecord {
        resource_key: Key(7),
        process_id: "process".into(),
        ..HistoryDeletionRecord::default()
    };
    let of_decision = HistoryDeletionRecord {
        resource_type: HistoryDeletionType::DecisionInstance,
        decision_definition_id: "first".into(),
        ..HistoryDeletionRecord::default()
    };
    let deletion = of::HistoryDeletion::Delete;
    let task = f.at.log.iter().find_map(|record| match &record.value {
        Value::ProcessInstance(value) if value.element_id == "t" => Some(record.key),
        _ => None,
    });
    let agent = AgentInstanceRecord {
        element_instance_key: task.unwrap(),
        ..AgentInstanceRecord::default()
    };
    let process = || Text::from("process");
    vec![
        (
            of::ProcessInstanceModification::Modify.into(),
            modification.into(),
            R::ProcessDefinition,
            P::ModifyProcessInstance,
            process(),
        ),
        (
            of::ProcessInstanceMigration::Migrate.into(),
            migration.into(),
            R::ProcessDefinition,
            P::UpdateProcessInstance,
            process(),
        ),
        (
            of::AdHocSubProcessInstruction::Activate.into(),
            ad_hoc.into(),
            R::ProcessDefinition,
            P::UpdateProcessInstance,
            process(),
        ),
        (
            of::ConditionalEvaluation::Evaluate.into(),
            conditional.into(),
            R::ProcessDefinition,
            P::CreateProcessInstance,
            process(),
        ),
        (
            of::AgentInstance::Create.into(),
            agent.into(),
            R::ProcessDefinition,
            P::UpdateProcessInstance,
            process(),
        ),
        (
            deletion.into(),
            history.into(),
            R::ProcessDefinition,
            P::DeleteProcessInstance,
            process(),
        ),
        (
            deletion.into(),
            of_decision.into(),
            R::DecisionDefinition,
            P::DeleteDecisionInstance,
            "first".into(),
        ),
    ]
}

fn on_resources(f: &Fixture) -> Vec<Case> {
    use PermissionType as P;
    use ResourceType as R;
    let decision = |id: &str, key| DecisionEvaluationRecord {
        decision_id: id.into(),
        decision_key: key,
        ..DecisionEvaluationRecord::default()
    };
    let fetched = ResourceRecord {
        key: f.resource,
        ..ResourceRecord::default()
    };
    let evaluate: Intent = of::DecisionEvaluation::Evaluate.into();
    let mut cases = vec![
        (
            of::Resource::Fetch.into(),
            fetched.into(),
            R::Resource,
            P::Read,
            "r.txt".into(),
        ),
        (
            evaluate,
            decision("first", Key::NONE).into(),
            R::DecisionDefinition,
            P::CreateDecisionInstance,
            "first".into(),
        ),
        (
            evaluate,
            decision("", f.decision).into(),
            R::DecisionDefinition,
            P::CreateDecisionInstance,
            "first".into(),
        ),
    ];
    for (key, permission, id) in [
        (f.process, P::DeleteProcess, "process"),
        (f.decisions, P::DeleteDrd, "drg"),
        (f.form, P::DeleteForm, "form"),
        (f.resource, P::DeleteResource, "r.txt"),
    ] {
        let record = ResourceDeletionRecord {
            resource_key: key,
            ..ResourceDeletionRecord::default()
        };
        cases.push((
            of::ResourceDeletion::Delete.into(),
            record.into(),
            R::Resource,
            permission,
            id.into(),
        ));
    }
    cases
}

fn on_the_cluster() -> Vec<Case> {
    use PermissionType as P;
    use ResourceType as R;
    let variable = ClusterVariableRecord {
        name: "v".into(),
        scope: ClusterVariableScope::Global,
        ..ClusterVariableRecord::default()
    };
    let all = || Text::from("*");
    let expression = ExpressionRecord {
        expression: "=1".into(),
        ..ExpressionRecord::default()
    };
    let mut cases: Vec<Case> = vec![(
        of::Expression::Evaluate.into(),
        expression.into(),
        R::Expression,
        P::Evaluate,
        all(),
    )];
    for intent in [of::Clock::Pin, of::Clock::Reset] {
        let clock = ClockRecord::default().into();
        cases.push((intent.into(), clock, R::System, P::Update, all()));
    }
    for (intent, permission) in [
        (of::ClusterVariable::Create, P::Create),
        (of::ClusterVariable::Update, P::Update),
        (of::ClusterVariable::Delete, P::Delete),
    ] {
        let value = variable.clone().into();
        let id = "v".into();
        cases.push((intent.into(), value, R::ClusterVariable, permission, id));
    }
    use of::BatchOperationLifecycleManagement as Management;
    for intent in [Management::Cancel, Management::Suspend, Management::Resume] {
        let value = BatchOperationLifecycleManagementRecord::default().into();
        cases.push((intent.into(), value, R::Batch, P::Update, all()));
    }
    use BatchOperationType as Kind;
    for (kind, permission) in [
        (
            Kind::CancelProcessInstance,
            P::CreateBatchOperationCancelProcessInstance,
        ),
        (
            Kind::ResolveIncident,
            P::CreateBatchOperationResolveIncident,
        ),
        (
            Kind::MigrateProcessInstance,
            P::CreateBatchOperationMigrateProcessInstance,
        ),
        (
            Kind::ModifyProcessInstance,
            P::CreateBatchOperationModifyProcessInstance,
        ),
        (
            Kind::DeleteProcessInstance,
            P::CreateBatchOperationDeleteProcessInstance,
        ),
        (
            Kind::DeleteDecisionInstance,
            P::CreateBatchOperationDeleteDecisionInstance,
        ),
    ] {
        for permission in [permission, P::Create] {
            let record = BatchOperationCreationRecord {
                batch_operation_type: kind,
                ..BatchOperationCreationRecord::default()
            };
            cases.push((
                of::BatchOperationCreation::Create.into(),
                record.into(),
                R::Batch,
                permission,
                all(),
            ));
        }
    }
    cases
}

#[test]
fn commands_are_refused_without_their_permission_and_reached_with_it() {
    let mut f = fixture();
    let mut cases = on_instances(&f);
    cases.extend(on_the_cluster());
    // Last, since what is deleted is gone.
    cases.extend(on_resources(&f));
    for (number, (intent, value, resource, permission, id)) in cases.into_iter().enumerate() {
        let name = format!("user{number}");
        let command = || as_user(&name, Key::NONE, intent, value.clone());
        let forbidden = |answer: Option<Answer>| {
            answer.is_some_and(|answer| {
                answer.is_err_and(|refusal| {
                    refusal.kind == RejectionType::Forbidden
                        && refusal.reason.starts_with("Insufficient permissions")
                })
            })
        };
        assert!(forbidden(f.at.request(command())), "{intent:?} is refused");
        if id != *"*" {
            allow(&mut f.at, &name, resource, permission, "other");
            assert!(forbidden(f.at.request(command())), "{intent:?} elsewhere");
        }
        let other = PermissionType::Access;
        allow(&mut f.at, &name, ResourceType::Component, other, "*");
        assert!(forbidden(f.at.request(command())), "{intent:?} by another");
        allow(&mut f.at, &name, resource, permission, id.as_str());
        assert!(!forbidden(f.at.request(command())), "{intent:?} is allowed");
    }
}

#[test]
fn an_expression_in_an_instance_shows_its_variables() {
    let mut f = fixture();
    let record = ExpressionRecord {
        expression: "=1".into(),
        scope_key: f.instance,
        ..ExpressionRecord::default()
    };
    let command = || as_user("u", Key::NONE, of::Expression::Evaluate, record.clone());
    let (resource, permission) = (ResourceType::Expression, PermissionType::Evaluate);
    allow(&mut f.at, "u", resource, permission, "*");
    let refused = f.at.answered(command()).unwrap_err();
    assert!(refused.reason.contains("'READ_PROCESS_INSTANCE'"));
    let permission = PermissionType::ReadProcessInstance;
    let resource = ResourceType::ProcessDefinition;
    allow(&mut f.at, "u", resource, permission, "process");
    f.at.answered(command()).unwrap();
}
