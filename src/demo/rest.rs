//! The demo's REST client: JSON over HTTP on loopback, one request at a time per call.
//!
//! Deliberately an ordinary HTTP client: the demo shows what any client would see. Answers that are
//! not a success become an error with the problem's text.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::arguments::Failure;

/// Separates the parts of the one multipart request.
const BOUNDARY: &str = "ringflow-demo-boundary";

/// A client of one broker.
#[derive(Clone)]
pub struct Rest {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Rest {
    /// A client of the broker at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    /// Posts a JSON body and reads the JSON answer; `null` for an empty one.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(path, "application/json".to_owned(), body.to_string())
            .await
    }

    /// Deploys one file.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses.
    pub async fn deploy(&self, name: &str, content: &str) -> Result<Value, Failure> {
        let body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"resources\"; \
             filename=\"{name}\"\r\nContent-Type: text/xml\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
        );
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send("/v2/deployments", kind, body).await
    }

    async fn send(&self, path: &str, kind: String, body: String) -> Result<Value, Failure> {
        let request = hyper::Request::post(format!("http://{}{path}", self.address))
            .header(hyper::header::CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body)))?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            let text = String::from_utf8_lossy(&bytes);
            return Err(Failure(format!("POST {path} answered {status}: {text}")));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}
