//! Cluster variables over REST: commands to the first partition, reads by name.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::ClusterVariableScope;
use ringflow_core::record::{Intent, RejectionType, Value};
use ringflow_gateway::backend::{Cell, Entity, Filter, Literal, Op, Page, Row};
use serde_json::json;

use crate::fake::{self, Fake, start};

#[tokio::test]
async fn variables_are_created_changed_and_deleted_where_they_belong() {
    let running = start(Fake::new(3, fake::echo)).await;
    let body = json!({"name": "region", "value": {"a": [1, null]}, "metadata": {"owner": "x"}});
    let created = running.post("/cluster-variables/global", body).await;
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(
        created.json(),
        json!({
            "name": "region", "scope": "GLOBAL", "tenantId": null, "kind": "JSON",
            "metadata": {"owner": "x"}, "value": "{\"a\":[1,null]}",
        })
    );
    let value = json!({"value": {}}).to_string();
    let path = "/cluster-variables/tenants/t1/region";
    let updated = running.rest("PUT", path, &value).await;
    assert_eq!(
        (updated.status, &updated.json()["tenantId"]),
        (200, &json!("t1"))
    );
    assert_eq!(running.rest("DELETE", path, "").await.status, 204);
    let Value::ClusterVariable(sent) = running.fake.last().value else {
        panic!("another value");
    };
    assert_eq!(sent.scope, ClusterVariableScope::Tenant);
    assert_eq!(
        (sent.tenant_id.as_str(), sent.name.as_str()),
        ("t1", "region")
    );
    let intents = [
        of::ClusterVariable::Create,
        of::ClusterVariable::Update,
        of::ClusterVariable::Delete,
    ];
    let expected: Vec<(u16, Intent)> = intents.map(|intent| (1, intent.into())).to_vec();
    assert_eq!(running.fake.intents(), expected);
}

#[tokio::test]
async fn refusals_keep_their_words() {
    let running = start(Fake::new(1, |_, command| {
        fake::refused(command, RejectionType::AlreadyExists, "taken")
    }))
    .await;
    let body = json!({"name": "x", "value": {}});
    let (status, title, detail) = running
        .post("/cluster-variables/global", body)
        .await
        .problem();
    assert_eq!((status, title.as_str()), (409, "ALREADY_EXISTS"));
    assert_eq!(
        detail,
        "Command 'CREATE' rejected with code 'ALREADY_EXISTS': taken"
    );
    let secret = json!({"name": "x", "value": {}, "kind": "SECRET_REFERENCE"});
    let refused = running.post("/cluster-variables/global", secret).await;
    assert_eq!(refused.problem().0, 501);
    for wrong in [
        json!({"name": "a b", "value": {}}),
        json!({"name": "x"}),
        json!({"name": "x", "value": null}),
    ] {
        let refused = running
            .post("/cluster-variables/global", wrong.clone())
            .await;
        assert_eq!(refused.problem().0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_variable_is_found_by_scope_and_name() {
    let running = start(Fake::new(1, fake::echo)).await;
    let missing = running.rest("GET", "/cluster-variables/global/x", "").await;
    assert_eq!(missing.problem().0, 404);
    *running.reads.page.lock().unwrap() = Page {
        items: vec![Row(vec![
            ("name", Cell::Text("x".into())),
            ("scope", Cell::Text("TENANT".into())),
            ("tenantId", Cell::Text("t1".into())),
            ("value", Cell::Text("{}".into())),
            ("kind", Cell::Text("JSON".into())),
            ("metadata", Cell::Json("{}".into())),
        ])],
        ..Page::default()
    };
    let found = running
        .rest("GET", "/cluster-variables/tenants/t1/x", "")
        .await;
    assert_eq!(found.json()["tenantId"], "t1");
    let query = running.reads.queries.lock().unwrap().pop().unwrap();
    let is = |field: &str, value: &str| Filter::Field {
        field: field.into(),
        op: Op::Eq,
        values: vec![Literal::Text(value.into())],
    };
    assert_eq!(query.entity, Entity::ClusterVariable);
    assert_eq!(
        query.filter,
        Filter::All(vec![is("name", "x"), is("tenantId", "t1")])
    );
    assert!(query.full_values);
}
