//! What active elements wait for, and names of variables per definition, on all databases.
//!
//! One instance waits in every way there is; what only interrupts, has ended or belongs to no
//! instance is not among it.

use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{Blob, Text};
use ringflow_export::{
    Aggregate, Aggregation, Cell, Entity, Filter, Literal, PageSpec, Queries, QueriesOptions,
    Query, Row,
};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{Scenario, definition, text_value};
use super::search::{is, text};

const XML: &str = r#"<b:definitions xmlns:b="http://www.omg.org/spec/BPMN/20100524/MODEL"><b:process id="waits"><b:intermediateCatchEvent id="timer"/><b:intermediateCatchEvent id="signal"/><b:intermediateCatchEvent id="condition"/><b:intermediateCatchEvent id="behind"/><b:boundaryEvent id="boundary"/><b:startEvent id="start"/></b:process></b:definitions>"#;

fn waits() -> Key {
    Key::new(PartitionId(1), 9)
}

struct World {
    scenario: Scenario,
    instance: Key,
}

impl World {
    fn new() -> Self {
        let mut scenario = Scenario::new(1);
        let process = ProcessRecord {
            bpmn_process_id: "waits".into(),
            version: 1,
            process_definition_key: waits(),
            resource: Blob::from(XML.as_bytes()),
            ..ProcessRecord::default()
        };
        scenario.event(waits(), of::Process::Created, process);
        let instance = scenario.key();
        let mut world = Self { scenario, instance };
        world.element("waits", instance, BpmnElementType::Process);
        world
    }

    fn element(&mut self, id: &str, key: Key, kind: BpmnElementType) -> Key {
        let mut record = self.scenario.element(self.instance, id, kind);
        record.bpmn_process_id = "waits".into();
        record.process_definition_key = waits();
        let activating = of::ProcessInstance::ElementActivating;
        self.scenario.event(key, activating, record);
        key
    }

    fn waiting(&mut self, id: &str, kind: BpmnElementType) -> Key {
        let key = self.scenario.key();
        self.element(id, key, kind)
    }

    fn timer(&mut self, intent: of::Timer, key: Key, element: Key, id: &str, instance: Key) {
        let timer = TimerRecord {
            element_instance_key: element,
            process_instance_key: instance,
            root_process_instance_key: instance,
            due_date: Timestamp(1_800_000_000_000),
            target_element_id: id.into(),
            repetitions: 1,
            process_definition_key: waits(),
            ..TimerRecord::default()
        };
        self.scenario.event(key, intent, timer);
    }

    fn message(&mut self, element: Key, id: &str) -> Key {
        let key = self.scenario.key();
        let subscription = ProcessMessageSubscriptionRecord {
            process_instance_key: self.instance,
            root_process_instance_key: self.instance,
            element_instance_key: element,
            bpmn_process_id: "waits".into(),
            process_definition_key: waits(),
            message_name: "paid".into(),
            correlation_key: "c-1".into(),
            element_id: id.into(),
            ..ProcessMessageSubscriptionRecord::default()
        };
        let created = of::ProcessMessageSubscription::Created;
        self.scenario.event(key, created, subscription);
        key
    }

