//! Document stores: files that processes refer to, kept beside the engine.
//!
//! The engine never sees a document, only references. A store keeps bytes and what was said about
//! them; it answers by id. Three kinds: in memory (gone with the process, bounded, the default as in
//! the reference), a directory, and a bucket of S3, which alone has links. An expired document is
//! gone for every caller, whenever its bytes are removed.
//!
//! | condition | answer |
//! |---|---|
//! | id is taken | [`DocumentError::Exists`] |
//! | no such id, or expired | [`DocumentError::Missing`] |
//! | hash absent or another | [`DocumentError::Hash`] |
//! | memory is full | [`DocumentError::Full`] |
//! | the disk or the bucket does not do it | [`DocumentError::Io`] |
//! | the store has no links | [`DocumentError::NoLinks`] |
//!
//! Stores of other makers (Google, Azure) are not served; naming one answers that it does not
//! exist.

mod bucket;
mod files;
mod memory;

use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use sha2::{Digest as _, Sha256};

pub(crate) use bucket::Bucket;
pub use bucket::BucketOptions;
pub(crate) use files::Files;
pub(crate) use memory::Memory;

/// Bytes that the store in memory holds at most.
pub(crate) const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// Longest document id.
pub(crate) const ID_CHARACTERS: usize = 256;

/// Which stores a gateway has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentOptions {
    /// Directory of the store `local`; `None` = there is none.
    pub directory: Option<PathBuf>,
    /// Bucket of the store `aws`; `None` = there is none.
    pub bucket: Option<BucketOptions>,
    /// The store that is used where none is named; `None` = the bucket, else the directory, else
    /// the memory.
    pub default_store: Option<String>,
}

/// What is said about a document.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct About {
    pub(crate) content_type: String,
    pub(crate) file_name: String,
    /// Milliseconds since the epoch.
    pub(crate) expires_at: Option<i64>,
    pub(crate) size: u64,
    pub(crate) process_definition_id: Option<String>,
    pub(crate) process_instance_key: Option<String>,
    /// A JSON object.
    pub(crate) custom_properties: serde_json::Map<String, serde_json::Value>,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub(crate) hash: String,
}

impl About {
    fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The caller knows the hash of the document, as somebody who was given its reference does.
    ///
    /// # Errors
    /// [`DocumentError::Hash`] if it does not.
    pub(crate) fn matches(&self, id: &str, hash: Option<&str>) -> Result<(), DocumentError> {
        match hash {
            Some(given) if given == self.hash => Ok(()),
            Some(given) => Err(DocumentError::Hash(format!(
                "Document hash for document {id} doesn't match the provided hash {given}"
            ))),
            None => Err(DocumentError::Hash(format!(
                "No document hash provided for document {id}"
            ))),
        }
    }
}

/// Why a store does not do what it was asked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum DocumentError {
    #[error("Document with id '{0}' already exists")]
    Exists(String),
    #[error("Document with id '{0}' not found")]
    Missing(String),
    #[error("{0}")]
    Hash(String),
    #[error("The document store in memory is full ({MEMORY_BYTES} bytes)")]
    Full,
    #[error("The document store cannot be used: {0}")]
    Io(String),
    #[error("{0}")]
    NoLinks(&'static str),
}

/// One store.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Memory),
    Files(Files),
    Bucket(Box<Bucket>),
}

impl Store {
    pub(crate) async fn create(
        &self,
        id: &str,
        about: About,
        bytes: Bytes,
        now: i64,
    ) -> Result<(), DocumentError> {
        match self {
            Self::Memory(memory) => memory.create(id, about, bytes, now),
            Self::Files(files) => files.create(id, about, bytes, now).await,
            Self::Bucket(bucket) => bucket.create(id, about, bytes, now).await,
        }
    }

    pub(crate) async fn get(&self, id: &str, now: i64) -> Result<(About, Bytes), DocumentError> {
        let (about, bytes) = match self {
            Self::Memory(memory) => memory.get(id)?,
            Self::Files(files) => files.get(id).await?,
            Self::Bucket(bucket) => bucket.get(id).await?,
        };
        if about.is_expired(now) {
            return Err(DocumentError::Missing(id.to_owned()));
        }
        Ok((about, bytes))
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), DocumentError> {
        match self {
            Self::Memory(memory) => memory.delete(id),
            Self::Files(files) => files.delete(id).await,
            Self::Bucket(bucket) => bucket.delete(id).await,
        }
    }

