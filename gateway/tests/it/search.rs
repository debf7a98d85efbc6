//! Reads: what is asked of the secondary storage and how its rows are answered.
//!
//! Queries are compared as a whole, answers by the members that a mapping could lose.

use ringflow_gateway::backend::{
    Cell, Entity, Filter, Literal, Op, Page, PageStart, QueryError, Row, Sort,
};
use ringflow_gateway::{Backend, Gateway, GatewayOptions};
use serde_json::json;

use crate::fake::{self, Fake, start};

fn incident() -> Row {
    Row(vec![
        ("incidentKey", Cell::Key(7)),
        ("errorType", Cell::Text("JOB_NO_RETRIES".into())),
        ("errorMessage", Cell::Text("it \"failed\"".into())),
        ("creationTime", Cell::Time(1_762_855_810_120)),
        ("jobKey", Cell::Null),
        ("state", Cell::Text("ACTIVE".into())),
        ("hidden", Cell::Int(1)),
    ])
}

#[tokio::test]
async fn a_search_is_passed_on_and_its_page_answered() {
    let running = start(Fake::new(1, fake::echo)).await;
    *running.reads.page.lock().unwrap() = Page {
        items: vec![incident()],
        total: 17,
        has_more: false,
        start_cursor: Some("WzFd".into()),
        end_cursor: Some("WzFd".into()),
    };
    let body = json!({
        "filter": {"state": "active", "creationTime": {"$lt": "1970-01-01T00:00:00Z"}},
        "sort": [{"field": "creationtime", "order": "desc"}, {"field": "incidentKey"}],
        "page": {"after": "WzFd", "limit": 5},
    });
    let path = "/process-instances/3/incidents/search";
    let answer = running.post(path, body.clone()).await;
    assert_eq!(answer.status, 404, "there is no such instance: {answer:?}");
    *running.reads.row.lock().unwrap() = Some(incident());
    let answer = running.post(path, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(
        answer["page"],
        json!({
            "totalItems": 17, "hasMoreTotalItems": false, "startCursor": "WzFd",
            "endCursor": "WzFd",
        })
    );
    let item = &answer["items"][0];
    assert_eq!(item["incidentKey"], "7");
    assert_eq!(item["creationTime"], "2025-11-11T10:10:10.120Z");
    assert_eq!(item["errorMessage"], "it \"failed\"");
    assert_eq!(item["jobKey"], json!(null));
    assert!(item.get("hidden").is_none(), "only what the contract has");
    assert!(item.get("tenantId").is_some(), "all that the contract has");

    let query = running.reads.queries.lock().unwrap().remove(0);
    let field = |name: &str, op, value| Filter::Field {
        field: name.into(),
        op,
        values: vec![value],
    };
    assert_eq!(query.entity, Entity::Incident);
    assert_eq!(
        query.filter,
        Filter::All(vec![
            Filter::Any(vec![
                field("treePath", Op::Like, Literal::Text("PI_3/*".into())),
                field("treePath", Op::Like, Literal::Text("*/PI_3/*".into())),
            ]),
            Filter::All(vec![
                field("state", Op::Eq, Literal::Text("ACTIVE".into())),
                field("creationTime", Op::Lt, Literal::Time(0)),
            ]),
        ])
    );
    let sort = |name: &str, descending| Sort {
        field: name.into(),
        descending,
    };
    assert_eq!(
        query.sort,
        [sort("creationTime", true), sort("incidentKey", false)]
    );
    assert_eq!(query.page.limit, 5);
    assert_eq!(query.page.start, PageStart::After("WzFd".into()));
}

#[tokio::test]
async fn an_empty_body_searches_everything() {
    let running = start(Fake::new(1, fake::echo)).await;
    for body in ["", "{}"] {
        let answer = running
            .rest("POST", "/process-instances/search", body)
            .await;
        assert_eq!(
            answer.json(),
            json!({"items": [], "page": {
                "totalItems": 0, "hasMoreTotalItems": false, "startCursor": null,
                "endCursor": null,
            }})
        );
        let query = running.reads.queries.lock().unwrap().remove(0);
        assert_eq!(query.filter, Filter::All(Vec::new()));
        assert_eq!(query.page.limit, 100);
    }
}

#[tokio::test]
async fn one_entity_is_found_or_missing_by_name() {
    let running = start(Fake::new(1, fake::echo)).await;
    let answer = running.rest("GET", "/incidents/7", "").await;
    assert_eq!(
        answer.problem(),
        (
            404,
            "NOT_FOUND".into(),
            "Incident with key '7' not found".into()
        )
    );
    *running.reads.row.lock().unwrap() = Some(incident());
    let answer = running.rest("GET", "/incidents/7", "").await;
    assert_eq!(answer.json()["state"], "ACTIVE");

    let path = "/process-definitions/7/xml";
    assert_eq!(running.rest("GET", path, "").await.status, 404);
    *running.reads.xml.lock().unwrap() = Some("<x/>".into());
    let answer = running.rest("GET", path, "").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "<x/>"));
    assert_eq!(answer.headers["content-type"], "text/xml");
}

