//! What every operation says to a request that is not right: status, title and detail, word by word.
//!
//! Cases are made from `contract/*.json`, over all operations, served or not. Faults are collected,
//! so that one run tells all of them; a case that no operation gives rise to fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::contract::{Contract, url};
use crate::fake::{self, Fake, Http, Running, http, start};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Requests and what is wrong with their answers.
struct Trial<'r> {
    running: &'r Running,
    faults: Vec<String>,
    cases: usize,
}

impl<'r> Trial<'r> {
    fn new(running: &'r Running) -> Self {
        Self {
            running,
            faults: Vec::new(),
            cases: 0,
        }
    }

    async fn send(&self, operation: &Value, headers: &[(&str, &str)], body: &str) -> Http {
        let method = operation["method"].as_str().unwrap();
        let url = url(self.running, operation, "1");
        http(method, &with_query(operation, url), headers, body.into()).await
    }

    fn expect(&mut self, what: &str, answer: &Http, expected: (u16, &str, &str)) {
        self.cases += 1;
        let (status, title, detail) = answer.problem();
        if (status, title.as_str(), detail.as_str()) != expected {
            self.faults.push(format!(
                "{what}: {status} {title}: {detail}\n    wanted {expected:?}"
            ));
        }
    }

    async fn refused(&mut self, operation: &Value, body: &str, expected: (u16, &str, &str)) {
        let answer = self.send(operation, &[JSON], body).await;
        let what = format!("{} {body}", operation["id"]);
        self.expect(&what, &answer, expected);
    }

    fn end(self, least: usize) {
        assert!(
            self.faults.is_empty(),
            "{} faults\n{}",
            self.faults.len(),
            self.faults.join("\n")
        );
        assert!(self.cases >= least, "{} cases", self.cases);
        assert!(
            self.running.fake.intents().is_empty(),
            "nothing is a command"
        );
    }
}

fn with_query(operation: &Value, url: String) -> String {
    let mut query = Vec::new();
    for param in operation["params"].as_array().into_iter().flatten() {
        if param["in"] == "query" && param["required"] == true {
            let name = param["name"].as_str().unwrap();
            let value = if name == "mode" {
                "PROCESSING"
            } else {
                "2025-01-01T00:00:00Z"
            };
            query.push(format!("{name}={value}"));
        }
    }
    if query.is_empty() {
        return url;
    }
    format!("{url}?{}", query.join("&"))
}

fn malformed(detail: &str) -> (u16, &str, &str) {
    (400, "Bad Request", detail)
}

fn invalid(detail: &str) -> (u16, &str, &str) {
    (400, "INVALID_ARGUMENT", detail)
}

/// Operations whose body is JSON of a known form.
fn with_json(contract: &Contract) -> impl Iterator<Item = &Value> {
    contract.operations.iter().filter(|operation| {
        let body = &operation["body"];
        let anything = body["schema"].as_object().is_none_or(|it| it.is_empty());
        body["media"] == "application/json" && !anything
    })
}

/// A schema with its references and `allOf` followed.
pub(crate) fn merged(contract: &Contract, schema: &Value) -> Value {
    let mut whole = json!({"properties": {}, "required": []});
    let mut parts = Vec::new();
    if let Some(name) = schema["$ref"].as_str() {
        parts.push(merged(contract, &contract.schemas[name]));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        parts.push(merged(contract, part));
    }
    parts.push(schema.clone());
    for part in parts {
        for (name, value) in part.as_object().into_iter().flatten() {
            match name.as_str() {
                "properties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        whole["properties"][name] = value.clone();
                    }
                }
                "required" => {
                    let names = value.as_array().cloned().unwrap_or_default();
                    whole["required"].as_array_mut().unwrap().extend(names);
                }
                "$ref" | "allOf" => {}
                _ => whole[name] = value.clone(),
            }
        }
    }
    whole
}

