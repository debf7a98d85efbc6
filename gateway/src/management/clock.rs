//! The time that this broker processes by, as tests of processes move it.
//!
//! | path | does |
//! |---|---|
//! | `GET /actuator/clock` | says it: `epochMilli`, `instant` |
//! | `POST /actuator/clock/pin` | `{"epochMilli": n}`: it stands still there |
//! | `POST /actuator/clock/add` | `{"offsetMilli": n}`: it goes ahead by so many milliseconds |
//! | `DELETE /actuator/clock` | it is the wall clock again |
//!
//! All answer the time. Where no setting says that the clock is controlled it can only be read: 403.
//! Camunda: `ActorClockEndpoint`. It is this broker's alone; what REST pins is the engine's.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Response;
use jiff::Timestamp;
use ringflow_io::{ClockChange, FixedClock};
use serde::Deserialize;

use super::Shared;
use crate::op::shape::ObjectWriter;
use crate::problem::Problem;
use crate::rest::answer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    epoch_milli: Option<i64>,
    offset_milli: Option<i64>,
}

/// The time.
pub(super) async fn show(State(management): Shared) -> Response<Body> {
    said(management.front.backend.commands.time())
}

/// The wall clock again.
pub(super) async fn reset(State(management): Shared) -> Response<Body> {
    let commands = &management.front.backend.commands;
    changed(commands.change_clock(ClockChange::Reset), "/actuator/clock")
}

/// Another time.
pub(super) async fn change(
    State(management): Shared,
    Path(change): Path<String>,
    body: Bytes,
) -> Response<Body> {
    let path = format!("/actuator/clock/{change}");
    let commands = &management.front.backend.commands;
    match read(&change, &body) {
        Ok(change) => changed(commands.change_clock(change), &path),
        Err(why) => answer::problem(&Problem::Malformed(why), &path),
    }
}

fn read(change: &str, body: &[u8]) -> Result<ClockChange, String> {
    let given: Change = serde_json::from_slice(body).map_err(|error| {
        format!("Expected an object with the number epochMilli or offsetMilli: {error}")
    })?;
    match (change, given.epoch_milli, given.offset_milli) {
        ("pin", Some(millis), _) if Timestamp::from_millisecond(millis).is_ok() && millis >= 0 => {
            Ok(ClockChange::Pin(millis))
        }
        ("pin", Some(millis), _) => Err(format!(
            "Expected to pin the clock to the given time, but {millis} milliseconds since 1970 are \
             no time"
        )),
        ("pin", None, _) => Err(
            "Expected to pin the clock to the given time, but no time given. Make sure to pass in a \
             valid time in milliseconds using the `epochMilli` property."
                .to_owned(),
        ),
        ("add", _, Some(millis)) => Ok(ClockChange::Add(millis)),
        ("add", _, None) => Err(
            "Expected to add an offset to the clock, but no offset given. Make sure to pass in a \
             valid offset in milliseconds using the `offsetMilli` property."
                .to_owned(),
        ),
        (other, _, _) => Err(format!(
            "Expected to either add an offset to the clock or pin it, but got '{other}'"
        )),
    }
}

fn changed(time: Result<i64, FixedClock>, path: &str) -> Response<Body> {
    match time {
        Ok(millis) => said(millis),
        Err(fixed) => answer::problem(&Problem::Forbidden(fixed.to_string()), path),
    }
}

fn said(millis: i64) -> Response<Body> {
    let instant = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    let mut out = ObjectWriter::new();
    out.int("epochMilli", millis)
        .str("instant", &instant.to_string());
    answer::with_body(200, "application/json", out.finish())
}
