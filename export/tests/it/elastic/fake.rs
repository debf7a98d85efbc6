//! As much of Elasticsearch as the exporter talks to, with a will of its own.
//!
//! It keeps templates, documents and cursors, and refuses what a strict mapping refuses: members that
//! the template of the index does not declare. What it does to bulk requests is a list of moods, one
//! request each; when the list is empty it is well. It can be stopped and started on the same port.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// What happens to one bulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The whole request is answered with this status.
    Answer(u16),
    /// Every second document is answered with this status.
    Half(u16),
    /// The connection is cut before anything is kept.
    Cut,
    /// Everything is kept, and the connection is cut before that is said.
    KeepAndCut,
}

/// What it has.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) component: BTreeMap<String, Value>,
    pub(crate) templates: BTreeMap<String, Value>,
    pub(crate) policies: BTreeMap<String, Value>,
    /// Documents by index and id: routing, source, how often.
    pub(crate) documents: BTreeMap<(String, String), (String, Value, u32)>,
    pub(crate) cursors: BTreeMap<String, (u64, Value)>,
    pub(crate) moods: VecDeque<Mood>,
    /// Ids that are never taken.
    pub(crate) poison: BTreeSet<String>,
    /// Longest body.
    pub(crate) body_max: usize,
    pub(crate) bulks: u32,
    /// Credentials that are asked for.
    pub(crate) authorization: Option<String>,
}

pub(crate) struct Fake {
    kept: Arc<Mutex<Kept>>,
    up: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept {
            body_max: usize::MAX,
            ..Kept::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut fake = Self {
            kept,
            up: Arc::default(),
            address,
        };
        fake.serve(listener);
        fake
    }

    fn serve(&mut self, listener: TcpListener) {
        let up = Arc::new(AtomicBool::new(true));
        self.up = Arc::clone(&up);
        let kept = Arc::clone(&self.kept);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !up.load(Ordering::Acquire) {
                    return;
                }
                let (kept, up) = (Arc::clone(&kept), Arc::clone(&up));
                if let Ok(stream) = stream {
                    std::thread::spawn(move || while_up(stream, &kept, &up));
                }
            }
        });
    }

    /// Refuses connections from now on.
    pub(crate) fn die(&self) {
        self.up.store(false, Ordering::Release);
        // Wakes who accepts.
        let _ = TcpStream::connect(self.address);
    }

    /// Is there again.
    pub(crate) fn rise(&mut self) {
        let listener = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            TcpListener::bind(self.address).ok()
        });
        self.serve(listener.expect("the port is free again"));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.die();
    }
}

fn while_up(stream: TcpStream, kept: &Mutex<Kept>, up: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((method, path, authorization, body)) = request(&mut reader) {
        if !up.load(Ordering::Acquire) {
            return;
        }
        let answer = {
            let mut kept = kept.lock().unwrap();
            match &kept.authorization {
                Some(wanted) if *wanted != authorization => Some((401, json!({}))),
                _ => answer(&mut kept, &method, &path, &body),
            }
        };
        let Some((status, answer)) = answer else {
            return;
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if stream.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, authorization, String::from_utf8(body).ok()?))
}

fn answer(kept: &mut Kept, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let parsed = || serde_json::from_str::<Value>(body).unwrap();
    let acknowledged = Some((200, json!({"acknowledged": true})));
    match (method, parts.as_slice()) {
        ("PUT", ["_component_template", name]) => {
            kept.component.insert((*name).into(), parsed());
            acknowledged
        }
        ("PUT", ["_index_template", name]) => {
            kept.templates.insert((*name).into(), parsed());
            acknowledged
        }
        ("PUT", ["_ilm", "policy", name]) => {
            kept.policies.insert((*name).into(), parsed());
            acknowledged
        }
        ("PUT", [_, "_settings"]) => acknowledged,
        ("GET", [_, "_doc", id]) => Some(match kept.cursors.get(*id) {
            Some((_, source)) => (200, json!({"found": true, "_source": source})),
            None => (404, json!({"found": false})),
        }),
        ("PUT", [_, "_doc", id]) => {
            let version = query.strip_prefix("version=").unwrap();
            let (version, kind) = version.split_once('&').unwrap();
            assert_eq!(kind, "version_type=external_gte");
            let version: u64 = version.parse().unwrap();
            if kept.cursors.get(*id).is_some_and(|(at, _)| *at > version) {
                return Some((
                    409,
                    json!({"error": {"type": "version_conflict_engine_exception"}}),
                ));
            }
            kept.cursors.insert((*id).into(), (version, parsed()));
            Some((200, json!({"result": "updated"})))
        }
        ("POST", ["_bulk"]) => bulk(kept, body),
        _ => panic!("nobody asks for {method} {path}"),
    }
}

