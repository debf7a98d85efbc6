//! Documents on the wire: JSON in requests and answers, MessagePack everywhere else.
//!
//! gRPC carries a document as text, REST as an object inside the body. Both become a
//! [`Document`] here, once, and both answers are written from the MessagePack without a tree in
//! between. An unusable document is a [`Problem::Document`].

use ringflow_core::json;
use ringflow_core::msgpack;
use ringflow_core::record::field::Headers;
use ringflow_core::record::{Document, RawValue};
use serde_json::Value;

use crate::problem::{DocumentFault, Problem};

/// Characters of an unusable text that are repeated in the answer.
const SHOWN: usize = 200;

/// The document in `text`, which is the value of `field`. Blank text is the empty document.
///
/// # Errors
/// The text is not JSON, or not an object.
pub(crate) fn from_text(field: &'static str, text: &str) -> Result<Document, Problem> {
    if ["", "null"].contains(&text.trim()) {
        return Ok(Document::EMPTY);
    }
    let bytes = json::to_msgpack(text).map_err(|error| Problem::Document {
        field,
        fault: DocumentFault::NotJson {
            value: text.chars().take(SHOWN).collect(),
            reason: error.to_string(),
        },
    })?;
    match msgpack::validate_document(&bytes) {
        Ok(()) => Ok(Document::from(bytes)),
        Err(_) => Err(Problem::Document {
            field,
            fault: DocumentFault::NotAnObject {
                found: kind_of(text),
            },
        }),
    }
}

/// What a JSON text holds, in the words of the reference.
fn kind_of(text: &str) -> &'static str {
    match text.trim_start().bytes().next() {
        Some(b'[') => "ARRAY",
        Some(b'"') => "STRING",
        Some(b't' | b'f') => "BOOLEAN",
        Some(b'n') => "NIL",
        Some(_) if text.contains(['.', 'e', 'E']) => "FLOAT",
        Some(_) | None => "INTEGER",
    }
}

/// The document that a parsed object stands for; absent and null are the empty document.
pub(crate) fn from_value(value: Option<&Value>) -> Document {
    match value {
        Some(object @ Value::Object(_)) => {
            let mut bytes = Vec::new();
            put_value(object, &mut bytes);
            Document::from(bytes)
        }
        Some(_) | None => Document::EMPTY,
    }
}

/// Any JSON value.
pub(crate) fn raw_value(value: &Value) -> RawValue {
    let mut bytes = Vec::new();
    put_value(value, &mut bytes);
    RawValue::from(bytes)
}

/// Recursion is bounded by the depth the body parser accepts.
fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => msgpack::write_nil(out),
        Value::Bool(value) => msgpack::write_bool(out, *value),
        Value::Number(number) => {
            if let Some(integer) = number.as_i64() {
                msgpack::write_int(out, integer);
            } else if let Some(integer) = number.as_u64() {
                msgpack::write_uint(out, integer);
            } else if let Some(float) = number.as_f64() {
                msgpack::write_double(out, float);
            } else {
                msgpack::write_nil(out);
            }
        }
        Value::String(text) => msgpack::write_str(out, text),
        Value::Array(items) => {
            msgpack::write_array_header(out, items.len());
            for item in items {
                put_value(item, out);
            }
        }
        Value::Object(entries) => {
            msgpack::write_map_header(out, entries.len());
            for (name, value) in entries {
                msgpack::write_str(out, name);
                put_value(value, out);
            }
        }
    }
}

/// Appends the JSON object of `document`.
///
/// # Errors
/// The bytes of the record are not a document, which only a fault elsewhere can cause.
pub(crate) fn put_json(document: &Document, out: &mut String) -> Result<(), Problem> {
    json::from_msgpack(document.as_bytes(), out)
        .map_err(|error| Problem::Internal(format!("stored document is unreadable: {error}")))
}

/// The JSON object of `document`.
///
/// # Errors
/// As [`put_json`].
pub(crate) fn to_json(document: &Document) -> Result<String, Problem> {
    let mut out = String::with_capacity(document.as_bytes().len() * 2);
    put_json(document, &mut out)?;
    Ok(out)
}

/// Appends headers as a JSON object.
pub(crate) fn put_headers(headers: &Headers, out: &mut String) {
    out.push('{');
    for (at, (name, value)) in headers.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_string(name, out);
        out.push(':');
        json::write_string(value, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_in_give_the_same_bytes() {
        let text = r#"{"a":1,"b":[true,null,-2.5],"c":{"d":"x"},"big":18446744073709551615}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        let by_text = from_text("variables", text).unwrap();
        assert_eq!(by_text, from_value(Some(&value)));
        assert_eq!(to_json(&by_text).unwrap(), text);
    }

    #[test]
    fn blank_text_is_the_empty_document() {
        for text in ["", "  ", "{}", "null"] {
            assert!(from_text("variables", text).unwrap().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn roots_that_are_no_object_are_named() {
        let cases = [
            ("[1]", "ARRAY"),
            ("\"x\"", "STRING"),
            ("1", "INTEGER"),
            ("1.5", "FLOAT"),
            ("true", "BOOLEAN"),
        ];
        for (text, found) in cases {
            let problem = from_text("variables", text).unwrap_err();
            assert_eq!(
                problem.grpc_text(),
                format!(
                    "Property 'variables' is invalid: Expected document to be a root level \
                     object, but was '{found}'"
                )
            );
        }
    }

    #[test]
    fn broken_json_is_shown_with_its_place() {
        let problem = from_text("variables", "{\"a\":").unwrap_err();
        assert!(
            problem
                .grpc_text()
                .starts_with("Invalid JSON value: {\"a\":")
        );
        assert_eq!(problem.row().http, 400);
    }
}
