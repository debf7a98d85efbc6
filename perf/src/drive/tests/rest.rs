//! The same run over REST, against a few lines of HTTP/1.1 that answer like a gateway.
//! It holds paths, bodies and the reading of keys; the gateway checks what it is sent and answers
//! 400 to anything unexpected, which the report would show as errors.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

#[derive(Debug, Default)]
struct RestGateway {
    created: AtomicI64,
    waiting: Mutex<VecDeque<i64>>,
    searched: Mutex<Vec<String>>,
}

impl RestGateway {
    /// Status and body of the answer.
    async fn answer(&self, path: &str, body: &[u8]) -> (u16, Value) {
        let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        match path {
            "/v2/deployments" => {
                let text = String::from_utf8_lossy(body);
                let form = text.contains("name=\"resources\"; filename=\"one-task.bpmn\"");
                (
                    if form && text.contains("</bpmn:definitions>") {
                        200
                    } else {
                        400
                    },
                    json!({}),
                )
            }
            "/v2/process-instances" => {
                let sound = json["processDefinitionId"] == "perf-one-task"
                    && json["variables"]["perfPayload"].as_str().is_some();
                let key = self.created.fetch_add(1, Ordering::SeqCst) + 1;
                self.waiting.lock().unwrap().push_back(key);
                (
                    if sound { 200 } else { 400 },
                    json!({"processInstanceKey": key.to_string()}),
                )
            }
            "/v2/jobs/activation" => {
                let keys: Vec<i64> = self.waiting.lock().unwrap().drain(..).collect();
                if keys.is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let job = |key: &i64| {
                    let text = key.to_string();
                    json!({"jobKey": format!("9{text}"), "processInstanceKey": text})
                };
                (
                    200,
                    json!({"jobs": keys.iter().map(job).collect::<Vec<_>>()}),
                )
            }
            "/v2/process-instances/search" => {
                let key = json["filter"]["processInstanceKey"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                let mut searched = self.searched.lock().unwrap();
                // Not yet visible at the first look, visible at the second.
                let items = if searched.contains(&key) {
                    vec![json!({})]
                } else {
                    vec![]
                };
                searched.push(key);
                (200, json!({"items": items}))
            }
            _ if path.starts_with("/v2/jobs/9") && path.ends_with("/completion") => {
                (204, Value::Null)
            }
            _ => (400, json!({"title": "Bad Request", "detail": path})),
        }
    }

    async fn serve(self: Arc<Self>, mut socket: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        loop {
            let head = loop {
                if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at + 4;
                }
                if socket.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            };
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            while bytes.len() < head + length {
                if socket.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            }
            let (status, body) = self.answer(&path, &bytes[head..head + length]).await;
            bytes.drain(..head + length);
            let answer = match status {
                204 => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                _ => {
                    let body = body.to_string();
                    format!(
                        "HTTP/1.1 {status} S\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                }
            };
            socket.write_all(answer.as_bytes()).await?;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_canonical_workload_over_rest_and_its_visibility() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Arc::new(RestGateway::default());
    let server = Arc::clone(&gateway);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&server).serve(socket));
        }
    });
    let mut options = vec!["ringflow-perf", "--protocol", "rest", "--rest", &address];
    options.extend(["--warmup", "0s", "--rate", "50", "--duration", "1s"]);
    options.extend(["--visible-every", "100ms"]);
    let args = Args::try_parse_from(options).unwrap().run;
    let client = Client::connect(&args).await.unwrap();
    let report = run(&args, client, &Stop::new()).await.unwrap();

    assert_eq!(report.errors.len(), 0, "{:?}", report.errors);
    assert_eq!((report.starts.due, report.starts.completed), (50, 50));
    assert_eq!(report.operations["create"].count, 50);
    let visible = &report.operations["visible"];
    assert!(visible.count >= 2, "{visible:?}");
    assert!(
        visible.p50_ms >= 5.0,
        "found at the second look, 5 ms after the first: {visible:?}"
    );
}
