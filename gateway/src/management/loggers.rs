//! What is logged, told and changed while the program runs.
//!
//! | path | does |
//! |---|---|
//! | `GET /actuator/loggers` | levels there are, and those of all names that have one |
//! | `GET /actuator/loggers/{name}` | the level of one name |
//! | `POST /actuator/loggers/{name}` `{"configuredLevel": "DEBUG"}` | gives it one; null takes it away |
//!
//! Shapes are those of Spring Boot. `ROOT` is everything; other names are modules of this program, and
//! what begins with `io.camunda` means all of its own. Nothing is kept over a restart.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Response;
use serde_json::Value;

use super::Shared;
use crate::backend::Loggers;
use crate::op::shape::ObjectWriter;
use crate::problem::Problem;
use crate::rest::answer;

/// Levels, the quietest first.
const LEVELS: [&str; 6] = ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
/// The name of everything.
const ROOT: &str = "ROOT";
/// What stands for all modules of this program.
const OWN: (&str, &str) = ("io.camunda", "ringflow");

/// All names with a level.
pub(super) async fn list(State(management): Shared) -> Response<Body> {
    let Some(loggers) = &management.front.backend.loggers else {
        return absent("/actuator/loggers");
    };
    let mut named = ObjectWriter::new();
    for (name, level) in loggers.levels() {
        let name = if name.is_empty() { ROOT } else { name.as_str() };
        named.raw(name, &shown(Some(&level), &level));
    }
    let mut out = ObjectWriter::new();
    out.strs("levels", LEVELS)
        .raw("loggers", &named.finish())
        .raw("groups", "{}");
    answer::with_body(200, "application/json", out.finish())
}

/// One name.
pub(super) async fn show(State(management): Shared, Path(name): Path<String>) -> Response<Body> {
    let Some(loggers) = &management.front.backend.loggers else {
        return absent("/actuator/loggers");
    };
    let (own, effective) = levels_of(loggers, &module(&name));
    answer::with_body(200, "application/json", shown(own.as_deref(), &effective))
}

/// Gives a name another level.
pub(super) async fn change(
    State(management): Shared,
    Path(name): Path<String>,
    body: Bytes,
) -> Response<Body> {
    let path = format!("/actuator/loggers/{name}");
    let Some(loggers) = &management.front.backend.loggers else {
        return absent(&path);
    };
    let refused = |why: &str| answer::problem(&Problem::Malformed(why.to_owned()), &path);
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(_) => return refused("Failed to read request"),
    };
    let level = match body.get("configuredLevel") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            let mut known = LEVELS.iter();
            let Some(level) = known.find(|it| it.eq_ignore_ascii_case(text)) else {
                return refused("configuredLevel has to be a level");
            };
            Some(*level)
        }
        Some(_) => return refused("configuredLevel has to be a level"),
    };
    match loggers.set(&module(&name), level) {
        Ok(()) => answer::with_body(204, "application/json", String::new()),
        Err(why) => refused(&why),
    }
}

/// The module that a name stands for; empty for everything.
fn module(name: &str) -> String {
    if name.eq_ignore_ascii_case(ROOT) {
        String::new()
    } else if name.starts_with(OWN.0) {
        OWN.1.to_owned()
    } else {
        name.to_owned()
    }
}

/// The level that a module has itself, and the one that holds for it: the longest name that it
/// begins with says it.
fn levels_of(loggers: &Arc<dyn Loggers>, module: &str) -> (Option<String>, String) {
    let levels = loggers.levels();
    let own = levels.iter().find(|(name, _)| name == module);
    let holds = levels
        .iter()
        .filter(|(name, _)| module.starts_with(name.as_str()))
        .max_by_key(|(name, _)| name.len());
    let effective = holds.map_or("OFF", |(_, level)| level);
    (own.map(|(_, level)| level.clone()), effective.to_owned())
}

fn shown(own: Option<&str>, effective: &str) -> String {
    let mut out = ObjectWriter::new();
    if let Some(own) = own {
        out.str("configuredLevel", own);
    }
    out.str("effectiveLevel", effective);
    out.finish()
}

fn absent(path: &str) -> Response<Body> {
    let problem = Problem::Unimplemented("What is logged cannot be changed here.".into());
    answer::problem(&problem, path)
}
