//! Documents in a directory: two files each, the bytes and what is said about them.
//!
//! Files are named by the hash of the id, so an id cannot lead anywhere else. The description is
//! written last, under another name first: a document whose description is not there does not
//! exist, whatever a crash left of its bytes. Work on files runs on the blocking pool.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use axum::body::Bytes;

use super::{About, DocumentError, hash};

/// The store.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn paths(&self, id: &str) -> (PathBuf, PathBuf) {
        let name = hash(id.as_bytes());
        (
            self.directory.join(format!("{name}.json")),
            self.directory.join(format!("{name}.bytes")),
        )
    }

    pub(super) async fn create(
        &self,
        id: &str,
        about: About,
        bytes: Bytes,
        now: i64,
    ) -> Result<(), DocumentError> {
        let (description, content) = self.paths(id);
        let directory = self.directory.clone();
        blocking(id, move || {
            fs::create_dir_all(&directory)?;
            if let Some(taken) = read_about(&description)?
                && !taken.is_expired(now)
            {
                return Err(ErrorKind::AlreadyExists.into());
            }
            write(&content, &bytes)?;
            let text = serde_json::to_vec(&about)?;
            let partial = description.with_extension("partial");
            write(&partial, &text)?;
            fs::rename(&partial, &description)?;
            // The names have to be durable as well.
            File::open(&directory)?.sync_all()
        })
        .await
    }

    pub(super) async fn get(&self, id: &str) -> Result<(About, Bytes), DocumentError> {
        let (description, content) = self.paths(id);
        blocking(id, move || {
            let about = read_about(&description)?.ok_or(ErrorKind::NotFound)?;
            Ok((about, Bytes::from(fs::read(&content)?)))
        })
        .await
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), DocumentError> {
        let (description, content) = self.paths(id);
        blocking(id, move || {
            fs::remove_file(&description)?;
            match fs::remove_file(&content) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        })
        .await
    }
}

fn read_about(path: &Path) -> io::Result<Option<About>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

async fn blocking<T: Send + 'static>(
    id: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, DocumentError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
            Err(DocumentError::Exists(id.to_owned()))
        }
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            Err(DocumentError::Missing(id.to_owned()))
        }
        Ok(Err(error)) => Err(DocumentError::Io(error.to_string())),
        Err(error) => Err(DocumentError::Io(error.to_string())),
    }
}
