//! The element table: XML names of BPMN elements, what records call them, and what sort they are.
//!
//! Everything else asks this table instead of comparing names. An element of the BPMN namespace
//! that is not listed (diagrams, documentation, artefacts, choreographies) has no tag and no
//! effect. `Unsupported` elements are listed so that a file that needs them is refused by name.

use roxmltree::Node;

use crate::record::value::BpmnElementType;

/// Namespace of BPMN 2.0 elements.
pub(super) const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";
/// Namespace of the extension elements and attributes.
pub(super) const ZEEBE: &str = "http://camunda.org/schema/zeebe/1.0";

/// Sort of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Definitions, messages, errors, conditions: no part of the flow.
    Other,
    /// A process.
    Process,
    /// A sub-process of any kind.
    SubProcess,
    /// A task of any kind.
    Task,
    /// A call activity.
    CallActivity,
    /// A gateway.
    Gateway,
    /// An event that is triggered: start, intermediate catch, boundary.
    CatchEvent,
    /// An event that triggers: intermediate throw, end.
    ThrowEvent,
    /// A sequence flow.
    Flow,
    /// What an event is about.
    EventDefinition,
    /// A flow element or event definition that is not executed.
    Unsupported,
}

macro_rules! tags {
    ($($tag:ident = $xml:literal $sort:ident $element_type:ident;)*) => {
        /// A BPMN element by name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Tag { $(#[doc = $xml] $tag,)* }

        impl Tag {
            /// The tag of an element; none if it is not of BPMN or not listed.
            pub(super) fn of(node: Node<'_, '_>) -> Option<Self> {
                if node.tag_name().namespace() != Some(BPMN) {
                    return None;
                }
                match node.tag_name().name() {
                    $($xml => Some(Self::$tag),)*
                    _ => None,
                }
            }

            /// The element's name in XML.
            pub(super) const fn xml(self) -> &'static str {
                match self { $(Self::$tag => $xml,)* }
            }

            /// What sort it is.
            pub(super) const fn sort(self) -> Sort {
                match self { $(Self::$tag => Sort::$sort,)* }
            }

            /// What records call it.
            pub(super) const fn element_type(self) -> BpmnElementType {
                match self { $(Self::$tag => BpmnElementType::$element_type,)* }
            }
        }
    };
}

tags! {
    Definitions = "definitions" Other Unspecified;
    Message = "message" Other Unspecified;
    Signal = "signal" Other Unspecified;
    Error = "error" Other Unspecified;
    Escalation = "escalation" Other Unspecified;
    ConditionExpression = "conditionExpression" Other Unspecified;
    Condition = "condition" Other Unspecified;
    MultiInstance = "multiInstanceLoopCharacteristics" Other Unspecified;
    Process = "process" Process Process;
    SubProcess = "subProcess" SubProcess SubProcess;
    AdHocSubProcess = "adHocSubProcess" SubProcess AdHocSubProcess;
    Transaction = "transaction" Unsupported Unspecified;
    Task = "task" Task Task;
    ManualTask = "manualTask" Task ManualTask;
    ServiceTask = "serviceTask" Task ServiceTask;
    SendTask = "sendTask" Task SendTask;
    ReceiveTask = "receiveTask" Task ReceiveTask;
    UserTask = "userTask" Task UserTask;
    ScriptTask = "scriptTask" Task ScriptTask;
    BusinessRuleTask = "businessRuleTask" Task BusinessRuleTask;
    CallActivity = "callActivity" CallActivity CallActivity;
    ExclusiveGateway = "exclusiveGateway" Gateway ExclusiveGateway;
    InclusiveGateway = "inclusiveGateway" Gateway InclusiveGateway;
    ParallelGateway = "parallelGateway" Gateway ParallelGateway;
    EventBasedGateway = "eventBasedGateway" Gateway EventBasedGateway;
    ComplexGateway = "complexGateway" Unsupported Unspecified;
    StartEvent = "startEvent" CatchEvent StartEvent;
    IntermediateCatchEvent = "intermediateCatchEvent" CatchEvent IntermediateCatchEvent;
    BoundaryEvent = "boundaryEvent" CatchEvent BoundaryEvent;
    IntermediateThrowEvent = "intermediateThrowEvent" ThrowEvent IntermediateThrowEvent;
    EndEvent = "endEvent" ThrowEvent EndEvent;
    SequenceFlow = "sequenceFlow" Flow SequenceFlow;
    MessageEvent = "messageEventDefinition" EventDefinition Unspecified;
    TimerEvent = "timerEventDefinition" EventDefinition Unspecified;
    SignalEvent = "signalEventDefinition" EventDefinition Unspecified;
    ErrorEvent = "errorEventDefinition" EventDefinition Unspecified;
    EscalationEvent = "escalationEventDefinition" EventDefinition Unspecified;
    CompensateEvent = "compensateEventDefinition" EventDefinition Unspecified;
    ConditionalEvent = "conditionalEventDefinition" EventDefinition Unspecified;
    LinkEvent = "linkEventDefinition" EventDefinition Unspecified;
    TerminateEvent = "terminateEventDefinition" EventDefinition Unspecified;
    CancelEvent = "cancelEventDefinition" EventDefinition Unspecified;
}

impl Tag {
    /// True for what can have tokens: activities, gateways, events.
    pub(super) const fn is_flow_node(self) -> bool {
        match self.sort() {
            Sort::SubProcess
            | Sort::Task
            | Sort::CallActivity
            | Sort::Gateway
            | Sort::CatchEvent
            | Sort::ThrowEvent => true,
            Sort::Other
            | Sort::Process
            | Sort::Flow
            | Sort::EventDefinition
            | Sort::Unsupported => false,
        }
    }

    /// True for tasks, sub-processes and call activities.
    pub(super) const fn is_activity(self) -> bool {
        matches!(
            self.sort(),
            Sort::SubProcess | Sort::Task | Sort::CallActivity
        )
    }

    /// The name of the element's class in Camunda's model: the XML name, capitalised.
    pub(super) fn class(self) -> String {
        let xml = self.xml();
        xml[..1].to_ascii_uppercase() + &xml[1..]
    }
}
