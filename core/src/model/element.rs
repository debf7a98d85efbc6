//! An element of an executable process and what it does.
//!
//! [`Element`] holds what every element has; [`Behavior`] holds what only its kind has. There is one
//! variant per shape of data, so that a processor is handed exactly what it needs; the BPMN name is
//! [`Element::element_type`]. Texts and lists are immutable and exact-size.

use super::{ElementId, FlowId};
use crate::model::expression::Expr;
use crate::record::value::{AgentDefinitionType, BpmnElementType, BpmnEventType};
use crate::record::{RawValue, Text};

/// A flow node, a scope, or one half of a multi-instance activity.
#[derive(Debug)]
pub struct Element {
    /// Id in the model.
    pub id: Text,
    /// Name, may be empty.
    pub name: Text,
    /// First documentation, may be empty.
    pub documentation: Text,
    /// Kind, as records name it.
    pub element_type: BpmnElementType,
    /// Kind of event, as records name it; `Unspecified` for what is not an event, `None` for none
    /// events. A compensation handler has `Compensation`, a receive task `Message`.
    pub event_type: BpmnEventType,
    /// The flow scope; none for the process.
    pub scope: Option<ElementId>,
    /// Flows that end here, last in the document first.
    pub incoming: Box<[FlowId]>,
    /// Flows that start here, last in the document first: Camunda walks a file from its end.
    pub outgoing: Box<[FlowId]>,
    /// Boundary events attached to this activity, last in the document first.
    pub boundary_events: Box<[ElementId]>,
    /// Event sub-processes directly inside this scope, in document order.
    pub event_sub_processes: Box<[ElementId]>,
    /// The catch events an instance of this element waits for, in order of precedence: start events
    /// of its event sub-processes in document order, then boundary events; for an
    /// event-based gateway the events behind it; for a catch event and a receive task itself.
    pub waits_for: Box<[ElementId]>,
    /// Input mappings in document order.
    pub inputs: Box<[InputMapping]>,
    /// Output mappings in document order.
    pub outputs: Box<[OutputMapping]>,
    /// Execution listeners.
    pub listeners: ExecutionListeners,
    /// Opaque name/value pairs of the model (`zeebe:properties`).
    pub properties: Box<[(Text, Text)]>,
    /// What kind of agent it is, if it is one.
    pub agent: AgentDefinitionType,
    /// What it does.
    pub behavior: Behavior,
}

impl Element {
    /// What it contains, if it is a scope of elements.
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        match &self.behavior {
            Behavior::Process(container)
            | Behavior::SubProcess(container)
            | Behavior::EventSubProcess(container)
            | Behavior::AdHocInner(container) => Some(container),
            Behavior::PassThrough
            | Behavior::AdHoc(_)
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
            | Behavior::End(_) => None,
        }
    }

    /// What it waits for, if it is a catch event of any position or a receive task.
    #[must_use]
    pub fn catch_event(&self) -> Option<CatchEventRef<'_>> {
        match &self.behavior {
            Behavior::Start { event, .. }
            | Behavior::Catch(event)
            | Behavior::Boundary { event, .. } => Some(CatchEventRef::Event(event)),
            Behavior::Receive(message) => Some(CatchEventRef::Message(message)),
            Behavior::Process(_)
            | Behavior::SubProcess(_)
            | Behavior::EventSubProcess(_)
            | Behavior::AdHocInner(_)
            | Behavior::PassThrough
            | Behavior::AdHoc(_)
            | Behavior::MultiInstance(_)
            | Behavior::Job(_)
            | Behavior::UserTask(_)
            | Behavior::Script(_)
            | Behavior::Decision(_)
            | Behavior::Call(_)
            | Behavior::ExclusiveGateway { .. }
            | Behavior::InclusiveGateway { .. }
            | Behavior::ParallelGateway
            | Behavior::EventBasedGateway
            | Behavior::Throw(_)
            | Behavior::End(_) => None,
        }
    }

    /// True if triggering this catch event interrupts its host or scope: boundary events and start
    /// events of event sub-processes say so themselves, everything else does not interrupt.
    #[must_use]
    pub fn interrupting(&self) -> bool {
        matches!(
            self.behavior,
            Behavior::Start {
                interrupting: true,
                ..
            } | Behavior::Boundary {
                interrupting: true,
                ..
            }
        )
    }
}

