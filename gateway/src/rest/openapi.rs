//! The server's own description: an OpenAPI document and a page to browse it.
//!
//! Both come from the tables that the routes and the checks are made of, so they cannot say
//! anything else than what the server does. Operations that are not served yet are described and
//! marked (`x-served: false`); they answer 501. Nothing is fetched from elsewhere by the page.
//!
//! | path | answer |
//! |---|---|
//! | `/v3/api-docs`, `/v2/rest-api.yaml` | the document; JSON is YAML as well |
//! | `/swagger-ui`, `/swagger-ui/index.html` | the page |
//!
//! These paths need no credentials, as in the reference. The document is made once, when it is
//! first asked for.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, LOCATION};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::answer::with_body;
use crate::contract::{ContractError, FILES, list, member, text};

/// The page is one file: script and style are part of it.
const PAGE: &str = include_str!("openapi/page.html");
/// What the page may do: show itself and ask this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";
/// Where the named schemas stand in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// The routes of document and page.
pub(super) fn routes(version: String, served: Vec<&'static str>) -> Router {
    let text: Arc<OnceLock<Arc<str>>> = Arc::default();
    let document = move || {
        let text = Arc::clone(text.get_or_init(|| match document(&version, &served) {
            Ok(document) => document.to_string().into(),
            // The router was made from the same files.
            Err(error) => format!("{{\"error\":{}}}", json!(error.to_string())).into(),
        }));
        async move { with_body(200, "application/json", text.to_string()) }
    };
    let page = || async {
        let mut response = with_body(200, "text/html; charset=utf-8", PAGE.to_owned());
        let policy = HeaderValue::from_static(POLICY);
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
        response
    };
    let to_page = || async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        let target = HeaderValue::from_static("/swagger-ui/index.html");
        response.headers_mut().insert(LOCATION, target);
        response
    };
    Router::new()
        .route("/v3/api-docs", get(document.clone()))
        .route("/v2/rest-api.yaml", get(document))
        .route("/swagger-ui/index.html", get(page))
        .route("/swagger-ui", get(to_page))
        .route("/swagger-ui/", get(to_page))
        .route("/swagger-ui.html", get(to_page))
}

/// The OpenAPI document; `served` names the operations that do not answer 501.
///
/// # Errors
/// The embedded contract is not of its documented form.
fn document(version: &str, served: &[&str]) -> Result<Value, ContractError> {
    let mut tags = Vec::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    for file in FILES {
        let file: Value =
            serde_json::from_str(file).map_err(|error| ContractError(error.to_string()))?;
        for (name, schema) in member(&file, "schemas")?.as_object().into_iter().flatten() {
            schemas.insert(name.clone(), converted(schema));
        }
        let operations = list(file.get("operations"));
        if operations.is_empty() {
            continue;
        }
        let tag = text(&file, "tag")?;
        tags.push(json!({ "name": tag }));
        for operation in operations {
            let from_root = operation.get("fromRoot").is_some();
            let path = text(operation, "path")?;
            let path = if from_root {
                path
            } else {
                format!("/v2{path}")
            };
            let described = described(operation, &tag, served)?;
            let methods = paths.entry(path).or_insert_with(|| json!({}));
            methods[text(operation, "method")?.to_ascii_lowercase()] = described;
        }
    }
    Ok(json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Ringflow Orchestration Cluster API",
            "description": "The REST API of Camunda 8 as this server answers it.",
            "version": version,
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "basic": { "type": "http", "scheme": "basic" } },
        },
    }))
}

fn described(operation: &Value, tag: &str, served: &[&str]) -> Result<Value, ContractError> {
    let id = text(operation, "id")?;
    let is_served = served.contains(&id.as_str());
    let mut out = json!({
        "operationId": id,
        "tags": [tag],
        "x-served": is_served,
        "x-since": operation.get("since").cloned().unwrap_or_default(),
        "x-eventually-consistent": operation.get("eventual").is_some(),
        "security": if operation.get("open").is_some() { json!([]) } else { json!([{ "basic": [] }]) },
    });
    if operation.get("deprecated").is_some() {
        out["deprecated"] = Value::Bool(true);
    }
    if let Some(permissions) = operation.get("permissions") {
        out["x-permissions"] = permissions.clone();
    }
    let mut parameters = Vec::new();
    for parameter in list(operation.get("params")) {
        parameters.push(json!({
            "name": text(parameter, "name")?,
            "in": text(parameter, "in")?,
            "required": parameter.get("required").cloned().unwrap_or(Value::Bool(false)),
            "schema": converted(member(parameter, "schema")?),
        }));
    }
    if !parameters.is_empty() {
        out["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = operation.get("body") {
        out["requestBody"] = json!({
            "required": body.get("required").cloned().unwrap_or(Value::Bool(false)),
            "content": content(body)?,
        });
    }
    let mut responses = Map::new();
    for (code, response) in member(operation, "responses")?
        .as_object()
        .into_iter()
        .flatten()
    {
        let mut answer = json!({ "description": reason(code) });
        if response.is_object() {
            answer["content"] = content(response)?;
        } else if response.is_string() {
            answer["content"] = problem();
        }
        responses.insert(code.clone(), answer);
    }
    if !is_served {
        let answer =
            json!({ "description": "This server does not serve it.", "content": problem() });
        responses.insert("501".into(), answer);
    }
    out["responses"] = Value::Object(responses);
    Ok(out)
}

fn reason(code: &str) -> &'static str {
    code.parse()
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .and_then(|code| code.canonical_reason())
        .unwrap_or("Answer")
}

fn problem() -> Value {
    json!({ "application/problem+json": { "schema": { "$ref": format!("{SCHEMAS}ProblemDetail") } } })
}

fn content(of: &Value) -> Result<Value, ContractError> {
    let mut content = Map::new();
    content.insert(
        text(of, "media")?,
        json!({ "schema": converted(member(of, "schema")?) }),
    );
    Ok(Value::Object(content))
}

/// A schema of the contract in OpenAPI's words: full references, our own members marked as such.
/// Recursion is as deep as the embedded files nest.
fn converted(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(name)) => {
                        out.insert("$ref".into(), Value::String(format!("{SCHEMAS}{name}")));
                    }
                    // A map of names to schemas, not a schema: a property may be called anything.
                    ("properties", Value::Object(properties)) => {
                        let properties = properties
                            .iter()
                            .map(|(name, schema)| (name.clone(), converted(schema)));
                        out.insert("properties".into(), Value::Object(properties.collect()));
                    }
                    ("mapping", Value::Object(mapping)) => {
                        let mapping = mapping.iter().map(|(value, name)| {
                            let name = name.as_str().unwrap_or_default();
                            (value.clone(), Value::String(format!("{SCHEMAS}{name}")))
                        });
                        out.insert("mapping".into(), Value::Object(mapping.collect()));
                    }
                    ("since", Value::Object(_)) => {
                        out.insert("x-since".into(), value.clone());
                    }
                    _ => {
                        out.insert(name.clone(), converted(value));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(converted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}
