//! Receiving a snapshot from the leader: staged, checked, then made the live state.
//!
//! What was received stays with the partition when a connection breaks; an offer of the same
//! manifest goes on where it ended. Files are written, checked and opened on the background thread.
//! The partition serves as a follower until the moment its state is exchanged, and again after it.
//!
//! The exchange is marked by a file (`partition/marker.rs`) until the log has been reset behind the
//! snapshot, because a crash between the two leaves a state that is ahead of its log.

use std::rc::Rc;

use bytes::Bytes;
use ringflow_storage::snapshot::{Snapshot as Stored, Staging};
use tokio::sync::oneshot;

use crate::partition::{Partition, install};
use crate::raft::{Handle, Snapshot, SnapshotMeta, message};

/// A snapshot on its way in.
#[derive(Debug)]
pub(crate) struct Staged {
    manifest: Bytes,
    staging: Staging,
    received: Vec<u64>,
}

/// What one connection has been offered.
#[derive(Default)]
pub(crate) struct Receiving {
    offer: Option<message::Offer>,
}

impl Receiving {
    /// Takes an offer; the answer says what is there already.
    pub(crate) async fn begin(
        &mut self,
        partition: &Rc<Partition>,
        body: Bytes,
    ) -> Result<Vec<u8>, String> {
        let offer = message::take_offer(body)?;
        let staged = partition.staged.borrow_mut().take();
        let staged = match staged.filter(|staged| staged.manifest == offer.manifest) {
            Some(staged) => staged,
            None => {
                let manifest = offer.manifest.clone();
                let directory = partition.dir.snapshots();
                let begun = background(partition, move || Staging::begin(&directory, &manifest));
                let staging = begun.await?.map_err(|error| error.to_string())?;
                tracing::info!(
                    partition = %partition.id(),
                    index = staging.manifest().applied.index,
                    "receiving a snapshot"
                );
                Staged {
                    received: vec![0; staging.manifest().files.len()],
                    manifest: offer.manifest.clone(),
                    staging,
                }
            }
        };
        let answer = message::received(&staged.received);
        *partition.staged.borrow_mut() = Some(staged);
        self.offer = Some(offer);
        Ok(answer)
    }

    /// Takes a chunk.
    pub(crate) async fn take(
        &mut self,
        partition: &Rc<Partition>,
        body: Bytes,
    ) -> Result<Vec<u8>, String> {
        let (file, offset, bytes) = message::take_chunk(body)?;
        let mut staged = self.staged(partition)?;
        let (staged, written) = background(partition, move || {
            let written = staged.staging.write(file as usize, offset, &bytes);
            if written.is_ok()
                && let Some(received) = staged.received.get_mut(file as usize)
            {
                *received += bytes.len() as u64;
            }
            (staged, written)
        })
        .await?;
        *partition.staged.borrow_mut() = Some(staged);
        written.map_err(|error| error.to_string())?;
        Ok(message::received(&[]))
    }

    /// Checks what was received and makes it the state.
    pub(crate) async fn install(
        &mut self,
        partition: &Rc<Partition>,
        raft: &Handle,
    ) -> Result<Vec<u8>, String> {
        let staged = self.staged(partition)?;
        let offer = self.offer.take().ok_or("no snapshot was offered")?;
        let position = staged.staging.manifest().applied.position;
        install::begin(partition, position).map_err(|error| error.to_string())?;
        let finished = background(partition, move || staged.staging.finish());
        let snapshot: Stored = finished.await?.map_err(|error| error.to_string())?;
        let described = Snapshot {
            meta: SnapshotMeta {
                last_log_id: offer.last,
                last_membership: offer.membership,
            },
            snapshot: snapshot.path().to_owned(),
        };
        *partition.received.borrow_mut() = Some(snapshot);
        let installed = raft
            .install_full_snapshot(offer.vote, described)
            .await
            .map_err(|fatal| fatal.to_string())?;
        Ok(message::installed(&installed.vote))
    }

    fn staged(&self, partition: &Partition) -> Result<Staged, String> {
        let manifest = self.offer.as_ref().map(|offer| offer.manifest.clone());
        let staged = partition.staged.borrow_mut().take();
        staged
            .filter(|staged| Some(&staged.manifest) == manifest.as_ref())
            .ok_or_else(|| "no such snapshot is being received".to_owned())
    }
}

/// Runs `work` on the background thread and waits for what it returns.
pub(crate) async fn background<T: Send + 'static>(
    partition: &Partition,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, outcome) = oneshot::channel();
    partition.shared.background.run(move || {
        // The receiver is gone only if nobody waits for it any more.
        let _ = done.send(work());
    });
    outcome
        .await
        .map_err(|_| "the background thread has ended".to_owned())
}
