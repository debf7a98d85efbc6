//! The server's own description, and answers checked against it.
//!
//! The checks below read the served document only: what it says of an operation is what a client
//! generated from it would rely on. Rows come from the schema of the items, so every member of every
//! search is written once with a value of its kind.

use std::collections::BTreeSet;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::PartitionId;
use ringflow_core::record::value::ResourceRecord;
use ringflow_core::record::{Blob, Value as RecordValue};
use ringflow_gateway::backend::{Cell, ElementStatistics, Page, Row};
use serde_json::{Value, json};

use crate::fake::{self, Fake, Running, http, start};

/// Schemas that refer to themselves end here.
const DEPTH: usize = 40;

struct Document(Value);

impl Document {
    async fn read(running: &Running) -> Self {
        let url = format!("http://{}/v3/api-docs", running.gateway.rest);
        Self(http("GET", &url, &[], Vec::new()).await.json())
    }

    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    fn target<'d>(&'d self, reference: &str) -> &'d Value {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "{reference} does not exist");
        schema
    }

    /// What is wrong with `value` according to `schema`, each with its place.
    fn faults(
        &self,
        schema: &Value,
        value: &Value,
        place: &str,
        faults: &mut Vec<String>,
        depth: usize,
    ) {
        assert!(depth < DEPTH, "{place} nests too deep");
        let mut fault = |text: String| faults.push(format!("{place}: {text}"));
        if let Some(reference) = schema["$ref"].as_str() {
            return self.faults(self.target(reference), value, place, faults, depth + 1);
        }
        if value.is_null() {
            if schema["nullable"] != json!(true) {
                fault("is null".into());
            }
            return;
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            _ => true,
        };
        if !fits {
            return fault(format!("{value} is no {}", schema["type"]));
        }
        if let Some(members) = schema["enum"].as_array()
            && !members.contains(value)
        {
            fault(format!("{value} is none of {members:?}"));
        }
        if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
            && !regex::Regex::new(pattern).unwrap().is_match(text)
        {
            fault(format!("{text} does not fit {pattern}"));
        }
        if schema["format"] == "date-time" {
            let time = value.as_str().map(str::parse::<jiff::Timestamp>);
            if !matches!(time, Some(Ok(_))) {
                fault(format!("{value} is no date"));
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.faults(part, value, place, faults, depth + 1);
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            let fitting = branches.iter().any(|branch| {
                let mut inner = Vec::new();
                self.faults(branch, value, place, &mut inner, depth + 1);
                inner.is_empty()
            });
            if !fitting {
                faults.push(format!("{place}: fits no branch"));
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if value.get(name).is_none() {
                faults.push(format!("{place}.{name}: is missing"));
            }
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.faults(schema, value, &format!("{place}.{name}"), faults, depth + 1);
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.faults(
                &schema["items"],
                item,
                &format!("{place}[]"),
                faults,
                depth + 1,
            );
        }
    }

    /// All properties of an object schema and of its parts.
    fn properties<'d>(&'d self, schema: &'d Value, out: &mut Vec<(&'d str, &'d Value)>) {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.properties(self.target(reference), out);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.properties(part, out);
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            out.push((name, schema));
        }
    }

    /// Type, format and enum of a schema, whatever it is put together from.
    fn kind<'d>(&'d self, schema: &'d Value, facts: &mut [&'d Value; 4]) {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.kind(self.target(reference), facts);
        }
        let first = schema["oneOf"]
            .as_array()
            .and_then(|branches| branches.first());
        for part in schema["allOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(first)
        {
            self.kind(part, facts);
        }
        for (at, name) in ["type", "format", "enum", "pattern"].iter().enumerate() {
            if !schema[*name].is_null() {
                facts[at] = &schema[*name];
            }
        }
    }

    fn cell(&self, schema: &Value) -> Cell {
        let nothing = Value::Null;
        let mut facts = [&nothing; 4];
        self.kind(schema, &mut facts);
        let [kind, format, members, pattern] = facts;
        match kind.as_str() {
            Some("integer") => Cell::Int(3),
            Some("boolean") => Cell::Bool(true),
            Some("array") => Cell::List(Vec::new()),
            Some("object") => Cell::Json("{}".into()),
            _ if pattern == "^[0-9]+-[0-9]+$" => Cell::Text("1-1".into()),
            _ if pattern == "^-?[0-9]+$" => Cell::Key(2_251_799_813_685_249),
            _ if format == "date-time" => Cell::Time(1_762_855_810_120),
            _ => match members.as_array() {
                Some(members) => Cell::Text(members[0].as_str().unwrap().to_owned()),
                None => Cell::Text("text".into()),
            },
        }
    }
}