/// What an element waits for, seen through either place that can hold it.
#[derive(Clone, Copy, Debug)]
pub enum CatchEventRef<'a> {
    /// A catch event.
    Event(&'a CatchEvent),
    /// The message of a receive task.
    Message(&'a Message),
}

/// What an element does. One variant per shape of data, not per BPMN name: the name is
/// [`Element::element_type`].
#[derive(Debug)]
pub enum Behavior {
    /// Nothing to configure: manual task, undefined task.
    PassThrough,
    /// The process.
    Process(Container),
    /// Embedded sub-process.
    SubProcess(Container),
    /// Event sub-process; `start_events` has exactly one.
    EventSubProcess(Container),
    /// Ad-hoc sub-process.
    AdHoc(Box<AdHoc>),
    /// Inner instance of an ad-hoc sub-process.
    AdHocInner(Container),
    /// Multi-instance body.
    MultiInstance(Box<MultiInstance>),
    /// A task done by a job worker: service, send, business rule, script task, and a user task
    /// without `zeebe:userTask`.
    Job(Box<Job>),
    /// A user task the engine manages (`zeebe:userTask`).
    UserTask(Box<UserTask>),
    /// Receive task.
    Receive(Box<Message>),
    /// Script task evaluated by the engine.
    Script(Box<Script>),
    /// Business rule task that calls a decision.
    Decision(Box<CalledDecision>),
    /// Call activity.
    Call(Box<CalledElement>),
    /// Exclusive gateway.
    ExclusiveGateway {
        /// The default flow, one of the outgoing ones.
        default: Option<FlowId>,
    },
    /// Inclusive gateway.
    InclusiveGateway {
        /// The default flow, one of the outgoing ones.
        default: Option<FlowId>,
    },
    /// Parallel gateway.
    ParallelGateway,
    /// Event-based gateway; its events are [`Element::waits_for`].
    EventBasedGateway,
    /// Start event.
    Start {
        /// What starts it.
        event: CatchEvent,
        /// Of an event sub-process: it interrupts the scope. Otherwise false.
        interrupting: bool,
    },
    /// Intermediate catch event.
    Catch(CatchEvent),
    /// Boundary event.
    Boundary {
        /// The activity it sits on; the body of a multi-instance activity.
        attached_to: ElementId,
        /// It interrupts the activity.
        interrupting: bool,
        /// What triggers it.
        event: CatchEvent,
    },
    /// Intermediate throw event.
    Throw(ThrowEvent),
    /// End event.
    End(ThrowEvent),
}

/// A scope's content.
#[derive(Debug, Default)]
pub struct Container {
    /// Elements whose flow scope this is, in document order.
    pub children: Box<[ElementId]>,
    /// Start events among them, last in the document first.
    pub start_events: Box<[ElementId]>,
    /// The start event without a definition.
    pub none_start: Option<ElementId>,
}

/// What is waited for.
#[derive(Debug)]
pub enum CatchEvent {
    /// Nothing (none start event).
    None,
    /// A message.
    Message(Box<Message>),
    /// A time.
    Timer(Timer),
    /// A signal of this name.
    Signal(Expr),
    /// An error: of this code, or any if there is none.
    Error(Option<Text>),
    /// An escalation: of this code, any if it is empty, none of all if there is none.
    Escalation(Option<Text>),
    /// A condition over variables.
    Conditional(Box<Conditional>),
    /// The other end of a link of this name.
    Link(Text),
    /// Compensation of the activity (boundary only).
    Compensation {
        /// What is run; none only in models that name no handler.
        handler: Option<ElementId>,
    },
}

/// What is thrown.
#[derive(Debug)]
pub enum ThrowEvent {
    /// Nothing.
    None,
    /// A message, sent by a job worker.
    Job(Box<Job>),
    /// A message, published by the engine.
    Publish(Box<PublishMessage>),
    /// A signal of this name.
    Signal(Expr),
    /// An error of this code (end event only).
    Error(Expr),
    /// An escalation of this code.
    Escalation(Expr),
    /// A jump to this link catch event of the same scope (throw event only).
    Link(ElementId),
    /// Compensation: of this activity, or of all completed ones of the scope.
    Compensation(Option<ElementId>),
    /// End of the scope (end event only).
    Terminate,
}

/// A message to wait for.
#[derive(Debug)]
pub struct Message {
    /// Its name.
    pub name: Expr,
    /// The correlation key; FEEL. Absent only at process start events.
    pub correlation_key: Option<Expr>,
}

/// A message the engine publishes by itself.
#[derive(Debug)]
pub struct PublishMessage {
    /// Its name.
    pub name: Expr,
    /// The correlation key.
    pub correlation_key: Expr,
    /// Message id against duplicates.
    pub message_id: Option<Expr>,
    /// How long it waits.
    pub time_to_live: Option<Expr>,
}

/// When a timer is due. The values follow `crate::schedule`.
#[derive(Debug)]
pub enum Timer {
    /// At a date.
    Date(Expr),
    /// After a duration.
    Duration(Expr),
    /// Repeatedly: `R[n]/[start/]interval` or cron.
    Cycle(Expr),
}

/// A conditional event.
#[derive(Debug)]
pub struct Conditional {
    /// The condition.
    pub condition: Expr,
    /// Only changes of these variables count; empty = all.
    pub variable_names: Box<[Text]>,
    /// Only these kinds of change count (`create`, `update`); empty = all.
    pub variable_events: Box<[Text]>,
}

/// What a job worker is asked to do.
#[derive(Debug)]
pub struct Job {
    /// Job type.
    pub job_type: Expr,
    /// Retries.
    pub retries: Expr,
    /// Priority.
    pub priority: Option<Expr>,
    /// Custom headers in document order.
    pub headers: Box<[(Text, Text)]>,
    /// Linked resources.
    pub linked_resources: Box<[LinkedResource]>,
    /// Of a user task without `zeebe:userTask`: what its job's headers tell.
    pub user_task: Option<Box<UserTask>>,
}

/// A resource handed to a job.
#[derive(Debug)]
pub struct LinkedResource {
    /// Id of the resource.
    pub resource_id: Expr,
    /// Which version.
    pub binding: Binding,
    /// Kind of resource.
    pub resource_type: Text,
    /// Name under which the worker finds it.
    pub link_name: Text,
}

/// Which version of a named resource is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Binding {
    /// The newest when it is needed.
    Latest,
    /// The one deployed together with this process.
    Deployment,
    /// The newest with this version tag.
    VersionTag(Text),
}