/// The methods that answer where an operation does, as the router has them.
fn methods_at(contract: &Contract, path: &str) -> BTreeSet<String> {
    let fits = |wide: &str| {
        let (wide, path): (Vec<&str>, Vec<&str>) =
            (wide.split('/').collect(), path.split('/').collect());
        wide.len() == path.len()
            && wide
                .iter()
                .zip(&path)
                .all(|(a, b)| a == b || a.starts_with('{'))
    };
    let all = contract.operations.iter();
    all.filter(|other| fits(other["path"].as_str().unwrap()))
        .map(|other| other["method"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_transport_is_checked_by_every_operation() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut trial = Trial::new(&running);
    for operation in &contract.operations {
        let known = methods_at(&contract, operation["path"].as_str().unwrap());
        let other = ["PUT", "PATCH", "DELETE", "POST", "GET"]
            .into_iter()
            .find(|method| !known.contains(*method))
            .unwrap();
        let url = url(&running, operation, "1");
        let answer = http(other, &url, &[JSON], b"{}".to_vec()).await;
        let detail = format!("Method '{other}' is not supported.");
        trial.expect(&url, &answer, (405, "Method Not Allowed", &detail));
        let allowed = answer.headers.get("allow").map(|it| it.to_str().unwrap());
        let allowed: BTreeSet<&str> = allowed
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        if !known.iter().all(|method| allowed.contains(method.as_str())) {
            trial
                .faults
                .push(format!("{url}: allows {allowed:?}, not {known:?}"));
        }
    }
    for operation in with_json(&contract) {
        let id = operation["id"].as_str().unwrap();
        let unsupported = |given: &str| format!("Content-Type '{given}' is not supported.");
        for given in ["text/plain", "application/xml", "application/vnd.x+json"] {
            let answer = trial
                .send(operation, &[("content-type", given)], "{}")
                .await;
            let detail = unsupported(given);
            trial.expect(id, &answer, (415, "Unsupported Media Type", &detail));
        }
        let answer = trial.send(operation, &[], "{}").await;
        let detail = unsupported("null");
        trial.expect(id, &answer, (415, "Unsupported Media Type", &detail));
        if operation["body"]["required"] == true {
            let answer = trial.send(operation, &[], "").await;
            trial.expect(id, &answer, (415, "Unsupported Media Type", &detail));
            let missing = malformed("Required request body is missing");
            trial.refused(operation, "", missing).await;
            trial.refused(operation, "null", missing).await;
        }
        for text in ["{", "{\"a\":", "nonsense", "{\"a\":1,}", "{'a':1}", "\u{1}"] {
            trial
                .refused(operation, text, malformed("Failed to read request"))
                .await;
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        trial
            .refused(operation, &deep, malformed("Failed to read request"))
            .await;
        let empty = malformed("Request property [] cannot be parsed");
        trial.refused(operation, " \r\n\t", empty).await;
    }
    for operation in &contract.operations {
        if operation["body"]["media"] == "multipart/form-data" {
            let answer = trial.send(operation, &[JSON], "{}").await;
            let detail = "Content-Type 'application/json' is not supported.";
            trial.expect(
                "multipart",
                &answer,
                (415, "Unsupported Media Type", detail),
            );
        }
    }
    trial.end(1500);
}

#[tokio::test]
async fn members_are_checked_by_every_operation() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut trial = Trial::new(&running);
    for operation in with_json(&contract) {
        let id = operation["id"].as_str().unwrap();
        let body = merged(&contract, &operation["body"]["schema"]);
        // Alternatives are told apart before their members are looked at.
        if body["oneOf"].is_array() {
            continue;
        }
        let wrong_whole = malformed("Request property [] cannot be parsed");
        for text in ["[]", "\"x\"", "1", "true"] {
            trial.refused(operation, text, wrong_whole).await;
        }
        if body["additionalProperties"] != true {
            let unknown = malformed("Request property [unknown] cannot be parsed");
            trial.refused(operation, "{\"unknown\":1}", unknown).await;
        }
        for (name, schema) in body["properties"].as_object().unwrap() {
            let schema = merged(&contract, schema);
            let kind = schema["type"].as_str().unwrap_or_default();
            let wrong = match kind {
                "string" => json!(5),
                "integer" | "boolean" | "object" => json!("x"),
                "array" => json!({}),
                _ => continue,
            };
            let detail = format!("Request property [{name}] cannot be parsed");
            if let Some(members) = schema["enum"].as_array() {
                let members: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
                // A scalar is taken for a name.
                for (given, shown) in [(json!("nope"), "nope"), (json!(5), "5")] {
                    let detail = format!(
                        "Unexpected value '{shown}' for enum field '{name}'. Use any of the \
                         following values: [{}]",
                        members.join(", ")
                    );
                    let text = json!({name: given}).to_string();
                    trial.refused(operation, &text, malformed(&detail)).await;
                }
            } else {
                let text = json!({name: wrong}).to_string();
                trial.refused(operation, &text, malformed(&detail)).await;
            }
            if kind == "integer" {
                for number in ["1.5", "1e3"] {
                    let text = format!("{{\"{name}\":{number}}}");
                    trial.refused(operation, &text, malformed(&detail)).await;
                }
                let text = format!("{{\"{name}\":99999999999999999999}}");
                let answer = trial.send(operation, &[JSON], &text).await;
                if answer.status != 400 {
                    trial.faults.push(format!("{id} {text}: {answer:?}"));
                }
            }
        }
        let required = body["required"].as_array().unwrap();
        let missing: Vec<String> = required
            .iter()
            .map(|name| match (id, name.as_str().unwrap()) {
                ("correlateMessage", "name") => "No messageName provided".into(),
                ("updateJob", "changeset") => {
                    "At least one of [retries, timeout, priority] is required".into()
                }
                (_, name) => format!("No {name} provided"),
            })
            .collect::<BTreeSet<String>>()
            .into_iter()
            .collect();
        if missing.is_empty() {
            continue;
        }
        // Null is the same as nothing, except where it is a value.
        let nulls: serde_json::Map<String, Value> = required
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| merged(&contract, &body["properties"][name])["nullable"] != true)
            .map(|name| (name.to_owned(), Value::Null))
            .collect();
        let whole = nulls.len() == missing.len();
        let nulls = whole.then(|| Value::Object(nulls).to_string());
        for text in std::iter::once("{}".to_owned()).chain(nulls) {
            let answer = trial.send(operation, &[JSON], &text).await;
            let (status, title, detail) = answer.problem();
            trial.cases += 1;
            let mut said: Vec<&str> = detail.trim_end_matches('.').split(". ").collect();
            said.sort_unstable();
            if (status, title.as_str()) != (400, "INVALID_ARGUMENT") || said != missing {
                trial
                    .faults
                    .push(format!("{id} {text}: {detail}, wanted {missing:?}"));
            }
        }
    }
    trial.end(900);
}

#[tokio::test]
async fn pages_and_sorts_are_checked_by_every_search() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut trial = Trial::new(&running);
    for operation in with_json(&contract) {
        let body = merged(&contract, &operation["body"]["schema"]);
        let page = merged(&contract, &body["properties"]["page"]);
        if page["oneOf"].is_array() {
            let cases = [
                (
                    json!({}),
                    malformed("At least one of [from, after, before, limit] is required."),
                ),
                (
                    json!([]),
                    malformed("At least one of [from, after, before, limit] is required."),
                ),
                (
                    json!({"from": 1, "after": "YQ=="}),
                    malformed("Only one of [from, after, before] is allowed."),
                ),
                (
                    json!({"before": "YQ==", "after": "YQ=="}),
                    malformed("Only one of [from, after, before] is allowed."),
                ),
                (
                    json!({"from": 1, "after": "YQ==", "limit": 1}),
                    malformed("Request property [page.after] cannot be parsed"),
                ),
                (
                    json!({"limit": 0}),
                    invalid(
                        "The value for page.limit is '0' but must be within the [1,10000] range.",
                    ),
                ),
                (
                    json!({"limit": 10001}),
                    invalid(
                        "The value for page.limit is '10001' but must be within the [1,10000] range.",
                    ),
                ),
                (
                    json!({"limit": -1}),
                    invalid("The value for page.limit is '-1' but must be a non-negative number."),
                ),
                (
                    json!({"from": -1}),
                    invalid("The value for page.from is '-1' but must be a non-negative number."),
                ),
                (
                    json!({"limit": "1"}),
                    malformed("Request property [page.limit] cannot be parsed"),
                ),
                (
                    json!({"limit": 3_000_000_000_u32}),
                    malformed("Failed to read request"),
                ),
                (
                    json!({"after": "no cursor"}),
                    invalid("Cannot decode pagination cursor 'no cursor'"),
                ),
                (
                    json!({"before": 1}),
                    malformed("Request property [page.before] cannot be parsed"),
                ),
                (
                    json!({"limit": 1, "size": 1}),
                    malformed("Request property [page.size] cannot be parsed"),
                ),
            ];
            for (page, expected) in cases {
                // What else is missing would be told as well.
                let alone = body["required"] == json!([]);
                if !alone && expected.1 == "INVALID_ARGUMENT" {
                    continue;
                }
                trial
                    .refused(operation, &json!({"page": page}).to_string(), expected)
                    .await;
            }
        }
        let sort = merged(&contract, &body["properties"]["sort"]);
        if sort["items"].is_object() {
            let item = merged(&contract, &sort["items"]);
            let field = merged(&contract, &item["properties"]["field"]);
            let members = field["enum"].as_array().unwrap();
            let members: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
            let unknown = format!(
                "Unexpected value 'nope' for enum field 'field'. Use any of the following values: [{}]",
                members.join(", ")
            );
            let cases = [
                (json!([{"field": "nope"}]), malformed(&unknown)),
                (
                    json!([{"field": members[0], "order": "UP"}]),
                    malformed(
                        "Unexpected value 'UP' for enum field 'order'. Use any of the following values: [ASC, DESC]",
                    ),
                ),
                (
                    json!([{"field": members[0], "dir": "ASC"}]),
                    malformed("Request property [sort.null.dir] cannot be parsed"),
                ),
                (
                    json!({"field": members[0]}),
                    malformed("Request property [sort] cannot be parsed"),
                ),
                (
                    json!(["a"]),
                    malformed("Request property [sort.null] cannot be parsed"),
                ),
            ];
            for (sort, expected) in cases {
                trial
                    .refused(operation, &json!({"sort": sort}).to_string(), expected)
                    .await;
            }
        }
        let filter = merged(&contract, &body["properties"]["filter"]);
        if filter["properties"]
            .as_object()
            .is_none_or(|it| it.is_empty())
        {
            continue;
        }
        let unknown = malformed("Request property [filter.nope] cannot be parsed");
        if filter["additionalProperties"] != true {
            trial
                .refused(operation, "{\"filter\":{\"nope\":1}}", unknown)
                .await;
        }
        for (name, schema) in filter["properties"].as_object().unwrap() {
            let schema = merged(&contract, schema);
            let branches = schema["oneOf"].as_array();
            let advanced = branches.is_some_and(|branches| {
                branches
                    .iter()
                    .any(|branch| merged(&contract, branch)["properties"]["$eq"].is_object())
            });
            if advanced {
                let detail = format!("Request property [filter.{name}.$near] cannot be parsed");
                let text = json!({"filter": {name: {"$near": 1}}}).to_string();
                trial.refused(operation, &text, malformed(&detail)).await;
            }
        }
    }
    trial.end(700);
}

