//! Files that come as `multipart/form-data`.
//!
//! What a part is, its name says, because browsers give file names to all parts that are no plain
//! texts: parts of the name that the operation gives to files are files, others are texts, and those
//! nobody asks for are ignored. Of a deployment, whatever has a file name is a file. Bounds:
//! [`Limits::upload_bytes`] for the whole body, [`MULTIPART_PARTS`] parts, [`Limits::slow_client`]
//! to send them.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::request::Parts;
use http_body_util::Limited;

use super::extract::content_type;
use crate::limits::{Limits, MULTIPART_PARTS};
use crate::problem::{HttpFault, Problem};

/// Parts of a deployment: resources are known by their file names, so without one it is none.
const RESOURCES: &str = "resources";

/// A file that came.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Empty if the part has none.
    pub(crate) name: String,
    /// Media type that the part names; empty if it names none.
    pub(crate) media: String,
    pub(crate) bytes: Bytes,
}

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// In the order of the parts.
    pub(crate) files: Vec<File>,
    /// Names and contents of other parts, in their order.
    pub(crate) texts: Vec<(String, String)>,
}

/// # Errors
/// The body is of another kind, too large, too slow, broken, or has no file.
pub(super) async fn read(
    parts: &Parts,
    body: Body,
    limits: &Limits,
    required: &str,
) -> Result<Upload, Problem> {
    let content_type = content_type(&parts.headers);
    if !content_type
        .to_ascii_lowercase()
        .starts_with("multipart/form-data")
    {
        return Err(Problem::Http(HttpFault::MediaType(content_type.to_owned())));
    }
    let body = Body::new(Limited::new(body, limits.upload_bytes));
    let mut request = Request::new(body);
    *request.headers_mut() = parts.headers.clone();
    // Our own bound replaces the framework's, which is meant for requests without files.
    DefaultBodyLimit::disable().apply(&mut request);
    let reading = async {
        let mut multipart = Multipart::from_request(request, &())
            .await
            .map_err(|_| broken())?;
        parts_of(&mut multipart, limits, required).await
    };
    match tokio::time::timeout(limits.slow_client, reading).await {
        Ok(upload) => upload,
        Err(_) => Err(Problem::Http(HttpFault::Slow)),
    }
}

async fn parts_of(
    multipart: &mut Multipart,
    limits: &Limits,
    required: &str,
) -> Result<Upload, Problem> {
    let mut upload = Upload::default();
    let mut parts = 0;
    while let Some(part) = multipart
        .next_field()
        .await
        .map_err(|error| unreadable(&error, limits))?
    {
        parts += 1;
        if parts > MULTIPART_PARTS {
            return Err(Problem::Malformed(format!(
                "The request has more than {MULTIPART_PARTS} parts"
            )));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().map(str::to_owned);
        let media = part.content_type().unwrap_or_default().to_owned();
        let bytes = part
            .bytes()
            .await
            .map_err(|error| unreadable(&error, limits))?;
        let is_file = if required == RESOURCES {
            file.is_some()
        } else {
            name == required
        };
        if is_file {
            upload.files.push(File {
                name: file.unwrap_or_default(),
                media,
                bytes,
            });
        } else if let Ok(text) = String::from_utf8(bytes.to_vec()) {
            upload.texts.push((name, text));
        }
    }
    if upload.files.is_empty() {
        return Err(Problem::Malformed(format!(
            "Required part '{required}' is not present."
        )));
    }
    Ok(upload)
}

fn broken() -> Problem {
    Problem::Malformed("Failed to parse multipart servlet request".into())
}

fn unreadable(error: &axum::extract::multipart::MultipartError, limits: &Limits) -> Problem {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        Problem::Http(HttpFault::BodyTooLarge(limits.upload_bytes))
    } else {
        broken()
    }
}
