//! Answers and problem documents as HTTP responses.
//!
//! A problem document always has its five members; a 401 also says how to prove who one is.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};

use crate::op::shape::ObjectWriter;
use crate::problem::Problem;

/// What a served operation answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200 with JSON.
    Json(String),
    /// 201 with JSON.
    Created(String),
    /// 200 with XML.
    Xml(String),
    /// 204.
    NoContent,
    /// Another status without body.
    Empty(u16),
}

impl Answer {
    pub(crate) fn into_response(self) -> Response<Body> {
        match self {
            Self::Json(text) => with_body(200, "application/json", text),
            Self::Created(text) => with_body(201, "application/json", text),
            Self::Xml(text) => with_body(200, "text/xml", text),
            Self::NoContent => empty(204),
            Self::Empty(status) => empty(status),
        }
    }
}

/// The problem document of `problem`, which happened at the path `instance`.
pub(crate) fn problem(problem: &Problem, instance: &str) -> Response<Body> {
    let row = problem.row();
    let mut out = ObjectWriter::new();
    out.str("type", "about:blank")
        .str("title", row.title)
        .int("status", i64::from(row.http))
        .str("detail", &problem.detail())
        .str("instance", instance);
    let mut response = with_body(row.http, "application/problem+json", out.finish());
    if row.http == 401 {
        let challenge = HeaderValue::from_static("Basic realm=\"ringflow\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

pub(crate) fn with_body(status: u16, media: &'static str, text: String) -> Response<Body> {
    let mut response = empty(status);
    *response.body_mut() = Body::from(text);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