#[tokio::test]
async fn keys_in_paths_are_numbers_of_64_bits_for_every_operation() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut trial = Trial::new(&running);
    for operation in &contract.operations {
        let params = operation["params"].as_array();
        let keys: Vec<&str> = params
            .into_iter()
            .flatten()
            .filter(|param| {
                let schema = merged(&contract, &param["schema"]);
                param["in"] == "path" && schema["pattern"] == "^-?[0-9]+$"
            })
            .filter_map(|param| param["name"].as_str())
            .collect();
        let [name] = keys[..] else { continue };
        // Texts in the reference: what is no number is not found, or refused behind the body.
        let texts = ["getAuditLog", "activateAdHocSubProcessActivities"];
        if texts.iter().any(|id| operation["id"] == *id) {
            continue;
        }
        let method = operation["method"].as_str().unwrap();
        for value in [
            "abc",
            "9223372036854775808",
            "-9223372036854775809",
            "1.5",
            "%20",
        ] {
            let target = url(&running, operation, value);
            let answer = http(method, &target, &[JSON], b"{}".to_vec()).await;
            let shown = value.replace("%20", " ");
            let detail = format!("Failed to convert '{name}' with value: '{shown}'");
            trial.expect(&target, &answer, malformed(&detail));
        }
    }
    trial.end(150);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let contract = Contract::load();
    let running = start(Fake::new(1, fake::echo)).await;
    let mut trial = Trial::new(&running);
    // Answered without a row, or by the engine.
    let others = [
        "getUserTaskForm",
        "getStartProcessForm",
        "getUsageMetrics",
        "getGlobalJobStatistics",
    ];
    for operation in &contract.operations {
        let id = operation["id"].as_str().unwrap();
        let read = operation["method"] == "GET" && operation.get("eventual").is_some();
        let by_id = operation["path"].as_str().unwrap().contains('{');
        if !read || !by_id || others.contains(&id) || id.starts_with("getResource") {
            continue;
        }
        for key in ["-1", "9999999999999999", "9223372036854775807"] {
            let numbered = format!("{}-1", key.trim_start_matches('-'));
            let key = if id == "getDecisionInstance" {
                numbered.as_str()
            } else {
                key
            };
            let target = url(&running, operation, key);
            let answer = http("GET", &target, &[], Vec::new()).await;
            let nothing = [json!({"items": []}), json!([])];
            if answer.status == 501 || (answer.status == 200 && nothing.contains(&answer.json())) {
                continue;
            }
            let (status, title, detail) = answer.problem();
            trial.cases += 1;
            let whole = (status, title.as_str()) == (404, "NOT_FOUND")
                && detail.contains("not found")
                && detail.contains(key);
            if !whole {
                trial
                    .faults
                    .push(format!("{target}: {status} {title}: {detail}"));
            }
        }
    }
    trial.end(30);
}

#[tokio::test]
async fn problems_have_five_members_and_say_where_they_happened() {
    let running = start(Fake::new(1, fake::echo)).await;
    for (path, status) in [
        ("/process-instances/abc", 400),
        ("/process-instances/1", 404),
        ("/nowhere", 404),
        ("/process-instances/search", 400),
    ] {
        let answer = running.rest("GET", path, "").await;
        assert_eq!(answer.status, status, "{answer:?}");
        let document = answer.json();
        assert_eq!(document["instance"], format!("/v2{path}"));
        assert_eq!(document.as_object().unwrap().len(), 5);
    }
    // A path that is a case of another one has that one's methods as well.
    let answer = running.rest("GET", "/process-instances/search", "").await;
    assert_eq!(
        answer.problem().2,
        "Failed to convert 'processInstanceKey' with value: 'search'"
    );
}