    /// Everything that can wait.
    fn fill(&mut self) {
        use BpmnElementType as E;
        let catch = E::IntermediateCatchEvent;
        let instance = self.instance;
        let task = self.waiting("task", E::ServiceTask);
        let job = self.scenario.key();
        let mut record = self.scenario.job(instance, task);
        record.process_definition_key = waits();
        self.scenario.event(job, of::Job::Created, record.clone());
        record.retries = 2;
        self.scenario.event(job, of::Job::Failed, record.clone());
        let done = self.scenario.key();
        self.scenario.event(done, of::Job::Created, record.clone());
        self.scenario.event(done, of::Job::Completed, record);
        // A boundary event's message and timer interrupt the task; it waits for the job.
        self.message(task, "boundary");
        let key = self.scenario.key();
        self.timer(of::Timer::Created, key, task, "boundary", instance);

        let human = self.waiting("human", E::UserTask);
        let key = self.scenario.key();
        let user_task = UserTaskRecord {
            user_task_key: key,
            due_date: "2030-01-01T00:00:00Z".into(),
            process_instance_key: instance,
            process_definition_key: waits(),
            element_id: "human".into(),
            element_instance_key: human,
            ..UserTaskRecord::default()
        };
        self.scenario
            .event(key, of::UserTask::Creating, user_task.clone());
        self.scenario.event(key, of::UserTask::Created, user_task);

        let receive = self.waiting("receive", E::ReceiveTask);
        self.message(receive, "receive");

        let timer = self.waiting("timer", catch);
        let key = self.scenario.key();
        self.timer(of::Timer::Created, key, timer, "timer", instance);
        let gone = self.scenario.key();
        self.timer(of::Timer::Created, gone, timer, "timer", instance);
        self.timer(of::Timer::Triggered, gone, timer, "timer", instance);
        let start = self.scenario.key();
        self.timer(of::Timer::Created, start, Key::NONE, "timer", Key::NONE);

        let signal = self.waiting("signal", catch);
        let key = self.scenario.key();
        let subscription = SignalSubscriptionRecord {
            process_definition_key: waits(),
            signal_name: "go".into(),
            catch_event_id: "signal".into(),
            catch_event_instance_key: signal,
            process_instance_key: instance,
            ..SignalSubscriptionRecord::default()
        };
        let created = of::SignalSubscription::Created;
        self.scenario.event(key, created, subscription);

        let condition = self.waiting("condition", catch);
        let key = self.scenario.key();
        let subscription = ConditionalSubscriptionRecord {
            scope_key: instance,
            element_instance_key: condition,
            process_instance_key: instance,
            root_process_instance_key: instance,
            process_definition_key: waits(),
            catch_event_id: "condition".into(),
            condition: "=x > 1".into(),
            variable_events: vec!["update".into()],
            ..ConditionalSubscriptionRecord::default()
        };
        let created = of::ConditionalSubscription::Created;
        self.scenario.event(key, created, subscription);

        let gateway = self.waiting("gateway", E::EventBasedGateway);
        let key = self.scenario.key();
        self.timer(of::Timer::Created, key, gateway, "behind", instance);

        // Ended, though nobody said so of its job.
        let ended = self.waiting("ended", E::ServiceTask);
        let key = self.scenario.key();
        let record = self.scenario.job(instance, ended);
        self.scenario.event(key, of::Job::Created, record);
        let record = self.scenario.element(instance, "ended", E::ServiceTask);
        let terminated = of::ProcessInstance::ElementTerminated;
        self.scenario.event(ended, terminated, record);
    }
}

fn words(row: &Row, names: &[&str]) -> Vec<String> {
    let word = |name: &&str| match row.get(name) {
        Some(Cell::Text(text)) => text.clone(),
        Some(Cell::Int(number) | Cell::Time(number)) => number.to_string(),
        _ => "-".to_owned(),
    };
    names.iter().map(word).collect()
}