fn bulk(kept: &mut Kept, body: &str) -> Option<(u16, Value)> {
    kept.bulks += 1;
    if body.len() > kept.body_max {
        return Some((413, json!("too large")));
    }
    let mood = kept.moods.pop_front();
    match mood {
        Some(Mood::Answer(status)) => {
            return Some((
                status,
                json!({"error": {"type": "mood", "reason": "as told"}}),
            ));
        }
        Some(Mood::Cut) => return None,
        Some(Mood::Half(_) | Mood::KeepAndCut) | None => {}
    }
    let lines: Vec<&str> = body.lines().collect();
    let mut items = Vec::new();
    for (at, pair) in lines.chunks(2).enumerate() {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let action = &action["index"];
        let text = |name: &str| action[name].as_str().unwrap().to_owned();
        let (index, id) = (text("_index"), text("_id"));
        let refused = match mood {
            Some(Mood::Half(status)) if at % 2 == 1 => Some((status, "busy".to_owned())),
            _ if kept.poison.contains(&id) => Some((400, "poison".to_owned())),
            _ => None,
        };
        let source: Value = serde_json::from_str(pair[1]).unwrap();
        let refused = refused.or_else(|| Some((400, undeclared(kept, &index, &source)?)));
        items.push(match refused {
            Some((status, why)) => {
                json!({"index": {"status": status, "error": {"type": "x", "reason": why}}})
            }
            None => {
                let times = kept.documents.get(&(index.clone(), id.clone()));
                let times = times.map_or(0, |(_, _, times)| *times) + 1;
                let document = (text("routing"), source, times);
                kept.documents.insert((index, id), document);
                json!({"index": {"status": 201}})
            }
        });
    }
    let errors = items.iter().any(|item| item["index"]["status"] != 201);
    match mood {
        Some(Mood::KeepAndCut) => None,
        _ => Some((200, json!({"errors": errors, "items": items}))),
    }
}

/// A member that the mapping of `index` does not have.
fn undeclared(kept: &Kept, index: &str, source: &Value) -> Option<String> {
    let matching = kept.templates.values().find(|template| {
        let pattern = template["index_patterns"][0].as_str().unwrap();
        index.starts_with(pattern.trim_end_matches('*'))
    });
    let Some(template) = matching else {
        return Some(format!("no template for {index}"));
    };
    let component = &kept.component[template["composed_of"][0].as_str().unwrap()];
    let mut properties = component["template"]["mappings"]["properties"].clone();
    let value = &template["template"]["mappings"]["properties"]["value"];
    properties["value"] = value.clone();
    missing(&json!({ "properties": properties }), source, "")
}

fn missing(mapping: &Value, value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| missing(mapping, item, path)),
        Value::Object(_) if mapping["enabled"] == false => None,
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let path = format!("{path}.{name}");
            match mapping["properties"].get(name) {
                Some(mapping) => missing(mapping, member, &path),
                None => Some(format!("{path} is not declared")),
            }
        }),
        Value::Bool(_) => fits(mapping, &["boolean"], path),
        Value::Number(_) => fits(mapping, &["long", "integer", "date"], path),
        Value::String(_) => fits(mapping, &["keyword", "text"], path),
        Value::Null => Some(format!("{path} is null")),
    }
}

fn fits(mapping: &Value, kinds: &[&str], path: &str) -> Option<String> {
    let fits = mapping["enabled"] == false || kinds.iter().any(|kind| mapping["type"] == *kind);
    (!fits).then(|| format!("{path} does not fit {mapping}"))
}
