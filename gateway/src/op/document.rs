//! Documents: create, create several, read, delete, link.
//!
//! A document's reference names store, id and hash; who reads it has to know the hash, as in the
//! reference. Several documents are created one by one: what could not be created is listed with
//! its reason beside what was (207).

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::shape::{Members, ObjectWriter, date_time, put_list};
use crate::contract::check::check;
use crate::documents::{About, DocumentError, ID_CHARACTERS, Store, hash};
use crate::problem::{Problem, Violations};
use crate::rest::{Answer, Call, File};

/// What a document is if nobody says.
const OCTETS: &str = "application/octet-stream";

/// `createDocument`.
pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
    let (store_id, store) = store_of(&call)?;
    let id = match call.query_text("documentId") {
        Some(id) if id.is_empty() || id.chars().count() > ID_CHARACTERS => {
            return Err(Problem::invalid(format!(
                "The provided documentId exceeds the limit of {ID_CHARACTERS} characters"
            )));
        }
        Some(id) => id.to_owned(),
        None => new_id(),
    };
    let file = match call.upload.files.as_slice() {
        [file] => file.clone(),
        _ => {
            return Err(Problem::Malformed(
                "Required part 'file' is not present.".into(),
            ));
        }
    };
    let metadata = match call
        .upload
        .texts
        .iter()
        .find(|(name, _)| name == "metadata")
    {
        Some((_, text)) => Some(metadata_of(&call, text)?),
        None => None,
    };
    let created = keep(store, id, file, metadata).await.map_err(refused)?;
    Ok(Answer::Created(reference_json(store_id, &created)))
}

/// `createDocuments`.
pub(crate) async fn create_several(call: Call) -> Result<Answer, Problem> {
    let (store_id, store) = store_of(&call)?;
    let mut metadata = Vec::new();
    for (name, text) in &call.upload.texts {
        if name != "metadataList" {
            continue;
        }
        // One part with a list, or a part for each.
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(items)) => {
                for item in items {
                    metadata.push(metadata_of(&call, &item.to_string())?);
                }
            }
            Ok(_) | Err(_) => metadata.push(metadata_of(&call, text)?),
        }
    }
    if !metadata.is_empty() && metadata.len() != call.upload.files.len() {
        return Err(Problem::invalid(
            "The number of files does not match the number of metadata objects. If metadata is \
             given for one file, it has to be given for all",
        ));
    }
    let mut metadata = metadata.into_iter();
    let (mut created, mut failed) = (Vec::new(), Vec::new());
    for file in call.upload.files.clone() {
        let name = file.name.clone();
        match keep(store, new_id(), file, metadata.next()).await {
            Ok(document) => created.push(document),
            Err(error) => failed.push((name, refused(error))),
        }
    }
    let mut out = ObjectWriter::new();
    out.with("failedDocuments", |out| {
        put_list(out, &failed, |(name, problem)| {
            let row = problem.row();
            let mut out = ObjectWriter::new();
            out.str("fileName", name)
                .int("status", i64::from(row.http))
                .str("title", row.title)
                .str("detail", &problem.detail());
            out.finish()
        });
    });
    out.with("createdDocuments", |out| {
        put_list(out, &created, |document| reference_json(store_id, document));
    });
    let text = out.finish();
    Ok(if failed.is_empty() {
        Answer::Created(text)
    } else {
        Answer::Several(text)
    })
}

/// `getDocument`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let (_, store) = store_of(&call)?;
    let id = call.path_text("documentId");
    let (about, bytes) = store.get(id, now()).await.map_err(refused)?;
    let hash = call.query_text("contentHash");
    about.matches(id, hash).map_err(refused)?;
    Ok(Answer::File {
        media: about.content_type,
        name: about.file_name,
        bytes,
    })
}

/// `deleteDocument`.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
    let (_, store) = store_of(&call)?;
    let id = call.path_text("documentId");
    store.delete(id).await.map_err(refused)?;
    Ok(Answer::NoContent)
}

/// `createDocumentLink`, of an hour if nothing is said.
pub(crate) async fn link(call: Call) -> Result<Answer, Problem> {
    const HOUR_MS: i64 = 3_600_000;
    let (_, store) = store_of(&call)?;
    let lasts = Members(&call.body).int("timeToLive").unwrap_or(HOUR_MS);
    let millis = u64::try_from(lasts).unwrap_or(0);
    if millis == 0 {
        return Err(Problem::invalid(format!(
            "The value for timeToLive is '{lasts}' but must be greater than 0"
        )));
    }
    let now = now();
    let id = call.path_text("documentId");
    let hash = call.query_text("contentHash");
    let url = store
        .link(id, hash, Duration::from_millis(millis), now)
        .await;
    let url = url.map_err(refused)?;
    let mut out = ObjectWriter::new();
    out.str("url", &url)
        .str("expiresAt", &date_time(now.saturating_add(lasts)));
    Ok(Answer::Created(out.finish()))
}

