//! Answers and problem documents as HTTP responses.
//!
//! A problem document always has its five members; a 401 also says how to prove who one is.

use axum::body::{Body, Bytes};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};

use crate::op::shape::ObjectWriter;
use crate::problem::{CredentialFault, Problem};

/// What a served operation answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200 with JSON.
    Json(String),
    /// 201 with JSON.
    Created(String),
    /// 200 with XML.
    Xml(String),
    /// 200 with bytes.
    Bytes(Vec<u8>),
    /// 207 with JSON: some of it was done.
    Several(String),
    /// 200 with the bytes of somebody's file.
    File {
        /// What it is, as whoever brought it said.
        media: String,
        /// Its name, as whoever brought it said.
        name: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// 202 with JSON: it is begun.
    Accepted(String),
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
            Self::Accepted(text) => with_body(202, "application/json", text),
            Self::Xml(text) => with_body(200, "text/xml", text),
            Self::Bytes(bytes) => with_body(200, "application/octet-stream", bytes),
            Self::Several(text) => with_body(207, "application/json", text),
            Self::File { media, name, bytes } => file(&media, &name, bytes),
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
        let challenge = if *problem == Problem::Unauthenticated(CredentialFault::NoToken) {
            "Bearer"
        } else if matches!(problem, Problem::Unauthenticated(CredentialFault::Token(_))) {
            "Bearer error=\"invalid_token\""
        } else {
            "Basic realm=\"ringflow\", charset=\"UTF-8\""
        };
        let challenge = HeaderValue::from_static(challenge);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

pub(crate) fn with_body(status: u16, media: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// What came from anybody goes out as a download that no browser interprets.
fn file(media: &str, name: &str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    let media = HeaderValue::from_str(media);
    headers.insert(
        CONTENT_TYPE,
        media.unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let plain = |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || *c == ' ';
    let name: String = name.chars().filter(plain).collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    if let Ok(disposition) = disposition {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
