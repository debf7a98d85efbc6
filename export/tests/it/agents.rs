//! Agents and what they said, on all databases: their rows from begin to end, and what is found.
//!
//! One agent runs through its life on each of two partitions; definitions are written by the first.
//! `search` has some more in its world.

use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::{
    Cell, Entity, Exporter, Literal, Op, Queries, QueriesOptions, Query, RetainOptions, Row,
};

use super::database::{Db, block_on};
use super::export::{export, feed, options, wait};
use super::records::{Scenario, definition, raw};
use super::search::{is, op, text};

fn said(text: &str) -> AgentContent {
    AgentContent {
        content_type: AgentContentType::Text,
        text: text.into(),
        ..AgentContent::default()
    }
}

/// An agent of an instance.
struct Agent {
    instance: Key,
    marked: Key,
    key: Key,
}

/// Agents of `instances`; the first of them ends.
pub(crate) fn populate(scenario: &mut Scenario, instances: &[Key]) {
    for (at, instance) in instances.iter().enumerate() {
        let agent = Agent::new(scenario, *instance);
        agent.created(scenario);
        agent.says(scenario);
        if at == 0 {
            agent.ends(scenario);
        }
    }
}

/// A scenario with one process instance and its agent.
struct World {
    scenario: Scenario,
    agent: Agent,
}

impl World {
    fn new(partition: u16) -> Self {
        let mut scenario = Scenario::new(partition);
        let instance = scenario.key();
        let root = scenario.element(instance, "order", BpmnElementType::Process);
        let activating = of::ProcessInstance::ElementActivating;
        scenario.event(instance, activating, root);
        let agent = Agent::new(&mut scenario, instance);
        Self { scenario, agent }
    }
}

impl Agent {
    fn new(scenario: &mut Scenario, instance: Key) -> Self {
        let agent = Self {
            instance,
            marked: Key(77),
            key: scenario.key(),
        };
        let marked = AgentDefinitionRecord {
            agent_definition_key: agent.marked,
            agent_type: AgentDefinitionType::AiAgentTask,
            name: "Pack \u{1f4e6}".into(),
            element_id: "pack".into(),
            bpmn_process_id: "order".into(),
            process_definition_key: definition(),
            process_definition_version: 1,
            process_definition_version_tag: "v1".into(),
            ..AgentDefinitionRecord::default()
        };
        for intent in [of::AgentDefinition::Created, of::AgentDefinition::Deleted] {
            scenario.event(agent.marked, intent, marked.clone());
        }
        agent
    }

    fn record(&self) -> AgentInstanceRecord {
        AgentInstanceRecord {
            agent_instance_key: self.key,
            element_instance_key: Key(12),
            element_instance_keys: vec![Key(12)],
            element_id: "pack".into(),
            bpmn_process_id: "order".into(),
            process_instance_key: self.instance,
            root_process_instance_key: self.instance,
            process_definition_key: definition(),
            process_definition_version: 1,
            process_definition_version_tag: "v1".into(),
            agent_definition_key: self.marked,
            status: AgentInstanceStatus::Initializing,
            definition: Arc::new(AgentInstanceDefinition {
                model: "small".into(),
                provider: "us".into(),
                system_prompt: vec![said("Be \"kind\".")],
            }),
            ..AgentInstanceRecord::default()
        }
    }

    fn created(&self, scenario: &mut Scenario) {
        let record = self.record();
        let created = of::AgentInstance::Created;
        scenario.event(self.key, created, record);
    }

