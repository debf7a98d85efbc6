//! Agents over REST: what their workers tell becomes commands, what is stored becomes objects.
//!
//! Requests go to the partition of the element instance or the agent instance they name.

use std::sync::Arc;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AgentContentType, AgentHistoryRecord, AgentHistoryRole, AgentInstanceRecord,
    AgentInstanceStatus,
};
use ringflow_core::record::{Intent, RejectionType, Text, Value};
use ringflow_gateway::backend::{Cell, Entity, Page, Row};
use serde_json::json;

use crate::fake::{self, Answer, Fake, start};

/// A key of partition 2.
const ELEMENT: &str = "4503599627370503";
const AGENT: &str = "4503599627370504";

fn texts(names: &[&str]) -> Vec<Text> {
    names.iter().map(|name| Text::from(*name)).collect()
}

/// Accepts, and gives the items of a command keys.
fn numbered(command: &Command) -> Answer {
    let Value::AgentInstance(sent) = &command.value else {
        return fake::accepted(Key(9), command.intent, command.value.clone());
    };
    let mut record = AgentInstanceRecord::clone(sent);
    record.agent_instance_key = Key(4503599627370504);
    for (at, item) in (0i64..).zip(&mut record.history) {
        *item = Arc::new(AgentHistoryRecord {
            agent_history_key: Key(100 + at),
            is_duplicate: at == 1,
            ..AgentHistoryRecord::clone(item)
        });
    }
    fake::accepted(record.agent_instance_key, command.intent, record)
}

#[tokio::test]
async fn a_worker_makes_its_agent_and_tells_what_it_does() {
    let running = start(Fake::new(3, |_, command| numbered(command))).await;
    let body = json!({
        "elementInstanceKey": ELEMENT,
        "definition": {"model": "m", "provider": "p", "systemPrompt": "Be kind."},
        "limits": {"maxTokens": -1, "maxModelCalls": 3, "maxToolCalls": -1},
    });
    let created = running.post("/agent-instances", body).await;
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(
        created.json(),
        json!({"agentInstanceKey": AGENT, "createdHistory": []})
    );
    let Value::AgentInstance(sent) = running.fake.last().value else {
        panic!("another value");
    };
    assert_eq!(sent.element_instance_key.to_string(), ELEMENT);
    assert_eq!(sent.job_key, Key::NONE);
    assert_eq!(sent.definition.model, "m");
    let prompt = &sent.definition.system_prompt;
    assert_eq!(prompt.len(), 1);
    assert_eq!(prompt[0].content_type, AgentContentType::Text);
    assert_eq!(prompt[0].text, "Be kind.");
    let limits = &sent.limits;
    assert_eq!(
        (
            limits.max_tokens,
            limits.max_model_calls,
            limits.max_tool_calls
        ),
        (-1, 3, -1)
    );

    let body = json!({
        "elementInstanceKey": ELEMENT,
        "status": "TOOL_CALLING",
        "metrics": {"inputTokens": 7, "toolCalls": 0},
        "jobKey": "4503599627370999",
        "jobLease": "a",
        "history": [
            {
                "historyItemId": "one", "loopIteration": 2, "role": "ASSISTANT",
                "producedAt": "2026-01-01T00:00:00.5Z",
                "content": [
                    {"contentType": "OBJECT", "object": {"a": [1]}},
                    {"contentType": "TEXT", "text": "hello"},
                ],
                "toolCalls": [
                    {"toolCallId": "c", "toolName": "t", "elementId": null, "arguments": {"b": 2}},
                ],
                "metrics": {"inputTokens": 5, "outputTokens": null, "durationMs": 40},
            },
            {
                "historyItemId": "two", "loopIteration": 2, "role": "CONFIGURATION",
                "producedAt": "2026-01-01T00:00:00Z", "content": [], "model": "n",
                "limits": {"maxTokens": -1, "maxModelCalls": -1, "maxToolCalls": 4},
            },
        ],
    });
    let updated = running
        .rest(
            "PATCH",
            &format!("/agent-instances/{AGENT}"),
            &body.to_string(),
        )
        .await;
    assert_eq!(updated.status, 200, "{updated:?}");
    assert_eq!(
        updated.json(),
        json!({"createdHistory": [
            {"historyItemId": "one", "historyItemKey": "100", "isDuplicate": false},
            {"historyItemId": "two", "historyItemKey": "101", "isDuplicate": true},
        ]})
    );
    let Value::AgentInstance(sent) = running.fake.last().value else {
        panic!("another value");
    };
    assert_eq!(sent.status, AgentInstanceStatus::ToolCalling);
    assert_eq!(sent.changed_attributes, texts(&["status", "metrics"]));
    let metrics = &sent.metrics;
    assert_eq!((metrics.input_tokens, metrics.output_tokens), (7, -1));
    assert_eq!((metrics.model_calls, metrics.tool_calls), (-1, 0));
    let first = &sent.history[0];
    assert_eq!(first.role, AgentHistoryRole::Assistant);
    assert_eq!(first.produced_at.0, 1_767_225_600_500);
    assert_eq!(first.content[0].content_type, AgentContentType::Object);
    assert_eq!(first.tool_calls[0].tool_call_id, "c");
    assert_eq!(
        (first.metrics.output_tokens, first.metrics.duration_ms),
        (-1, 40)
    );
    assert!(first.changed_attributes.is_empty());
    let all = ["model", "maxTokens", "maxModelCalls", "maxToolCalls"];
    assert_eq!(sent.history[1].changed_attributes, texts(&all));

    let expected: Vec<(u16, Intent)> = vec![
        (2, of::AgentInstance::Create.into()),
        (2, of::AgentInstance::Update.into()),
    ];
    assert_eq!(running.fake.intents(), expected);
}

