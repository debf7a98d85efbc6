//! Documents in a bucket of S3, or of something that speaks like it.
//!
//! One object a document, under the bucket's path and the document's id; what is said about it
//! travels as the object's metadata, under the names that Camunda's store uses, so that each finds
//! what the other has written. Metadata are headers: what does not fit into one is percent-encoded.
//! Links are pre-signed by the keys that this store has, and lead past this program.
//!
//! A document that was just created elsewhere under the same id is not overwritten: the write asks
//! for the name to be free. An expired document is overwritten, and found by nobody.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use jiff::Timestamp;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore as _, PutMode, PutOptions, PutPayload,
};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use ringflow_backup::S3Options;

use super::{About, DocumentError};

/// What a header's value cannot hold, and the sign of the encoding itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
/// What a header's name cannot hold.
const NAME_ENCODED: &AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');
/// Longest time a link can last; S3 signs none for longer.
const LINK_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long one request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 24 * 3600 * 1000;

const HASH: &str = "content-hash";
const EXPIRES: &str = "expires-at";
const FILE: &str = "filename";
const SIZE: &str = "size";
const DEFINITION: &str = "camunda.processDefinitionId";
const INSTANCE: &str = "camunda.processInstanceKey";

/// Where a bucket is and how it is reached.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct BucketOptions {
    /// Its name.
    pub name: String,
    /// What stands in front of all documents' ids there.
    pub path: String,
    /// Days after which the bucket itself deletes what is not tagged `NoAutoDelete`.
    pub ttl_days: Option<u32>,
    /// Its region; empty = as the environment says (`AWS_REGION`).
    pub region: String,
    /// Where it is, if not at Amazon; then the bucket's name is part of the path.
    pub endpoint: String,
    /// Key id; empty = as the environment says.
    pub access_key: String,
    /// The secret of the key.
    pub secret_key: String,
}

impl std::fmt::Debug for BucketOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketOptions")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The store.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: AmazonS3,
    path: String,
    ttl_days: Option<u32>,
}

impl Bucket {
    /// A store that has asked nothing yet.
    ///
    /// # Errors
    /// The options do not name a bucket that could be reached.
    pub(crate) fn new(options: &BucketOptions) -> Result<Self, DocumentError> {
        let place = S3Options {
            bucket: options.name.clone(),
            endpoint: options.endpoint.clone(),
            region: options.region.clone(),
            access_key: options.access_key.clone(),
            secret_key: options.secret_key.clone(),
            path_style: true,
            base_path: String::new(),
            call_timeout: REQUEST_WITHIN,
        };
        Ok(Self {
            client: place.open().map_err(|error| failed("", error))?,
            path: options.path.clone(),
            ttl_days: options.ttl_days,
        })
    }

    fn path(&self, id: &str) -> Path {
        Path::from(format!("{}{id}", self.path))
    }

    pub(super) async fn create(
        &self,
        id: &str,
        about: About,
        bytes: Bytes,
        now: i64,
    ) -> Result<(), DocumentError> {
        let path = self.path(id);
        let mode = match self.head(id).await {
            Err(DocumentError::Missing(_)) => PutMode::Create,
            Ok(there) if there.is_expired(now) => PutMode::Overwrite,
            Ok(_) => return Err(DocumentError::Exists(id.to_owned())),
            Err(error) => return Err(error),
        };
        let mut options = PutOptions {
            mode,
            attributes: attributes(&about),
            ..PutOptions::default()
        };
        if let (Some(end), Some(days)) = (about.expires_at, self.ttl_days)
            && end > now.saturating_add(i64::from(days) * DAY_MS)
        {
            options.tags.push("NoAutoDelete", "true");
        }
        let put = self
            .client
            .put_opts(&path, PutPayload::from_bytes(bytes), options);
        put.await.map(|_| ()).map_err(|error| failed(id, error))
    }

    pub(super) async fn get(&self, id: &str) -> Result<(About, Bytes), DocumentError> {
        let path = self.path(id);
        let found = self.client.get_opts(&path, GetOptions::default()).await;
        let found = found.map_err(|error| failed(id, error))?;
        let about = about(id, found.meta.size, &found.attributes);
        let bytes = found.bytes().await.map_err(|error| failed(id, error))?;
        Ok((about, bytes))
    }

