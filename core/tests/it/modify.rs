//! Modification of running instances: what activations, terminations and moves write, what they
//! leave, and what is refused in which words.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateInstruction, ModificationVariables, MoveInstruction, ProcessInstanceModificationRecord,
    TerminateInstruction,
};
use ringflow_core::record::{RecordType, Value};

use super::element::{bpmn, completed, flow, node, service_task};
use super::harness::{Answer, EngineHarness, document, text};

pub(crate) fn modify(h: &mut EngineHarness, record: ProcessInstanceModificationRecord) -> Answer {
    let key = record.process_instance_key;
    let command = Command::internal(key, of::ProcessInstanceModification::Modify, record);
    h.request(command).expect("every modification is answered")
}

/// Keys of the living instances of an element, oldest first.
pub(crate) fn instances(h: &EngineHarness, element: &str) -> Vec<Key> {
    let mut living = Vec::new();
    for record in &h.log {
        if let Value::ProcessInstance(value) = &record.value
            && record.record_type == RecordType::Event
            && value.element_id == element
        {
            if record.intent == of::ProcessInstance::ElementActivating.into() {
                living.push(record.key);
            }
            if record.intent == of::ProcessInstance::ElementCompleted.into()
                || record.intent == of::ProcessInstance::ElementTerminated.into()
            {
                living.retain(|key| *key != record.key);
            }
        }
    }
    living
}

fn activate(element: &str) -> ActivateInstruction {
    ActivateInstruction {
        element_id: element.into(),
        ..ActivateInstruction::default()
    }
}

fn terminate(key: Key) -> TerminateInstruction {
    TerminateInstruction {
        element_instance_key: key,
        ..TerminateInstruction::default()
    }
}

fn of_instance(instance: Key) -> ProcessInstanceModificationRecord {
    ProcessInstanceModificationRecord {
        process_instance_key: instance,
        ..ProcessInstanceModificationRecord::default()
    }
}

fn refusal(answer: Answer) -> String {
    let rejection = answer.expect_err("is refused");
    format!("{} {}", rejection.kind.name(), rejection.reason)
}

/// start - a - b - end.
fn two_tasks() -> EngineHarness {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            service_task("a", "a"),
            service_task("b", "b"),
            node("endEvent", "end"),
            flow("f1", "start", "a"),
            flow("f2", "a", "b"),
            flow("f3", "b", "end"),
        ]
        .concat(),
    ));
    h
}

/// start - a - sub(inner - c) - end, with an event sub-process for a message in the sub-process.
fn nested() -> EngineHarness {
    let mut h = EngineHarness::new();
    let sub = [
        r#"<bpmn:subProcess id="sub">"#.to_owned(),
        node("startEvent", "inner"),
        r#"<bpmn:subProcess id="deep">"#.to_owned(),
        node("startEvent", "deepest"),
        service_task("c", "c"),
        flow("i2", "deepest", "c"),
        "</bpmn:subProcess>".to_owned(),
        flow("i1", "inner", "deep"),
        r#"<bpmn:subProcess id="handler" triggeredByEvent="true">
<bpmn:startEvent id="caught"><bpmn:messageEventDefinition messageRef="m"/></bpmn:startEvent>
</bpmn:subProcess></bpmn:subProcess>"#
            .to_owned(),
    ];
    let model = bpmn(
        "process",
        &[
            node("startEvent", "start"),
            service_task("a", "a"),
            sub.concat(),
            node("endEvent", "end"),
            flow("f1", "start", "a"),
            flow("f2", "a", "sub"),
            flow("f3", "sub", "end"),
        ]
        .concat(),
    );
    h.deploy(&model.replace(
        "<bpmn:process",
        r#"<bpmn:message id="m" name="m"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message><bpmn:process"#,
    ));
    h
}

