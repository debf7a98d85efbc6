//! The calls over REST v2, HTTP/1.1 with kept-alive connections.
//! HTTP/1.1 carries one request a connection at a time, so the number of connections bounds the
//! requests in flight: a request waits here for a free one, and that wait is part of its latency,
//! which counts from the intended start. Polls hold connections of their own beside that bound.
//!
//! Errors: a status of 400 or more becomes a failure with the detail of the problem document.
//! Answers are JSON of an unknown server: read tolerantly (keys as text since 8.8, as numbers
//! before), never trusted. Limit: an answer of at most 64 MiB.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::client::{Code, Creation, Failure, Job, JobQuery};

const ANSWER_BYTES_MAX: usize = 64 << 20;
const POLL_GRACE: Duration = Duration::from_secs(10);
const WORKER_NAME: &str = "ringflow-perf";
const BOUNDARY: &str = "ringflow-perf-7b1f0c5e9a";

#[derive(Clone, Debug)]
pub(crate) struct RestClient {
    http: Client<HttpConnector, Full<Bytes>>,
    /// Ends in `/v2`.
    base: Arc<str>,
    headers: Arc<[(HeaderName, HeaderValue)]>,
    connections: Arc<Semaphore>,
    timeout: Duration,
}

impl RestClient {
    pub(crate) fn new(
        base: &str,
        connections: u64,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let bad = |what: String| Failure::new(Code::Malformed, what);
        let base = base.trim_end_matches('/');
        let base = if base.ends_with("/v2") {
            base.to_owned()
        } else {
            format!("{base}/v2")
        };
        let uri: Uri = base
            .parse()
            .map_err(|_| bad(format!("{base:?} is no address")))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(bad(format!("{base:?} does not begin with http://host")));
        }
        let mut parsed = Vec::new();
        for (name, value) in headers {
            let wrong = || bad(format!("{name:?} is no HTTP header"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            parsed.push((name, value));
        }
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(connections)
            .build(connector);
        Ok(Self {
            http,
            base: base.into(),
            headers: parsed.into(),
            connections: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            timeout,
        })
    }

    pub(crate) async fn deploy(&self, name: &str, bpmn: &[u8]) -> Result<(), Failure> {
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"resources\"; \
             filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bpmn);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let media = format!("multipart/form-data; boundary={BOUNDARY}");
        self.bounded("/deployments", &media, body).await.map(drop)
    }

    pub(crate) async fn create(
        &self,
        creation: Creation<'_>,
        await_completion: bool,
    ) -> Result<i64, Failure> {
        let variables: Value = serde_json::from_str(creation.variables)
            .map_err(|error| Failure::new(Code::Malformed, error.to_string()))?;
        let mut body = json!({"processDefinitionId": creation.process_id, "variables": variables});
        if await_completion {
            body["awaitCompletion"] = json!(true);
            body["requestTimeout"] = json!(millis(self.timeout));
        }
        let answer = self.json("/process-instances", &body).await?;
        key(&answer, &["processInstanceKey"])
    }

    pub(crate) async fn publish(
        &self,
        name: &str,
        correlation_key: &str,
        ttl: Duration,
    ) -> Result<(), Failure> {
        let body =
            json!({"name": name, "correlationKey": correlation_key, "timeToLive": millis(ttl)});
        self.json("/messages/publication", &body).await.map(drop)
    }

    pub(crate) async fn complete(&self, job_key: i64) -> Result<(), Failure> {
        self.json(
            &format!("/jobs/{job_key}/completion"),
            &json!({"variables": {}}),
        )
        .await
        .map(drop)
    }

    pub(crate) async fn poll(&self, query: &JobQuery) -> Result<Vec<Job>, Failure> {
        let body = json!({
            "type": query.job_type,
            "worker": WORKER_NAME,
            "timeout": millis(query.lock),
            "maxJobsToActivate": query.jobs_max,
            "requestTimeout": millis(query.wait),
        });
        let limit = query.wait + POLL_GRACE;
        let call = self.send("/jobs/activation", "application/json", to_bytes(&body));
        let answer = within(limit, call).await?;
        let jobs = answer["jobs"].as_array();
        let jobs = jobs.ok_or_else(|| Failure::new(Code::Malformed, "no jobs in the answer"))?;
        jobs.iter()
            .map(|job| {
                let instance_key = key(job, &["processInstanceKey"])?;
                Ok(Job {
                    key: key(job, &["jobKey", "key"])?,
                    instance_key,
                })
            })
            .collect()
    }

    /// Whether the search over secondary storage finds the instance.
    pub(crate) async fn finds(&self, instance_key: i64) -> Result<bool, Failure> {
        let body = json!({
            "filter": {"processInstanceKey": instance_key.to_string()},
            "page": {"limit": 1},
        });
        let answer = self.json("/process-instances/search", &body).await?;
        let items = answer["items"].as_array();
        let items = items.ok_or_else(|| Failure::new(Code::Malformed, "no items in the answer"))?;
        Ok(!items.is_empty())
    }

    async fn json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.bounded(path, "application/json", to_bytes(body)).await
    }

