//! Records as an engine would write them, for scenarios of many small instances.
//!
//! Positions are consecutive, keys carry the partition. Time is the position in milliseconds after a
//! fixed start, so that every expectation can be computed.

use std::collections::BTreeMap;

use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
use ringflow_core::msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{
    Blob, Document, Intent, RawValue, Record, RecordType, Rejection, Text, Value,
};

pub(crate) const START: i64 = 1_700_000_000_000;
const XML: &str = r#"<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"><bpmn:process id="order" name="Order"><bpmn:startEvent id="start"/><bpmn:serviceTask id="pack" name="Pack it"/><bpmn:callActivity id="call"/></bpmn:process></bpmn:definitions>"#;

/// What a scenario should leave behind.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) instances: i64,
    pub(crate) completed: i64,
    pub(crate) elements: i64,
    pub(crate) flows: i64,
    pub(crate) variables: i64,
    pub(crate) jobs: i64,
    pub(crate) incidents: i64,
    pub(crate) open_incidents: i64,
}

/// Builds the records of one partition.
pub(crate) struct Scenario {
    pub(crate) partition: PartitionId,
    pub(crate) records: Vec<Record>,
    pub(crate) expected: Expected,
    counter: i64,
}

pub(crate) fn definition() -> Key {
    Key::new(PartitionId(1), 7)
}

pub(crate) fn raw(write: impl FnOnce(&mut Vec<u8>)) -> RawValue {
    let mut bytes = Vec::new();
    write(&mut bytes);
    RawValue::from(bytes)
}

pub(crate) fn text_value(text: &str) -> RawValue {
    raw(|out| msgpack::write_str(out, text))
}

impl Scenario {
    pub(crate) fn new(partition: u16) -> Self {
        let mut scenario = Self {
            partition: PartitionId(partition),
            records: Vec::new(),
            expected: Expected::default(),
            counter: 100,
        };
        scenario.event(
            definition(),
            of::Process::Created,
            ProcessRecord {
                bpmn_process_id: "order".into(),
                version: 1,
                process_definition_key: definition(),
                resource_name: "order.bpmn".into(),
                resource: Blob::from(XML.as_bytes()),
                version_tag: "v1".into(),
                ..ProcessRecord::default()
            },
        );
        scenario
    }

    pub(crate) fn key(&mut self) -> Key {
        self.counter += 1;
        Key::new(self.partition, self.counter)
    }

    pub(crate) fn event(
        &mut self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) -> i64 {
        let position = self.records.last().map_or(1, |last| last.position.0 + 1);
        let time = START + position as i64;
        self.records.push(Record {
            position: Position(position),
            source_position: None,
            key,
            timestamp: Timestamp(time),
            record_type: RecordType::Event,
            intent: intent.into(),
            rejection: None,
            partition: self.partition,
            record_version: 1,
            operation_reference: -1,
            batch_operation_reference: Key::NONE,
            authorization: Document::EMPTY,
            value: value.into(),
        });
        time
    }

    /// A command of `user`; empty = of nobody who said a name.
    pub(crate) fn asked(
        &mut self,
        user: &str,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
    ) {
        self.event(key, intent, value);
        if let Some(last) = self.records.last_mut() {
            last.record_type = RecordType::Command;
            if !user.is_empty() {
                let mut claims = Vec::new();
                msgpack::write_map_header(&mut claims, 1);
                msgpack::write_str(&mut claims, "authorized_username");
                msgpack::write_str(&mut claims, user);
                last.authorization = Document::from(claims);
            }
        }
    }

    /// What the last command did: an event, or its refusal.
    pub(crate) fn caused(
        &mut self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
        rejection: Option<Rejection>,
    ) {
        let command = self.records.iter().rev();
        let command = command.map(|record| (record.record_type, record.position));
        let source = command
            .into_iter()
            .find(|(kind, _)| *kind == RecordType::Command);
        let source = source.map(|(_, position)| position);
        self.event(key, intent, value);
        if let Some(last) = self.records.last_mut() {
            last.source_position = source;
            if rejection.is_some() {
                last.record_type = RecordType::CommandRejection;
            }
            last.rejection = rejection;
        }
    }

    /// A command, which writes nothing.
    pub(crate) fn noise(&mut self) {
        self.event(Key::NONE, of::Job::Complete, JobRecord::default());
        if let Some(last) = self.records.last_mut() {
            last.record_type = RecordType::Command;
        }
    }

    pub(crate) fn element(
        &self,
        instance: Key,
        id: &str,
        kind: BpmnElementType,
    ) -> ProcessInstanceRecord {
        ProcessInstanceRecord {
            bpmn_process_id: "order".into(),
            version: 1,
            process_definition_key: definition(),
            process_instance_key: instance,
            root_process_instance_key: instance,
            element_id: id.into(),
            flow_scope_key: instance,
            bpmn_element_type: kind,
            ..ProcessInstanceRecord::default()
        }
    }

    pub(crate) fn job(&self, instance: Key, element: Key) -> JobRecord {
        JobRecord {
            job_type: "pack".into(),
            retries: 3,
            bpmn_process_id: "order".into(),
            process_definition_version: 1,
            process_definition_key: definition(),
            process_instance_key: instance,
            root_process_instance_key: instance,
            element_id: "pack".into(),
            element_instance_key: element,
            ..JobRecord::default()
        }
    }

    pub(crate) fn variable(
        &self,
        instance: Key,
        scope: Key,
        name: &str,
        value: RawValue,
    ) -> VariableRecord {
        VariableRecord {
            name: name.into(),
            value,
            scope_key: scope,
            process_instance_key: instance,
            root_process_instance_key: instance,
            process_definition_key: definition(),
            bpmn_process_id: "order".into(),
            ..VariableRecord::default()
        }
    }

