//! The replicas of the broker that is asked, each with what it does: `GET /actuator/partitions`.
//!
//! Shape and words are the reference's. Snapshots are files of hard links without positions of their
//! own to tell, so their two members are null; what changes partitions (`POST`) is not served.

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use ringflow_core::ids::{PartitionId, Timestamp};
use ringflow_io::{Health, PartitionInfo, Role};

use super::{Management, Shared};
use crate::op::exporting;
use crate::op::shape::ObjectWriter;
use crate::rest::answer;

/// All replicas here, by partition.
pub(super) async fn list(State(management): Shared) -> Response<Body> {
    let topology = management.front.backend.commands.topology();
    let exporting = exporting::standing(&management.front).await.ok();
    let mut out = ObjectWriter::new();
    let here = topology
        .brokers
        .iter()
        .find(|it| it.node_id == topology.asked);
    for partition in here.into_iter().flat_map(|broker| &broker.partitions) {
        let status = status(&management, partition, exporting);
        out.raw(&partition.id.0.to_string(), &status);
    }
    answer::with_body(200, "application/json", out.finish())
}

fn status(management: &Management, it: &PartitionInfo, exporting: Option<&'static str>) -> String {
    let (role, phase) = match it.role {
        Role::Leader => ("LEADER", "PROCESSING"),
        Role::Follower => ("FOLLOWER", "REPLAY"),
        Role::Inactive => ("INACTIVE", "INITIAL"),
    };
    let health = match it.health {
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
        Health::Dead => "DEAD",
    };
    let mut out = ObjectWriter::new();
    out.str("role", role)
        .int("processedPosition", it.position.cast_signed())
        .null("snapshotId")
        .null("processedPositionInSnapshot")
        .str("streamProcessorPhase", phase);
    match exporting {
        // Only the leader's records are exported by its broker.
        Some(phase) if it.role == Role::Leader => out.str("exporterPhase", phase),
        Some(_) | None => out.str("exporterPhase", "CLOSED"),
    };
    match exported(management, it.id) {
        Some(position) => out.int("exportedPosition", position),
        None => out.null("exportedPosition"),
    };
    let mut state = ObjectWriter::new();
    state
        .str("id", &format!("Partition-{}", it.id.0))
        .str("status", health);
    out.raw("health", &state.finish());
    out.finish()
}

/// Up to where all exporters that run here have exported a partition.
fn exported(management: &Management, id: PartitionId) -> Option<i64> {
    // Only ages are told by it, and nobody asks for them here.
    let now = Timestamp(0);
    let exporters = management.front.backend.exporters.iter();
    exporters
        .filter_map(|(_, metrics)| {
            let snapshot = metrics.snapshot(now);
            let mut partitions = snapshot.partitions.iter();
            let known = partitions.find(|it| it.partition == id)?;
            Some(known.exported.0.cast_signed())
        })
        .min()
}