    /// Waits for a free connection, then sends; both count toward the timeout.
    async fn bounded(&self, path: &str, media: &str, body: Vec<u8>) -> Result<Value, Failure> {
        let call = async {
            let _permit = self.connections.acquire().await;
            self.send(path, media, body).await
        };
        within(self.timeout, call).await
    }

    async fn send(&self, path: &str, media: &str, body: Vec<u8>) -> Result<Value, Failure> {
        let transport = |error: &dyn std::error::Error| {
            let cause = error
                .source()
                .map_or_else(String::new, |inner| format!(": {inner}"));
            Failure::new(Code::Transport, format!("{error}{cause}"))
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, media);
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::new(Code::Malformed, error.to_string()))?;
        let answer = self
            .http
            .request(request)
            .await
            .map_err(|error| transport(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| Failure::new(Code::Transport, error.to_string()))?;
        read(status, &body.to_bytes())
    }
}

/// A success body (empty = null), or the problem document as a failure.
fn read(status: StatusCode, body: &[u8]) -> Result<Value, Failure> {
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(body)
            .map_err(|error| Failure::new(Code::Malformed, error.to_string()));
    }
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let title = problem["title"].as_str().unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default();
    let mut failure = Failure::new(Code::Http(status.as_u16()), format!("{title} {detail}"));
    failure.resource_exhausted = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && title == "RESOURCE_EXHAUSTED");
    Err(failure)
}

/// The first of `names` that holds a key, as text or as a number.
fn key(value: &Value, names: &[&str]) -> Result<i64, Failure> {
    names
        .iter()
        .find_map(|name| match &value[*name] {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
        .ok_or_else(|| Failure::new(Code::Malformed, format!("no {} in the answer", names[0])))
}

fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn within(
    limit: Duration,
    call: impl Future<Output = Result<Value, Failure>>,
) -> Result<Value, Failure> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::ClientTimeout,
            format!("no answer in {limit:?}"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_is_429_or_503_with_its_title() {
        let busy = br#"{"title":"RESOURCE_EXHAUSTED","status":503,"detail":"later"}"#;
        assert!(
            read(StatusCode::SERVICE_UNAVAILABLE, busy)
                .unwrap_err()
                .resource_exhausted
        );
        assert!(
            read(StatusCode::TOO_MANY_REQUESTS, b"")
                .unwrap_err()
                .resource_exhausted
        );
        let down = read(
            StatusCode::SERVICE_UNAVAILABLE,
            br#"{"title":"UNAVAILABLE"}"#,
        );
        let down = down.unwrap_err();
        assert!(!down.resource_exhausted && down.outcome_unknown());
        assert_eq!(read(StatusCode::NO_CONTENT, b"").unwrap(), Value::Null);
    }

    #[test]
    fn keys_are_read_as_text_and_as_numbers() {
        let new = json!({"jobKey": "2251799813685249"});
        let old = json!({"key": 2_251_799_813_685_249_i64});
        assert_eq!(
            key(&new, &["jobKey", "key"]).unwrap(),
            2_251_799_813_685_249
        );
        assert_eq!(
            key(&old, &["jobKey", "key"]).unwrap(),
            2_251_799_813_685_249
        );
        assert!(key(&json!({"jobKey": "x"}), &["jobKey"]).is_err());
    }

    #[tokio::test]
    async fn the_version_prefix_is_added_once() {
        let client = |base| RestClient::new(base, 1, &[], Duration::from_secs(1));
        assert_eq!(&*client("http://h:8080").unwrap().base, "http://h:8080/v2");
        assert_eq!(
            &*client("http://h:8080/v2/").unwrap().base,
            "http://h:8080/v2"
        );
        assert!(client("h:8080").is_err());
    }
}