    /// What it says: one item of each kind.
    fn says(&self, scenario: &mut Scenario) {
        let object = raw(|out| {
            msgpack::write_map_header(out, 1);
            msgpack::write_str(out, "a");
            msgpack::write_int(out, 1);
        });
        let call = AgentToolCall {
            tool_call_id: "c".into(),
            tool_name: "t".into(),
            arguments: object.clone(),
            ..AgentToolCall::default()
        };
        let base = AgentHistoryRecord {
            agent_instance_key: self.key,
            element_instance_key: Key(12),
            process_instance_key: self.instance,
            root_process_instance_key: self.instance,
            bpmn_process_id: "order".into(),
            process_definition_key: definition(),
            job_key: Key(13),
            loop_iteration: 1,
            produced_at: Timestamp(1_700_000_000_123),
            ..AgentHistoryRecord::default()
        };
        let items = [
            AgentHistoryRecord {
                role: AgentHistoryRole::Configuration,
                model: "large".into(),
                limits: Arc::new(AgentInstanceLimits {
                    max_tokens: 1 << 40,
                    ..AgentInstanceLimits::default()
                }),
                ..base.clone()
            },
            AgentHistoryRecord {
                role: AgentHistoryRole::User,
                history_item_id: "one".into(),
                content: vec![said("hello")],
                ..base.clone()
            },
            AgentHistoryRecord {
                role: AgentHistoryRole::Assistant,
                loop_iteration: 2,
                tool_calls: vec![call],
                metrics: Arc::new(AgentHistoryMetrics {
                    input_tokens: 5,
                    output_tokens: 0,
                    duration_ms: -1,
                }),
                ..base.clone()
            },
            AgentHistoryRecord {
                role: AgentHistoryRole::ToolResult,
                content: vec![AgentContent {
                    content_type: AgentContentType::Object,
                    object,
                    ..AgentContent::default()
                }],
                ..base
            },
        ];
        for item in items {
            let key = scenario.key();
            let created = of::AgentHistory::Created;
            scenario.event(key, created, item.clone());
            let then = match item.role {
                AgentHistoryRole::ToolResult => of::AgentHistory::Discarded,
                AgentHistoryRole::User => continue,
                AgentHistoryRole::Configuration
                | AgentHistoryRole::Assistant
                | AgentHistoryRole::Unspecified => of::AgentHistory::Committed,
            };
            scenario.event(key, then, item);
        }
    }

    fn ends(&self, scenario: &mut Scenario) {
        let tool = AgentTool {
            name: "t".into(),
            element_id: "tool".into(),
            ..AgentTool::default()
        };
        let mut record = AgentInstanceRecord {
            element_instance_keys: vec![Key(12), Key(14)],
            status: AgentInstanceStatus::Idle,
            tools: vec![tool],
            metrics: Arc::new(AgentInstanceMetrics {
                input_tokens: 1 << 40,
                model_calls: 3,
                ..AgentInstanceMetrics::default()
            }),
            ..self.record()
        };
        let (updated, completed) = (of::AgentInstance::Updated, of::AgentInstance::Completed);
        scenario.event(self.key, updated, record.clone());
        record.status = AgentInstanceStatus::Completed;
        scenario.event(self.key, completed, record);
    }
}

fn words(row: &Row, names: &[&str]) -> Vec<String> {
    let word = |name: &&str| match row.get(name) {
        Some(Cell::Text(text)) => text.clone(),
        Some(Cell::Json(json)) => json.clone(),
        Some(Cell::Int(number) | Cell::Time(number) | Cell::Key(number)) => number.to_string(),
        Some(Cell::List(items)) => format!("{items:?}"),
        _ => "-".to_owned(),
    };
    names.iter().map(word).collect()
}

