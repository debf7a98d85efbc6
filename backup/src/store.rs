//! Which store: a directory that all brokers share, or S3 and what speaks like it.
//!
//! Everything else of the crate sees objects by name and does not know which it is. Names are joined
//! behind the base path, so that several clusters may share a bucket. A directory is written with
//! `fsync`; what S3 has acknowledged is durable there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload};

/// Bytes of one part of an object while it is written; two are under way at a time.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 2;

/// Where backups are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOptions {
    /// A directory, the same one for all brokers.
    Filesystem {
        /// Its path; created if missing.
        base_path: PathBuf,
    },
    /// A bucket.
    S3(Box<S3Options>),
}

/// A bucket of S3 or of something that speaks like it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct S3Options {
    /// Its name.
    pub bucket: String,
    /// Address of the service; empty = that of Amazon for the region.
    pub endpoint: String,
    /// Region; empty = as the environment says, or us-east-1.
    pub region: String,
    /// Key pair; empty = as the environment of the process gives it (variables, web identity,
    /// instance).
    pub access_key: String,
    /// The secret half.
    pub secret_key: String,
    /// The bucket's name is part of the path, not of the host.
    pub path_style: bool,
    /// In front of all names; empty = none.
    pub base_path: String,
    /// How long one call may take.
    pub call_timeout: Duration,
}

impl std::fmt::Debug for S3Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Options")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("base_path", &self.base_path)
            .finish_non_exhaustive()
    }
}

impl S3Options {
    /// Opens the bucket; nothing is asked of it yet. What is empty here is taken from the environment
    /// of the process. Whoever keeps anything in S3 opens it by this.
    ///
    /// # Errors
    /// The options name no bucket that could be reached.
    pub fn open(&self) -> object_store::Result<AmazonS3> {
        // The one provider of this program; somebody else may have named it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_timeout(self.call_timeout)
            .with_allow_http(self.endpoint.starts_with("http://"));
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&self.bucket)
            // Not everything that speaks S3 deletes several at once.
            .with_disable_bulk_delete(true)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_client_options(client);
        if !self.endpoint.is_empty() {
            builder = builder.with_endpoint(&self.endpoint);
        }
        if !self.region.is_empty() {
            builder = builder.with_region(&self.region);
        }
        if !self.access_key.is_empty() {
            builder = builder
                .with_access_key_id(&self.access_key)
                .with_secret_access_key(&self.secret_key);
        }
        builder.build()
    }
}

/// Why the store did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be used at all.
    #[error("the backup store cannot be used: {0}")]
    Options(String),
    /// There is no such object.
    #[error("the backup store has no {0}")]
    Missing(String),
    /// Reading or writing failed.
    #[error("the backup store failed on {name}: {reason}")]
    Failed {
        /// The object.
        name: String,
        /// What was said.
        reason: String,
    },
    /// An object is not what was stored.
    #[error("{name} is damaged: {what}")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl StoreError {
    pub(crate) fn damaged(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged {
            name: name.into(),
            what: what.into(),
        }
    }

    fn of(name: &str, error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing(name.to_owned());
        }
        Self::Failed {
            name: name.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// An open store; clones are the same one.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    base: String,
}