/// What a user task shows and to whom.
#[derive(Debug)]
pub struct UserTask {
    /// Assignee.
    pub assignee: Option<Expr>,
    /// Candidate groups; a static list became a FEEL list.
    pub candidate_groups: Option<Expr>,
    /// Candidate users; a static list became a FEEL list.
    pub candidate_users: Option<Expr>,
    /// Due date.
    pub due_date: Option<Expr>,
    /// Follow-up date.
    pub follow_up_date: Option<Expr>,
    /// Form.
    pub form: Option<Form>,
    /// Priority, 0 to 100; static 50 if the model has none.
    pub priority: Expr,
    /// Custom headers in document order.
    pub headers: Box<[(Text, Text)]>,
    /// Task listeners in document order, of all event types.
    pub listeners: Box<[TaskListener]>,
}

/// The form of a user task.
#[derive(Debug)]
pub enum Form {
    /// Embedded (`camunda-forms:bpmn:<id>`) or custom key, passed through.
    Key(Text),
    /// A reference only the user's application understands.
    External(Expr),
    /// A deployed form.
    Linked {
        /// Its id.
        form_id: Expr,
        /// Its version.
        binding: Binding,
    },
}

/// A script the engine evaluates.
#[derive(Debug)]
pub struct Script {
    /// FEEL.
    pub expression: Expr,
    /// Variable for the result.
    pub result_variable: Text,
}