fn names_of(text: String) -> &'static str {
    // Rows carry the names of constants; a test makes them up.
    Box::leak(text.into_boxed_str())
}

#[tokio::test]
async fn the_document_describes_every_operation_and_refers_to_what_it_has() {
    let running = start(Fake::new(1, fake::echo)).await;
    let document = Document::read(&running).await;
    let mut ids = BTreeSet::new();
    let mut served = 0;
    for (path, method, operation) in document.operations() {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()));
        served += usize::from(operation["x-served"] == json!(true));
        assert!(path.starts_with('/') && !operation["responses"].as_object().unwrap().is_empty());
        let url = format!(
            "http://{}{}",
            running.gateway.rest,
            path.replace(['{', '}'], "")
        );
        let answer = http(&method.to_ascii_uppercase(), &url, &[], Vec::new()).await;
        // No store of this server has links.
        let refused = answer.text.contains("does not support");
        assert!(
            answer.status != 405 || refused,
            "{method} {path}: {answer:?}"
        );
        if answer.status == 404 {
            let detail = answer.json()["detail"].to_string();
            assert!(
                !detail.contains("No static resource"),
                "{method} {path}: {answer:?}"
            );
        }
    }
    assert_eq!(ids.len(), 225);
    assert!(served > 50, "{served}");
    let mut references = 0;
    let mut rest = vec![&document.0];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    document.target(reference);
                    references += 1;
                }
                rest.extend(members.values());
            }
            Value::Array(items) => rest.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(references > 1000, "{references}");
}

#[tokio::test]
async fn the_page_is_whole_and_fetches_nothing_from_elsewhere() {
    let running = start(Fake::new(1, fake::echo)).await;
    let get = async |path: &str| {
        let url = format!("http://{}{path}", running.gateway.rest);
        http("GET", &url, &[], Vec::new()).await
    };
    let moved = get("/swagger-ui").await;
    assert_eq!(
        (moved.status, &moved.headers["location"]),
        (302, &"/swagger-ui/index.html".parse().unwrap())
    );
    let page = get("/swagger-ui/index.html").await;
    assert_eq!(page.status, 200);
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.text.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(
        get("/v2/rest-api.yaml").await.json(),
        get("/v3/api-docs").await.json()
    );
}

/// The engine has every resource that it is asked for.
fn with_resources(partition: PartitionId, command: &Command) -> fake::Answer {
    let RecordValue::Resource(asked) = &command.value else {
        return fake::echo(partition, command);
    };
    let found = ResourceRecord {
        resource: Blob::from(b"{}".as_slice()),
        ..ResourceRecord::clone(asked)
    };
    fake::accepted(command.key, command.intent, found)
}

