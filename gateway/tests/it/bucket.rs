//! Documents in a bucket: what the store asks of S3, against a server in this process that keeps
//! objects in memory and refuses what is not signed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use ringflow_gateway::{Auth, Backend, BucketOptions, Gateway, GatewayOptions, RunningGateway};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fake::{self, Fake, FakeReads, Http, http};

#[derive(Clone)]
struct Object {
    headers: HeaderMap,
    bytes: Bytes,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Object>,
    down: bool,
}

type Shared = Arc<Mutex<Held>>;

/// S3 as far as a document store needs it.
async fn s3(State(held): State<Shared>, request: Request) -> Response<Body> {
    let answer = |status: StatusCode, headers: HeaderMap, bytes: Bytes| {
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    };
    let plain = |status| answer(status, HeaderMap::new(), Bytes::new());
    let (parts, body) = request.into_parts();
    let by_header = parts.headers.get("authorization");
    let by_header = by_header.is_some_and(|it| it.to_str().unwrap().contains("KEY/"));
    let query = parts.uri.query().unwrap_or_default();
    let by_query = query.contains("X-Amz-Signature=") && query.contains("X-Amz-Expires=");
    if !by_header && !by_query {
        return plain(StatusCode::FORBIDDEN);
    }
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let mut held = held.lock().unwrap();
    if held.down {
        return plain(StatusCode::BAD_REQUEST);
    }
    match parts.method {
        Method::PUT => {
            if parts.headers.contains_key("if-none-match") && held.objects.contains_key(&path) {
                return plain(StatusCode::PRECONDITION_FAILED);
            }
            let headers = parts.headers;
            held.objects.insert(path, Object { headers, bytes });
            let mut headers = HeaderMap::new();
            headers.insert("etag", "\"1\"".parse().unwrap());
            answer(StatusCode::OK, headers, Bytes::new())
        }
        Method::DELETE => {
            held.objects.remove(&path);
            plain(StatusCode::NO_CONTENT)
        }
        _ => match held.objects.get(&path) {
            None => plain(StatusCode::NOT_FOUND),
            Some(object) => {
                let mut headers: HeaderMap = object
                    .headers
                    .iter()
                    .filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let content_type = object.headers["content-type"].clone();
                headers.insert("content-type", content_type);
                let length = object.bytes.len().to_string();
                headers.insert("content-length", length.parse().unwrap());
                headers.insert("etag", "\"1\"".parse().unwrap());
                let time = "Wed, 21 Oct 2015 07:28:00 GMT";
                headers.insert("last-modified", time.parse().unwrap());
                let head = parts.method == Method::HEAD;
                let bytes = if head {
                    Bytes::new()
                } else {
                    object.bytes.clone()
                };
                answer(StatusCode::OK, headers, bytes)
            }
        },
    }
}

struct World {
    gateway: RunningGateway,
    held: Shared,
}

async fn world() -> World {
    let held = Shared::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(s3).with_state(held.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let any = "127.0.0.1:0".parse().unwrap();
    let mut options = GatewayOptions {
        grpc: any,
        rest: any,
        management: any,
        auth: Auth::Unprotected,
        ..GatewayOptions::default()
    };
    options.documents.bucket = Some(BucketOptions {
        name: "docs".into(),
        path: "camunda/".into(),
        ttl_days: Some(30),
        region: "eu-central-1".into(),
        endpoint,
        access_key: "KEY".into(),
        secret_key: "secret".into(),
    });
    let backend = Backend {
        commands: Fake::new(1, fake::echo),
        reads: Some(Arc::new(FakeReads::default())),
        exporters: Vec::new(),
        backups: None,
        loggers: None,
    };
    let gateway = Gateway::start(options, backend).await.unwrap();
    World { gateway, held }
}

const BOUNDARY: &str = "part-of-a-test";

impl World {
    fn url(&self, path: &str) -> String {
        format!("http://{}/v2{path}", self.gateway.rest)
    }

    async fn upload(&self, id: &str, metadata: &Value) -> Http {
        let text = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nhello\r\n--{BOUNDARY}\r\n\
             Content-Disposition: form-data; name=\"metadata\"\r\n\
             Content-Type: application/json\r\n\r\n{metadata}\r\n--{BOUNDARY}--\r\n"
        );
        let media = format!("multipart/form-data; boundary={BOUNDARY}");
        let url = self.url(&format!("/documents?documentId={id}"));
        http("POST", &url, &[("content-type", &media)], text.into_bytes()).await
    }

    async fn ask(&self, method: &str, path: &str) -> Http {
        http(method, &self.url(path), &[], Vec::new()).await
    }

    async fn link(&self, path: &str, body: &Value) -> Http {
        let json = [("content-type", "application/json")];
        let body = body.to_string().into_bytes();
        http("POST", &self.url(path), &json, body).await
    }
}