    async fn head(&self, id: &str) -> Result<About, DocumentError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = self.client.get_opts(&self.path(id), options).await;
        let found = found.map_err(|error| failed(id, error))?;
        Ok(about(id, found.meta.size, &found.attributes))
    }

    /// S3 itself says of what is not there that it is deleted.
    pub(super) async fn delete(&self, id: &str) -> Result<(), DocumentError> {
        use object_store::ObjectStoreExt as _;
        let deleted = self.client.delete(&self.path(id)).await;
        deleted.map_err(|error| failed(id, error))
    }

    /// An address that hands the document out to whoever has it, for `lasts`.
    pub(super) async fn link(
        &self,
        id: &str,
        hash: Option<&str>,
        lasts: Duration,
        now: i64,
    ) -> Result<String, DocumentError> {
        if lasts > LINK_MAX {
            return Err(DocumentError::Hash(format!(
                "A link lasts for {} milliseconds at most",
                LINK_MAX.as_millis()
            )));
        }
        let about = self.head(id).await?;
        if about.is_expired(now) {
            return Err(DocumentError::Missing(id.to_owned()));
        }
        about.matches(id, hash)?;
        let path = self.path(id);
        let signed = self.client.signed_url(Method::GET, &path, lasts);
        let signed = signed.await.map_err(|error| failed(id, error))?;
        Ok(signed.to_string())
    }
}

/// The headers of what is said about a document.
fn attributes(about: &About) -> Attributes {
    let mut attributes = Attributes::new();
    let content_type = value(&about.content_type).into_owned();
    attributes.insert(Attribute::ContentType, content_type.into());
    let mut put = |name: String, text: &str| {
        let text = value(text).into_owned();
        attributes.insert(Attribute::Metadata(Cow::Owned(name)), text.into());
    };
    for (name, held) in &about.custom_properties {
        let text = held
            .as_str()
            .map_or_else(|| held.to_string(), str::to_owned);
        put(utf8_percent_encode(name, NAME_ENCODED).to_string(), &text);
    }
    put(HASH.into(), &about.hash);
    put(SIZE.into(), &about.size.to_string());
    put(FILE.into(), &about.file_name);
    if let Some(end) = about.expires_at {
        let end = Timestamp::from_millisecond(end).unwrap_or(Timestamp::MAX);
        put(EXPIRES.into(), &end.to_string());
    }
    for (name, text) in [
        (DEFINITION, &about.process_definition_id),
        (INSTANCE, &about.process_instance_key),
    ] {
        if let Some(text) = text {
            put(name.into(), text);
        }
    }
    attributes
}

/// A text as the value of a header. Blanks at its ends would be lost.
fn value(text: &str) -> Cow<'_, str> {
    if text.trim().len() == text.len() {
        utf8_percent_encode(text, ENCODED).into()
    } else {
        utf8_percent_encode(text, NAME_ENCODED).into()
    }
}

/// What the headers of an object say. Names come back in lower case.
fn about(id: &str, size: u64, attributes: &Attributes) -> About {
    let said = |name: &'static str| {
        let metadata = |name: String| attributes.get(&Attribute::Metadata(Cow::Owned(name)));
        let text = metadata(name.to_owned()).or_else(|| metadata(name.to_lowercase()));
        text.map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned())
    };
    let content_type = attributes.get(&Attribute::ContentType);
    About {
        content_type: content_type
            .map(|text| text.to_string())
            .unwrap_or_default(),
        file_name: said(FILE).unwrap_or_else(|| id.to_owned()),
        expires_at: said(EXPIRES)
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map(Timestamp::as_millisecond),
        size,
        process_definition_id: said(DEFINITION),
        process_instance_key: said(INSTANCE),
        // Nobody reads them back.
        custom_properties: serde_json::Map::new(),
        hash: said(HASH).unwrap_or_default(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of object_store are an open list"
)]
fn failed(id: &str, error: Error) -> DocumentError {
    match error {
        Error::NotFound { .. } => DocumentError::Missing(id.to_owned()),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => {
            DocumentError::Exists(id.to_owned())
        }
        other => DocumentError::Io(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_survive_headers() {
        let mut custom = serde_json::Map::new();
        custom.insert("a b/\u{e9}".into(), serde_json::json!({"x": [1]}));
        let said = About {
            content_type: "text/plain; charset=utf-8".into(),
            file_name: " b\u{fc}cher 100%.txt\n".into(),
            expires_at: Some(1_700_000_000_123),
            size: 7,
            process_definition_id: Some("p".into()),
            process_instance_key: None,
            custom_properties: custom,
            hash: "abc".into(),
        };
        let sent = attributes(&said);
        for (name, value) in &sent {
            let visible = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            assert!(visible(value), "{value:?}");
            if let Attribute::Metadata(name) = name {
                assert!(visible(name) && !name.contains([' ', '/']), "{name}");
            }
        }
        let back = about("id", 7, &sent);
        assert_eq!(back.custom_properties, serde_json::Map::new());
        let custom_properties = said.custom_properties.clone();
        assert_eq!(
            said,
            About {
                custom_properties,
                ..back
            }
        );
    }

    #[test]
    fn what_nobody_said_has_a_default() {
        let back = about("id", 3, &Attributes::new());
        assert_eq!((back.file_name.as_str(), back.size), ("id", 3));
        assert_eq!(back.expires_at, None);
    }
}
