//! Agents: which elements are some, who may tell what about them, and what counts in the end.
//!
//! Streams of records are fixtures in `fixture/bpmn/agent/`; here is what is refused, what is not counted
//! twice, and what deployments, deletions and migrations make of agents.

use std::sync::Arc;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{Intent, RecordType, RejectionType, Text, Value};

use super::harness::{Answer, Cluster, EngineHarness};
use super::migrate::migrate;
use super::sketch;

/// A request to make an agent of an element instance.
pub(crate) fn created(element: Key) -> AgentInstanceRecord {
    AgentInstanceRecord {
        element_instance_key: element,
        definition: Arc::new(AgentInstanceDefinition {
            model: "m1".into(),
            provider: "p".into(),
            system_prompt: vec![content("be kind")],
        }),
        ..AgentInstanceRecord::default()
    }
}

fn content(text: &str) -> AgentContent {
    AgentContent {
        content_type: AgentContentType::Text,
        text: text.into(),
        ..AgentContent::default()
    }
}

/// A report of what an agent does.
pub(crate) fn doing(element: Key, status: &str) -> AgentInstanceRecord {
    let known = AgentInstanceStatus::ALL.iter().copied();
    AgentInstanceRecord {
        element_instance_key: element,
        status: known.into_iter().find(|it| it.name() == status).unwrap(),
        changed_attributes: vec!["status".into()],
        ..AgentInstanceRecord::default()
    }
}

/// A report of what an agent said.
pub(crate) fn saying(
    element: Key,
    job: Key,
    items: Vec<AgentHistoryRecord>,
) -> AgentInstanceRecord {
    AgentInstanceRecord {
        element_instance_key: element,
        job_key: job,
        history: items.into_iter().map(Arc::new).collect(),
        ..AgentInstanceRecord::default()
    }
}

/// A message; a configuration changes the model to `m2`.
pub(crate) fn item(role: &str, id: &str) -> AgentHistoryRecord {
    let role = *(AgentHistoryRole::ALL.iter())
        .find(|it| it.name() == role)
        .unwrap();
    let configures = role == AgentHistoryRole::Configuration;
    let says = role == AgentHistoryRole::Assistant;
    AgentHistoryRecord {
        history_item_id: id.into(),
        loop_iteration: 1,
        role,
        content: vec![content("words")],
        metrics: Arc::new(AgentHistoryMetrics {
            input_tokens: if says { 10 } else { -1 },
            output_tokens: if says { 5 } else { -1 },
            duration_ms: 7,
        }),
        tool_calls: if says {
            vec![AgentToolCall::default()]
        } else {
            Vec::new()
        },
        changed_attributes: if configures {
            vec!["model".into()]
        } else {
            Vec::new()
        },
        model: if configures { "m2".into() } else { Text::EMPTY },
        ..AgentHistoryRecord::default()
    }
}

/// An instance that waits at the service task `a`, whose job is active: element instance and job.
struct Waiting {
    h: EngineHarness,
    instance: Key,
    element: Key,
    job: Key,
}

const TASK: &str = "start s\nservice a type=llm agent=aiAgentTask\nend e\nflow s a e\n";

fn waiting(process: &str) -> Waiting {
    let mut h = EngineHarness::new();
    h.deploy(&sketch::bpmn(process));
    let instance = h.create("p", "{}");
    let job = h.activate("llm").remove(0).0;
    let element = element(&h, "a");
    Waiting {
        h,
        instance,
        element,
        job,
    }
}

fn element(h: &EngineHarness, id: &str) -> Key {
    let found = h.log.iter().rev().find(|record| {
        record.intent == Intent::ProcessInstance(of::ProcessInstance::ElementActivating)
            && matches!(&record.value, Value::ProcessInstance(value) if value.element_id == id)
    });
    found.unwrap().key
}

fn create(h: &mut EngineHarness, record: AgentInstanceRecord) -> Answer {
    h.answered(Command::internal(
        Key::NONE,
        of::AgentInstance::Create,
        record,
    ))
}

fn update(h: &mut EngineHarness, agent: Key, record: AgentInstanceRecord) -> Answer {
    h.answered(Command::internal(agent, of::AgentInstance::Update, record))
}