impl Store {
    /// Opens a store; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`StoreError::Options`].
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let refuse = |reason: String| StoreError::Options(reason);
        match options {
            StoreOptions::Filesystem { base_path } => {
                std::fs::create_dir_all(base_path).map_err(|error| {
                    refuse(format!("{} cannot be made: {error}", base_path.display()))
                })?;
                let directory = LocalFileSystem::new_with_prefix(base_path)
                    .map_err(|error| refuse(error.to_string()))?
                    .with_fsync(true)
                    .with_automatic_cleanup(true);
                Ok(Self::of(Arc::new(directory), ""))
            }
            StoreOptions::S3(options) => {
                let bucket = options.open().map_err(|error| refuse(error.to_string()))?;
                Ok(Self::of(Arc::new(bucket), &options.base_path))
            }
        }
    }

    /// A store over objects that somebody else opened.
    #[must_use]
    pub fn of(objects: Arc<dyn ObjectStore>, base: &str) -> Self {
        let base = base.trim_matches('/').to_owned();
        Self { objects, base }
    }

    fn path(&self, name: &str) -> Path {
        match self.base.as_str() {
            "" => Path::from(name),
            base => Path::from(format!("{base}/{name}")),
        }
    }

    /// The name of an object below the base path.
    fn name(&self, path: &Path) -> String {
        let path = path.as_ref();
        let below = path.strip_prefix(self.base.as_str()).unwrap_or(path);
        below.trim_start_matches('/').to_owned()
    }

    /// Writes a small object whole, in the place of one that was there.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let payload = PutPayload::from_bytes(bytes);
        let put = self.objects.put(&self.path(name), payload).await;
        put.map(drop).map_err(|error| StoreError::of(name, error))
    }

    /// Begins to write an object of any size.
    #[must_use]
    pub fn writer(&self, name: &str) -> ObjectWriter {
        let objects = Arc::clone(&self.objects);
        let writer = BufWriter::with_capacity(objects, self.path(name), PART_BYTES)
            .with_max_concurrency(PARTS_AT_ONCE);
        ObjectWriter {
            name: name.to_owned(),
            writer,
            bytes: 0,
            crc: 0,
        }
    }

    /// Reads a small object whole.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Failed`], [`StoreError::Damaged`] if it has more than
    /// `max` bytes.
    pub async fn get(&self, name: &str, max: u64) -> Result<Bytes, StoreError> {
        let fail = |error| StoreError::of(name, error);
        let found = self.objects.get(&self.path(name)).await.map_err(fail)?;
        if found.meta.size > max {
            let what = format!("it has {} bytes, at most {max}", found.meta.size);
            return Err(StoreError::damaged(name, what));
        }
        found.bytes().await.map_err(fail)
    }

    /// Reads an object piece by piece.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Failed`].
    pub async fn reader(&self, name: &str) -> Result<ObjectReader, StoreError> {
        let fail = |error| StoreError::of(name, error);
        let found = self.objects.get(&self.path(name)).await.map_err(fail)?;
        Ok(ObjectReader {
            name: name.to_owned(),
            len: found.meta.size,
            pieces: found.into_stream(),
            crc: 0,
        })
    }

    /// Names of the objects below `prefix`, a whole part of their path, in no order.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let at = self.path(prefix);
        let mut listed: BoxStream<'static, object_store::Result<ObjectMeta>> =
            self.objects.list(Some(&at));
        let mut names = Vec::new();
        while let Some(object) = listed.next().await {
            let object = object.map_err(|error| StoreError::of(prefix, error))?;
            names.push(self.name(&object.location));
        }
        Ok(names)
    }

    /// Deletes an object; fine if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.objects.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::of(name, error)),
        }
    }
}

/// Writes one object; it is there once [`ObjectWriter::finish`] has returned.
#[derive(Debug)]
pub struct ObjectWriter {
    name: String,
    writer: BufWriter,
    bytes: u64,
    crc: u32,
}

impl ObjectWriter {
    /// Takes the next bytes; waits while too much is under way.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, &bytes);
        let put = self.writer.put(bytes).await;
        put.map_err(|error| StoreError::of(&self.name, error))
    }

    /// Completes the object; its bytes and their CRC32C.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn finish(mut self) -> Result<(u64, u32), StoreError> {
        use tokio::io::AsyncWriteExt as _;
        let ended = self.writer.shutdown().await;
        ended.map_err(|error| StoreError::Failed {
            name: self.name.clone(),
            reason: error.to_string(),
        })?;
        Ok((self.bytes, self.crc))
    }
}

/// Reads one object.
pub struct ObjectReader {
    name: String,
    len: u64,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    crc: u32,
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectReader")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ObjectReader {
    /// Bytes of the object.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// True if it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// CRC32C of what was read.
    #[must_use]
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// The next bytes; `None` behind the last.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(piece) = self.pieces.next().await else {
            return Ok(None);
        };
        let piece = piece.map_err(|error| StoreError::of(&self.name, error))?;
        self.crc = crc32c::crc32c_append(self.crc, &piece);
        Ok(Some(piece))
    }

    /// Appends the next bytes to `buffer`; false behind the last.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn fill(&mut self, buffer: &mut BytesMut) -> Result<bool, StoreError> {
        let piece = self.next().await?;
        if let Some(piece) = &piece {
            buffer.extend_from_slice(piece);
        }
        Ok(piece.is_some())
    }
}
