//! Reads what a request carries and checks it against its operation.
//!
//! Order: media types, path and query parameters, body. Nothing is read beyond its limit: the body
//! by bytes and by time, JSON by depth (the parser's own bound).
//!
//! | body | answer |
//! |---|---|
//! | none, of no type, but required | 415, as where the type is another |
//! | none, of the right type, but required; or `null` | 400, it is missing |
//! | none, and not required | as an empty object |
//! | blanks only | 400, a value is missing |

use std::collections::HashMap;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::multipart::{self, Upload};
use crate::contract::check::{check, check_param};
use crate::contract::schema::{SchemaId, Shape};
use crate::contract::{Contract, Operation, Place};
use crate::limits::Limits;
use crate::problem::{HttpFault, Problem, Violations};

/// What a request carries.
pub(super) struct Extracted {
    pub(super) path: HashMap<String, Value>,
    pub(super) query: HashMap<String, Value>,
    pub(super) body: Value,
    pub(super) upload: Upload,
}

/// Reads a request; rules of the contract that it breaks are added to `found`.
///
/// # Errors
/// The request is not of the shape that the contract asks for.
pub(super) async fn extract(
    contract: &Contract,
    operation: &Operation,
    limits: &Limits,
    request: Request,
    found: &mut Violations,
) -> Result<Extracted, Problem> {
    let (parts, body) = request.into_parts();
    if let Some(wanted) = &operation.body
        && !wanted.multipart
        && (wanted.required || !body.is_end_stream())
    {
        json_content(&parts.headers)?;
    }
    accepts(operation, &parts.headers)?;
    let path = path_params(contract, operation, parts.uri.path(), found)?;
    let query = query_params(contract, operation, &parts, found)?;
    let mut extracted = Extracted {
        path,
        query,
        body: Value::Object(Map::new()),
        upload: Upload::default(),
    };
    let Some(wanted) = &operation.body else {
        return Ok(extracted);
    };
    if wanted.multipart {
        let required = required_part(contract, wanted.schema);
        extracted.upload = multipart::read(&parts, body, limits, required).await?;
        return Ok(extracted);
    }
    let bytes = read_body(body, limits).await?;
    let mut value = if bytes.is_empty() {
        Value::Null
    } else if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::Malformed(
            "Request property [] cannot be parsed".into(),
        ));
    } else {
        serde_json::from_slice(&bytes)
            .map_err(|_| Problem::Malformed("Failed to read request".into()))?
    };
    if value.is_null() {
        if wanted.required {
            return Err(missing_body());
        }
        value = Value::Object(Map::new());
    }
    let library = &contract.library;
    check(library, &operation.id, wanted.schema, &mut value, found)?;
    extracted.body = value;
    Ok(extracted)
}

/// The part that has to be there: the first required member of the body.
fn required_part(contract: &Contract, schema: SchemaId) -> &str {
    let Shape::Object(object) = contract.library.shape(schema) else {
        return "";
    };
    let required = object.properties.iter().find(|property| property.required);
    required.map_or("", |property| property.name.as_str())
}

fn missing_body() -> Problem {
    Problem::Malformed("Required request body is missing".into())
}

async fn read_body(body: axum::body::Body, limits: &Limits) -> Result<Bytes, Problem> {
    let limited = Limited::new(body, limits.message_bytes);
    match tokio::time::timeout(limits.slow_client, limited.collect()).await {
        Err(_) => Err(Problem::Http(HttpFault::Slow)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::Http(HttpFault::BodyTooLarge(limits.message_bytes)))
        }
        Ok(Err(_)) => Err(Problem::Malformed("Failed to read request".into())),
    }
}

/// The media type of a header value, without its parameters.
fn media(value: &str) -> String {
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// The type of the body; the reference prints `null` where none is given.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    let given = headers.get(CONTENT_TYPE);
    given
        .and_then(|value| value.to_str().ok())
        .unwrap_or("null")
}

fn json_content(headers: &HeaderMap) -> Result<(), Problem> {
    let given = content_type(headers);
    if media(given) == "application/json" {
        Ok(())
    } else {
        Err(Problem::Http(HttpFault::MediaType(given.to_owned())))
    }
}

fn accepts(operation: &Operation, headers: &HeaderMap) -> Result<(), Problem> {
    let produced: &'static str = match &operation.result {
        Some((media, _)) if media == "text/xml" => "text/xml",
        // Whatever the document is; nobody knows before it was looked up.
        Some((media, _)) if media == "application/octet-stream" => return Ok(()),
        Some(_) => "application/json",
        None => return Ok(()),
    };
    let mut named = false;
    for value in headers.get_all(ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let range = media(range);
            if range.is_empty() {
                continue;
            }
            named = true;
            let kind = range.split('/').next().unwrap_or_default();
            let fits = range == "*/*"
                || range == produced
                || (range.ends_with("/*") && produced.starts_with(kind))
                || (produced == "application/json" && range.ends_with("json"))
                || (produced == "text/xml" && range == "application/xml");
            if fits {
                return Ok(());
            }
        }
    }
    if named {
        Err(Problem::Http(HttpFault::NotAcceptable(produced)))
    } else {
        Ok(())
    }
}

fn path_params(
    contract: &Contract,
    operation: &Operation,
    path: &str,
    found: &mut Violations,
) -> Result<HashMap<String, Value>, Problem> {
    let unreadable = || Problem::Malformed("Failed to read request".into());
    let mut values = HashMap::new();
    for (segment, text) in operation.path.split('/').zip(path.split('/')) {
        let name = segment
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'));
        let Some(name) = name else { continue };
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_| unreadable())?;
        let param = operation
            .params
            .iter()
            .find(|param| param.place == Place::Path && param.name == name);
        let value = match param {
            Some(param) => {
                let (library, given) = (&contract.library, (name, &*text));
                check_param(library, &operation.id, param.schema, given, found)?
            }
            None => Value::from(&*text),
        };
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn query_params(
    contract: &Contract,
    operation: &Operation,
    parts: &Parts,
    found: &mut Violations,
) -> Result<HashMap<String, Value>, Problem> {
    let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| Problem::Malformed("Failed to read request".into()))?;
    let mut values = HashMap::new();
    for param in &operation.params {
        if param.place != Place::Query {
            continue;
        }
        match given.iter().find(|(name, _)| *name == param.name) {
            Some((name, text)) => {
                let (library, pair) = (&contract.library, (name.as_str(), text.as_str()));
                let value = check_param(library, &operation.id, param.schema, pair, found)?;
                values.insert(name.clone(), value);
            }
            None if param.required => {
                return Err(Problem::Malformed(format!(
                    "Required parameter '{}' is not present.",
                    param.name
                )));
            }
            None => {}
        }
    }
    Ok(values)
}
