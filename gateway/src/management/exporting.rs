//! Exporting as operators steer it around backups, and the exporters there are.
//!
//! | path | does |
//! |---|---|
//! | `POST /actuator/exporting/pause` (`?soft=true`) | pauses all partitions; softly: goes on, but keeps the log |
//! | `POST /actuator/exporting/resume` | goes on |
//! | `GET /actuator/exporters` | the exporters there are |
//! | `POST /actuator/exporters/{id}/disable`, `enable`, `delete` | 400: the secondary storage is no part that can be left out, and the other export is a setting |

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::Response;
use serde::Deserialize;

use super::Shared;
use crate::backend::Phase;
use crate::op::exporting;
use crate::op::shape::ObjectWriter;
use crate::problem::Problem;
use crate::rest::answer;

/// The exporter of the secondary storage.
const EXPORTER: &str = "rdbms";

#[derive(Deserialize)]
pub(super) struct Pause {
    #[serde(default)]
    soft: bool,
}

/// All partitions stop, or only keep their log.
pub(super) async fn pause(State(management): Shared, Query(pause): Query<Pause>) -> Response<Body> {
    let done = exporting::set(&management.front, exporting::paused(pause.soft)).await;
    answered(done, "/actuator/exporting/pause")
}

/// All partitions go on.
pub(super) async fn resume(State(management): Shared) -> Response<Body> {
    let done = exporting::set(&management.front, Phase::Exporting).await;
    answered(done, "/actuator/exporting/resume")
}

fn answered(done: Result<(), Problem>, path: &str) -> Response<Body> {
    match done {
        Ok(()) => answer::with_body(204, "application/json", String::new()),
        Err(problem) => answer::problem(&problem, path),
    }
}

/// What is exported to.
pub(super) async fn exporters(State(management): Shared) -> Response<Body> {
    let mut list = String::from("[");
    let backend = &management.front.backend;
    let storage = backend.reads.is_some().then_some(EXPORTER);
    let others = backend.exporters.iter().map(|(name, _)| *name);
    let others = others.filter(|name| *name != EXPORTER);
    for (at, name) in storage.into_iter().chain(others).enumerate() {
        let mut out = ObjectWriter::new();
        out.str("exporterId", name).str("status", "ENABLED");
        if at > 0 {
            list.push(',');
        }
        list.push_str(&out.finish());
    }
    list.push(']');
    answer::with_body(200, "application/json", list)
}

/// Nothing that is here can be switched off.
pub(super) async fn change(
    State(management): Shared,
    Path((exporter, _change)): Path<(String, String)>,
) -> Response<Body> {
    let mut out = ObjectWriter::new();
    let why = if exporter == EXPORTER {
        "The exporter 'rdbms' feeds the secondary storage, which searches are answered from: it \
         can be paused, but neither disabled nor deleted"
            .to_owned()
    } else if management
        .front
        .backend
        .exporters
        .iter()
        .any(|(name, _)| *name == exporter)
    {
        format!(
            "The exporter '{exporter}' is there because the settings name it: it can be paused, but \
             neither disabled nor deleted"
        )
    } else {
        format!("There is no exporter '{exporter}'")
    };
    out.str("message", &why);
    answer::with_body(400, "application/json", out.finish())
}
