//! A bucket in memory that speaks enough of S3 for what is stored and read here.
//!
//! Objects whole or in parts, listing by prefix, deletion; a request without a signature is refused.
//! One thread per connection, HTTP/1.1 by hand; every answer is final, nothing is slow or wrong on
//! purpose. Shared by the tests of the store and those of the whole program.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the bucket is called.
pub(crate) const BUCKET: &str = "backups";

type Objects = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct Held {
    objects: Objects,
    /// Parts by upload.
    uploads: BTreeMap<u64, BTreeMap<u32, Vec<u8>>>,
    /// Objects that came in parts.
    in_parts: usize,
}

/// See the module; serves until the process ends.
pub(crate) struct Bucket {
    pub(crate) address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let held = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &held));
            }
        });
        Self { address, held }
    }

    /// Its address as a client wants it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        self.held.lock().unwrap().objects.keys().cloned().collect()
    }

    /// How many objects came in parts.
    pub(crate) fn in_parts(&self) -> usize {
        self.held.lock().unwrap().in_parts
    }

    /// Changes an object as a bad disk would.
    pub(crate) fn change(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut held = self.held.lock().unwrap();
        how(held.objects.get_mut(name).expect(name));
    }
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    signed: bool,
    body: Vec<u8>,
}

fn serve(stream: TcpStream, held: &Mutex<Held>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let (status, headers, body) = answer(&request, &mut held.lock().unwrap());
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let sent = stream.get_mut().write_all(head.as_bytes());
        let is_head = request.method == "HEAD";
        if sent.is_err() || (!is_head && stream.get_mut().write_all(&body).is_err()) {
            return;
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut signed) = (0, false);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        match name {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => signed = value.trim().starts_with("aws4-hmac-sha256 credential="),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (plain(name), plain(value))
        })
        .collect();
    let path = plain(path);
    let below = path.strip_prefix('/')?.strip_prefix(BUCKET)?;
    Some(Request {
        method,
        key: below.trim_start_matches('/').to_owned(),
        query,
        signed,
        body,
    })
}

/// Without percent signs.
fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap().to_owned();
            out.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

fn answer(request: &Request, held: &mut Held) -> (u16, String, Vec<u8>) {
    let tagged = "ETag: \"tag\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n".to_owned();
    let xml = |status: u16, body: String| (status, String::new(), body.into_bytes());
    let missing = || {
        let body = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>";
        xml(404, body.to_owned())
    };
    if !request.signed {
        return xml(403, "<Error><Code>AccessDenied</Code></Error>".to_owned());
    }
    let query = |name: &str| request.query.get(name);
    let key = request.key.clone();
    match request.method.as_str() {
        "PUT" if query("partNumber").is_some() => {
            let upload = query("uploadId").unwrap().parse().unwrap();
            let number = query("partNumber").unwrap().parse().unwrap();
            let parts: &mut BTreeMap<u32, Vec<u8>> = held.uploads.get_mut(&upload).unwrap();
            parts.insert(number, request.body.clone());
            (200, tagged, Vec::new())
        }
        "PUT" => {
            held.objects.insert(key, request.body.clone());
            (200, tagged, Vec::new())
        }
        "POST" if query("uploads").is_some() => {
            let upload = held.uploads.len() as u64 + 1;
            held.uploads.insert(upload, BTreeMap::new());
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>\
                 </InitiateMultipartUploadResult>"
            );
            xml(200, body)
        }
        "POST" => {
            let upload: u64 = query("uploadId").unwrap().parse().unwrap();
            let parts = std::mem::take(held.uploads.get_mut(&upload).unwrap());
            held.objects
                .insert(key, parts.into_values().flatten().collect());
            held.in_parts += 1;
            let body = "<CompleteMultipartUploadResult><ETag>\"tag\"</ETag>\
                        </CompleteMultipartUploadResult>";
            xml(200, body.to_owned())
        }
        "GET" if key.is_empty() => {
            let prefix = query("prefix").cloned().unwrap_or_default();
            let found = held
                .objects
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix));
            let contents: String = found
                .map(|(key, bytes)| {
                    format!(
                        "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z\
                         </LastModified><ETag>\"tag\"</ETag><Size>{}</Size></Contents>",
                        bytes.len()
                    )
                })
                .collect();
            let body = format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
            );
            xml(200, body)
        }
        "GET" | "HEAD" => match held.objects.get(&key) {
            Some(bytes) => (200, tagged, bytes.clone()),
            None => missing(),
        },
        "DELETE" => {
            held.objects.remove(&key);
            (204, String::new(), Vec::new())
        }
        other => panic!("S3 was asked to {other}"),
    }
}
