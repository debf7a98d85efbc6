//! A small HTTP/1.1 client that can also misbehave: bytes out, one answer in, nothing retried.
//!
//! Written by hand because a proper client refuses to send what these tests must send. A connection
//! is kept between requests and given up at the first error, so that an error means that the outcome
//! of exactly this request is unknown.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest silence of the broker.
const SILENCE: Duration = Duration::from_secs(30);
/// A kept connection is used again only this soon: the broker closes idle ones.
const IDLE: Duration = Duration::from_secs(5);
const BOUNDARY: &str = "system-test-boundary";

/// An answer of the broker.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// A client of one address, for one thread.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<(BufReader<TcpStream>, Instant)>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    /// Posts JSON; panics unless it succeeds.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Value {
        let answer = self.try_post(path, body).expect(path);
        assert!(answer.status < 300, "POST {path}: {answer:?}");
        answer.json()
    }

    /// Posts JSON.
    pub(crate) fn try_post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        self.send("POST", path, &[JSON], body.as_bytes())
    }

    /// Gets; panics if nothing answers.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], &[]).expect(path)
    }

    /// All items of a search, over as many pages as it takes.
    pub(crate) fn search(&mut self, path: &str, filter: &Value, sort: &str) -> Vec<Value> {
        const PAGE: usize = 2000;
        let mut items = Vec::new();
        loop {
            let body = json!({
                "filter": filter, "sort": [{ "field": sort }],
                "page": { "from": items.len(), "limit": PAGE },
            });
            let mut answer = self.post(path, &body);
            let Value::Array(page) = answer["items"].take() else {
                panic!("{path} answered no items");
            };
            let full = page.len() == PAGE;
            items.extend(page);
            if !full {
                return items;
            }
        }
    }

    /// Deploys one file.
    pub(crate) fn deploy(&mut self, name: &str, content: &str) -> io::Result<Answer> {
        let (kind, body) = multipart(name, content);
        self.send(
            "POST",
            "/v2/deployments",
            &[("Content-Type", &kind)],
            body.as_bytes(),
        )
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes, false)
    }

    /// Sends bytes as they are, perhaps closes its side behind them, and reads one answer.
    pub(crate) fn raw(&mut self, bytes: &[u8], then_close: bool) -> io::Result<Answer> {
        let kept = self.connection.take();
        let kept = kept.filter(|(_, used)| used.elapsed() < IDLE);
        let mut connection = match kept {
            Some((connection, _)) => connection,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, SILENCE)?;
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        // A broker may answer and close before it has read everything.
        let written = connection.get_mut().write_all(bytes);
        if then_close {
            connection.get_mut().shutdown(Shutdown::Write)?;
        }
        let answer = read_answer(&mut connection).map_err(|error| match written {
            Ok(()) => error,
            Err(written) => written,
        })?;
        if !then_close && answer.header("connection") != Some("close") {
            self.connection = Some((connection, Instant::now()));
        }
        Ok(answer)
    }
}

/// The header of a JSON body.
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Content type and body of a deployment of one file.
pub(crate) fn multipart(name: &str, content: &str) -> (String, String) {
    let body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"resources\"; \
         filename=\"{name}\"\r\nContent-Type: text/xml\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
    );
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

fn read_answer(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let line = read_line(connection)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| bad("no status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("no header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let named = |name: &str| headers.iter().find(|(key, _)| key == name);
    let mut body = Vec::new();
    if let Some((_, length)) = named("content-length") {
        let length: usize = length.parse().map_err(|_| bad("no length"))?;
        body.resize(length, 0);
        connection.read_exact(&mut body)?;
    } else if named("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&read_line(connection)?, 16);
            let size = size.map_err(|_| bad("no chunk size"))?;
            let from = body.len();
            body.resize(from + size, 0);
            connection.read_exact(&mut body[from..])?;
            read_line(connection)?;
            if size == 0 {
                break;
            }
        }
    }
    Ok(Answer {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
