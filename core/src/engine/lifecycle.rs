//! The life of an element instance: activating, activated, completing, completed, or terminating and
//! terminated. The same for every element; what an element does in between is its
//! [`Element`](crate::engine::element::Element).
//!
//! | command | goes on |
//! |---|---|
//! | ACTIVATE_ELEMENT | ACTIVATING, inputs, start listeners, ACTIVATED |
//! | COMPLETE_ELEMENT | COMPLETING, outputs, end listeners, COMPLETED, flows |
//! | TERMINATE_ELEMENT | TERMINATING, children, TERMINATED |
//!
//! A failure on the way is an incident: what was written stays, the element stays in its state, and
//! resolving the incident runs the phase again without writing its first event twice.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::definitions::Definition;
use crate::engine::element::{self, Termination};
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::guard;
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::{incidents, listeners, runtime_instructions};
use crate::ids::Key;
use crate::model::{Behavior, Element, ElementId, Flow, FlowId, Process, ThrowEvent};
use crate::record::Intent;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, ErrorType, ProcessInstanceBatchRecord, ProcessInstanceRecord,
};
use crate::state::ElementState;

/// An element instance in hand: its key, its record, and its place in the model.
#[derive(Clone)]
pub(crate) struct At {
    pub(crate) key: Key,
    pub(crate) record: Arc<ProcessInstanceRecord>,
    pub(crate) definition: Rc<Definition>,
    pub(crate) id: ElementId,
}

impl At {
    /// The instance that `record` describes.
    pub(crate) fn new(
        p: &Processing<'_>,
        key: Key,
        record: &Arc<ProcessInstanceRecord>,
    ) -> Outcome<Self> {
        let definition = p.definition(record.process_definition_key)?;
        let id = definition
            .process
            .element_of(&record.element_id, record.bpmn_element_type)
            .ok_or_else(|| Stop::fault(format!("no element with id '{}'", record.element_id)))?;
        Ok(Self {
            key,
            record: record.clone(),
            definition,
            id,
        })
    }

