//! Reads with a shape of their own: usage, wait states, names, one's own authorizations.

use ringflow_gateway::backend::{
    Aggregate, Cell, Entity, Filter, Literal, Op, Page, Phase, QueryError, Row,
};
use serde_json::{Value, json};

use crate::fake::{self, Fake, Running, start};

async fn holding(rows: Vec<Row>) -> Running {
    let running = start(Fake::new(1, fake::echo)).await;
    *running.reads.page.lock().unwrap() = Page {
        total: rows.len() as u64,
        items: rows,
        ..Page::default()
    };
    running
}

fn text(text: &str) -> Cell {
    Cell::Text(text.into())
}

#[tokio::test]
async fn usage_is_told_in_all_and_by_tenant() {
    let row = Row(vec![
        ("tenantId", text("a\"b")),
        ("processInstances", Cell::Int(7)),
        ("decisionInstances", Cell::Int(2)),
        ("assignees", Cell::Int(3)),
        ("activeTenants", Cell::Int(1)),
    ]);
    let running = holding(vec![row]).await;
    let path = "/system/usage-metrics?startTime=1970-01-01T00:00:01Z&endTime=1970-01-01T00:00:09Z";
    let answer = running.rest("GET", path, "").await;
    let all = json!({
        "processInstances": 7, "decisionInstances": 2, "assignees": 3, "activeTenants": 1,
        "tenants": {},
    });
    assert_eq!((answer.status, answer.json()), (200, all));
    let asked = running.reads.aggregations.lock().unwrap().remove(0);
    let expected = Aggregate::Usage {
        from: 1000,
        to: 9000,
        tenant_id: None,
        by_tenant: false,
    };
    assert_eq!(asked.of, expected);
    let path = format!("{path}&withTenants=true&tenantId=t1");
    let answer = running.rest("GET", &path, "").await.json();
    assert_eq!(
        answer["tenants"],
        json!({"a\"b": {"processInstances": 7, "decisionInstances": 2, "assignees": 3}})
    );
    let asked = running.reads.aggregations.lock().unwrap().pop().unwrap();
    let expected = Aggregate::Usage {
        from: 1000,
        to: 9000,
        tenant_id: Some("t1".into()),
        by_tenant: true,
    };
    assert_eq!(asked.of, expected);
    for wrong in [
        "",
        "?startTime=1970-01-01T00:00:01Z",
        "?startTime=x&endTime=y",
    ] {
        let path = format!("/system/usage-metrics{wrong}");
        assert_eq!(running.rest("GET", &path, "").await.status, 400, "{wrong}");
    }
}

fn waiting(kind: &'static str, more: &[(&'static str, Cell)]) -> Row {
    let mut cells = vec![
        ("waitStateType", text(kind)),
        ("waitStateKey", Cell::Key(9)),
        ("elementInstanceKey", Cell::Key(8)),
        ("processInstanceKey", Cell::Key(7)),
        ("elementId", text("e")),
        ("elementType", text("SERVICE_TASK")),
        ("bpmnProcessId", text("p")),
        ("tenantId", text("<default>")),
    ];
    cells.extend_from_slice(more);
    Row(cells)
}