    /// An address under which anybody can read the document, for so long.
    pub(crate) async fn link(
        &self,
        id: &str,
        hash: Option<&str>,
        lasts: Duration,
        now: i64,
    ) -> Result<String, DocumentError> {
        match self {
            Self::Memory(_) => {
                self.get(id, now).await?.0.matches(id, hash)?;
                Err(DocumentError::NoLinks(
                    "The in-memory document store does not support creating links",
                ))
            }
            Self::Files(_) => {
                self.get(id, now).await?.0.matches(id, hash)?;
                Err(DocumentError::NoLinks(
                    "The local document store does not support creating links",
                ))
            }
            Self::Bucket(bucket) => bucket.link(id, hash, lasts, now).await,
        }
    }
}

/// All stores of a gateway; the first one is used where none is named.
#[derive(Debug)]
pub(crate) struct Documents {
    stores: Vec<(&'static str, Store)>,
}

impl Documents {
    /// # Errors
    /// A store cannot be reached as it is described, or the default one is not there.
    pub(crate) fn new(options: &DocumentOptions) -> Result<Self, DocumentError> {
        let mut stores = vec![("in-memory", Store::Memory(Memory::default()))];
        if let Some(directory) = &options.directory {
            stores.insert(0, ("local", Store::Files(Files::new(directory.clone()))));
        }
        if let Some(bucket) = &options.bucket {
            let bucket = Box::new(Bucket::new(bucket)?);
            stores.insert(0, ("aws", Store::Bucket(bucket)));
        }
        if let Some(wanted) = &options.default_store {
            let known = stores.iter().position(|(name, _)| name == wanted);
            let at = known.ok_or_else(|| {
                DocumentError::Io(format!("there is no document store '{wanted}'"))
            })?;
            stores[..=at].rotate_right(1);
        }
        Ok(Self { stores })
    }

    /// Name and store; `None` if it does not exist.
    pub(crate) fn store(&self, name: Option<&str>) -> Option<(&'static str, &Store)> {
        let found = match name {
            None => self.stores.first(),
            Some(name) => self.stores.iter().find(|(known, _)| *known == name),
        };
        found.map(|(name, store)| (*name, store))
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_every_tool_prints() {
        assert_eq!(
            hash(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    async fn keeps(store: Store) {
        let about = |end| About {
            expires_at: end,
            file_name: "a.txt".into(),
            ..About::default()
        };
        let id = "../we ird/\u{e9}";
        let bytes = || Bytes::from_static(b"content");
        store.create(id, about(None), bytes(), 0).await.unwrap();
        let taken = store.create(id, about(None), bytes(), 0).await;
        assert_eq!(taken, Err(DocumentError::Exists(id.into())));
        let (said, read) = store.get(id, 5).await.unwrap();
        assert_eq!(
            (said.file_name.as_str(), &read[..]),
            ("a.txt", &b"content"[..])
        );
        store
            .create("short", about(Some(10)), bytes(), 0)
            .await
            .unwrap();
        assert!(store.get("short", 9).await.is_ok());
        let gone = Err(DocumentError::Missing("short".into()));
        assert_eq!(store.get("short", 10).await.map(|_| ()), gone);
        // What is expired does not keep its id.
        store
            .create("short", about(None), bytes(), 11)
            .await
            .unwrap();
        store.delete(id).await.unwrap();
        let gone = DocumentError::Missing(id.into());
        assert_eq!(store.get(id, 0).await.map(|_| ()), Err(gone));
        assert!(store.delete(id).await.is_err());
    }

    #[tokio::test]
    async fn both_stores_keep_documents_and_let_them_go() {
        keeps(Store::Memory(Memory::default())).await;
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("documents");
        keeps(Store::Files(Files::new(inner))).await;
        let outside = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(outside, 1, "no id leads out of the directory");
    }

    #[test]
    fn the_default_store_is_the_one_that_is_named() {
        let first = |options: &DocumentOptions| {
            Documents::new(options).map(|documents| documents.store(None).unwrap().0)
        };
        let mut options = DocumentOptions::default();
        assert_eq!(first(&options), Ok("in-memory"));
        options.directory = Some(PathBuf::from("documents"));
        assert_eq!(first(&options), Ok("local"));
        options.bucket = Some(BucketOptions {
            name: "documents".into(),
            ..BucketOptions::default()
        });
        assert_eq!(first(&options), Ok("aws"));
        for name in ["local", "in-memory", "aws"] {
            options.default_store = Some(name.into());
            assert_eq!(first(&options), Ok(name));
        }
        options.default_store = Some("gcp".into());
        assert!(first(&options).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let memory = Memory::default();
        let half = || Bytes::from(vec![0; MEMORY_BYTES / 2]);
        let about = About::default;
        memory.create("a", about(), half(), 0).unwrap();
        memory.create("b", about(), half(), 0).unwrap();
        let full = memory.create("c", about(), Bytes::from_static(b"x"), 0);
        assert_eq!(full, Err(DocumentError::Full));
        memory.delete("a").unwrap();
        memory.create("c", about(), half(), 0).unwrap();
    }
}
