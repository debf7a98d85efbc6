//! Backups as operators take and watch them; paths, shapes and errors are Camunda's.
//!
//! | path | does |
//! |---|---|
//! | `POST /actuator/backupRuntime` | takes a backup; body `{"backupId": N}`, none if backups are continuous |
//! | `GET /actuator/backupRuntime`, `.../N*` | lists all, or those whose numbers begin so |
//! | `GET /actuator/backupRuntime/N` | shows one |
//! | `DELETE /actuator/backupRuntime/N` | deletes one |
//! | `GET /actuator/backupRuntime/state` | newest checkpoints and backups, ranges without gaps |
//! | `/actuator/backupHistory` | 404 in words: the database has its own backups |

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Response;
use serde_json::Value;

use super::Shared;
use crate::op::backup::{self, BackupFault};
use crate::op::shape::ObjectWriter;
use crate::rest::answer;

const JSON: &str = "application/json";

fn refuse(fault: &BackupFault) -> Response<Body> {
    let status = match fault {
        BackupFault::NotConfigured | BackupFault::Id(_) => 400,
        BackupFault::Missing(_) => 404,
        BackupFault::Taken(_) => 409,
        BackupFault::Store(_) => 500,
        BackupFault::Incomplete(_) => 502,
        BackupFault::Busy(_) => 503,
        BackupFault::Timeout(_) => 504,
    };
    message(status, &fault.text())
}

fn message(status: u16, text: &str) -> Response<Body> {
    let mut out = ObjectWriter::new();
    out.str("message", text);
    answer::with_body(status, JSON, out.finish())
}

/// The number in a body; an error if the body is none.
fn number(body: &[u8]) -> Result<Option<i64>, BackupFault> {
    let unreadable = || BackupFault::Id("A backupId must be provided and it must be > 0");
    if body.is_empty() {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| unreadable())?;
    match body.get("backupId") {
        None | Some(Value::Null) => Ok(None),
        // Spring takes digits in text as well.
        Some(Value::String(digits)) => digits.parse().map(Some).map_err(|_| unreadable()),
        Some(id) => id.as_i64().map(Some).ok_or_else(unreadable),
    }
}

pub(super) async fn take(State(management): Shared, body: Bytes) -> Response<Body> {
    let front = &management.front;
    let taken = match number(&body) {
        Ok(id) => backup::take_backup(front, id).await,
        Err(fault) => Err(fault),
    };
    match taken {
        Ok(id) => message(
            202,
            &format!(
                "A backup with id {id} has been scheduled. Use GET actuator/backups/{id} to \
                 monitor the status."
            ),
        ),
        Err(fault) => refuse(&fault),
    }
}

pub(super) async fn list(State(management): Shared) -> Response<Body> {
    listed(&management.front, "*").await
}

async fn listed(front: &crate::submit::Front, pattern: &str) -> Response<Body> {
    match backup::list_of(front, pattern).await {
        Ok(backups) => answer::with_body(200, JSON, backup::list_json(&backups, false)),
        Err(fault) => refuse(&fault),
    }
}

pub(super) async fn get(State(management): Shared, Path(wanted): Path<String>) -> Response<Body> {
    let front = &management.front;
    if wanted.ends_with('*') {
        return listed(front, &wanted).await;
    }
    let Ok(id) = wanted.parse() else {
        let what = format!("Expected a backup ID or prefix ending with '*', but got '{wanted}'.");
        return message(400, &what);
    };
    match backup::status_of(front, id).await {
        Ok(status) => answer::with_body(200, JSON, backup::backup_json(&status, true, false)),
        Err(fault) => refuse(&fault),
    }
}

pub(super) async fn delete(
    State(management): Shared,
    Path(wanted): Path<String>,
) -> Response<Body> {
    let Ok(id) = wanted.parse() else {
        return message(400, &format!("Expected a backup ID, but got '{wanted}'."));
    };
    match backup::delete_of(&management.front, id).await {
        Ok(()) => answer::with_body(204, JSON, Body::empty()),
        Err(fault) => refuse(&fault),
    }
}

pub(super) async fn state(State(management): Shared) -> Response<Body> {
    match backup::state_of(&management.front, false).await {
        Ok(state) => answer::with_body(200, JSON, state),
        Err(fault) => refuse(&fault),
    }
}

pub(super) async fn history() -> Response<Body> {
    message(
        404,
        "History backups are snapshots of Elasticsearch or OpenSearch. The secondary storage of \
         this cluster is a relational database: back it up with the tools of its vendor.",
    )
}