    /// The instance under `key`, if there is one.
    pub(crate) fn find(p: &Processing<'_>, key: Key) -> Outcome<Option<Self>> {
        match p.state().elements.get(&key)? {
            Some(row) => Self::new(p, key, &row.record).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.definition.process
    }

    pub(crate) fn element(&self) -> &Element {
        &self.definition.process[self.id]
    }

    /// The instance whose child this is: its flow scope, or for the root of a child instance the
    /// call activity.
    pub(crate) fn container(&self, p: &Processing<'_>) -> Outcome<Option<Self>> {
        if self.record.flow_scope_key.is_some() {
            return Self::find(p, self.record.flow_scope_key);
        }
        if self.record.parent_element_instance_key.is_some() {
            return Self::find(p, self.record.parent_element_instance_key);
        }
        Ok(None)
    }

    /// The record of an element in the same flow scope.
    fn sibling(&self, element: &Element) -> ProcessInstanceRecord {
        ProcessInstanceRecord {
            element_id: element.id.clone(),
            bpmn_element_type: element.element_type,
            bpmn_event_type: element.event_type,
            element_instance_path: Vec::new(),
            process_definition_path: Vec::new(),
            calling_element_path: Vec::new(),
            ..ProcessInstanceRecord::clone(&self.record)
        }
    }

    /// The record of a child element.
    pub(crate) fn child(&self, element: &Element) -> ProcessInstanceRecord {
        ProcessInstanceRecord {
            flow_scope_key: self.key,
            ..self.sibling(element)
        }
    }
}

/// Processes an element command.
pub(crate) fn process(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ProcessInstanceRecord>,
) -> Outcome {
    let mut at = At::new(p, command.key, value)?;
    let Intent::ProcessInstance(intent) = command.intent else {
        return Err(Stop::fault("element command of another value type"));
    };
    let result = match intent {
        of::ProcessInstance::ActivateElement => {
            guard::activate(p, &at)?;
            if !at.key.is_some() {
                at.key = p.next_key();
            }
            activating(p, &at)?;
            activate(p, &at)
        }
        of::ProcessInstance::CompleteElement => {
            guard::complete(p, &at)?;
            complete(p, &at)
        }
        of::ProcessInstance::TerminateElement => {
            guard::terminate(p, &at)?;
            terminate(p, &at)
        }
        of::ProcessInstance::ContinueTerminatingElement => {
            guard::continue_terminating(p, &at)?;
            element::of(at.element()).terminated(p, &at)?;
            runtime_instructions::after(p, &at)
        }
        of::ProcessInstance::CompleteExecutionListener => {
            guard::complete_listener(p, &at)?;
            listeners::complete(p, &at)
        }
        of::ProcessInstance::Cancel
        | of::ProcessInstance::SequenceFlowTaken
        | of::ProcessInstance::SequenceFlowDeleted
        | of::ProcessInstance::ElementActivating
        | of::ProcessInstance::ElementActivated
        | of::ProcessInstance::ElementCompleting
        | of::ProcessInstance::ElementCompleted
        | of::ProcessInstance::ElementTerminating
        | of::ProcessInstance::ElementTerminated
        | of::ProcessInstance::ElementMigrated
        | of::ProcessInstance::AncestorMigrated
        | of::ProcessInstance::Canceling => Err(Stop::fault(format!(
            "{:?} is not a command",
            command.intent
        ))),
    };
    raise_incident(p, &at, result)
}

/// Makes a failure of `at` an incident.
pub(crate) fn raise_incident(p: &mut Processing<'_>, at: &At, result: Outcome) -> Outcome {
    match result {
        Err(Stop::Incident(failure)) => incidents::create(p, at, failure),
        other => other,
    }
}

/// Runs the activation phase behind its first event.
pub(crate) fn activate(p: &mut Processing<'_>, at: &At) -> Outcome {
    if let Some(container) = at.container(p)? {
        element::of(container.element()).child_activating(p, &container, at)?;
    }
    element::of(at.element()).prepare(p, at)?;
    if listeners::start(p, at)? {
        return Ok(());
    }
    element::of(at.element()).activate(p, at)
}

/// Runs the completion phase; the first event only if the instance is not completing yet.
pub(crate) fn complete(p: &mut Processing<'_>, at: &At) -> Outcome {
    let row = p.state().elements.get(&at.key)?;
    if row.is_some_and(|row| row.state != ElementState::Completing) {
        p.event(
            at.key,
            of::ProcessInstance::ElementCompleting,
            at.record.clone(),
        )?;
    }
    element::of(at.element()).leave(p, at)?;
    if listeners::end(p, at)? {
        return Ok(());
    }
    element::of(at.element()).complete(p, at)
}

fn terminate(p: &mut Processing<'_>, at: &At) -> Outcome {
    p.event(
        at.key,
        of::ProcessInstance::ElementTerminating,
        at.record.clone(),
    )?;
    let element = element::of(at.element());
    match element.terminate(p, at)? {
        Termination::Done => element.terminated(p, at)?,
        // The listeners of its cancellation come first.
        Termination::Waits if matches!(at.element().behavior, Behavior::UserTask(_)) => {
            return Ok(());
        }
        Termination::Waits => {}
    }
    runtime_instructions::after(p, at)
}

/// Writes ELEMENT_ACTIVATING, which alone carries the path of the instance.
pub(crate) fn activating(p: &mut Processing<'_>, at: &At) -> Outcome {
    let record = with_path(p, at)?;
    p.event(at.key, of::ProcessInstance::ElementActivating, record)
}

/// Writes ELEMENT_ACTIVATED.
pub(crate) fn activated(p: &mut Processing<'_>, at: &At) -> Outcome {
    p.event(
        at.key,
        of::ProcessInstance::ElementActivated,
        at.record.clone(),
    )
}

/// Asks for the completion of an instance.
pub(crate) fn ask_complete(p: &mut Processing<'_>, at: &At) -> Outcome {
    p.command(
        at.key,
        of::ProcessInstance::CompleteElement,
        at.record.clone(),
    )
}

/// Asks for the termination of an instance.
pub(crate) fn ask_terminate(p: &mut Processing<'_>, at: &At) -> Outcome {
    p.command(
        at.key,
        of::ProcessInstance::TerminateElement,
        at.record.clone(),
    )
}

/// Writes ELEMENT_COMPLETED. If no flow leads on, the path ends here and the container is told.
pub(crate) fn completed(p: &mut Processing<'_>, at: &At) -> Outcome {
    let element = at.element();
    let goes_on = match &element.behavior {
        // A child instance tells its call activity by itself.
        Behavior::Process(_) | Behavior::Throw(ThrowEvent::Link(_)) => true,
        Behavior::PassThrough
        | Behavior::SubProcess(_)
        | Behavior::EventSubProcess(_)
        | Behavior::AdHoc(_)
        | Behavior::AdHocInner(_)
        | Behavior::MultiInstance(_)
        | Behavior::Job(_)
        | Behavior::UserTask(_)
        | Behavior::Receive(_)
        | Behavior::Script(_)
        | Behavior::Decision(_)
        | Behavior::Call(_)
        | Behavior::ExclusiveGateway { .. }
        | Behavior::InclusiveGateway { .. }
        | Behavior::ParallelGateway
        | Behavior::EventBasedGateway
        | Behavior::Start { .. }
        | Behavior::Catch(_)
        | Behavior::Boundary { .. }
        | Behavior::Throw(_)
        | Behavior::End(_) => !element.outgoing.is_empty(),
    };
    if goes_on {
        return write_completed(p, at);
    }
    let Some(container) = at.container(p)? else {
        return write_completed(p, at);
    };
    let behavior = element::of(container.element());
    let satisfied = behavior.before_path_completed(p, &container, at)?;
    let record = at.record.clone();
    p.event(at.key, of::ProcessInstance::ElementCompleted, record)?;
    behavior.path_completed(p, &container, satisfied)?;
    runtime_instructions::after(p, at)
}

fn write_completed(p: &mut Processing<'_>, at: &At) -> Outcome {
    let record = at.record.clone();
    p.event(at.key, of::ProcessInstance::ElementCompleted, record)?;
    runtime_instructions::after(p, at)
}

/// Writes ELEMENT_TERMINATED.
pub(crate) fn terminated(p: &mut Processing<'_>, at: &At) -> Outcome {
    let record = at.record.clone();
    p.event(at.key, of::ProcessInstance::ElementTerminated, record)
}

/// Tells the container of a terminated instance.
pub(crate) fn tell_terminated(p: &mut Processing<'_>, at: &At) -> Outcome {
    match at.container(p)? {
        Some(container) => {
            element::of(container.element()).child_terminated(p, &container, Some(at))
        }
        None => Ok(()),
    }
}

/// Takes every outgoing flow.
pub(crate) fn take_outgoing(p: &mut Processing<'_>, at: &At) -> Outcome {
    for flow in &at.element().outgoing {
        take_flow(p, at, *flow)?;
    }
    Ok(())
}

/// Takes one flow: writes it and asks for the activation of its target.
pub(crate) fn take_flow(p: &mut Processing<'_>, at: &At, flow: FlowId) -> Outcome {
    if runtime_instructions::interrupted(p, at) {
        return Ok(());
    }
    let process = at.process();
    let Flow { id, target, .. } = &process[flow];
    let target = &process[*target];
    let mut record = at.sibling(target);
    let taken = ProcessInstanceRecord {
        element_id: id.clone(),
        bpmn_element_type: BpmnElementType::SequenceFlow,
        bpmn_event_type: Default::default(),
        ..record.clone()
    };
    let key = p.next_key();
    p.event(key, of::ProcessInstance::SequenceFlowTaken, taken)?;
    record.flow_scope_key = at.record.flow_scope_key;
    let key = p.next_key();
    p.command(key, of::ProcessInstance::ActivateElement, record)
}

/// Asks for the activation of an element in the flow scope of `at`.
pub(crate) fn ask_activate_sibling(p: &mut Processing<'_>, at: &At, element: ElementId) -> Outcome {
    let record = at.sibling(&at.process()[element]);
    let key = p.next_key();
    p.command(key, of::ProcessInstance::ActivateElement, record)
}

/// Asks for the activation of a child, which gets its key when it activates.
pub(crate) fn ask_activate_child(p: &mut Processing<'_>, at: &At, element: ElementId) -> Outcome {
    let record = at.child(&at.process()[element]);
    p.command(Key::NONE, of::ProcessInstance::ActivateElement, record)
}

/// Asks for the activation of a child under a key of its own, as of a multi-instance body.
pub(crate) fn ask_activate_child_with_key(
    p: &mut Processing<'_>,
    at: &At,
    element: ElementId,
) -> Outcome {
    let record = at.child(&at.process()[element]);
    let key = p.next_key();
    p.command(key, of::ProcessInstance::ActivateElement, record)
}

/// Asks for the termination of all children, in pieces. True if there is none.
pub(crate) fn terminate_children(p: &mut Processing<'_>, at: &At) -> Outcome<bool> {
    let row = p.state().elements.get(&at.key)?;
    if row.is_none_or(|row| row.active_children == 0) {
        return Ok(true);
    }
    let record = ProcessInstanceBatchRecord {
        process_instance_key: at.record.process_instance_key,
        batch_element_instance_key: at.key,
        process_definition_key: at.record.process_definition_key,
        ..ProcessInstanceBatchRecord::default()
    };
    let key = p.next_key();
    p.command(key, of::ProcessInstanceBatch::Terminate, record)?;
    Ok(false)
}

/// True if no child is active and no token is on a flow: the scope can complete.
pub(crate) fn can_complete(p: &Processing<'_>, scope: &At) -> Outcome<bool> {
    let row = p.state().elements.get(&scope.key)?;
    Ok(row.is_some_and(|row| row.active_children + row.active_flows == 0))
}

/// The command does not fit a batch: an element other than a process waits with an incident.
/// False if the command is of another kind.
pub(crate) fn refuse_large(p: &mut Processing<'_>, command: &Command) -> Outcome<bool> {
    let (Intent::ProcessInstance(intent), crate::record::Value::ProcessInstance(value)) =
        (command.intent, &command.value)
    else {
        return Ok(false);
    };
    if value.bpmn_element_type == BpmnElementType::Process {
        return Ok(false);
    }
    let at = At::new(p, command.key, value)?;
    let exists = p.state().elements.contains(&at.key)?;
    match intent {
        of::ProcessInstance::ActivateElement if at.key.is_some() && !exists => {
            guard::activate(p, &at)?;
            activating(p, &at)?;
        }
        of::ProcessInstance::CompleteElement if exists => {
            guard::complete(p, &at)?;
            let record = at.record.clone();
            p.event(at.key, of::ProcessInstance::ElementCompleting, record)?;
        }
        of::ProcessInstance::TerminateElement if exists => {
            let record = at.record.clone();
            p.event(at.key, of::ProcessInstance::ElementTerminating, record)?;
        }
        of::ProcessInstance::ActivateElement
        | of::ProcessInstance::CompleteElement
        | of::ProcessInstance::TerminateElement
        | of::ProcessInstance::ContinueTerminatingElement
        | of::ProcessInstance::CompleteExecutionListener
        | of::ProcessInstance::Cancel
        | of::ProcessInstance::SequenceFlowTaken
        | of::ProcessInstance::SequenceFlowDeleted
        | of::ProcessInstance::ElementActivating
        | of::ProcessInstance::ElementActivated
        | of::ProcessInstance::ElementCompleting
        | of::ProcessInstance::ElementCompleted
        | of::ProcessInstance::ElementTerminating
        | of::ProcessInstance::ElementTerminated
        | of::ProcessInstance::ElementMigrated
        | of::ProcessInstance::AncestorMigrated
        | of::ProcessInstance::Canceling => return Ok(false),
    }
    let message = format!(
        "Expected to process element '{}', but exceeded MAX_MESSAGE_SIZE limitation. If you have large or many variables consider reducing these.",
        at.record.element_id
    );
    incidents::create(
        p,
        &at,
        Failure::new(ErrorType::MessageSizeExceeded, message),
    )?;
    Ok(true)
}

/// The record of `at` with its path from the root of the call hierarchy.
pub(crate) fn with_path(p: &Processing<'_>, at: &At) -> Outcome<ProcessInstanceRecord> {
    let mut instances = Vec::new();
    let mut definitions = Vec::new();
    let mut calls = Vec::new();
    let mut record = at.record.clone();
    let mut path = vec![at.key];
    loop {
        let mut scope = record.flow_scope_key;
        while scope.is_some() {
            path.push(scope);
            let row = p.state().elements.get(&scope)?;
            scope = row.map_or(Key::NONE, |row| row.record.flow_scope_key);
        }
        path.reverse();
        instances.push(path);
        definitions.push(record.process_definition_key);
        let call_key = record.parent_element_instance_key;
        let Some(call) = At::find(p, call_key)? else {
            break;
        };
        let index = if let Behavior::Call(called) = &call.element().behavior {
            i64::from(called.index)
        } else {
            0
        };
        calls.push(Key(index));
        path = vec![call_key];
        record = call.record;
    }
    instances.reverse();
    definitions.reverse();
    calls.reverse();
    Ok(ProcessInstanceRecord {
        element_instance_path: instances,
        process_definition_path: definitions,
        calling_element_path: calls,
        ..ProcessInstanceRecord::clone(&at.record)
    })
}
