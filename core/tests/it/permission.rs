//! Who may send which command: without its permission nothing is reached, with it everything is.

use ringflow_core::claims::Claims;
use ringflow_core::engine::effect::StreamId;
use ringflow_core::engine::input::Command;
use ringflow_core::engine::{EngineConfig, StreamSpec};
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{Intent, RejectionType, Text, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, EngineHarness, document};

pub(crate) fn guarded() -> EngineHarness {
    EngineHarness::with_config(EngineConfig {
        authorizations: true,
        ..EngineConfig::default()
    })
}

pub(crate) fn internal(
    at: &mut EngineHarness,
    intent: impl Into<Intent>,
    value: impl Into<Value>,
) -> Key {
    let command = Command::internal(Key::NONE, intent, value);
    at.answered(command).unwrap().key
}

pub(crate) fn as_user(
    name: &str,
    key: Key,
    intent: impl Into<Intent>,
    value: impl Into<Value>,
) -> Command {
    Command {
        authorization: Claims::of_user(name).document(),
        ..Command::internal(key, intent, value)
    }
}

pub(crate) fn allow(
    at: &mut EngineHarness,
    user: &str,
    resource: ResourceType,
    permission: PermissionType,
    id: &str,
) -> Key {
    internal(
        at,
        of::Authorization::Create,
        AuthorizationRecord {
            owner_type: OwnerType::User,
            owner_id: user.into(),
            resource_type: resource,
            resource_matcher: if id == "*" {
                ResourceMatcher::Any
            } else {
                ResourceMatcher::Id
            },
            resource_id: id.into(),
            permission_types: PermissionSet::of(&[permission]),
            ..AuthorizationRecord::default()
        },
    )
}

fn process() -> String {
    bpmn(
        "process",
        &format!(
            "<bpmn:startEvent id=\"s\"/>{}{}<bpmn:endEvent id=\"e\"/>{}",
            flow("f1", "s", "t"),
            service_task("t", "work"),
            flow("f2", "t", "e")
        ),
    )
}