struct Kept {
    id: String,
    about: About,
}

async fn keep(
    store: &Store,
    id: String,
    file: File,
    metadata: Option<Value>,
) -> Result<Kept, DocumentError> {
    let about = about_of(&file, metadata.as_ref());
    store.create(&id, about.clone(), file.bytes, now()).await?;
    Ok(Kept { id, about })
}

/// What is said in the metadata, else what the part itself says.
fn about_of(file: &File, metadata: Option<&Value>) -> About {
    let nothing = Value::Null;
    let said = Members(metadata.unwrap_or(&nothing));
    let or_file = |name: &str, own: &str| said.str(name).unwrap_or(own).to_owned();
    let media = if file.media.is_empty() {
        OCTETS
    } else {
        &file.media
    };
    let bytes: &Bytes = &file.bytes;
    About {
        content_type: or_file("contentType", media),
        file_name: or_file("fileName", &file.name),
        expires_at: said
            .str("expiresAt")
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map(Timestamp::as_millisecond),
        size: bytes.len() as u64,
        process_definition_id: said.str("processDefinitionId").map(str::to_owned),
        process_instance_key: said.str("processInstanceKey").map(str::to_owned),
        custom_properties: said
            .get("customProperties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
        hash: hash(bytes),
    }
}

fn metadata_of(call: &Call, text: &str) -> Result<Value, Problem> {
    let unreadable = || Problem::Malformed("Failed to read request".into());
    let mut value: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let library = &call.rest.contract.library;
    let schema = library
        .named("DocumentMetadata")
        .ok_or_else(|| Problem::Internal("DocumentMetadata has no schema".into()))?;
    let mut found = Violations::default();
    check(library, "createDocument", schema, &mut value, &mut found)?;
    found.end()?;
    Ok(value)
}

fn store_of(call: &Call) -> Result<(&'static str, &Store), Problem> {
    let name = call.query_text("storeId");
    call.front.documents.store(name).ok_or_else(|| {
        Problem::plain(format!(
            "Document store with id '{}' does not exist",
            name.unwrap_or_default()
        ))
    })
}

fn reference_json(store_id: &str, kept: &Kept) -> String {
    let about = &kept.about;
    let mut metadata = ObjectWriter::new();
    metadata
        .str("contentType", &about.content_type)
        .str("fileName", &about.file_name);
    match about.expires_at {
        Some(end) => metadata.str("expiresAt", &date_time(end)),
        None => metadata.null("expiresAt"),
    };
    metadata.int("size", i64::try_from(about.size).unwrap_or(i64::MAX));
    for (name, value) in [
        ("processDefinitionId", &about.process_definition_id),
        ("processInstanceKey", &about.process_instance_key),
    ] {
        match value {
            Some(value) => metadata.str(name, value),
            None => metadata.null(name),
        };
    }
    let properties = Value::Object(about.custom_properties.clone());
    metadata.raw("customProperties", &properties.to_string());
    let mut out = ObjectWriter::new();
    out.str("camunda.document.type", "camunda")
        .str("storeId", store_id)
        .str("documentId", &kept.id)
        .str("contentHash", &about.hash)
        .raw("metadata", &metadata.finish());
    out.finish()
}

fn refused(error: DocumentError) -> Problem {
    let text = error.to_string();
    match error {
        DocumentError::Exists(_) => Problem::Taken(text),
        DocumentError::Missing(_) => Problem::Missing(text),
        DocumentError::Hash(_) => Problem::plain(text),
        DocumentError::Full => Problem::invalid(text),
        DocumentError::Io(_) => Problem::StorageUnavailable(text),
        DocumentError::NoLinks(_) => Problem::Forbidden(text),
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A random id of the usual form. The keys of the standard library's hashes come from the system's
/// randomness, and what they make of nothing cannot be told from outside.
fn new_id() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    let number = (u128::from(half()) << 64) | u128::from(half());
    // Version 4, variant 1.
    let number = (number & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
    let digits = format!("{number:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}