#[tokio::test]
async fn each_kind_of_waiting_has_its_details() {
    let cases: Vec<(Row, Value)> = vec![
        (
            waiting(
                "JOB",
                &[
                    ("name", text("pack")),
                    ("kind", text("TASK_LISTENER")),
                    ("more", text("CREATING")),
                    ("number", Cell::Int(2)),
                ],
            ),
            json!({
                "waitStateType": "JOB", "jobKey": "9", "jobType": "pack",
                "jobKind": "TASK_LISTENER", "listenerEventType": "CREATING", "retries": 2,
            }),
        ),
        (
            waiting(
                "JOB",
                &[
                    ("name", text("pack")),
                    ("kind", text("BPMN_ELEMENT")),
                    ("more", text("UNSPECIFIED")),
                ],
            ),
            json!({
                "waitStateType": "JOB", "jobKey": "9", "jobType": "pack",
                "jobKind": "BPMN_ELEMENT", "listenerEventType": null, "retries": null,
            }),
        ),
        (
            waiting("USER_TASK", &[("due", Cell::Time(1000))]),
            json!({
                "waitStateType": "USER_TASK", "taskKey": "9",
                "dueDate": "1970-01-01T00:00:01.000Z",
            }),
        ),
        (
            waiting("MESSAGE", &[("name", text("m")), ("more", text("c"))]),
            json!({"waitStateType": "MESSAGE", "messageName": "m", "correlationKey": "c"}),
        ),
        (
            waiting(
                "TIMER",
                &[("due", Cell::Time(5)), ("number", Cell::Int(-1))],
            ),
            json!({"waitStateType": "TIMER", "dueDate": 5, "repetitions": -1}),
        ),
        (
            waiting("SIGNAL", &[("name", text("s"))]),
            json!({"waitStateType": "SIGNAL", "signalName": "s"}),
        ),
        (
            waiting("CONDITION", &[("name", text("=x")), ("more", text(""))]),
            json!({
                "waitStateType": "CONDITION", "expression": "=x",
                "events": ["create", "update"],
            }),
        ),
        (
            waiting(
                "CONDITION",
                &[("name", text("=x")), ("more", text("update"))],
            ),
            json!({"waitStateType": "CONDITION", "expression": "=x", "events": ["update"]}),
        ),
    ];
    let (rows, details): (Vec<Row>, Vec<Value>) = cases.into_iter().unzip();
    let running = holding(rows).await;
    let body = json!({"filter": {"waitStateType": {"$in": ["JOB", "TIMER"]}}});
    let path = "/element-instances/wait-states/search";
    let answer = running.post(path, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let items = answer["items"].as_array().unwrap();
    let found: Vec<&Value> = items.iter().map(|item| &item["details"]).collect();
    assert_eq!(found, details.iter().collect::<Vec<_>>());
    let item = &items[0];
    assert_eq!(item["elementInstanceKey"], "8");
    assert_eq!(item["rootProcessInstanceKey"], json!(null));
    assert!(item.get("waitStateKey").is_none());
    let query = running.reads.queries.lock().unwrap().remove(0);
    assert_eq!(query.entity, Entity::WaitState);
    let values = ["JOB", "TIMER"].map(|kind| Literal::Text(kind.into()));
    let filter = Filter::Field {
        field: "waitStateType".into(),
        op: Op::In,
        values: values.to_vec(),
    };
    assert_eq!(query.filter, Filter::All(vec![Filter::All(vec![filter])]));

    let row = Row(vec![
        ("elementId", text("e")),
        ("waitingCount", Cell::Int(4)),
    ]);
    let running = holding(vec![row]).await;
    let path = "/process-instances/7/statistics/wait-states";
    let answer = running.rest("GET", path, "").await;
    let expected = json!({"items": [{"elementId": "e", "waitingCount": 4}]});
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn names_and_listeners_are_found_by_what_is_asked() {
    let running = holding(vec![Row(vec![("name", text("x")), ("id", text("x"))])]).await;
    let path = "/process-definitions/5/variable-names/search";
    let body = json!({"filter": {"name": {"$like": "x*"}}});
    let answer = running.post(path, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["items"], json!([{"name": "x"}]));
    let query = running.reads.queries.lock().unwrap().remove(0);
    let field = |field: &str, op, value| Filter::Field {
        field: field.into(),
        op,
        values: vec![value],
    };
    let like = field("name", Op::Like, Literal::Text("x*".into()));
    assert_eq!(
        (query.entity, query.filter),
        (
            Entity::VariableName,
            Filter::All(vec![
                field("processDefinitionKey", Op::Eq, Literal::Int(5)),
                Filter::All(vec![like]),
            ])
        )
    );
    let body = json!({"filter": {"eventTypes": ["creating", {"$neq": "updating"}]}});
    let answer = running.post("/global-task-listeners/search", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let query = running.reads.queries.lock().unwrap().remove(0);
    let types = [(Op::Eq, "creating"), (Op::Neq, "updating")];
    let types = types.map(|(op, event)| field("eventTypes", op, Literal::Text(event.into())));
    assert_eq!(query.filter, Filter::All(vec![Filter::All(types.to_vec())]));
    let found = running.rest("GET", "/global-task-listeners/x", "").await;
    assert_eq!((found.status, &found.json()["id"]), (200, &json!("x")));
    *running.reads.page.lock().unwrap() = Page::default();
    let missing = running.rest("GET", "/global-task-listeners/y", "").await;
    let (status, _, detail) = missing.problem();
    assert_eq!(
        (status, detail.as_str()),
        (
            404,
            "Global Listener with listenerId 'y', listenerType 'USER_TASK' not found"
        )
    );
}

#[tokio::test]
async fn nobody_sees_more_than_the_own_authorizations() {
    let row = Row(vec![
        ("authorizationKey", Cell::Key(1)),
        ("ownerId", text("demo")),
    ]);
    // Without credentials there is nobody who could have any.
    let running = holding(vec![row]).await;
    let path = "/authentication/me/authorizations/search";
    let answer = running.post(path, json!({})).await;
    assert_eq!(
        (answer.status, answer.json()["items"].clone()),
        (200, json!([]))
    );
}

#[tokio::test]
async fn exporting_is_paused_and_resumed_on_both_ports() {
    let running = holding(Vec::new()).await;
    let status = async || running.rest("GET", "/exporting", "").await.json()["status"].clone();
    let management = format!("http://{}/actuator", running.gateway.management);
    let operator = async |method: &str, path: &str| {
        fake::http(method, &format!("{management}{path}"), &[], Vec::new()).await
    };
    assert_eq!(status().await, "EXPORTING");
    for (path, expected) in [
        ("/exporting/pause", "PAUSED"),
        ("/exporting/pause?soft=true", "SOFT_PAUSED"),
        ("/exporting/resume", "EXPORTING"),
    ] {
        assert_eq!(running.rest("POST", path, "").await.status, 204, "{path}");
        assert_eq!(status().await, expected);
        *running.reads.phase.lock().unwrap() = Phase::default();
        assert_eq!(operator("POST", path).await.status, 204, "{path}");
        assert_eq!(status().await, expected);
    }
    assert_eq!(
        operator("POST", "/exporting/pause?soft=x").await.status,
        400
    );
    let exporters = operator("GET", "/exporters").await;
    let rdbms = json!([{"exporterId": "rdbms", "status": "ENABLED"}]);
    assert_eq!((exporters.status, exporters.json()), (200, rdbms));
    assert_eq!(
        operator("POST", "/exporters/rdbms/disable").await.status,
        400
    );
    let down = QueryError::Unavailable {
        reason: "down".into(),
    };
    *running.reads.failure.lock().unwrap() = Some(down);
    assert_eq!(running.rest("GET", "/exporting", "").await.status, 503);
    assert_eq!(
        running.rest("POST", "/exporting/pause", "").await.status,
        503
    );
    assert_eq!(operator("POST", "/exporting/pause").await.status, 503);
}