/// Everything a client can send, with the permission it needs.
#[test]
fn no_command_is_reached_without_its_permission() {
    use PermissionType as P;
    use ResourceType as R;
    type Case = (Intent, Value, R, P, &'static str);
    let user = |name: &str| UserRecord {
        username: name.into(),
        ..UserRecord::default()
    };
    let group = GroupRecord {
        group_id: "g".into(),
        entity_id: "x".into(),
        entity_type: EntityType::User,
        ..GroupRecord::default()
    };
    let role = RoleRecord {
        role_id: "r".into(),
        entity_id: "x".into(),
        entity_type: EntityType::User,
        ..RoleRecord::default()
    };
    let tenant = TenantRecord {
        tenant_id: "t".into(),
        entity_id: "x".into(),
        entity_type: EntityType::User,
        ..TenantRecord::default()
    };
    let rule = MappingRuleRecord {
        mapping_rule_id: "m".into(),
        claim_name: "c".into(),
        claim_value: "v".into(),
        name: "n".into(),
        ..MappingRuleRecord::default()
    };
    let granted = AuthorizationRecord {
        owner_type: OwnerType::Client,
        owner_id: "c".into(),
        resource_type: R::Message,
        resource_matcher: ResourceMatcher::Any,
        resource_id: "*".into(),
        permission_types: PermissionSet::of(&[P::Read]),
        ..AuthorizationRecord::default()
    };
    let creation = ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        ..ProcessInstanceCreationRecord::default()
    };
    let cases: Vec<Case> = vec![
        (
            of::User::Create.into(),
            user("n").into(),
            R::User,
            P::Create,
            "*",
        ),
        (
            of::User::Update.into(),
            user("x").into(),
            R::User,
            P::Update,
            "x",
        ),
        (
            of::User::Delete.into(),
            user("x").into(),
            R::User,
            P::Delete,
            "x",
        ),
        (
            of::Group::Create.into(),
            group.clone().into(),
            R::Group,
            P::Create,
            "*",
        ),
        (
            of::Group::Update.into(),
            group.clone().into(),
            R::Group,
            P::Update,
            "g",
        ),
        (
            of::Group::AddEntity.into(),
            group.clone().into(),
            R::Group,
            P::Update,
            "g",
        ),
        (
            of::Group::RemoveEntity.into(),
            group.clone().into(),
            R::Group,
            P::Update,
            "g",
        ),
        (
            of::Group::Delete.into(),
            group.into(),
            R::Group,
            P::Delete,
            "g",
        ),
        (
            of::Role::Create.into(),
            role.clone().into(),
            R::Role,
            P::Create,
            "*",
        ),
        (
            of::Role::Update.into(),
            role.clone().into(),
            R::Role,
            P::Update,
            "r",
        ),
        (
            of::Role::AddEntity.into(),
            role.clone().into(),
            R::Role,
            P::Update,
            "r",
        ),
        (
            of::Role::RemoveEntity.into(),
            role.clone().into(),
            R::Role,
            P::Update,
            "r",
        ),
        (
            of::Role::Delete.into(),
            role.into(),
            R::Role,
            P::Delete,
            "r",
        ),
        (
            of::Tenant::Create.into(),
            tenant.clone().into(),
            R::Tenant,
            P::Create,
            "*",
        ),
        (
            of::Tenant::Update.into(),
            tenant.clone().into(),
            R::Tenant,
            P::Update,
            "t",
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant.clone().into(),
            R::Tenant,
            P::Update,
            "t",
        ),
        (
            of::Tenant::RemoveEntity.into(),
            tenant.clone().into(),
            R::Tenant,
            P::Update,
            "t",
        ),
        (
            of::Tenant::Delete.into(),
            tenant.into(),
            R::Tenant,
            P::Delete,
            "t",
        ),
        (
            of::MappingRule::Create.into(),
            rule.clone().into(),
            R::MappingRule,
            P::Create,
            "*",
        ),
        (
            of::MappingRule::Update.into(),
            rule.clone().into(),
            R::MappingRule,
            P::Update,
            "m",
        ),
        (
            of::MappingRule::Delete.into(),
            rule.into(),
            R::MappingRule,
            P::Delete,
            "*",
        ),
        (
            of::Authorization::Create.into(),
            granted.clone().into(),
            R::Authorization,
            P::Create,
            "*",
        ),
        (
            of::Authorization::Update.into(),
            granted.clone().into(),
            R::Authorization,
            P::Update,
            "*",
        ),
        (
            of::Authorization::Delete.into(),
            granted.into(),
            R::Authorization,
            P::Delete,
            "*",
        ),
        (
            of::ProcessInstanceCreation::Create.into(),
            creation.clone().into(),
            R::ProcessDefinition,
            P::CreateProcessInstance,
            "process",
        ),
        (
            of::ProcessInstanceCreation::CreateWithAwaitingResult.into(),
            creation.into(),
            R::ProcessDefinition,
            P::CreateProcessInstance,
            "process",
        ),
        (
            of::Message::Publish.into(),
            MessageRecord::default().into(),
            R::Message,
            P::Create,
            "*",
        ),
        (
            of::Deployment::Create.into(),
            DeploymentRecord::default().into(),
            R::Resource,
            P::Create,
            "*",
        ),
    ];
    let mut at = guarded();
    at.deploy(&process());
    for id in ["r", "m", "other"] {
        let role = RoleRecord {
            role_id: id.into(),
            ..RoleRecord::default()
        };
        internal(&mut at, of::Role::Create, role);
        let rule = MappingRuleRecord {
            mapping_rule_id: id.into(),
            claim_name: "claim".into(),
            claim_value: id.into(),
            name: "n".into(),
            ..MappingRuleRecord::default()
        };
        internal(&mut at, of::MappingRule::Create, rule);
    }
    for (number, (intent, value, resource, permission, id)) in cases.into_iter().enumerate() {
        let name = format!("user{number}");
        let command = || as_user(&name, Key::NONE, intent, value.clone());
        let forbidden = |answer: Option<Answer>| {
            answer.is_some_and(|answer| {
                answer.is_err_and(|rejection| {
                    rejection.kind == RejectionType::Forbidden
                        && rejection.reason.starts_with("Insufficient permissions")
                })
            })
        };
        assert!(forbidden(at.request(command())), "{intent:?} is refused");
        // The same permission on something else, and another one on the same, are of no use.
        if id != "*" {
            allow(&mut at, &name, resource, permission, "other");
            assert!(forbidden(at.request(command())), "{intent:?} elsewhere");
        }
        allow(&mut at, &name, R::Component, P::Access, "*");
        assert!(forbidden(at.request(command())), "{intent:?} by another");
        allow(&mut at, &name, resource, permission, id);
        assert!(!forbidden(at.request(command())), "{intent:?} is allowed");
    }
}