    pub(crate) fn incident(
        &self,
        instance: Key,
        element: Key,
        job: Key,
        message: &str,
    ) -> IncidentRecord {
        IncidentRecord {
            error_type: ErrorType::JobNoRetries,
            error_message: message.into(),
            bpmn_process_id: "order".into(),
            process_definition_key: definition(),
            process_instance_key: instance,
            root_process_instance_key: instance,
            element_id: "pack".into(),
            element_instance_key: element,
            job_key: job,
            element_instance_path: vec![vec![instance, element]],
            ..IncidentRecord::default()
        }
    }

    /// One instance: start event, flow, service task with a job, two variables. Every third fails
    /// once and gets an incident, which every sixth keeps; every fifth stays at its task.
    pub(crate) fn instance(&mut self, number: i64) -> Key {
        use of::ProcessInstance as On;
        let instance = self.key();
        let mut process = self.element(instance, "order", BpmnElementType::Process);
        process.flow_scope_key = Key::NONE;
        process.element_instance_path = vec![vec![instance]];
        process.business_id = Text::from(format!("order-{number}"));
        process.tags = vec!["all".into(), Text::from(format!("t{}", number % 4))];
        self.event(instance, On::ElementActivating, process.clone());
        self.event(instance, On::ElementActivated, process.clone());
        let number_value = raw(|out| msgpack::write_int(out, number));
        let key = self.key();
        let variable = self.variable(instance, instance, "number", number_value);
        self.event(key, of::Variable::Created, variable);
        let start = self.key();
        let element = self.element(instance, "start", BpmnElementType::StartEvent);
        self.event(start, On::ElementActivating, element.clone());
        self.event(start, On::ElementCompleted, element);
        let flow = self.key();
        let taken = self.element(instance, "flow1", BpmnElementType::SequenceFlow);
        self.event(flow, On::SequenceFlowTaken, taken);
        let task = self.key();
        let element = self.element(instance, "pack", BpmnElementType::ServiceTask);
        self.event(task, On::ElementActivating, element.clone());
        let job_key = self.key();
        let mut job = self.job(instance, task);
        self.event(job_key, of::Job::Created, job.clone());
        self.noise();
        let name = self.key();
        let mut variable = self.variable(instance, task, "result", text_value("open"));
        self.event(name, of::Variable::Created, variable.clone());
        self.expected.instances += 1;
        self.expected.elements += 2;
        self.expected.flows += 1;
        self.expected.variables += 2;
        self.expected.jobs += 1;
        if number % 3 == 0 {
            job.retries = 0;
            job.error_message = "Boom happened".into();
            job.worker = "w1".into();
            self.event(job_key, of::Job::Failed, job.clone());
            let incident = self.key();
            let value = self.incident(instance, task, job_key, "Boom happened");
            self.event(incident, of::Incident::Created, value.clone());
            self.expected.incidents += 1;
            if number % 6 == 0 {
                self.expected.open_incidents += 1;
                return instance;
            }
            self.event(incident, of::Incident::Resolved, value);
        }
        if number % 5 == 0 {
            return instance;
        }
        job.worker = if number % 2 == 0 { "w1" } else { "w2" }.into();
        self.event(job_key, of::Job::Completed, job);
        variable.value = text_value("done");
        self.event(name, of::Variable::Updated, variable);
        self.event(task, On::ElementCompleted, element);
        self.event(instance, On::ElementCompleted, process);
        self.expected.completed += 1;
        instance
    }

    pub(crate) fn last(&self) -> u64 {
        self.records.last().map_or(0, |last| last.position.0)
    }
}

/// What the tables should count for all scenarios together.
pub(crate) fn sums(scenarios: &[&Expected]) -> BTreeMap<&'static str, i64> {
    let sum = |field: fn(&Expected) -> i64| scenarios.iter().map(|expected| field(expected)).sum();
    BTreeMap::from([
        (
            "SELECT COUNT(*) FROM process_instance",
            sum(|e| e.instances),
        ),
        (
            "SELECT COUNT(*) FROM process_instance_tag",
            sum(|e| 2 * e.instances),
        ),
        (
            "SELECT COUNT(*) FROM process_instance WHERE state = 'COMPLETED'",
            sum(|e| e.completed),
        ),
        (
            "SELECT COUNT(*) FROM flow_node_instance",
            sum(|e| e.elements),
        ),
        (
            "SELECT COUNT(*) FROM flow_node_instance WHERE flow_node_name = 'Pack it'",
            sum(|e| e.instances),
        ),
        ("SELECT COUNT(*) FROM sequence_flow", sum(|e| e.flows)),
        ("SELECT COUNT(*) FROM variable", sum(|e| e.variables)),
        (
            "SELECT COUNT(*) FROM variable WHERE var_value = '\"done\"'",
            sum(|e| e.completed),
        ),
        ("SELECT COUNT(*) FROM job", sum(|e| e.jobs)),
        (
            "SELECT COUNT(*) FROM job WHERE state = 'COMPLETED'",
            sum(|e| e.completed),
        ),
        ("SELECT COUNT(*) FROM incident", sum(|e| e.incidents)),
        (
            "SELECT COALESCE(SUM(num_incidents), 0) FROM process_instance",
            sum(|e| e.open_incidents),
        ),
        (
            "SELECT COUNT(*) FROM process_instance WHERE num_incidents NOT IN (0, 1)",
            0,
        ),
        (
            "SELECT COUNT(*) FROM flow_node_instance WHERE incident_key IS NOT NULL",
            sum(|e| e.open_incidents),
        ),
        ("SELECT COUNT(*) FROM process_definition", 1),
        ("SELECT COUNT(*) FROM exporter_error", 0),
    ])
}
