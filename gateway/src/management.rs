//! Probes and metrics, on a port of their own and without authentication.
//!
//! | path | answer |
//! |---|---|
//! | `/actuator/health` and `.../status` | UP while every partition has a healthy leader |
//! | `/actuator/health/readiness` | the same, and the gateway does not stop |
//! | `/actuator/health/startup` | UP from the first moment of readiness on |
//! | `/actuator/health/liveness` | UP while this process answers at all |
//! | `/ready`, `/health`, `/startup` | 301 to readiness, status, startup |
//! | `/actuator/prometheus` | all numbers, see [`crate::metrics`] |
//! | `/actuator/info` | versions |
//! | `/actuator/cluster`, `/actuator/rebalance` | see [`cluster`], [`change`] |
//! | `/actuator/exporting/...`, `/actuator/exporters` | see [`exporting`] |
//! | `/actuator/clock` | see [`clock`] |
//! | `/actuator/jobstreams`, `/actuator/partitions`, `/actuator/loggers` | see [`streams`], [`partitions`], [`loggers`] |
//! | `/actuator/backupRuntime`, `/actuator/backupHistory` | see [`backup`] |
//!
//! UP is 200, DOWN is 503. Everything else is 404.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::header::{HeaderValue, LOCATION};
use axum::routing::{any, get, post};

use crate::metrics;
use crate::op::shape::ObjectWriter;
use crate::problem::Problem;
use crate::rest::answer;
use crate::submit::Front;

mod backup;
mod change;
mod clock;
mod cluster;
mod exporting;
mod loggers;
mod partitions;
mod streams;

/// The text format of the metrics.
const METRICS_MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the management port is served from.
pub(crate) struct Management {
    pub(crate) front: Arc<Front>,
    /// Ready once; stays.
    pub(crate) started: AtomicBool,
}

impl Management {
    fn healthy(&self) -> bool {
        self.front.backend.commands.topology().is_ready()
    }

    fn ready(&self) -> bool {
        let in_place = self.front.backend.commands.topology().in_place;
        let ready = in_place && !self.front.is_stopping();
        if ready {
            self.started.store(true, Ordering::Relaxed);
        }
        ready
    }

    fn started(&self) -> bool {
        self.started.load(Ordering::Relaxed) || self.ready()
    }
}

type Shared = State<Arc<Management>>;

pub(crate) fn router(management: Arc<Management>) -> Router {
    let status = |State(management): Shared| async move { state(management.healthy()) };
    Router::new()
        .route("/actuator/health", get(status))
        .route("/actuator/health/status", get(status))
        .route(
            "/actuator/health/readiness",
            get(|State(management): Shared| async move { state(management.ready()) }),
        )
        .route(
            "/actuator/health/startup",
            get(|State(management): Shared| async move { state(management.started()) }),
        )
        .route("/actuator/health/liveness", get(|| async { state(true) }))
        .route("/actuator/prometheus", get(prometheus))
        .route("/actuator/info", get(info))
        .route("/actuator/cluster", get(cluster::show).patch(change::patch))
        .route("/actuator/cluster/brokers", post(change::scale))
        .route(
            "/actuator/cluster/brokers/{broker}",
            post(change::add).delete(change::remove),
        )
        .route(
            "/actuator/cluster/brokers/{broker}/partitions/{partition}",
            post(change::join).delete(change::leave),
        )
        .route(
            "/actuator/cluster/partitions/{partition}/brokers/{broker}",
            post(change::join_of).delete(change::leave_of),
        )
        .route("/actuator/cluster/changes", get(cluster::list_changes))
        .route(
            "/actuator/cluster/changes/{change}",
            get(cluster::show_change).delete(change::cancel),
        )
        .route(
            "/actuator/backupRuntime",
            get(backup::list).post(backup::take),
        )
        .route("/actuator/backupRuntime/state", get(backup::state))
        .route(
            "/actuator/backupRuntime/{backup}",
            get(backup::get).delete(backup::delete),
        )
        .route("/actuator/backupHistory", any(backup::history))
        .route("/actuator/backupHistory/{backup}", any(backup::history))
        .route("/actuator/clock", get(clock::show).delete(clock::reset))
        .route("/actuator/clock/{change}", post(clock::change))
        .route("/actuator/jobstreams", get(streams::list))
        .route("/actuator/jobstreams/{kind}", get(streams::list_of))
        .route("/actuator/partitions", get(partitions::list))
        .route("/actuator/loggers", get(loggers::list))
        .route(
            "/actuator/loggers/{name}",
            get(loggers::show).post(loggers::change),
        )
        .route("/actuator/rebalance", post(cluster::rebalance))
        .route("/actuator/exporting/pause", post(exporting::pause))
        .route("/actuator/exporting/resume", post(exporting::resume))
        .route("/actuator/exporters", get(exporting::exporters))
        .route(
            "/actuator/exporters/{exporter}/{change}",
            post(exporting::change),
        )
        .route(
            "/actuator/cluster/partitions/{partition}/leader/{broker}",
            post(cluster::transfer),
        )
        .route(
            "/ready",
            get(|| async { moved("/actuator/health/readiness") }),
        )
        .route(
            "/health",
            get(|| async { moved("/actuator/health/status") }),
        )
        .route(
            "/startup",
            get(|| async { moved("/actuator/health/startup") }),
        )
        .with_state(management)
}

fn state(up: bool) -> Response<Body> {
    let (code, text) = if up { (200, "UP") } else { (503, "DOWN") };
    let mut out = ObjectWriter::new();
    out.str("status", text);
    answer::with_body(code, "application/json", out.finish())
}

/// Probes follow it; tools that look at the status expect 301.
fn moved(to: &'static str) -> Response<Body> {
    let mut response = answer::with_body(301, "text/plain", String::new());
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(to));
    response
}

async fn prometheus(State(management): Shared) -> Response<Body> {
    match metrics::exposition(&management.front) {
        Ok(text) => answer::with_body(200, METRICS_MEDIA, text),
        Err(error) => answer::problem(
            &Problem::Internal(error.to_string()),
            "/actuator/prometheus",
        ),
    }
}

async fn info(State(management): Shared) -> Response<Body> {
    let mut build = ObjectWriter::new();
    build
        .str("name", "ringflow")
        .str("version", env!("CARGO_PKG_VERSION"));
    let mut camunda = ObjectWriter::new();
    camunda.str("version", &management.front.version);
    let mut out = ObjectWriter::new();
    out.raw("build", &build.finish())
        .raw("camunda", &camunda.finish());
    answer::with_body(200, "application/json", out.finish())
}