#[tokio::test]
async fn the_latest_version_is_searched_forward_only() {
    let running = start(Fake::new(1, fake::echo)).await;
    let body = json!({
        "filter": {"isLatestVersion": true},
        "page": {"from": 3},
        "sort": [{"field": "name"}],
    });
    let problem = running
        .post("/process-definitions/search", body)
        .await
        .problem();
    assert_eq!(
        problem.2,
        "When using isLatestVersion filter, pagination is limited to forward pagination using \
         'after' and 'limit'. The field 'from' is not supported. When using isLatestVersion \
         filter, sorting is limited to 'processDefinitionId' and 'tenantId' fields only. The field \
         'name' is not supported."
    );
}

#[tokio::test]
async fn without_secondary_storage_reads_are_forbidden_and_commands_are_not() {
    let any = "127.0.0.1:0".parse().unwrap();
    let options = GatewayOptions {
        grpc: any,
        rest: any,
        management: any,
        ..GatewayOptions::default()
    };
    let backend = Backend {
        commands: Fake::new(1, fake::echo),
        reads: None,
        exporters: Vec::new(),
        backups: None,
        loggers: None,
    };
    let gateway = Gateway::start(options, backend).await.unwrap();
    let url = format!("http://{}/v2/incidents/search", gateway.rest);
    let answer = fake::http("POST", &url, &[], Vec::new()).await;
    assert_eq!(answer.problem().0, 403);
    let url = format!("http://{}/v2/process-instances", gateway.rest);
    let headers = [("content-type", "application/json")];
    let body = br#"{"processDefinitionId":"p"}"#.to_vec();
    assert_eq!(fake::http("POST", &url, &headers, body).await.status, 200);
}

#[tokio::test]
async fn failures_of_the_storage_have_their_own_answers() {
    let running = start(Fake::new(1, fake::echo)).await;
    let text = |text: &str| text.to_owned();
    let cases = [
        (
            QueryError::BadCursor,
            400,
            "Cannot decode pagination cursor 'WzFd'",
        ),
        (
            QueryError::InvalidField {
                field: text("a"),
                reason: text("no"),
            },
            501,
            "Filtering or sorting by 'a' is not implemented yet: no.",
        ),
        (
            QueryError::Unavailable {
                reason: text("down"),
            },
            503,
            "the secondary storage is not available: down",
        ),
        (
            QueryError::Failed {
                reason: text("odd"),
            },
            500,
            "Unexpected error occurred during the request processing: the secondary storage \
             refused the search: odd",
        ),
    ];
    for (failure, status, detail) in cases {
        *running.reads.failure.lock().unwrap() = Some(failure);
        let body = json!({"page": {"after": "WzFd"}});
        let problem = running.post("/jobs/search", body).await.problem();
        assert_eq!((problem.0, problem.2.as_str()), (status, detail));
    }
}