#[tokio::test]
async fn documents_live_in_the_bucket_until_they_are_deleted() {
    let world = world().await;
    let metadata = json!({
        "fileName": "b\u{fc}cher.txt", "expiresAt": "2999-01-01T00:00:00Z",
        "processInstanceKey": "7", "customProperties": {"a b": [1]},
    });
    let created = world.upload("doc", &metadata).await;
    assert_eq!(created.status, 201, "{created:?}");
    let created = created.json();
    assert_eq!(created["storeId"], "aws");
    let object = world.held.lock().unwrap().objects["/docs/camunda/doc"].clone();
    let said = |name: &str| {
        object
            .headers
            .get(name)
            .map(|it| it.to_str().unwrap().to_owned())
    };
    assert_eq!(object.bytes, "hello");
    assert_eq!(said("content-type").as_deref(), Some("text/plain"));
    assert_eq!(
        said("x-amz-meta-filename").as_deref(),
        Some("b%C3%BCcher.txt")
    );
    assert_eq!(said("x-amz-meta-a%20b").as_deref(), Some("[1]"));
    assert_eq!(
        said("x-amz-meta-camunda.processinstancekey").as_deref(),
        Some("7")
    );
    // The bucket would delete it in thirty days.
    assert_eq!(said("x-amz-tagging").as_deref(), Some("NoAutoDelete=true"));
    let hash = created["contentHash"].as_str().unwrap();
    assert_eq!(said("x-amz-meta-content-hash").as_deref(), Some(hash));

    let taken = world.upload("doc", &metadata).await;
    assert_eq!(taken.status, 409, "{taken:?}");
    let read = world
        .ask("GET", &format!("/documents/doc?contentHash={hash}"))
        .await;
    assert_eq!((read.status, read.text.as_str()), (200, "hello"));
    assert_eq!(read.headers["content-type"], "text/plain");
    assert_eq!(
        world
            .ask("GET", "/documents/doc?contentHash=x")
            .await
            .status,
        400
    );
    assert_eq!(
        world
            .ask("GET", "/documents/other?contentHash=x")
            .await
            .status,
        404
    );
    // An id cannot lead out of the path.
    let outside = world.upload("..%2F..%2Fsecret", &json!({})).await;
    assert_eq!(outside.status, 201);
    let held: Vec<String> = world.held.lock().unwrap().objects.keys().cloned().collect();
    assert!(
        held.iter().all(|path| path.starts_with("/docs/camunda/")),
        "{held:?}"
    );
    assert_eq!(world.ask("DELETE", "/documents/doc").await.status, 204);
    let gone = world
        .ask("GET", &format!("/documents/doc?contentHash={hash}"))
        .await;
    assert_eq!(gone.status, 404);

    let past = json!({"expiresAt": "2001-01-01T00:00:00Z"});
    assert_eq!(world.upload("old", &past).await.status, 201);
    let old = world
        .ask("GET", &format!("/documents/old?contentHash={hash}"))
        .await;
    assert_eq!(old.status, 404);
    // What is expired does not keep its id.
    assert_eq!(world.upload("old", &json!({})).await.status, 201);
    world.held.lock().unwrap().down = true;
    let refused = world
        .ask("GET", &format!("/documents/old?contentHash={hash}"))
        .await;
    assert_eq!(refused.status, 503, "{refused:?}");
}

#[tokio::test]
async fn links_hand_a_document_out_past_this_program() {
    let world = world().await;
    let created = world.upload("doc", &json!({})).await.json();
    let hash = created["contentHash"].as_str().unwrap();
    let path = format!("/documents/doc/links?contentHash={hash}");
    let link = world.link(&path, &json!({"timeToLive": 60000})).await;
    assert_eq!(link.status, 201, "{link:?}");
    let url = link.json()["url"].as_str().unwrap().to_owned();
    assert!(url.contains("X-Amz-Expires=60&"), "{url}");
    let ends = link.json()["expiresAt"].as_str().unwrap().to_owned();
    assert!(ends.ends_with('Z'), "{ends}");
    let read = http("GET", &url, &[], Vec::new()).await;
    assert_eq!((read.status, read.text.as_str()), (200, "hello"));
    // An hour if nothing is said.
    let hour = world.link(&path, &json!({})).await.json();
    assert!(
        hour["url"]
            .as_str()
            .unwrap()
            .contains("X-Amz-Expires=3600&")
    );
    for (path, body, status) in [
        (path.as_str(), json!({"timeToLive": 0}), 400),
        (path.as_str(), json!({"timeToLive": 604_800_001}), 400),
        ("/documents/doc/links", json!({}), 400),
        ("/documents/doc/links?contentHash=x", json!({}), 400),
        ("/documents/other/links?contentHash=x", json!({}), 404),
        ("/documents/doc/links?storeId=in-memory", json!({}), 404),
    ] {
        let answer = world.link(path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
    }
}