#[test]
fn what_is_in_an_instance_needs_a_permission_on_its_process() {
    let mut at = guarded();
    at.deploy(&process());
    let instance = at.create("process", "");
    let (job, _) = at.activate("work").remove(0);
    let cases: Vec<(Key, Intent, Value, &str)> = vec![
        (
            instance,
            of::ProcessInstance::Cancel.into(),
            ProcessInstanceRecord::default().into(),
            "CANCEL_PROCESS_INSTANCE",
        ),
        (
            Key::NONE,
            of::VariableDocument::Update.into(),
            VariableDocumentRecord {
                scope_key: instance,
                ..VariableDocumentRecord::default()
            }
            .into(),
            "UPDATE_PROCESS_INSTANCE",
        ),
        (
            job,
            of::Job::Complete.into(),
            JobRecord::default().into(),
            "UPDATE_PROCESS_INSTANCE",
        ),
        (
            job,
            of::Job::Fail.into(),
            JobRecord::default().into(),
            "UPDATE_PROCESS_INSTANCE",
        ),
        (
            job,
            of::Job::UpdateRetries.into(),
            JobRecord::default().into(),
            "UPDATE_PROCESS_INSTANCE",
        ),
    ];
    for (key, intent, value, permission) in cases {
        let answer = at.answered(as_user("nobody", key, intent, value));
        assert_eq!(
            answer.unwrap_err().reason.as_str(),
            format!(
                "Insufficient permissions to perform operation '{permission}' on resource \
                 'PROCESS_DEFINITION', required resource identifiers are one of '[*, process]'"
            )
        );
    }
    let (resource, permission) = (
        ResourceType::ProcessDefinition,
        PermissionType::UpdateProcessInstance,
    );
    allow(&mut at, "worker", resource, permission, "process");
    let complete = as_user("worker", job, of::Job::Complete, JobRecord::default());
    at.answered(complete).unwrap();
}