#[test]
fn every_way_of_waiting_is_found() {
    const NAMES: [&str; 8] = [
        "elementId",
        "elementType",
        "waitStateType",
        "name",
        "more",
        "kind",
        "due",
        "number",
    ];
    for db in Db::all() {
        let mut world = World::new();
        world.fill();
        export(&db, &[&world.scenario]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let page = queries.search(&Query::of(Entity::WaitState)).await.unwrap();
            let found: Vec<Vec<String>> = page.items.iter().map(|row| words(row, &NAMES)).collect();
            let due = "1800000000000";
            let expected = [
                [
                    "task",
                    "SERVICE_TASK",
                    "JOB",
                    "pack",
                    "UNSPECIFIED",
                    "BPMN_ELEMENT",
                    "-",
                    "2",
                ],
                [
                    "human",
                    "USER_TASK",
                    "USER_TASK",
                    "-",
                    "-",
                    "-",
                    "1893456000000",
                    "-",
                ],
                [
                    "receive",
                    "RECEIVE_TASK",
                    "MESSAGE",
                    "paid",
                    "c-1",
                    "-",
                    "-",
                    "-",
                ],
                [
                    "timer",
                    "INTERMEDIATE_CATCH_EVENT",
                    "TIMER",
                    "-",
                    "-",
                    "TIMER",
                    due,
                    "1",
                ],
                [
                    "signal",
                    "INTERMEDIATE_CATCH_EVENT",
                    "SIGNAL",
                    "go",
                    "-",
                    "SIGNAL",
                    "-",
                    "-",
                ],
                [
                    "condition",
                    "INTERMEDIATE_CATCH_EVENT",
                    "CONDITION",
                    "=x > 1",
                    "update",
                    "CONDITION",
                    "-",
                    "-",
                ],
                [
                    "behind",
                    "INTERMEDIATE_CATCH_EVENT",
                    "TIMER",
                    "-",
                    "-",
                    "TIMER",
                    due,
                    "1",
                ],
            ];
            assert_eq!(found, expected);
            let of = |field: &str, value: Literal| Query {
                filter: is(field, value),
                ..Query::of(Entity::WaitState)
            };
            for (field, value, count) in [
                ("processInstanceKey", Literal::Int(world.instance.0), 7),
                ("processInstanceKey", Literal::Int(1), 0),
                ("waitStateType", text("TIMER"), 2),
                ("elementId", text("receive"), 1),
                ("elementType", text("USER_TASK"), 1),
                ("bpmnProcessId", text("waits"), 7),
            ] {
                let total = queries.search(&of(field, value)).await.unwrap().total;
                assert_eq!(total, count, "{field}");
            }
            let question = Aggregation {
                of: Aggregate::WaitStatesByElement(is(
                    "processInstanceKey",
                    Literal::Int(world.instance.0),
                )),
                sort: Vec::new(),
                page: PageSpec::default(),
            };
            let counts = queries.aggregate(&question).await.unwrap();
            assert_eq!(counts.total, 7);
            assert_eq!(
                words(&counts.items[0], &["elementId", "waitingCount"]),
                ["behind", "1"]
            );
        });
        // Three timers, a signal and a condition were worth a row; two of them are left of a timer.
        assert_eq!(db.number("SELECT COUNT(*) FROM wait_state"), 4);
    }
}

#[test]
fn names_of_variables_are_kept_per_definition() {
    for db in Db::all() {
        let mut scenario = Scenario::new(1);
        let mut second = Scenario::new(2);
        for (number, scenario) in [&mut scenario, &mut second].into_iter().enumerate() {
            for name in ["b", "a", "b", if number == 0 { "c" } else { "d" }] {
                let instance = scenario.key();
                let key = scenario.key();
                let value = scenario.variable(instance, instance, name, text_value("x"));
                scenario.event(key, of::Variable::Created, value.clone());
                scenario.event(key, of::Variable::Updated, value);
            }
        }
        let instance = second.key();
        let key = second.key();
        let mut moved = second.variable(instance, instance, "a", text_value("x"));
        moved.process_definition_key = waits();
        moved.bpmn_process_id = "waits".into();
        second.event(key, of::Variable::Migrated, moved);
        export(&db, &[&scenario, &second]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let names = async |filter: Filter| -> Vec<Text> {
                let query = Query {
                    filter,
                    ..Query::of(Entity::VariableName)
                };
                let page = queries.search(&query).await.unwrap();
                let name = |row: &Row| Text::from(words(row, &["name"]).remove(0));
                page.items.iter().map(name).collect()
            };
            let of = |key: Key| is("processDefinitionKey", Literal::Int(key.0));
            assert_eq!(names(of(definition())).await, ["a", "b", "c", "d"]);
            assert_eq!(names(of(waits())).await, ["a"]);
            let both = Filter::All(vec![of(definition()), is("name", text("c"))]);
            assert_eq!(names(both).await, ["c"]);
        });
    }
}
