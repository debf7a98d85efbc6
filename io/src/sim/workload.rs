//! Clients and exporter of a simulation: what they ask, and what they note.
//!
//! Clients create instances, work on their jobs and publish messages, at whichever broker they find;
//! commands that can be counted carry a number. The exporter follows the leader and appends to the
//! one database there is, as the real one does in its transactions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Position};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, JobBatchRecord, JobRecord, MessageRecord,
    ProcessInstanceCreationRecord,
};
use ringflow_core::record::{Blob, Document, Text, Value};

use crate::driver;
use crate::feed::{Export, FeedReader};
use crate::shard::mailbox::{Loss, Mailbox};
use crate::sim::executor::{below, once_in};
use crate::sim::node::Nodes;
use crate::sim::oracle::{Book, Exported, Told};

/// Longest wait of a client.
const PATIENCE: Duration = Duration::from_secs(8);

const MODEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t" id="d">
  <message id="m" name="go">
    <extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements>
  </message>
  <process id="waits" isExecutable="true">
    <startEvent id="start"><outgoing>a</outgoing></startEvent>
    <sequenceFlow id="a" sourceRef="start" targetRef="task"/>
    <serviceTask id="task">
      <extensionElements><zeebe:taskDefinition type="work"/></extensionElements>
      <incoming>a</incoming><outgoing>b</outgoing>
    </serviceTask>
    <sequenceFlow id="b" sourceRef="task" targetRef="catch"/>
    <intermediateCatchEvent id="catch">
      <incoming>b</incoming><outgoing>c</outgoing>
      <messageEventDefinition id="e" messageRef="m"/>
    </intermediateCatchEvent>
    <sequenceFlow id="c" sourceRef="catch" targetRef="end"/>
    <endEvent id="end"><incoming>c</incoming></endEvent>
  </process>
</definitions>"#;

/// What clients, exporter and the scenario share.
pub(crate) struct World {
    pub(crate) nodes: Nodes,
    pub(crate) partitions: u16,
    pub(crate) book: RefCell<Book>,
    pub(crate) exported: RefCell<Vec<Exported>>,
    pub(crate) violation: RefCell<Option<String>>,
    pub(crate) stop: Cell<bool>,
    pub(crate) asking: Cell<u32>,
    number: Cell<i64>,
}

impl World {
    pub(crate) fn new(nodes: Nodes, partitions: u16) -> Self {
        Self {
            nodes,
            partitions,
            book: RefCell::default(),
            exported: RefCell::new((0..partitions).map(|_| Exported::default()).collect()),
            violation: RefCell::default(),
            stop: Cell::new(false),
            asking: Cell::new(0),
            number: Cell::new(1),
        }
    }

    pub(crate) fn violate(&self, what: String) {
        self.violation.borrow_mut().get_or_insert(what);
    }

    /// True if the mailbox is that of a broker that runs: a dead one's says what it last said.
    fn runs(&self, mailbox: &Arc<Mailbox>) -> bool {
        let nodes = self.nodes.borrow();
        let mut running = nodes.iter().filter_map(|node| node.running.as_ref());
        running.any(|running| {
            let current = running.shared.partitions.get(mailbox.partition);
            current.is_some_and(|current| Arc::ptr_eq(current, mailbox))
        })
    }

    /// A broker that serves the partition, or at times just any.
    fn pick(&self, partition: u16) -> usize {
        let any = below(self.nodes.borrow().len() as u64) as usize;
        if once_in(8) {
            return any;
        }
        let nodes = self.nodes.borrow();
        let serves = nodes.iter().position(|node| {
            let running = node.running.as_ref();
            running.is_some_and(|running| running.serves(PartitionId(partition)))
        });
        serves.unwrap_or(any)
    }

    /// Asks once and notes what was told, if the command has a number.
    pub(crate) async fn ask(&self, partition: u16, command: Command) -> Option<Response> {
        let number = command.operation_reference;
        let node = self.pick(partition);
        let submitter = {
            let nodes = self.nodes.borrow();
            nodes[node].running.as_ref().map(|it| it.submitter())
        };
        let begun = submitter.map(|it| it.begin(PartitionId(partition), command));
        self.asking.set(self.asking.get() + 1);
        let (told, response) = match begun {
            None | Some(Err(_)) => (Told::NotTaken, None),
            Some(Ok(answer)) => match driver::within(PATIENCE, answer).await {
                Some(Ok(Ok(response))) => (Told::Answered, Some(response)),
                Some(Ok(Err(Loss::NotTaken(_)))) => (Told::NotTaken, None),
                Some(Ok(Err(Loss::LeadershipLost | Loss::Unknown)) | Err(_)) | None => {
                    (Told::Unknown, None)
                }
            },
        };
        self.asking.set(self.asking.get() - 1);
        if number > 0 {
            self.book.borrow_mut().note(number, told);
        }
        response
    }