/// The one member of a role may do what the role may, also through a group and a mapping rule.
#[test]
fn permissions_come_through_roles_groups_and_mapping_rules() {
    let mut at = guarded();
    internal(
        &mut at,
        of::Role::Create,
        RoleRecord {
            role_id: "senders".into(),
            ..RoleRecord::default()
        },
    );
    internal(
        &mut at,
        of::MappingRule::Create,
        MappingRuleRecord {
            mapping_rule_id: "rule".into(),
            claim_name: "$.team".into(),
            claim_value: "red".into(),
            name: "n".into(),
            ..MappingRuleRecord::default()
        },
    );
    internal(
        &mut at,
        of::Authorization::Create,
        AuthorizationRecord {
            owner_type: OwnerType::Role,
            owner_id: "senders".into(),
            resource_type: ResourceType::Message,
            resource_matcher: ResourceMatcher::Any,
            resource_id: "*".into(),
            permission_types: PermissionSet::of(&[PermissionType::Create]),
            ..AuthorizationRecord::default()
        },
    );
    for (kind, id) in [
        (EntityType::User, "direct"),
        (EntityType::Group, "token-group"),
        (EntityType::MappingRule, "rule"),
        (EntityType::Client, "program"),
    ] {
        internal(
            &mut at,
            of::Role::AddEntity,
            RoleRecord {
                role_id: "senders".into(),
                entity_type: kind,
                entity_id: id.into(),
                ..RoleRecord::default()
            },
        );
    }
    let user = |name: &str| Claims::of_user(name);
    let cases = [
        (user("direct"), true),
        (user("other"), false),
        (
            Claims {
                groups: Some(vec![Text::from("token-group")]),
                ..user("other")
            },
            true,
        ),
        (
            Claims {
                token: document(r#"{"team":"red"}"#),
                ..user("other")
            },
            true,
        ),
        (
            Claims {
                token: document(r#"{"team":"blue"}"#),
                ..user("other")
            },
            false,
        ),
        (
            Claims {
                client_id: Some(Text::from("program")),
                ..Claims::default()
            },
            true,
        ),
        // The program goes before the user.
        (
            Claims {
                client_id: Some(Text::from("stranger")),
                ..user("direct")
            },
            false,
        ),
        (Claims::anonymous(), true),
    ];
    for (claims, allowed) in cases {
        let command = Command {
            authorization: claims.document(),
            ..Command::internal(Key::NONE, of::Message::Publish, MessageRecord::default())
        };
        assert_eq!(at.answered(command).is_ok(), allowed, "{claims:?}");
    }
}

#[test]
fn a_batch_operation_on_one_instance_takes_the_right_to_update_it() {
    let mut at = guarded();
    let (resource, update) = (
        ResourceType::ProcessDefinition,
        PermissionType::UpdateProcessInstance,
    );
    allow(&mut at, "operator", resource, update, "process");
    let resolve = |process: &str| {
        let record = BatchOperationCreationRecord {
            batch_operation_type: BatchOperationType::ResolveIncident,
            entity_filter: "{\"processInstanceKey\":\"1\"}".into(),
            of_process: process.into(),
            ..BatchOperationCreationRecord::default()
        };
        as_user(
            "operator",
            Key::NONE,
            of::BatchOperationCreation::Create,
            record,
        )
    };
    at.answered(resolve("process")).unwrap();
    let refused = |at: &mut EngineHarness, process: &str| {
        let rejection = at.answered(resolve(process)).unwrap_err();
        assert_eq!(rejection.kind, RejectionType::Forbidden);
        rejection.reason.to_string()
    };
    let said = refused(&mut at, "other");
    assert!(
        said.contains(
            "Insufficient permissions to perform operation 'UPDATE_PROCESS_INSTANCE' on resource \
             'PROCESS_DEFINITION'"
        ),
        "{said}"
    );
    let said = refused(&mut at, "");
    assert!(
        said.contains("CREATE_BATCH_OPERATION_RESOLVE_INCIDENT"),
        "{said}"
    );
}

#[test]
fn workers_get_the_jobs_they_may_work_on() {
    let mut at = guarded();
    at.deploy(&process());
    at.deploy(&process().replace("\"process\"", "\"other\""));
    at.create("process", "");
    at.create("other", "");
    let (resource, permission) = (
        ResourceType::ProcessDefinition,
        PermissionType::UpdateProcessInstance,
    );
    allow(&mut at, "worker", resource, permission, "other");
    let batch = JobBatchRecord {
        job_type: "work".into(),
        timeout: 1000,
        max_jobs: 1,
        tenant_ids: vec![default_tenant()],
        ..JobBatchRecord::default()
    };
    let taken = |at: &mut EngineHarness, name: &str| -> Vec<Text> {
        let command = as_user(name, Key::NONE, of::JobBatch::Activate, batch.clone());
        let Value::JobBatch(batch) = at.answered(command).unwrap().value else {
            panic!("another answer");
        };
        batch
            .jobs
            .iter()
            .map(|job| job.bpmn_process_id.clone())
            .collect()
    };
    assert_eq!(taken(&mut at, "nobody"), [] as [Text; 0]);
    assert_eq!(taken(&mut at, "worker"), [Text::from("other")]);
    assert_eq!(taken(&mut at, "worker"), [] as [Text; 0]);

    let spec = |user: &str| StreamSpec {
        job_type: "work".into(),
        worker: "w".into(),
        timeout: 1000,
        fetch_variables: Vec::new(),
        tenant_ids: Vec::new(),
        authorization: Claims::of_user(user).document(),
    };
    at.engine.streams().add(StreamId(1), spec("nobody"));
    at.engine.streams().add(StreamId(2), spec("worker"));
    at.effects.clear();
    at.create("process", "");
    at.create("other", "");
    let pushed: Vec<String> = at.effects.iter().map(|it| format!("{it:?}")).collect();
    let to = |stream: &str| pushed.iter().filter(|it| it.contains(stream)).count();
    assert_eq!((to("StreamId(1)"), to("StreamId(2)")), (0, 1), "{pushed:?}");
}

#[test]
fn a_user_task_lets_those_it_names_do_what_their_property_allows() {
    let mut at = guarded();
    at.deploy(&bpmn("process", &format!(
        "<bpmn:startEvent id=\"s\"/>{}<bpmn:userTask id=\"t\"><bpmn:extensionElements><zeebe:userTask/>\
         <zeebe:assignmentDefinition candidateGroups=\"clerks\" candidateUsers=\"anna\"/>\
         </bpmn:extensionElements></bpmn:userTask>",
        flow("f1", "s", "t"),
    )));
    at.create("process", "");
    let task = (at.log.iter().rev())
        .find(|record| record.intent == Intent::UserTask(of::UserTask::Created))
        .unwrap()
        .key;
    let complete = |user: &str| {
        as_user(
            user,
            task,
            of::UserTask::Complete,
            UserTaskRecord::default(),
        )
    };
    let refused = at.answered(complete("anna")).unwrap_err();
    assert!(
        refused.reason.ends_with(&format!(
            "; and Insufficient permissions to perform operation 'COMPLETE' on resource \
             'USER_TASK', required resource identifiers are one of '[*, {task}]' or resource must \
             match property constraints '[candidateGroups, candidateUsers]'"
        )),
        "{}",
        refused.reason
    );
    for name in ["anna", "bert"] {
        internal(
            &mut at,
            of::Authorization::Create,
            AuthorizationRecord {
                owner_type: OwnerType::User,
                owner_id: name.into(),
                resource_type: ResourceType::UserTask,
                resource_matcher: ResourceMatcher::Property,
                resource_property_name: "candidateUsers".into(),
                permission_types: PermissionSet::of(&[PermissionType::Complete]),
                ..AuthorizationRecord::default()
            },
        );
    }
    assert!(
        at.answered(complete("bert")).is_err(),
        "the task does not name him"
    );
    at.answered(complete("anna")).unwrap();
}

#[test]
fn tenants_hide_what_is_not_of_them() {
    let mut at = EngineHarness::with_config(EngineConfig {
        tenancy: true,
        ..EngineConfig::default()
    });
    let tenant = |entity: &str| TenantRecord {
        tenant_id: "red".into(),
        entity_id: entity.into(),
        entity_type: EntityType::User,
        ..TenantRecord::default()
    };
    internal(&mut at, of::Tenant::Create, tenant(""));
    internal(&mut at, of::Tenant::AddEntity, tenant("anna"));
    let deployment = DeploymentRecord {
        resources: vec![DeploymentResource {
            resource: process().as_bytes().into(),
            resource_name: "p.bpmn".into(),
        }],
        tenant_id: "red".into(),
        ..DeploymentRecord::default()
    };
    let deploy = |user: &str| as_user(user, Key::NONE, of::Deployment::Create, deployment.clone());
    assert_eq!(
        at.answered(deploy("bert")).unwrap_err().reason.as_str(),
        "Expected to perform operation 'CREATE' on resource 'RESOURCE' for tenant 'red', but user \
         is not assigned to this tenant"
    );
    at.answered(deploy("anna")).unwrap();
    let creation = ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        tenant_id: "red".into(),
        ..ProcessInstanceCreationRecord::default()
    };
    let create = |user: &str| {
        let intent = of::ProcessInstanceCreation::Create;
        as_user(user, Key::NONE, intent, creation.clone())
    };
    let hidden = at.answered(create("bert")).unwrap_err();
    assert_eq!(hidden.kind, RejectionType::NotFound);
    assert_eq!(
        hidden.reason.as_str(),
        "Expected to perform operation 'CREATE_PROCESS_INSTANCE' on resource \
         'PROCESS_DEFINITION', but no resource was found for tenant 'red'"
    );
    let created = at.answered(create("anna")).unwrap();
    let Value::ProcessInstanceCreation(created) = created.value else {
        panic!("another answer");
    };
    let instance = created.process_instance_key;
    let job = (at.log.iter())
        .find(|record| record.intent == Intent::Job(of::Job::Created))
        .unwrap()
        .key;
    let cancel = of::ProcessInstance::Cancel;
    let signal = SignalRecord {
        signal_name: "nobody waits".into(),
        tenant_id: "red".into(),
        ..SignalRecord::default()
    };
    let decision = DecisionEvaluationRecord {
        decision_id: "x".into(),
        tenant_id: "red".into(),
        ..DecisionEvaluationRecord::default()
    };
    for (command, text) in [
        (
            as_user("bert", instance, cancel, ProcessInstanceRecord::default()),
            format!(
                "Expected to cancel a process instance with key '{instance}', but no such process \
                 was found"
            ),
        ),
        (
            as_user("bert", job, of::Job::ThrowError, JobRecord::default()),
            format!(
                "Expected to throw an error for job with key '{job}', but no such job was found"
            ),
        ),
        (
            as_user("bert", Key::NONE, of::Signal::Broadcast, signal),
            "Expected to broadcast signal for tenant 'red', but user is not assigned to this \
             tenant."
                .to_owned(),
        ),
        (
            as_user(
                "bert",
                Key::NONE,
                of::DecisionEvaluation::Evaluate,
                decision,
            ),
            "Expected to evaluate decision 'x', but no decision found for id 'x'".to_owned(),
        ),
    ] {
        assert_eq!(at.answered(command).unwrap_err().reason.as_str(), text);
    }
    let batch = |tenants: &[&str], filter: TenantFilter| JobBatchRecord {
        job_type: "work".into(),
        timeout: 1000,
        max_jobs: 10,
        tenant_ids: tenants.iter().copied().map(Text::from).collect(),
        tenant_filter: filter,
        ..JobBatchRecord::default()
    };
    let activate = |at: &mut EngineHarness, user: &str, batch: JobBatchRecord| {
        let answer = at.answered(as_user(user, Key::NONE, of::JobBatch::Activate, batch));
        answer.map(|answer| match answer.value {
            Value::JobBatch(batch) => batch.jobs.len(),
            _ => panic!("another answer"),
        })
    };
    let refused = activate(&mut at, "bert", batch(&["red"], TenantFilter::Provided)).unwrap_err();
    assert_eq!(refused.kind, RejectionType::Unauthorized);
    assert_eq!(
        refused.reason.as_str(),
        "Expected to activate job batch for tenants '[red]', but user is not authorized. \
         Authorized tenants are '[]'"
    );
    let assigned = || batch(&[], TenantFilter::Assigned);
    assert_eq!(activate(&mut at, "bert", assigned()), Ok(0));
    assert_eq!(activate(&mut at, "anna", assigned()), Ok(1));
}