#[tokio::test]
async fn a_message_of_its_own_has_a_key() {
    let running = start(Fake::new(3, |_, command| {
        let Value::AgentHistory(sent) = &command.value else {
            panic!("another value");
        };
        let mut record = AgentHistoryRecord::clone(sent);
        record.agent_history_key = Key(9);
        fake::accepted(Key(9), command.intent, record)
    }))
    .await;
    let path = format!("/agent-instances/{AGENT}/history");
    let body = json!({
        "elementInstanceKey": ELEMENT, "jobKey": "5", "jobLease": "a", "role": "USER",
        "producedAt": "2026-01-01T00:00:00Z",
        "content": [{"contentType": "TEXT", "text": "hello"}],
    });
    let created = running.post(&path, body.clone()).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json(), json!({"historyItemKey": "9"}));
    let expected: Vec<(u16, Intent)> = vec![(2, of::AgentHistory::Create.into())];
    assert_eq!(running.fake.intents(), expected);
    // What a block of content is decides what it has.
    let mut wrong = body.clone();
    wrong["content"][0]["contentType"] = json!("SONG");
    assert_eq!(running.post(&path, wrong).await.problem().0, 400);
    let mut wrong = body;
    wrong["content"][0]["object"] = json!(1);
    assert_eq!(running.post(&path, wrong).await.problem().0, 400);
}

#[tokio::test]
async fn what_a_request_lacks_is_said() {
    let running = start(Fake::new(1, fake::echo)).await;
    let definition = json!({"model": "m", "provider": "p", "systemPrompt": "s"});
    let item = json!({
        "historyItemId": "one", "loopIteration": 1, "role": "CONFIGURATION",
        "producedAt": "2026-01-01T00:00:00Z", "content": [], "model": "m", "provider": "p",
    });
    for (body, expected) in [
        (json!({"elementInstanceKey": "7"}), "No definition provided"),
        (
            json!({"elementInstanceKey": "0", "definition": definition}),
            "The value for elementInstanceKey is '0' but must be > 0",
        ),
        (
            json!({
                "elementInstanceKey": "7", "definition": definition,
                "limits": {"maxTokens": -2, "maxModelCalls": 1, "maxToolCalls": 1},
            }),
            "The value for limits.maxTokens is '-2' but must be >= -1",
        ),
        (
            json!({"elementInstanceKey": "7", "history": [item]}),
            "No jobKey provided",
        ),
        (
            json!({"elementInstanceKey": "7", "history": [item], "jobKey": "5"}),
            "No CONFIGURATION history item sets 'systemPrompt'",
        ),
        (
            json!({
                "elementInstanceKey": "7", "history": [item], "jobKey": "5",
                "definition": definition,
            }),
            "The definition must be omitted when history is provided",
        ),
    ] {
        let (status, _, detail) = running.post("/agent-instances", body).await.problem();
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains(expected), "{detail} has no {expected}");
    }
    assert!(running.fake.intents().is_empty());
}

#[tokio::test]
async fn refusals_of_agents_keep_their_words() {
    let running = start(Fake::new(1, |_, command| {
        fake::refused(command, RejectionType::NotFound, "no such agent")
    }))
    .await;
    let body = json!({"elementInstanceKey": "7", "status": "IDLE"}).to_string();
    let answer = running.rest("PATCH", "/agent-instances/8", &body).await;
    let (status, title, detail) = answer.problem();
    assert_eq!((status, title.as_str()), (404, "NOT_FOUND"));
    assert_eq!(
        detail,
        "Command 'UPDATE' rejected with code 'NOT_FOUND': no such agent"
    );
}

fn word(name: &'static str, text: &str) -> (&'static str, Cell) {
    (name, Cell::Text(text.into()))
}

fn whole(name: &'static str, number: i64) -> (&'static str, Cell) {
    (name, Cell::Int(number))
}

fn keyed(name: &'static str, number: i64) -> (&'static str, Cell) {
    (name, Cell::Key(number))
}

fn raw(name: &'static str, json: &str) -> (&'static str, Cell) {
    (name, Cell::Json(json.into()))
}