fn agent_of(answer: Answer) -> Arc<AgentInstanceRecord> {
    match answer.unwrap().value {
        Value::AgentInstance(value) => value,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: Answer, kind: RejectionType, reason: &str) {
    let refusal = answer.unwrap_err();
    assert_eq!((refusal.kind, refusal.reason.as_str()), (kind, reason));
}

fn definitions(h: &EngineHarness, intent: of::AgentDefinition) -> Vec<Arc<AgentDefinitionRecord>> {
    let events = h.log.iter().filter_map(|record| match &record.value {
        Value::AgentDefinition(value) if record.intent == intent.into() => Some(value.clone()),
        _ => None,
    });
    events.collect()
}

#[test]
fn an_element_instance_has_one_agent_while_it_is_active() {
    use RejectionType as R;
    let Waiting {
        mut h,
        instance,
        element: task,
        ..
    } = waiting(TASK);
    let nobody = create(&mut h, created(Key(5)));
    refused(
        nobody,
        R::NotFound,
        "Expected to create agent instance for element instance with key '5', but no such element instance was found.",
    );
    let process = create(&mut h, created(instance));
    refused(
        process,
        R::InvalidArgument,
        &format!(
            "Expected to create agent instance for element instance with key '{instance}', but its BPMN element type 'PROCESS' is not supported. Supported types are: [AD_HOC_SUB_PROCESS, SERVICE_TASK]."
        ),
    );
    let agent = agent_of(create(&mut h, created(task)));
    assert_eq!(agent.status, AgentInstanceStatus::Initializing);
    assert_eq!(agent.element_id.as_str(), "a");
    assert_eq!(agent.process_instance_key, instance);
    let definition = definitions(&h, of::AgentDefinition::Created).remove(0);
    assert_eq!(agent.agent_definition_key, definition.agent_definition_key);
    let key = agent.agent_instance_key;
    let again = create(&mut h, created(task));
    refused(
        again,
        R::AlreadyExists,
        &format!(
            "Expected to associate element instance with key '{task}' with an agent instance, but it is already associated with agent instance with key '{key}'."
        ),
    );
    let unknown = update(&mut h, Key(5), doing(task, "IDLE"));
    refused(
        unknown,
        R::NotFound,
        "Expected to update agent instance with key '5', but no such agent instance was found.",
    );
    let back = update(&mut h, key, doing(task, "COMPLETED"));
    refused(
        back,
        R::InvalidState,
        &format!(
            "Expected to update agent instance with key '{key}' from status 'INITIALIZING' to 'COMPLETED', but this transition is not allowed."
        ),
    );
    update(&mut h, key, doing(task, "TOOL_CALLING")).unwrap();
    let begins = update(&mut h, key, doing(task, "INITIALIZING"));
    assert_eq!(begins.unwrap_err().kind, R::InvalidState);
    let of_other = update(&mut h, key, doing(instance, "IDLE"));
    refused(
        of_other,
        R::InvalidArgument,
        &format!(
            "Expected to update agent instance with key '{key}' for element instance with key '{instance}', but the element id 'p' does not match the agent instance's element id 'a'."
        ),
    );
    let strange = AgentInstanceRecord {
        changed_attributes: vec!["model".into()],
        ..doing(task, "IDLE")
    };
    refused(
        update(&mut h, key, strange),
        R::InvalidArgument,
        "Expected to update agent instance, but changedAttributes contained unknown attribute(s) [model]. Allowed attributes are: [metrics, status, tools].",
    );
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn an_element_that_is_not_marked_has_agents_without_definition() {
    let plain = TASK.replace(" agent=aiAgentTask", "");
    let Waiting {
        mut h,
        element: task,
        ..
    } = waiting(&plain);
    let agent = agent_of(create(&mut h, created(task)));
    assert_eq!(agent.agent_definition_key, Key::NONE);
    assert!(definitions(&h, of::AgentDefinition::Created).is_empty());
}

#[test]
fn a_batch_names_its_job_and_its_items() {
    use RejectionType as R;
    let Waiting {
        mut h,
        instance,
        element: task,
        job,
    } = waiting(TASK);
    let key = agent_of(create(&mut h, created(task))).agent_instance_key;
    let says = |items| saying(task, job, items);
    let unowned = saying(task, Key::NONE, vec![item("USER", "u")]);
    let other_job = saying(task, Key(9), Vec::new());
    let nameless = says(vec![item("USER", "")]);
    let twice = says(vec![item("USER", "u"), item("USER", "u")]);
    let nobody = says(vec![item("UNSPECIFIED", "u")]);
    let nowhere = says(vec![AgentHistoryRecord {
        loop_iteration: 0,
        ..item("USER", "u")
    }]);
    let nothing = says(vec![AgentHistoryRecord {
        changed_attributes: Vec::new(),
        ..item("CONFIGURATION", "c")
    }]);
    let unknown = says(vec![AgentHistoryRecord {
        changed_attributes: vec!["colour".into()],
        ..item("CONFIGURATION", "c")
    }]);
    for (record, kind, reason) in [
        (
            unowned,
            R::InvalidArgument,
            "Expected a job to be provided for the embedded history batch, but no jobKey was set. A history batch must be attributed to the active job that produced it.",
        ),
        (
            other_job,
            R::NotFound,
            "Expected to update agent instance related to job with key '9', but job was not active.",
        ),
        (
            nameless,
            R::InvalidArgument,
            "Expected to add history item at index 0 to agent instance, but historyItemId is missing (got empty string). Each history item must have a non-empty historyItemId.",
        ),
        (
            twice,
            R::InvalidArgument,
            "Expected to create or update agent instance history, but historyItemId 'u' is used by more than one history item. Each history item must have a unique historyItemId.",
        ),
        (
            nobody,
            R::InvalidArgument,
            "Expected to add history item with historyItemId 'u' to agent instance, but its role is UNSPECIFIED. Each history item must declare a role.",
        ),
        (
            nowhere,
            R::InvalidArgument,
            "Expected to add history item with historyItemId 'u' to agent instance, but loopIteration is missing (got 0). Each history item must declare a positive loopIteration.",
        ),
        (
            nothing,
            R::InvalidArgument,
            "Expected to update agent instance configuration with history item 'c', but changedAttributes was empty. A CONFIGURATION item must name at least one attribute it changes.",
        ),
        (
            unknown,
            R::InvalidArgument,
            "Expected to update agent instance configuration with history item 'c', but changedAttributes contained unknown attribute(s) [colour]. Allowed attributes are: [maxModelCalls, maxTokens, maxToolCalls, model, provider, systemPrompt, tools].",
        ),
    ] {
        refused(update(&mut h, key, record), kind, reason);
    }
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn what_is_sent_again_counts_once() {
    let Waiting {
        mut h,
        element: task,
        job,
        ..
    } = waiting(
        &TASK
            .replace("end e", "service b type=next\nend e")
            .replace("a e", "a b e"),
    );
    let key = agent_of(create(&mut h, created(task))).agent_instance_key;
    let first = agent_of(update(
        &mut h,
        key,
        saying(task, job, vec![item("ASSISTANT", "x")]),
    ));
    assert_eq!(first.metrics.input_tokens, 10);
    assert_eq!(first.metrics.model_calls, 1);
    assert_eq!(first.metrics.tool_calls, 1);
    let again = agent_of(update(
        &mut h,
        key,
        saying(
            task,
            job,
            vec![item("ASSISTANT", "x"), item("ASSISTANT", "y")],
        ),
    ));
    assert_eq!(again.metrics.input_tokens, 20);
    assert!(again.history[0].is_duplicate && !again.history[1].is_duplicate);
    let keys = |agent: &AgentInstanceRecord| agent.history[0].agent_history_key;
    assert_eq!(keys(&again), keys(&first));
    // One item alone, as older clients send it, counts nothing.
    let alone = AgentHistoryRecord {
        agent_instance_key: key,
        element_instance_key: task,
        job_key: job,
        ..item("USER", "")
    };
    let command = Command::internal(Key::NONE, of::AgentHistory::Create, alone.clone());
    h.answered(command).unwrap();
    h.job(job, of::Job::Complete, JobRecord::default()).unwrap();
    let committed = h.log.iter().filter(|record| {
        record.intent == Intent::AgentHistory(of::AgentHistory::Committed)
            && record.record_type == RecordType::Event
    });
    assert_eq!(committed.count(), 3);
    let late = Command::internal(Key::NONE, of::AgentHistory::Create, alone);
    refused(
        h.answered(late),
        RejectionType::NotFound,
        &format!(
            "Expected to update agent instance related to job with key '{job}', but job was not active."
        ),
    );
}

#[test]
fn an_agent_is_made_with_its_configuration() {
    let Waiting {
        mut h,
        element: task,
        job,
        ..
    } = waiting(TASK);
    let early = AgentInstanceRecord {
        definition: Arc::default(),
        ..saying(task, job, vec![item("ASSISTANT", "x")])
    };
    refused(
        create(&mut h, early),
        RejectionType::InvalidArgument,
        "Expected to create agent instance with history item 'x', but its role is 'ASSISTANT'. Allowed roles are: [CONFIGURATION, USER].",
    );
    let used = AgentHistoryRecord {
        metrics: item("ASSISTANT", "x").metrics,
        ..item("USER", "u")
    };
    let used = create(&mut h, saying(task, job, vec![used]));
    refused(
        used,
        RejectionType::InvalidArgument,
        "Expected to create agent instance with history item 'u', but it carries non-zero token-usage metrics. History items included when creating an agent instance must not carry non-zero token-usage metrics; durationMs is exempt.",
    );
    let items = vec![item("CONFIGURATION", "c"), item("USER", "u")];
    let agent = agent_of(create(&mut h, saying(task, job, items)));
    assert_eq!(agent.definition.model.as_str(), "m2");
    assert_eq!(agent.history.len(), 2);
    let state = h.engine.state();
    // The configuration counts already, what the user said does not.
    let waits: Vec<Key> = state.agent_history_of(job).map(|(_, key)| key).collect();
    assert_eq!(waits, [agent.history[1].agent_history_key]);
}

#[test]
fn who_goes_on_waits_until_the_other_is_done() {
    let process = "start s\nservice a type=llm agent=aiAgentTask\nloop a over=\"=[1,2]\"\nend e\nflow s a e\n";
    let mut h = EngineHarness::new();
    h.deploy(&sketch::bpmn(process));
    h.create("p", "{}");
    let jobs = h.activate("llm");
    let at = |job: &(Key, JobRecord)| job.1.element_instance_key;
    let key = agent_of(create(&mut h, created(at(&jobs[0])))).agent_instance_key;
    let (one, other) = (at(&jobs[0]), at(&jobs[1]));
    refused(
        update(&mut h, key, doing(other, "THINKING")),
        RejectionType::InvalidState,
        &format!(
            "Expected to update agent instance with key '{key}' for element instance with key '{other}', but element instance with key '{one}' is still the active writer for this agent instance and has not completed. Only one element instance may write to a given agent instance at a time."
        ),
    );
    h.job(jobs[0].0, of::Job::Complete, JobRecord::default())
        .unwrap();
    let agent = agent_of(update(&mut h, key, doing(other, "THINKING")));
    assert_eq!(agent.element_instance_keys, [one, other]);
    h.job(jobs[1].0, of::Job::Complete, JobRecord::default())
        .unwrap();
    h.assert_clean();
}

#[test]
fn every_partition_knows_the_definitions_until_they_are_deleted() {
    let mut cluster = Cluster::new(2);
    cluster.at(1).deploy(&sketch::bpmn(TASK));
    cluster.deliver();
    let created = definitions(cluster.at(1), of::AgentDefinition::Created);
    assert_eq!(
        created,
        definitions(cluster.at(2), of::AgentDefinition::Created)
    );
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].agent_type, AgentDefinitionType::AiAgentTask);
    assert_eq!(created[0].process_definition_version, 1);
    // The same file again makes no new ones.
    cluster.at(1).deploy(&sketch::bpmn(TASK));
    cluster.deliver();
    let deletion = ResourceDeletionRecord {
        resource_key: created[0].process_definition_key,
        ..ResourceDeletionRecord::default()
    };
    let command = Command::internal(Key::NONE, of::ResourceDeletion::Delete, deletion);
    cluster.at(1).answered(command).unwrap();
    cluster.deliver();
    for partition in [1, 2] {
        let h = cluster.at(partition);
        assert_eq!(definitions(h, of::AgentDefinition::Created).len(), 1);
        assert_eq!(definitions(h, of::AgentDefinition::Deleted), created);
        let left = h.engine.state().rows().unwrap();
        assert!(left.keys().all(|key| key[0] != 161));
    }
}

#[test]
fn a_migrated_agent_keeps_its_kind() {
    let Waiting {
        mut h,
        instance,
        element: task,
        ..
    } = waiting(TASK);
    let key = agent_of(create(&mut h, created(task))).agent_instance_key;
    let deploy = |h: &mut EngineHarness, process: String| {
        h.deploy(&sketch::bpmn(&process));
        let made = h.log.iter().rev().find_map(|record| match &record.value {
            Value::Process(value) => Some(value.process_definition_key),
            _ => None,
        });
        made.unwrap()
    };
    let renamed = TASK
        .replace("service a", "service b")
        .replace("s a e", "s b e");
    let plain = deploy(&mut h, renamed.replace(" agent=aiAgentTask", ""));
    refused(
        migrate(&mut h, instance, plain, &[("a", "b")]),
        RejectionType::InvalidState,
        &format!(
            "Expected to migrate process instance '{instance}' but the agent instance with element id 'a' would be migrated to element 'b' that has no agent definition. An agent instance must always belong to an agent definition."
        ),
    );
    let external = deploy(&mut h, renamed.replace("aiAgentTask", "external"));
    refused(
        migrate(&mut h, instance, external, &[("a", "b")]),
        RejectionType::InvalidState,
        &format!(
            "Expected to migrate process instance '{instance}' but the agent instance element with id 'a' has agent definition type 'AI_AGENT_TASK' while the mapped target element with id 'b' has a different agent definition type 'EXTERNAL_AGENT'. An agent instance's type must not change on migration."
        ),
    );
    let target = deploy(&mut h, renamed);
    migrate(&mut h, instance, target, &[("a", "b")]).unwrap();
    let migrated = h.log.iter().rev().find_map(|record| match &record.value {
        Value::AgentInstance(value)
            if record.intent == Intent::AgentInstance(of::AgentInstance::Migrated) =>
        {
            Some(value.clone())
        }
        _ => None,
    });
    let migrated = migrated.unwrap();
    assert_eq!(migrated.agent_instance_key, key);
    assert_eq!(migrated.element_id.as_str(), "b");
    assert_eq!(migrated.process_definition_key, target);
    let definition = definitions(&h, of::AgentDefinition::Created).pop().unwrap();
    assert_eq!(
        migrated.agent_definition_key,
        definition.agent_definition_key
    );
    update(&mut h, key, doing(task, "IDLE")).unwrap();
}

#[test]
fn only_what_can_be_an_agent_is_marked_as_one() {
    let mut h = EngineHarness::new();
    let sub = "start s\nadhoc a type=llm agent=aiAgentTask {\nmanual m\n}\nend e\nflow s a e\n";
    let manual = "start s\nmanual a agent=external\nend e\nflow s a e\n";
    for (process, reason) in [
        (
            TASK.replace("aiAgentTask", "aiAgentSubProcess"),
            "agentType 'aiAgentSubProcess' is only allowed on an ad-hoc sub-process.",
        ),
        (
            sub.to_owned(),
            "agentType 'aiAgentTask' is only allowed on a service task.",
        ),
        (
            manual.to_owned(),
            "agentType 'external' is only allowed on a service task or an ad-hoc sub-process.",
        ),
        (
            TASK.replace("aiAgentTask", "oracle"),
            "Attribute 'agentType' must be present and not empty",
        ),
    ] {
        let refusal = h.try_deploy("p.bpmn", &sketch::bpmn(&process)).unwrap_err();
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    }
}
