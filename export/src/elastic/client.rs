//! The requests to Elasticsearch or OpenSearch, and what their answers mean for a window.
//!
//! The cursor of a partition is a document of an index of its own, `ringflow-export_PREFIX`: the
//! position up to which everything is there, and the counts that sequences go on from. It is written
//! with the position as its version, so that it never goes back; a second exporter for the same
//! partition (a leader that was deposed) cannot take it back either.
//!
//! Limits: an answer is read up to [`ANSWER_MAX`]. Errors never hold the credentials.

use std::cell::Cell;
use std::time::Duration;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use ringflow_core::ids::{PartitionId, Position};
use serde_json::{Value, json};

use super::document::{Document, Sequences};
use super::options::{ElasticOptions, Retention};
use super::template;

/// Longest answer, in bytes: each document of a window is answered by some hundreds.
const ANSWER_MAX: usize = 64 << 20;
/// Longest part of an answer that is told.
const TOLD_MAX: usize = 500;

/// Why a request did not do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It may do later.
    #[error("{0}")]
    Later(String),
    /// It is too large.
    #[error("the request is too large")]
    TooLarge,
}

/// A document that is never taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Poison {
    /// Its place in the window.
    pub(super) at: usize,
    /// Why.
    pub(super) reason: String,
}

/// What became of a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Places of those that have to be sent again, and why the first of them.
    pub(super) again: Vec<usize>,
    pub(super) why: String,
    pub(super) poison: Vec<Poison>,
}

/// Where a partition stands.
#[derive(Debug, Default, Clone)]
pub(super) struct Cursor {
    /// Everything up to here is there.
    pub(super) position: Position,
    /// Counts up to there.
    pub(super) sequences: Sequences,
}

/// Speaks to one cluster.
pub(super) struct Client {
    http: reqwest::Client,
    urls: Vec<String>,
    /// Which address is asked.
    at: Cell<usize>,
    cursors: String,
}

impl Client {
    /// A client; nothing is asked yet.
    pub(super) fn new(options: &ElasticOptions) -> Result<Self, String> {
        // Another part of the process may have chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some((user, password)) = &options.credentials {
            let pair = format!("{user}:{}", password.0);
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
                .map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .timeout(options.request_timeout)
            .connect_timeout(options.request_timeout.min(Duration::from_secs(5)))
            .default_headers(headers)
            .build()
            .map_err(|error| error.to_string())?;
        let urls: Vec<String> = options
            .urls
            .iter()
            .map(|url| url.trim_end_matches('/').to_owned())
            .collect();
        if urls.is_empty() {
            return Err("no address of Elasticsearch is given".to_owned());
        }
        Ok(Self {
            http,
            urls,
            at: Cell::new(0),
            cursors: format!("ringflow-export_{}", options.index.prefix),
        })
    }

    /// Puts the templates, and what deletes old indices.
    pub(super) async fn prepare(&self, options: &ElasticOptions) -> Result<(), Refused> {
        if let Some(retention) = &options.retention {
            self.put_policy(retention).await?;
        }
        if options.index.create_template {
            let path = format!("/_component_template/{}", template::component_name(options));
            self.put(&path, &template::component(options)).await?;
            for value_type in &options.index.types {
                let path = format!("/_index_template/{}", template::name(options, *value_type));
                self.put(&path, &template::index(options, *value_type))
                    .await?;
            }
        }
        if let Some(retention) = &options.retention {
            let prefix = &options.index.prefix;
            let path = format!("/{prefix}*/_settings?allow_no_indices=true");
            self.put(&path, &json!({ "index.lifecycle.name": retention.policy }))
                .await?;
        }
        Ok(())
    }

    async fn put_policy(&self, retention: &Retention) -> Result<(), Refused> {
        let path = format!("/_ilm/policy/{}", retention.policy);
        let delete = json!({ "min_age": retention.minimum_age, "actions": { "delete": {} } });
        self.put(
            &path,
            &json!({ "policy": { "phases": { "delete": delete } } }),
        )
        .await
    }