#[tokio::test]
async fn answers_of_reads_are_what_the_document_says() {
    let running = start(Fake::new(1, with_resources)).await;
    let document = Document::read(&running).await;
    *running.reads.elements.lock().unwrap() = vec![ElementStatistics {
        element_id: "task".into(),
        active: 1,
        canceled: 2,
        incidents: 3,
        completed: 4,
    }];
    let counters = ["created", "completed", "failed"];
    let (mut searches, mut singles) = (0, 0);
    for (path, method, operation) in document.operations() {
        let eventual = operation["x-eventually-consistent"] == json!(true);
        if operation["x-served"] != json!(true) || !eventual {
            continue;
        }
        let result = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        if !result.is_object() {
            continue;
        }
        let mut members = Vec::new();
        document.properties(result, &mut members);
        let items = members.iter().rev().find(|(name, _)| *name == "items");
        let item = items.map_or(result, |(_, items)| &items["items"]);
        let mut properties = Vec::new();
        document.properties(item, &mut properties);
        let mut cells: Vec<(&'static str, Cell)> = properties
            .iter()
            .map(|(name, schema)| (names_of((*name).to_owned()), document.cell(schema)))
            .collect();
        for counter in counters {
            cells.retain(|(name, _)| *name != counter);
            cells.push((names_of(format!("{counter}Count")), Cell::Int(5)));
            cells.push((names_of(format!("{counter}At")), Cell::Time(0)));
        }
        // One level is enough for a hierarchy; a second would be the same row again.
        cells.retain(|(name, _)| *name != "parentProcessInstanceKey");
        for needed in ["processInstanceKey", "processDefinitionKey"] {
            cells.push((names_of(needed.into()), Cell::Key(7)));
        }
        for needed in ["processDefinitionId", "processDefinitionName"] {
            cells.push((names_of(needed.into()), Cell::Text("order".into())));
        }
        // What details there are depends on it; the gateway puts them together.
        if path.contains("wait-states") {
            cells.retain(|(name, _)| *name != "details");
        }
        cells.push(("waitStateType", Cell::Text("SIGNAL".into())));
        *running.reads.row.lock().unwrap() = Some(Row(cells.clone()));
        *running.reads.page.lock().unwrap() = Page {
            items: vec![Row(cells)],
            total: 1,
            has_more: false,
            start_cursor: Some("WzFd".into()),
            end_cursor: Some("WzFd".into()),
        };
        let segments: Vec<&str> = path
            .split('/')
            .map(|segment| {
                if segment == "{decisionEvaluationInstanceKey}" {
                    "7-1"
                } else if segment.starts_with('{') {
                    "7"
                } else {
                    segment
                }
            })
            .collect();
        let mut url = format!("http://{}{}", running.gateway.rest, segments.join("/"));
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" && parameter["required"] == json!(true) {
                let name = parameter["name"].as_str().unwrap();
                let day = 1 + query.len();
                query.push(format!("{name}=2025-01-0{day}T00:00:00Z"));
            }
        }
        if !query.is_empty() {
            url = format!("{url}?{}", query.join("&"));
        }
        let media = [("content-type", "application/json")];
        let body = json!({"filter": {
            "from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z", "jobType": "pack",
        }});
        let bodies = [
            json!({}),
            body,
            json!({"filter": {"errorHashCode": 1}}),
            json!({"filter": {"processDefinitionId": "order"}}),
            json!({"filter": {"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z"}}),
        ];
        let mut answer = None;
        for body in bodies {
            let text = if method == "get" {
                String::new()
            } else {
                body.to_string()
            };
            let given = http(
                &method.to_ascii_uppercase(),
                &url,
                &media,
                text.into_bytes(),
            )
            .await;
            if given.status == 200 {
                answer = Some(given);
                break;
            }
            assert_eq!(given.status, 400, "{method} {path}: {given:?}");
        }
        let answer = answer.unwrap_or_else(|| panic!("{method} {path} takes no body of these"));
        let mut faults = Vec::new();
        document.faults(result, &answer.json(), "answer", &mut faults, 0);
        assert!(
            faults.is_empty(),
            "{method} {path}: {faults:#?}\n{}",
            answer.text
        );
        if items.is_some() {
            searches += 1;
        } else {
            singles += 1;
        }
    }
    assert!(
        searches > 15 && singles > 4,
        "{searches} searches, {singles} singles"
    );
}

#[tokio::test]
async fn unserved_operations_say_so_with_a_sentence() {
    let running = start(Fake::new(1, fake::echo)).await;
    let document = Document::read(&running).await;
    let problem = json!({"$ref": "#/components/schemas/ProblemDetail"});
    let mut unserved = 0;
    for (path, method, operation) in document.operations() {
        if operation["x-served"] == json!(true) || operation.get("requestBody").is_some() {
            continue;
        }
        let query = operation["parameters"].as_array().into_iter().flatten();
        if query
            .clone()
            .any(|parameter| parameter["in"] == "query" && parameter["required"] == json!(true))
        {
            continue;
        }
        let segments: Vec<&str> = path
            .split('/')
            .map(|segment| {
                if segment.starts_with('{') {
                    "7"
                } else {
                    segment
                }
            })
            .collect();
        let url = format!("http://{}{}", running.gateway.rest, segments.join("/"));
        let answer = http(&method.to_ascii_uppercase(), &url, &[], Vec::new()).await;
        if answer.status == 400 {
            continue;
        }
        let (status, title, detail) = answer.problem();
        assert_eq!(
            (status, title.as_str()),
            (501, "Not Implemented"),
            "{method} {path}"
        );
        assert!(
            detail.contains(operation["operationId"].as_str().unwrap()),
            "{detail}"
        );
        let mut faults = Vec::new();
        document.faults(&problem, &answer.json(), "problem", &mut faults, 0);
        assert!(faults.is_empty(), "{faults:?}");
        unserved += 1;
    }
    assert!(unserved > 0);
}