#[test]
fn agents_are_found_with_all_that_is_known_of_them() {
    for db in Db::all() {
        let (mut first, mut second) = (World::new(1), World::new(2));
        for world in [&mut first, &mut second] {
            world.agent.created(&mut world.scenario);
            world.agent.says(&mut world.scenario);
        }
        first.agent.ends(&mut first.scenario);
        export(&db, &[&first.scenario, &second.scenario]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let all = |entity| Query::of(entity);
            let page = queries.search(&all(Entity::AgentDefinition)).await.unwrap();
            assert_eq!(page.total, 1, "{:?}", page.items);
            let names = [
                "agentDefinitionKey",
                "agentType",
                "name",
                "elementId",
                "processDefinitionId",
                "processDefinitionVersionTag",
            ];
            assert_eq!(
                words(&page.items[0], &names),
                [
                    "77",
                    "AI_AGENT_TASK",
                    "Pack \u{1f4e6}",
                    "pack",
                    "order",
                    "v1"
                ]
            );

            let count = async |field: &str, value: Literal| {
                let filter = is(field, value);
                let query = Query {
                    filter,
                    ..Query::of(Entity::AgentInstance)
                };
                queries.search(&query).await.unwrap().total
            };
            for (field, value, expected) in [
                ("agentInstanceKey", Literal::Int(first.agent.key.0), 1),
                ("agentDefinitionKey", Literal::Int(77), 2),
                ("status", text("COMPLETED"), 1),
                ("status", text("INITIALIZING"), 1),
                ("elementId", text("pack"), 2),
                (
                    "processInstanceKey",
                    Literal::Int(first.agent.instance.0),
                    1,
                ),
                ("processDefinitionId", text("order"), 2),
                ("processDefinitionVersion", Literal::Int(1), 2),
                ("elementInstanceKeys", text("12"), 2),
                ("elementInstanceKeys", text("14"), 1),
                ("elementInstanceKeys", text("1"), 0),
            ] {
                assert_eq!(count(field, value).await, expected, "{field}");
            }
            let ended = Query {
                filter: op("completionDate", Op::Exists, vec![Literal::Bool(true)]),
                ..Query::of(Entity::AgentInstance)
            };
            let page = queries.search(&ended).await.unwrap();
            assert_eq!(page.total, 1);
            let names = [
                "status",
                "model",
                "systemPrompt",
                "tools",
                "inputTokens",
                "modelCalls",
                "maxTokens",
                "elementInstanceKeys",
            ];
            let many = (1i64 << 40).to_string();
            assert_eq!(
                words(&page.items[0], &names)[..7],
                [
                    "COMPLETED",
                    "small",
                    r#"[{"contentType":"TEXT","text":"Be \"kind\"."}]"#,
                    r#"[{"name":"t","description":null,"elementId":"tool"}]"#,
                    &many,
                    "3",
                    "-1",
                ]
            );
            let elements = words(&page.items[0], &names).remove(7);
            assert!(
                elements.contains("12") && elements.contains("14"),
                "{elements}"
            );

            let history = Query {
                filter: is("agentInstanceKey", Literal::Int(first.agent.key.0)),
                ..Query::of(Entity::AgentHistory)
            };
            let page = queries.search(&history).await.unwrap();
            let names = [
                "role",
                "commitStatus",
                "historyItemId",
                "content",
                "toolCalls",
                "inputTokens",
                "outputTokens",
                "durationMs",
                "model",
                "maxTokens",
            ];
            let found: Vec<String> = (page.items.iter())
                .map(|row| words(row, &names).join(" "))
                .collect();
            assert_eq!(
                found,
                [
                    format!("CONFIGURATION COMMITTED  [] [] - - - large {many}"),
                    r#"USER PENDING one [{"contentType":"TEXT","text":"hello"}] [] - - - - -1"#
                        .to_owned(),
                    "ASSISTANT COMMITTED  [] \
                     [{\"toolCallId\":\"c\",\"toolName\":\"t\",\"elementId\":null,\
                     \"arguments\":{\"a\":1}}] 5 0 - - -1"
                        .to_owned(),
                    r#"TOOL_RESULT DISCARDED  [{"contentType":"OBJECT","object":{"a":1}}] [] - - - - -1"#
                        .to_owned(),
                ]
            );
            let produced = words(&page.items[0], &["producedAt", "loopIteration", "jobKey"]);
            assert_eq!(produced, ["1700000000123", "1", "13"]);
        });
    }
}

#[test]
fn agents_go_with_their_process_instance() {
    for db in Db::all() {
        let World {
            mut scenario,
            agent,
        } = World::new(1);
        agent.created(&mut scenario);
        agent.says(&mut scenario);
        agent.ends(&mut scenario);
        let root = scenario.element(agent.instance, "order", BpmnElementType::Process);
        let completed = of::ProcessInstance::ElementCompleted;
        scenario.event(agent.instance, completed, root);
        let mut options = options(&db);
        // Records are of the year 2023.
        options.retain = Some(RetainOptions {
            ttl: Duration::from_secs(3600),
            interval: Duration::from_millis(20),
            ..RetainOptions::default()
        });
        // Tables are looked at before anything is there.
        let database = db.database();
        block_on(async { ringflow_export::migrate::migrate(&database).await.unwrap() });
        let (feed, _) = feed(&scenario, 1000);
        let exporter = Exporter::start(options, vec![feed]).unwrap();
        let rows = |table: &str| db.number(&format!("SELECT COUNT(*) FROM {table}"));
        wait("the instance is gone", || {
            db.number("SELECT COUNT(*) FROM agent_definition") == 1 && rows("process_instance") == 0
        });
        exporter.stop();
        for table in [
            "agent_instance",
            "agent_instance_element_instance",
            "agent_history",
        ] {
            assert_eq!(rows(table), 0, "{table}");
        }
        assert_eq!(rows("agent_definition"), 1);
    }
}
