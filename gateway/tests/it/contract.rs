//! The negative suite that the contract itself implies, over every operation, served or not.
//!
//! Cases are derived from `contract/*.json` as the official generator derives its own: missing body,
//! wrong top-level type, unknown member, wrong type of each member, unreadable path keys. All of
//! them are 400, whatever else the operation does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::fake::{self, Fake, Http, Running, http, start};

pub(crate) struct Contract {
    pub(crate) operations: Vec<Value>,
    pub(crate) schemas: BTreeMap<String, Value>,
}

impl Contract {
    pub(crate) fn load() -> Self {
        let mut contract = Self {
            operations: Vec::new(),
            schemas: BTreeMap::new(),
        };
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/contract")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let file: Value = serde_json::from_str(&text).unwrap();
            contract
                .operations
                .extend(file["operations"].as_array().unwrap().iter().cloned());
            for (name, schema) in file["schemas"].as_object().unwrap() {
                contract.schemas.insert(name.clone(), schema.clone());
            }
        }
        contract
    }

    /// Names of all members that a schema mentions, in whatever branch; false if it is open.
    fn members(&self, schema: &Value, names: &mut BTreeSet<String>) -> bool {
        let mut closed = schema.get("additionalProperties") != Some(&Value::Bool(true));
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            closed &= self.members(&self.schemas[name], names);
        }
        for list in ["allOf", "oneOf"] {
            for part in schema
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                closed &= self.members(part, names);
            }
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            names.extend(properties.keys().cloned());
        }
        closed
    }
}

pub(crate) fn url(running: &Running, operation: &Value, parameter: &str) -> String {
    let path = operation["path"].as_str().unwrap();
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                parameter
            } else {
                segment
            }
        })
        .collect();
    let prefix = if operation.get("fromRoot").is_some() {
        ""
    } else {
        "/v2"
    };
    format!(
        "http://{}{prefix}{}",
        running.gateway.rest,
        segments.join("/")
    )
}

async fn send(running: &Running, operation: &Value, body: &str) -> Http {
    let headers = [("content-type", "application/json")];
    let method = operation["method"].as_str().unwrap();
    let url = url(running, operation, "1");
    http(method, &url, &headers, body.as_bytes().to_vec()).await
}

#[tokio::test]
async fn wrong_bodies_are_refused_by_every_operation() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut bodies = 0;
    let mut members = 0;
    for operation in &contract.operations {
        let body = &operation["body"];
        let anything = body["schema"].as_object().is_none_or(Map::is_empty);
        if body["media"] != "application/json" || anything {
            continue;
        }
        bodies += 1;
        let refused = async |text: &str| {
            let answer = send(&running, operation, text).await;
            assert_eq!(answer.status, 400, "{} {text}: {answer:?}", operation["id"]);
            answer.problem();
        };
        for text in ["[[]]", "\"x\"", "1", "true", "{\"a\":", "{", "nonsense"] {
            refused(text).await;
        }
        if body["required"] == true {
            refused("").await;
            refused("null").await;
        }
        let mut names = BTreeSet::new();
        let closed = contract.members(&body["schema"], &mut names);
        if closed {
            refused("{\"anUnknownMember\":1}").await;
        }
        for name in names {
            let id = operation["id"].as_str().unwrap();
            if name == "value" && id.ends_with("ClusterVariable") {
                continue;
            }
            // No other member of a request takes a list of lists.
            let mut object = Map::new();
            object.insert(name, serde_json::json!([[]]));
            refused(&Value::Object(object).to_string()).await;
            members += 1;
        }
    }
    assert!(
        bodies > 100 && members > 300,
        "{bodies} bodies, {members} members"
    );
    assert!(running.fake.intents().is_empty());
}

#[tokio::test]
async fn path_keys_that_are_no_numbers_are_refused_by_every_operation() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut seen = 0;
    for operation in &contract.operations {
        let keyed = |name: &str| name.ends_with("Key") && name != "decisionEvaluationInstanceKey";
        let params = operation["params"].as_array();
        let params: Vec<&str> = params
            .into_iter()
            .flatten()
            .filter(|param| param["in"] == "path")
            .filter_map(|param| param["name"].as_str())
            .collect();
        let numeric = params
            .iter()
            .any(|name| keyed(name) && *name != "batchOperationKey");
        // Texts in the reference: what is no number is not found, or refused behind the body.
        let texts = ["getAuditLog", "activateAdHocSubProcessActivities"];
        if !numeric || texts.iter().any(|id| operation["id"] == *id) {
            continue;
        }
        seen += 1;
        let method = operation["method"].as_str().unwrap();
        let url = url(&running, operation, "abc");
        let headers = [("content-type", "application/json")];
        let (status, _, detail) = http(method, &url, &headers, Vec::new()).await.problem();
        assert_eq!(status, 400, "{}: {detail}", operation["id"]);
        assert!(
            detail.starts_with("Failed to convert '"),
            "{}: {detail}",
            operation["id"]
        );
    }
    assert!(seen > 40, "{seen} operations");
}