#[tokio::test]
async fn variables_of_a_task_are_those_of_all_scopes_around_it() {
    let running = start(Fake::new(1, fake::echo)).await;
    *running.reads.row.lock().unwrap() = Some(Row(vec![
        ("elementInstanceKey", Cell::Key(5)),
        ("processInstanceKey", Cell::Key(3)),
        ("elementInstanceScopeKey", Cell::Key(3)),
    ]));
    let answer = running
        .post("/user-tasks/7/variables/search", json!({}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let query = running.reads.queries.lock().unwrap().remove(0);
    let scopes = Filter::Field {
        field: "scopeKey".into(),
        op: Op::In,
        values: [5, 3].map(Literal::Int).to_vec(),
    };
    assert_eq!(query.filter, Filter::All(vec![scopes]));
}

#[tokio::test]
async fn forms_are_read_from_their_task_and_their_process() {
    let running = start(Fake::new(1, fake::echo)).await;
    let paths = ["/user-tasks/7/form", "/process-definitions/7/form"];
    for path in paths {
        assert_eq!(running.rest("GET", path, "").await.status, 404);
    }
    let task = |form| Some(Row(vec![("userTaskKey", Cell::Key(7)), ("formKey", form)]));
    *running.reads.row.lock().unwrap() = task(Cell::Null);
    for path in paths {
        assert_eq!(running.rest("GET", path, "").await.status, 204, "{path}");
    }
    *running.reads.row.lock().unwrap() = task(Cell::Key(9));
    running.reads.page.lock().unwrap().items = vec![Row(vec![
        ("tenantId", Cell::Text("<default>".into())),
        ("formId", Cell::Text("f".into())),
        ("schema", Cell::Text("{}".into())),
        ("version", Cell::Int(2)),
        ("formKey", Cell::Key(9)),
    ])];
    for path in paths {
        let answer = running.rest("GET", path, "").await;
        assert_eq!(
            answer.json(),
            json!({"tenantId": "<default>", "formId": "f", "schema": "{}", "version": 2, "formKey": "9"})
        );
        let query = running.reads.queries.lock().unwrap().pop().unwrap();
        assert_eq!((query.entity, query.page.limit), (Entity::Form, 1));
    }
}

#[tokio::test]
async fn the_content_of_a_resource_is_read_from_the_engine() {
    use ringflow_core::ids::Key;
    use ringflow_core::record::intent::of;
    use ringflow_core::record::value::ResourceRecord;
    use ringflow_core::record::{Blob, Text};
    let script = |_, command: &ringflow_core::engine::input::Command| {
        let ringflow_core::record::Value::Resource(asked) = &command.value else {
            panic!("another command");
        };
        let content: &[u8] = if asked.key == Key(1) {
            b"{}"
        } else {
            b"\xff\x00"
        };
        let record = ResourceRecord {
            id: Text::from("r"),
            version: 3,
            key: asked.key,
            resource: Blob::from(content),
            resource_name: Text::from("r.rpa"),
            ..ResourceRecord::default()
        };
        fake::accepted(asked.key, of::Resource::Fetched, record)
    };
    let running = start(Fake::new(1, script)).await;
    assert_eq!(
        running.rest("GET", "/resources/1", "").await.json(),
        json!({"resourceName": "r.rpa", "version": 3, "versionTag": null, "resourceId": "r",
            "tenantId": "<default>", "resourceKey": "1"})
    );
    let content = running.rest("GET", "/resources/1/content", "").await;
    assert_eq!((content.status, content.text.as_str()), (200, "{}"));
    let problem = running
        .rest("GET", "/resources/2/content", "")
        .await
        .problem();
    assert_eq!(problem.0, 406);
}
