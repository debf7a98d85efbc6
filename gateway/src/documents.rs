//! Document stores: files that processes refer to, kept beside the engine.
//!
//! The engine never sees a document, only references. A store keeps bytes and what was said about
//! them; it answers by id. Two kinds: in memory (gone with the process, bounded, the default as in
//! the reference) and a directory. An expired document is gone for every caller, whenever its bytes
//! are removed.
//!
//! | condition | answer |
//! |---|---|
//! | id is taken | [`DocumentError::Exists`] |
//! | no such id, or expired | [`DocumentError::Missing`] |
//! | hash absent or another | [`DocumentError::Hash`] |
//! | memory is full | [`DocumentError::Full`] |
//! | the disk does not do it | [`DocumentError::Io`] |
//!
//! Stores of other makers (S3, Google, Azure) are not served; naming one answers that it does not
//! exist.

mod files;
mod memory;

use std::path::PathBuf;

use axum::body::Bytes;
use sha2::{Digest as _, Sha256};

pub(crate) use files::Files;
pub(crate) use memory::Memory;

/// Bytes that the store in memory holds at most.
pub(crate) const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// Longest document id.
pub(crate) const ID_CHARACTERS: usize = 256;

/// Which stores a gateway has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentOptions {
    /// Directory of the store `local`, which is the default then; `None` = there is none.
    pub directory: Option<PathBuf>,
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
}

/// One store.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Memory),
    Files(Files),
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
        }
    }

    pub(crate) async fn get(&self, id: &str, now: i64) -> Result<(About, Bytes), DocumentError> {
        let (about, bytes) = match self {
            Self::Memory(memory) => memory.get(id)?,
            Self::Files(files) => files.get(id).await?,
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
        }
    }

    /// Why there are no links to its documents.
    pub(crate) const fn no_links(&self) -> &'static str {
        match self {
            Self::Memory(_) => "The in-memory document store does not support creating links",
            Self::Files(_) => "The local document store does not support creating links",
        }
    }
}

/// All stores of a gateway; the first one is used where none is named.
#[derive(Debug)]
pub(crate) struct Documents {
    stores: Vec<(&'static str, Store)>,
}

impl Documents {
    pub(crate) fn new(options: &DocumentOptions) -> Self {
        let mut stores = vec![("in-memory", Store::Memory(Memory::default()))];
        if let Some(directory) = &options.directory {
            stores.insert(0, ("local", Store::Files(Files::new(directory.clone()))));
        }
        Self { stores }
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