    /// Tells replicas that wait for it how far the database is, as a broker does.
    fn tell_exported(&self, partition: PartitionId, position: Position) {
        for node in self.nodes.borrow().iter() {
            let running = node.running.as_ref();
            let mailbox = running.and_then(|it| it.shared.partitions.get(partition));
            if let Some(mailbox) = mailbox.filter(|mailbox| mailbox.feed.is_awaited()) {
                mailbox.feed.hear_exported(position);
            }
        }
    }

    /// Gives `command` a number of its own.
    fn numbered(&self, mut command: Command) -> Command {
        command.operation_reference = self.number.replace(self.number.get() + 1);
        command
    }

    fn some_partition(&self) -> u16 {
        1 + below(u64::from(self.partitions)) as u16
    }
}

pub(crate) fn deploy() -> Command {
    let deployment = DeploymentRecord {
        resources: vec![DeploymentResource {
            resource: Blob::from(MODEL.as_bytes().to_vec()),
            resource_name: Text::from("waits.bpmn"),
        }],
        ..DeploymentRecord::default()
    };
    Command::internal(Key::NONE, of::Deployment::Create, deployment)
}

fn create(order: u64) -> Command {
    let variables = format!(r#"{{"order": "order-{order}"}}"#);
    let creation = ProcessInstanceCreationRecord {
        bpmn_process_id: Text::from("waits"),
        variables: Document::from(
            ringflow_core::json::to_msgpack(variables).expect("an object of one member"),
        ),
        ..ProcessInstanceCreationRecord::default()
    };
    Command::internal(Key::NONE, of::ProcessInstanceCreation::Create, creation)
}

fn activate() -> Command {
    let batch = JobBatchRecord {
        job_type: Text::from("work"),
        worker: Text::from("worker"),
        timeout: 2_000,
        max_jobs: 8,
        tenant_ids: vec![Text::from("<default>")],
        ..JobBatchRecord::default()
    };
    Command::internal(Key::NONE, of::JobBatch::Activate, batch)
}

fn publish(order: &str) -> Command {
    let message = MessageRecord {
        name: Text::from("go"),
        correlation_key: Text::from(order),
        time_to_live: 5_000,
        ..MessageRecord::default()
    };
    Command::internal(Key::NONE, of::Message::Publish, message)
}

/// Creates instances and publishes the messages they wait for.
pub(crate) async fn create_and_publish(world: Rc<World>) {
    while !world.stop.get() {
        let order = below(1000);
        let partition = world.some_partition();
        world.ask(partition, world.numbered(create(order))).await;
        if once_in(2) {
            let order = format!("order-{order}");
            let to = PartitionId::of_correlation_key(&order, world.partitions);
            world.ask(to.0, world.numbered(publish(&order))).await;
        }
        driver::sleep(Duration::from_millis(5 + below(60))).await;
    }
}

/// Takes jobs and completes them, sometimes twice.
pub(crate) async fn work(world: Rc<World>) {
    while !world.stop.get() {
        let partition = world.some_partition();
        let response = world.ask(partition, activate()).await;
        let keys = match response.as_ref().map(|response| &response.value) {
            Some(Value::JobBatch(batch)) => batch.job_keys.clone(),
            Some(_) | None => Vec::new(),
        };
        for key in keys {
            for _ in 0..1 + u64::from(once_in(8)) {
                let complete = Command::internal(key, of::Job::Complete, JobRecord::default());
                world.ask(partition, world.numbered(complete)).await;
            }
        }
        driver::sleep(Duration::from_millis(20 + below(80))).await;
    }
}

/// Exports a partition, from whichever broker leads it.
pub(crate) async fn export(world: Rc<World>, partition: u16) {
    let at = usize::from(partition) - 1;
    loop {
        let mailbox = {
            let nodes = world.nodes.borrow();
            nodes.iter().find_map(|node| {
                let running = node.running.as_ref()?;
                let serves = running.serves(PartitionId(partition));
                serves.then(|| {
                    running
                        .shared
                        .partitions
                        .get(PartitionId(partition))
                        .cloned()
                })?
            })
        };
        let resume = Position(world.exported.borrow()[at].position());
        world.tell_exported(PartitionId(partition), resume);
        let reader = mailbox
            .as_ref()
            .and_then(|mailbox| FeedReader::open(Arc::clone(mailbox), Export::Storage, resume));
        let Some(mut reader) = reader else {
            driver::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mailbox = mailbox.expect("a reader was opened on it");
        while mailbox.status.serves() && world.runs(&mailbox) {
            match driver::within(Duration::from_millis(200), reader.next()).await {
                None => {}
                Some(Ok(None)) => break,
                Some(Ok(Some(batch))) => {
                    let appended = world.exported.borrow_mut()[at].append(&batch.records);
                    if let Err(why) = appended {
                        world.violate(format!("partition {partition}: {why}"));
                        return;
                    }
                    reader.acknowledge(batch.last);
                    if once_in(50) {
                        driver::sleep(Duration::from_millis(below(500))).await;
                    }
                }
                Some(Err(error)) => {
                    world.violate(format!("partition {partition}: the export ends: {error}"));
                    return;
                }
            }
        }
    }
}