    async fn put(&self, path: &str, body: &Value) -> Result<(), Refused> {
        let (status, answer) = self.ask(Method::PUT, path, Some(body.to_string())).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(later(path, status, &answer)),
        }
    }

    /// Reads the cursor of a partition; `None` if there is none yet.
    pub(super) async fn cursor(&self, partition: PartitionId) -> Result<Option<Cursor>, Refused> {
        let path = format!("/{}/_doc/{}", self.cursors, partition.0);
        let (status, answer) = self.ask(Method::GET, &path, None).await?;
        if status == StatusCode::NOT_FOUND {
            // Neither is an answer of something else than such a cluster taken for "none".
            let known = answer.get("found") == Some(&Value::Bool(false))
                || answer["error"]["type"] == "index_not_found_exception";
            return match known {
                true => Ok(None),
                false => Err(later(&path, status, &answer)),
            };
        }
        let source = &answer["_source"];
        let position = source["position"].as_u64();
        let (true, Some(position)) = (status.is_success(), position) else {
            return Err(later(&path, status, &answer));
        };
        let mut sequences = Sequences::default();
        for (name, count) in source["sequences"].as_object().into_iter().flatten() {
            if let Some(count) = count.as_u64() {
                sequences.restore(name, count);
            }
        }
        Ok(Some(Cursor {
            position: Position(position),
            sequences,
        }))
    }

    /// Writes the cursor of a partition. One that stands further already stays.
    pub(super) async fn advance(
        &self,
        partition: PartitionId,
        cursor: &Cursor,
    ) -> Result<(), Refused> {
        let path = format!(
            "/{}/_doc/{}?version={}&version_type=external_gte",
            self.cursors, partition.0, cursor.position.0
        );
        let sequences: serde_json::Map<String, Value> = cursor
            .sequences
            .0
            .iter()
            .map(|(name, count)| ((*name).to_owned(), json!(count)))
            .collect();
        let body = json!({ "position": cursor.position.0, "sequences": sequences });
        let (status, answer) = self.ask(Method::PUT, &path, Some(body.to_string())).await?;
        match status.is_success() || status == StatusCode::CONFLICT {
            true => Ok(()),
            false => Err(later(&path, status, &answer)),
        }
    }

    /// Sends documents.
    pub(super) async fn bulk(&self, documents: &[&Document]) -> Result<Sent, Refused> {
        let mut body = String::with_capacity(documents.iter().map(|it| it.lines.len()).sum());
        for document in documents {
            body.push_str(&document.lines);
        }
        let (status, answer) = self.ask(Method::POST, "/_bulk", Some(body)).await?;
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Err(Refused::TooLarge);
        }
        if !status.is_success() {
            return Err(later("/_bulk", status, &answer));
        }
        judged(&answer, documents.len())
    }

    /// One request to the present address; where it gives no answer the next one is asked from now on.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, Value), Refused> {
        let at = self.at.get() % self.urls.len();
        let url = format!("{}{path}", self.urls[at]);
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            let kind = match path {
                "/_bulk" => "application/x-ndjson",
                _ => "application/json",
            };
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        let answered = async {
            let mut response = request.send().await?;
            let status = response.status();
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > ANSWER_MAX {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, bytes))
        };
        let (status, bytes) = answered.await.map_err(|error| {
            self.at.set(at + 1);
            Refused::Later(causes(&error.without_url()))
        })?;
        if status.is_server_error() {
            self.at.set(at + 1);
        }
        // What is no JSON is told as text.
        let answer = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok((status, answer))
    }
}

/// An error with what it was caused by.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    text
}

fn later(path: &str, status: StatusCode, answer: &Value) -> Refused {
    let mut told = match answer {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            answer.to_string()
        }
    };
    if let Some((end, _)) = told.char_indices().nth(TOLD_MAX) {
        told.truncate(end);
    }
    let path = path.split('?').next().unwrap_or(path);
    Refused::Later(format!(
        "{path} was answered with {}: {told}",
        status.as_u16()
    ))
}

/// What an answer says about each of `count` documents.
fn judged(answer: &Value, count: usize) -> Result<Sent, Refused> {
    let mut sent = Sent::default();
    if answer["errors"] == Value::Bool(false) {
        return Ok(sent);
    }
    let items = answer["items"].as_array().map(Vec::as_slice);
    let items = items.filter(|items| items.len() == count).ok_or_else(|| {
        Refused::Later("the answer to a bulk request is not one item a document".to_owned())
    })?;
    for (at, item) in items.iter().enumerate() {
        let item = &item["index"];
        let status = item["status"].as_u64().unwrap_or(500);
        if (200..300).contains(&status) {
            continue;
        }
        let error = &item["error"];
        let text = |member: &Value| member.as_str().unwrap_or("?").to_owned();
        let mut reason = format!("{}: {}", text(&error["type"]), text(&error["reason"]));
        let cause = &error["caused_by"];
        if cause.is_object() {
            reason.push_str(&format!(
                " ({}: {})",
                text(&cause["type"]),
                text(&cause["reason"])
            ));
        }
        if status == 400 || status == 413 {
            sent.poison.push(Poison { at, reason });
        } else {
            if sent.again.is_empty() {
                sent.why = format!("{status} {reason}");
            }
            sent.again.push(at);
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_is_judged_by_its_own_answer() {
        let ok = json!({"index": {"status": 201}});
        let item = |status: u32, kind: &str| json!({"index": {"status": status, "error": {"type": kind, "reason": "r"}}});
        let answer = json!({"errors": true, "items": [
            ok, item(429, "es_rejected_execution_exception"),
            item(400, "strict_dynamic_mapping_exception"), item(503, "unavailable_shards_exception"),
            item(403, "cluster_block_exception"), item(404, "index_not_found_exception"),
        ]});
        let sent = judged(&answer, 6).unwrap();
        assert_eq!(sent.again, [1, 3, 4, 5]);
        assert_eq!(sent.why, "429 es_rejected_execution_exception: r");
        assert_eq!(sent.poison.len(), 1);
        assert_eq!(sent.poison[0].at, 2);
        assert!(judged(&answer, 5).is_err());
        assert!(judged(&json!("<html>"), 1).is_err());
        assert_eq!(
            judged(&json!({"errors": false}), 3).unwrap(),
            Sent::default()
        );
    }
}