#[test]
fn an_activation_and_a_termination_are_one_step() {
    let mut h = two_tasks();
    let instance = h.create("process", "");
    let from = h.log.len();
    let a = instances(&h, "a")[0];
    let answer = modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![ActivateInstruction {
                variable_instructions: vec![
                    ModificationVariables {
                        element_id: "b".into(),
                        variables: document(r#"{"local":1}"#),
                    },
                    ModificationVariables {
                        element_id: "".into(),
                        variables: document(r#"{"global":2}"#),
                    },
                ],
                ..activate("b")
            }],
            terminate_instructions: vec![terminate(a)],
            ..of_instance(instance)
        },
    );
    let answer = answer.unwrap();
    assert_eq!(answer.key, instance);
    let Value::ProcessInstanceModification(modified) = answer.value else {
        panic!("another answer");
    };
    assert_eq!(
        modified.activate_instructions[0].ancestor_scope_keys,
        [instance]
    );
    let expected = "\
C PROCESS_INSTANCE_MODIFICATION MODIFY
E VARIABLE CREATED global=2
C PROCESS_INSTANCE ACTIVATE_ELEMENT SERVICE_TASK b
E VARIABLE CREATED local=1
E PROCESS_INSTANCE ELEMENT_TERMINATING SERVICE_TASK a
E JOB CANCELED a a retries=3 {}
E PROCESS_INSTANCE ELEMENT_TERMINATED SERVICE_TASK a
E PROCESS_INSTANCE_MODIFICATION MODIFIED
E PROCESS_INSTANCE ELEMENT_ACTIVATING SERVICE_TASK b
E JOB CREATED b b retries=3 {}
E PROCESS_INSTANCE ELEMENT_ACTIVATED SERVICE_TASK b
";
    assert_eq!(text(&h.log[from..]), expected);
    h.complete("b", "");
    assert!(completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn what_is_left_without_children_terminates() {
    let mut h = nested();
    let instance = h.create("process", r#"{"key":"k"}"#);
    h.complete("a", "");
    let c = instances(&h, "c")[0];
    modify(
        &mut h,
        ProcessInstanceModificationRecord {
            terminate_instructions: vec![terminate(c)],
            ..of_instance(instance)
        },
    )
    .unwrap();
    for element in ["c", "deep", "sub", "process"] {
        assert!(
            h.wrote(of::ProcessInstance::ElementTerminated, element),
            "{element}"
        );
    }
    h.assert_clean();
}

#[test]
fn scopes_are_created_with_their_subscriptions_and_reused() {
    let mut h = nested();
    let instance = h.create("process", r#"{"key":"k"}"#);
    let a = instances(&h, "a")[0];
    modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![activate("c"), activate("c")],
            terminate_instructions: vec![terminate(a)],
            ..of_instance(instance)
        },
    )
    .unwrap();
    assert!(!h.wrote(of::ProcessInstance::ElementActivating, "inner"));
    assert_eq!(instances(&h, "sub").len(), 1);
    assert_eq!(instances(&h, "deep").len(), 1);
    assert_eq!(instances(&h, "c").len(), 2);
    let subscribed = h.log.iter().any(|record| {
        record.intent == of::ProcessMessageSubscription::Created.into()
            && matches!(&record.value, Value::ProcessMessageSubscription(value)
                if value.element_id == "caught")
    });
    assert!(subscribed, "the event sub-process waits for its message");
    for (job, _) in h.activate("c") {
        h.job(job, of::Job::Complete, Default::default()).unwrap();
    }
    assert!(completed(&h, "sub") && completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn an_ancestor_selects_where_and_whether_scopes_are_new() {
    let mut h = nested();
    let instance = h.create("process", r#"{"key":"k"}"#);
    h.complete("a", "");
    let sub = instances(&h, "sub")[0];
    // Below the selected ancestor scopes are new.
    let inside = |ancestor_scope_key| ProcessInstanceModificationRecord {
        activate_instructions: vec![ActivateInstruction {
            ancestor_scope_key,
            ..activate("c")
        }],
        ..of_instance(instance)
    };
    modify(&mut h, inside(sub)).unwrap();
    assert_eq!(
        (instances(&h, "sub").len(), instances(&h, "deep").len()),
        (1, 2)
    );
    modify(&mut h, inside(instance)).unwrap();
    assert_eq!(
        (instances(&h, "sub").len(), instances(&h, "deep").len()),
        (2, 3)
    );
    let deep = instances(&h, "deep")[1];
    modify(&mut h, inside(deep)).unwrap();
    assert_eq!(instances(&h, "deep").len(), 3);
    // Which of the two is meant cannot be decided; nothing of the first instruction stays.
    let before = h.log.len();
    let answer = modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![activate("a"), activate("c")],
            ..of_instance(instance)
        },
    );
    assert_eq!(
        refusal(answer),
        "INVALID_ARGUMENT Expected to modify instance of process 'process' but it contains one or more activate instructions for an element that has a flow scope with more than one active instance: 'sub'. Can't decide in which instance of the flow scope the element should be activated. Please specify an ancestor element instance key for this activate instruction."
    );
    assert_eq!(h.log.len() - before, 2, "the command and its rejection");
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn moves_take_each_instance_to_the_target() {
    let mut h = nested();
    let instance = h.create("process", r#"{"key":"k"}"#);
    h.complete("a", "");
    let moved = |infer, parent| ProcessInstanceModificationRecord {
        move_instructions: vec![MoveInstruction {
            source_element_id: "c".into(),
            target_element_id: "deep".into(),
            infer_ancestor_scope: infer,
            use_source_parent: parent,
            ..MoveInstruction::default()
        }],
        ..of_instance(instance)
    };
    let sub = instances(&h, "sub")[0];
    let (c, deep) = (instances(&h, "c")[0], instances(&h, "deep")[0]);
    let answer = modify(&mut h, moved(true, false)).unwrap();
    let Value::ProcessInstanceModification(modified) = answer.value else {
        panic!("another answer");
    };
    assert_eq!(modified.activate_instructions[0].ancestor_scope_key, sub);
    assert_eq!(modified.terminate_instructions, [terminate(c)]);
    assert!(modified.move_instructions.is_empty());
    assert!(!instances(&h, "deep").contains(&deep), "it lost its child");
    assert_eq!(instances(&h, "sub"), [sub]);
    assert_eq!(
        refusal(modify(&mut h, moved(true, true))),
        "INVALID_ARGUMENT Expected to modify instance of process 'process' but it contains one or more move instructions with multiple ancestor scope options set. Only one of the following can be specified: ancestorScopeKey, inferAncestorScopeFromSourceHierarchy, or useSourceParentKeyAsAncestorScopeKey: '(c, deep)'"
    );
    let by_key = ProcessInstanceModificationRecord {
        move_instructions: vec![MoveInstruction {
            source_element_instance_key: instances(&h, "c")[0],
            target_element_id: "a".into(),
            ..MoveInstruction::default()
        }],
        ..of_instance(instance)
    };
    modify(&mut h, by_key).unwrap();
    assert!(instances(&h, "sub").is_empty());
    assert_eq!(instances(&h, "a").len(), 1);
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn incidents_and_tokens_at_a_join_survive_or_end_as_they_should() {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            node("parallelGateway", "fork"),
            service_task("a", "a"),
            service_task("b", "=missing"),
            node("parallelGateway", "join"),
            node("endEvent", "end"),
            flow("f1", "start", "fork"),
            flow("f2", "fork", "a"),
            flow("f3", "fork", "b"),
            flow("f4", "a", "join"),
            flow("f5", "b", "join"),
            flow("f6", "join", "end"),
        ]
        .concat(),
    ));
    let instance = h.create("process", "");
    h.complete("a", "");
    assert_eq!(h.incidents().len(), 1);
    // A second token at `a` does not take the one that waits at the join.
    let b = instances(&h, "b")[0];
    modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![activate("a")],
            terminate_instructions: vec![terminate(b)],
            ..of_instance(instance)
        },
    )
    .unwrap();
    assert!(h.incidents().is_empty());
    h.complete("a", "");
    assert!(!completed(&h, "process"), "two tokens wait at the join");
    modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![ActivateInstruction {
                variable_instructions: vec![ModificationVariables {
                    element_id: "b".into(),
                    variables: document(r#"{"missing":"b"}"#),
                }],
                ..activate("b")
            }],
            ..of_instance(instance)
        },
    )
    .unwrap();
    h.complete("b", "");
    assert!(completed(&h, "join"));
    // As in Camunda, what is activated by hand counts as if it had come over a flow: the token that is
    // left at the join holds nothing up.
    assert!(completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn called_and_repeated_instances() {
    let mut h = two_tasks();
    h.deploy(&bpmn(
        "parent",
        &[
            node("startEvent", "start"),
            r#"<bpmn:callActivity id="call"><bpmn:extensionElements>
<zeebe:calledElement processId="process"/></bpmn:extensionElements>
<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>
<zeebe:loopCharacteristics inputCollection="=[1,2]"/></bpmn:extensionElements>
</bpmn:multiInstanceLoopCharacteristics></bpmn:callActivity>"#
                .to_owned(),
            flow("f1", "start", "call"),
        ]
        .concat(),
    ));
    let parent = h.create("parent", "");
    let children = instances(&h, "process");
    assert_eq!(children.len(), 2);
    let a = instances(&h, "a");
    let only = |instance, key| ProcessInstanceModificationRecord {
        terminate_instructions: vec![terminate(key)],
        ..of_instance(instance)
    };
    assert_eq!(
        refusal(modify(&mut h, only(children[0], a[0]))),
        "INVALID_ARGUMENT Expected to modify instance of process 'process' but the given instructions would terminate the instance. The instance was created by a call activity in the parent process. To terminate this instance please modify the parent process instead."
    );
    assert_eq!(instances(&h, "a").len(), 2, "nothing of it happened");
    assert_eq!(
        refusal(modify(&mut h, only(parent, a[0]))),
        format!(
            "INVALID_ARGUMENT Expected to modify instance of process 'parent' but it contains one or more terminate instructions with an element instance that could not be found: '{}'",
            a[0]
        )
    );
    let call = instances(&h, "call");
    let body = call[0];
    modify(&mut h, only(parent, call[1])).unwrap();
    assert_eq!(instances(&h, "process").len(), 1);
    let inner = ProcessInstanceModificationRecord {
        terminate_instructions: vec![terminate(call[2])],
        activate_instructions: vec![activate("call")],
        ..of_instance(parent)
    };
    modify(&mut h, inner).unwrap();
    assert!(!instances(&h, "call").contains(&body), "a new body");
    assert_eq!(instances(&h, "process").len(), 2);
    h.cancel(parent).unwrap();
    h.assert_clean();
}

#[test]
fn refusals_have_the_words_of_camunda() {
    let mut h = nested();
    let instance = h.create("process", r#"{"key":"k"}"#);
    let a = instances(&h, "a")[0];
    let activating = |instruction| ProcessInstanceModificationRecord {
        activate_instructions: vec![instruction],
        ..of_instance(instance)
    };
    let terminating = |instruction| ProcessInstanceModificationRecord {
        terminate_instructions: vec![instruction],
        ..of_instance(instance)
    };
    let with_scope = |scope: &str| ActivateInstruction {
        variable_instructions: vec![ModificationVariables {
            element_id: scope.into(),
            ..ModificationVariables::default()
        }],
        ..activate("a")
    };
    let within = |ancestor_scope_key| ActivateInstruction {
        ancestor_scope_key,
        ..activate("c")
    };
    let it = "INVALID_ARGUMENT Expected to modify instance of process 'process' but it contains ";
    let cases = [
        (
            of_instance(Key(99)),
            "NOT_FOUND Expected to modify process instance but no process instance found with key '99'".to_owned(),
        ),
        (
            activating(activate("nowhere")),
            format!("{it}one or more activate instructions with an element that could not be found: 'nowhere'"),
        ),
        (
            ProcessInstanceModificationRecord {
                activate_instructions: ["e69", "bd51", "e69"].map(activate).to_vec(),
                ..of_instance(instance)
            },
            format!("{it}one or more activate instructions with an element that could not be found: 'bd51', 'e69'"),
        ),
        (
            activating(activate("start")),
            format!("{it}one or more activate instructions for elements that are unsupported: 'start'. The activation of elements with type 'START_EVENT' is not supported. Supported element types are: [PROCESS, SUB_PROCESS, EVENT_SUB_PROCESS, AD_HOC_SUB_PROCESS, AD_HOC_SUB_PROCESS_INNER_INSTANCE, INTERMEDIATE_CATCH_EVENT, INTERMEDIATE_THROW_EVENT, END_EVENT, SERVICE_TASK, RECEIVE_TASK, USER_TASK, MANUAL_TASK, TASK, EXCLUSIVE_GATEWAY, PARALLEL_GATEWAY, EVENT_BASED_GATEWAY, INCLUSIVE_GATEWAY, MULTI_INSTANCE_BODY, CALL_ACTIVITY, BUSINESS_RULE_TASK, SCRIPT_TASK, SEND_TASK]."),
        ),
        (
            activating(with_scope("nowhere")),
            format!("{it}one or more variable instructions with a scope element id that could not be found: 'nowhere'"),
        ),
        (
            activating(with_scope("sub")),
            format!("{it}one or more variable instructions with a scope element that doesn't belong to the activating element's flow scope. These variables should be set before or after the modification."),
        ),
        (
            activating(within(Key(77))),
            format!("{it}one or more activate instructions with an ancestor scope key that does not exist, or is not in an active state: '77'"),
        ),
        (
            activating(within(a)),
            format!("{it}one or more activate instructions with an ancestor scope key that is not an ancestor of the element to activate:\n- instance '{a}' of element 'a' is not an ancestor of element 'c'"),
        ),
        (
            terminating(TerminateInstruction::default()),
            format!("{it}one or more terminate instructions with neither an element instance key nor element id: '(-1, )'"),
        ),
        (
            terminating(TerminateInstruction { element_id: "a".into(), ..terminate(a) }),
            format!("{it}one or more terminate instructions with both element instance key and element id, but only one of them is allowed: '({a}, a)'"),
        ),
        (
            ProcessInstanceModificationRecord {
                terminate_instructions: vec![terminate(instance)],
                ..activating(activate("a"))
            },
            format!("{it}one or more activate instructions for elements whose required flow scope instance is also being terminated: element 'a' requires flow scope instance '{instance}' which is being terminated. Please provide a valid ancestor scope key for the activation or avoid terminating the required flow scope."),
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(refusal(modify(&mut h, record)), expected);
    }
    // The message of the event sub-process needs a correlation key.
    let other = h.create("process", "");
    let answer = modify(
        &mut h,
        ProcessInstanceModificationRecord {
            activate_instructions: vec![activate("c")],
            ..of_instance(other)
        },
    );
    assert_eq!(
        refusal(answer),
        "INVALID_ARGUMENT Expected to subscribe to catch event(s) of 'sub' but Failed to extract the correlation key for 'key': The value must be either a string or a number, but was 'NULL'. The evaluation reported the following warnings:\n[NO_VARIABLE_FOUND] No variable found with name 'key'"
    );
    assert!(instances(&h, "sub").is_empty());
    let by_id = ProcessInstanceModificationRecord {
        terminate_instructions: vec![TerminateInstruction {
            element_id: "a".into(),
            ..TerminateInstruction::default()
        }],
        ..of_instance(other)
    };
    modify(&mut h, by_id).unwrap();
    h.cancel(instance).unwrap();
    h.assert_clean();
}