#[tokio::test]
async fn agents_are_shown_with_their_objects() {
    let running = start(Fake::new(1, fake::echo)).await;
    let missing = running.rest("GET", "/agent-instances/8", "").await;
    let (status, _, detail) = missing.problem();
    assert_eq!(
        (status, detail.as_str()),
        (404, "Agent Instance with key '8' not found")
    );
    let prompt = r#"[{"contentType":"TEXT","text":"s"}]"#;
    let row = Row(vec![
        keyed("agentInstanceKey", 8),
        keyed("agentDefinitionKey", -1),
        word("status", "IDLE"),
        word("elementId", "agent"),
        keyed("processInstanceKey", 5),
        keyed("rootProcessInstanceKey", 5),
        word("processDefinitionId", "p"),
        keyed("processDefinitionKey", 3),
        whole("processDefinitionVersion", 2),
        ("processDefinitionVersionTag", Cell::Null),
        word("tenantId", "<default>"),
        ("creationDate", Cell::Time(0)),
        ("lastUpdatedDate", Cell::Time(1)),
        ("completionDate", Cell::Null),
        word("model", "m"),
        word("provider", "p"),
        raw("systemPrompt", prompt),
        whole("maxTokens", -1),
        whole("maxModelCalls", 3),
        whole("maxToolCalls", -1),
        whole("inputTokens", 7),
        whole("outputTokens", 1),
        whole("modelCalls", 1),
        whole("toolCalls", 0),
        raw("tools", "[]"),
        (
            "elementInstanceKeys",
            Cell::List(vec![Cell::Text("6".into()), Cell::Text("7".into())]),
        ),
    ]);
    *running.reads.row.lock().unwrap() = Some(row.clone());
    *running.reads.page.lock().unwrap() = Page {
        items: vec![row],
        ..Page::default()
    };
    let found = running.rest("GET", "/agent-instances/8", "").await;
    assert_eq!(
        found.json(),
        json!({
            "agentInstanceKey": "8", "agentDefinitionKey": "-1", "status": "IDLE",
            "elementId": "agent", "processInstanceKey": "5", "rootProcessInstanceKey": "5",
            "processDefinitionId": "p", "processDefinitionKey": "3",
            "processDefinitionVersion": 2, "processDefinitionVersionTag": null,
            "tenantId": "<default>", "creationDate": "1970-01-01T00:00:00.000Z",
            "lastUpdatedDate": "1970-01-01T00:00:00.001Z", "completionDate": null,
            "definition": {
                "model": "m", "provider": "p",
                "systemPrompt": [{"contentType": "TEXT", "text": "s"}],
            },
            "limits": {"maxTokens": -1, "maxModelCalls": 3, "maxToolCalls": -1},
            "metrics": {"inputTokens": 7, "outputTokens": 1, "modelCalls": 1, "toolCalls": 0},
            "tools": [], "elementInstanceKeys": ["6", "7"],
        })
    );
    let filter = json!({"filter": {"elementInstanceKeys": ["7"], "status": {"$in": ["IDLE"]}}});
    let page = running.post("/agent-instances/search", filter).await;
    assert_eq!(page.json()["items"][0]["definition"]["model"], "m");
    let query = running.reads.queries.lock().unwrap().pop().unwrap();
    assert_eq!(query.entity, Entity::AgentInstance);
}

#[tokio::test]
async fn history_is_that_of_the_agent_in_the_path() {
    let running = start(Fake::new(1, fake::echo)).await;
    *running.reads.page.lock().unwrap() = Page {
        items: vec![Row(vec![
            keyed("historyItemKey", 9),
            word("historyItemId", "one"),
            keyed("agentInstanceKey", 8),
            keyed("elementInstanceKey", 7),
            keyed("jobKey", 5),
            word("jobLease", ""),
            whole("loopIteration", 1),
            word("role", "USER"),
            word("commitStatus", "PENDING"),
            ("producedAt", Cell::Time(0)),
            ("inputTokens", Cell::Null),
            ("outputTokens", Cell::Null),
            ("durationMs", Cell::Null),
            raw("content", r#"[{"contentType":"TEXT","text":"hello"}]"#),
            raw("toolCalls", "[]"),
            ("model", Cell::Null),
            ("provider", Cell::Null),
            raw("systemPrompt", "[]"),
            raw("tools", "[]"),
            whole("maxTokens", -1),
            whole("maxModelCalls", -1),
            whole("maxToolCalls", -1),
        ])],
        ..Page::default()
    };
    let found = running
        .post("/agent-instances/8/history/search", json!({}))
        .await;
    assert_eq!(
        found.json()["items"],
        json!([{
            "historyItemKey": "9", "historyItemId": "one", "agentInstanceKey": "8",
            "elementInstanceKey": "7", "jobKey": "5", "jobLease": "", "loopIteration": 1,
            "role": "USER", "commitStatus": "PENDING", "producedAt": "1970-01-01T00:00:00.000Z",
            "metrics": null, "content": [{"contentType": "TEXT", "text": "hello"}],
            "toolCalls": [], "model": null, "provider": null, "systemPrompt": [], "tools": [],
            "limits": {"maxTokens": -1, "maxModelCalls": -1, "maxToolCalls": -1},
        }])
    );
    let query = running.reads.queries.lock().unwrap().pop().unwrap();
    assert_eq!(query.entity, Entity::AgentHistory);
    assert!(format!("{:?}", query.filter).contains("agentInstanceKey"));
}