/// A decision to evaluate.
#[derive(Debug)]
pub struct CalledDecision {
    /// Id of the decision.
    pub decision_id: Expr,
    /// Its version.
    pub binding: Binding,
    /// Variable for the result.
    pub result_variable: Text,
}

/// A process to call.
#[derive(Debug)]
pub struct CalledElement {
    /// Id of the process.
    pub process_id: Expr,
    /// Its version.
    pub binding: Binding,
    /// All variables of the child come back, not only what output mappings name.
    pub propagate_all_child_variables: bool,
    /// All visible variables go to the child, not only local ones.
    pub propagate_all_parent_variables: bool,
    /// Business id of the child; absent = inherited.
    pub business_id: Option<Expr>,
    /// Place among the ids of all call activities of the file, sorted.
    pub index: u32,
}

/// A multi-instance body.
#[derive(Debug)]
pub struct MultiInstance {
    /// The activity that is repeated.
    pub inner: ElementId,
    /// One after the other instead of all at once.
    pub sequential: bool,
    /// What is iterated over; FEEL.
    pub input_collection: Expr,
    /// Variable for the item.
    pub input_element: Option<Text>,
    /// Where results are gathered.
    pub output: Option<MultiInstanceOutput>,
    /// When to stop early.
    pub completion_condition: Option<Expr>,
}

/// Where the results of a multi-instance activity or an ad-hoc sub-process go.
#[derive(Debug)]
pub struct MultiInstanceOutput {
    /// Variable for the list.
    pub collection: Text,
    /// One result; FEEL.
    pub element: Expr,
    /// The variable `element` consists of or starts from (`=a` and `=a.b` give `a`), which each
    /// inner instance gets as a local null; none if it is another expression.
    pub element_variable: Option<Text>,
}

/// An ad-hoc sub-process.
#[derive(Debug)]
pub struct AdHoc {
    /// The inner instance, flow scope of the contained elements.
    pub inner: ElementId,
    /// What can be activated: contained elements without incoming flow, in document order.
    pub activities: Box<[ElementId]>,
    /// What is activated at first; FEEL.
    pub active_elements: Option<Expr>,
    /// When it is done.
    pub completion_condition: Option<Expr>,
    /// What still runs is terminated when the condition holds.
    pub cancel_remaining_instances: bool,
    /// Where results are gathered.
    pub output: Option<MultiInstanceOutput>,
    /// What can be activated, as the variable `adHocSubProcessElements` describes it.
    pub elements: RawValue,
    /// Run by a job worker instead of by the engine.
    pub job: Option<Box<Job>>,
}

/// `source` evaluated, put at `target`.
#[derive(Debug)]
pub struct InputMapping {
    /// Static text is always a string here.
    pub source: Expr,
    /// Path, at least one name.
    pub target: Box<[Text]>,
}

/// `source` evaluated, put at `target`.
#[derive(Debug)]
pub struct OutputMapping {
    /// FEEL.
    pub source: Expr,
    /// Path, at least one name.
    pub target: Box<[Text]>,
}

/// Execution listeners by event type, each in document order.
#[derive(Debug, Default)]
pub struct ExecutionListeners {
    /// Before the element does its work.
    pub start: Box<[Listener]>,
    /// After it.
    pub end: Box<[Listener]>,
    /// Before the instances of a multi-instance body.
    pub before_all: Box<[Listener]>,
    /// When it is terminated.
    pub cancel: Box<[Listener]>,
}

/// A listener, which is a job.
#[derive(Debug)]
pub struct Listener {
    /// Job type.
    pub job_type: Expr,
    /// Retries.
    pub retries: Expr,
    /// Custom headers in document order.
    pub headers: Box<[(Text, Text)]>,
}

/// A listener of a user task.
#[derive(Debug)]
pub struct TaskListener {
    /// When it is called.
    pub event: TaskListenerEvent,
    /// The job.
    pub listener: Listener,
}

/// When a task listener is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskListenerEvent {
    /// Before CREATED.
    Creating,
    /// Before ASSIGNED.
    Assigning,
    /// Before UPDATED.
    Updating,
    /// Before COMPLETED.
    Completing,
    /// Before CANCELED.
    Canceling,
}
