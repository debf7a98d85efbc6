//! Sending a snapshot to a member, in chunks, from where an earlier attempt ended.
//!
//! Offer, then what the member lacks file by file, then the word to install it. Each chunk is
//! answered before the next is read, so the member sets the pace and the sender holds one chunk.
//! Reading is done on the background thread; the snapshot may be deleted meanwhile, its files stay
//! open. Checksums are the receiver's business: it compares every file with the manifest.

use std::time::Duration;

use bytes::Bytes;
use ringflow_storage::snapshot::SnapshotReader;
use tokio::sync::oneshot;

use crate::raft::network::Peer;
use crate::raft::{Snapshot, Vote, message};

/// Bytes of one chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest wait for a chunk to be taken.
const CHUNK_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for the receiver to check, sync and open the whole.
const INSTALL_WITHIN: Duration = Duration::from_secs(600);

/// Sends `snapshot`; the member's vote when it is installed, or refused because that vote is higher.
pub(crate) async fn snapshot(
    peer: &mut Peer,
    vote: Vote,
    snapshot: Snapshot,
) -> Result<Vote, String> {
    let newest = peer
        .partition
        .compaction
        .newest()
        .filter(|newest| newest.path() == snapshot.snapshot)
        .ok_or("a newer snapshot has taken its place")?;
    let shared = peer.partition.shared.clone();
    let mut reader = SnapshotReader::open(&newest).map_err(|error| error.to_string())?;
    let manifest = reader.manifest().clone();
    let offer = message::Offer {
        vote,
        last: snapshot.meta.last_log_id,
        membership: snapshot.meta.last_membership,
        manifest: Bytes::from(manifest.encode()),
    };
    tracing::info!(
        partition = %peer.partition.id(),
        to = peer.target,
        index = manifest.applied.index,
        bytes = newest.bytes(),
        "a member gets a snapshot"
    );
    let answer = peer.call(&message::offer(&offer), CHUNK_WITHIN).await?;
    if answer.kind == message::INSTALLED {
        return message::take_installed(answer.body);
    }
    let there = message::expect(answer, message::RECEIVED).and_then(message::take_received)?;
    if there.len() != manifest.files.len() {
        return Err("the member knows another number of files".to_owned());
    }
    for (number, (file, mut offset)) in manifest.files.iter().zip(there).enumerate() {
        while offset < file.len {
            let (done, read) = oneshot::channel();
            shared.background.run(move || {
                let chunk = reader.chunk(number, offset, CHUNK_BYTES);
                // The receiver is gone only if the attempt was given up.
                let _ = done.send((reader, chunk));
            });
            let (back, chunk) = read
                .await
                .map_err(|_| "the background thread has ended".to_owned())?;
            reader = back;
            let chunk = chunk.map_err(|error| error.to_string())?;
            let frame = message::chunk(number as u32, offset, &chunk);
            let answer = peer.call(&frame, CHUNK_WITHIN).await?;
            message::expect(answer, message::RECEIVED)?;
            offset += chunk.len() as u64;
            peer.partition
                .mailbox
                .metrics
                .snapshot_bytes_sent
                .add(chunk.len() as u64);
        }
    }
    let answer = peer
        .call(&message::bare(message::INSTALL), INSTALL_WITHIN)
        .await?;
    let installed = message::expect(answer, message::INSTALLED)?;
    let position = newest.applied().position;
    peer.partition
        .transfers
        .began_with(peer.target as u32, position);
    message::take_installed(installed)
}
