//! The cluster as operators see and steer it: who has which replica, who leads, who should.
//!
//! | path | does |
//! |---|---|
//! | `GET /actuator/cluster` | brokers and their replicas, the last and the pending change; Camunda's fields, and role, health, term, position, log index |
//! | `GET /actuator/cluster/changes`, `.../{change}` | the pending and the last change |
//! | `POST /actuator/rebalance` | asks every leader that is not the preferred one to hand over to it |
//! | `POST /actuator/cluster/partitions/{partition}/leader/{broker}` | asks the partition's leader to hand over to that broker |
//!
//! Asking is all the last two do: 202 says that leaders were asked, and the cluster shows what came of
//! it. How the cluster is changed is in [`super::change`].

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use ringflow_core::ids::PartitionId;
use ringflow_io::{
    BrokerInfo, ChangeEnd, Configuration, EndedChange, Health, Operation, PartitionInfo,
    PendingChange, PlaceState, PlacedReplica, Topology,
};

use super::Shared;
use super::change::refuse;
use crate::op::cluster::{health, role};
use crate::op::shape::{ObjectWriter, date_time, put_list};
use crate::rest::answer;

/// Every broker of the cluster, those that are not up as well.
pub(super) async fn show(State(management): Shared) -> Response<Body> {
    let topology = management.front.backend.commands.topology();
    let shown = shown(&topology.configuration, &topology);
    answer::with_body(200, "application/json", shown)
}

/// `configuration`, with what `topology` knows of its replicas.
pub(super) fn shown(configuration: &Configuration, topology: &Topology) -> String {
    let mut out = ObjectWriter::new();
    out.int("version", configuration.version.cast_signed())
        .int("clusterSize", configuration.members.len() as i64)
        .int("partitionsCount", i64::from(topology.partitions_count))
        .int("replicationFactor", i64::from(topology.replication_factor))
        .with("brokers", |out| {
            put_brokers(configuration, Some(topology), out);
        });
    if let Some(last) = &configuration.last {
        out.raw("lastChange", &ended(last));
    }
    if let Some(change) = &configuration.pending {
        out.raw("pendingChange", &pending(change));
    }
    let partitions = i64::from(configuration.partitions);
    let strategy = |name: &str| {
        let mut out = ObjectWriter::new();
        out.str("strategy", name).int("partitionCount", partitions);
        out.finish()
    };
    let mut routing = ObjectWriter::new();
    routing
        .int("version", 1)
        .raw("requestHandling", &strategy("AllPartitions"))
        .raw("messageCorrelation", &strategy("HashMod"));
    out.raw("routing", &routing.finish());
    let mut dealt = ObjectWriter::new();
    dealt.str("type", "ROUND_ROBIN");
    out.raw("partitionDistribution", &dealt.finish());
    out.finish()
}

fn place(state: PlaceState) -> &'static str {
    match state {
        PlaceState::Joining => "JOINING",
        PlaceState::Active => "ACTIVE",
        PlaceState::Leaving => "LEAVING",
    }
}

/// Appends the brokers of a configuration, with what is known of them where a topology is given.
pub(super) fn put_brokers(
    configuration: &Configuration,
    topology: Option<&Topology>,
    out: &mut String,
) {
    let members: Vec<_> = configuration.members.iter().collect();
    put_list(out, &members, |(node, member)| {
        let known = topology.map(|topology| {
            let mut brokers = topology.brokers.iter();
            brokers.find(|it| it.node_id == **node)
        });
        let state = match (&known, member.state) {
            // Configured, and nobody hears of it.
            (Some(None), PlaceState::Active) => "UNKNOWN",
            (_, state) => place(state),
        };
        let replicas: Vec<_> = member.replicas.iter().collect();
        let mut out = ObjectWriter::new();
        out.int("id", i64::from(**node))
            .str("state", state)
            .int("version", member.version.cast_signed())
            .str("lastUpdatedAt", &date_time(member.updated.cast_signed()))
            .with("partitions", |out| {
                put_list(out, &replicas, |(id, placed)| {
                    replica(**id, **placed, known.flatten())
                });
            });
        if let Some(known) = known.flatten() {
            out.str("programVersion", &known.version);
        }
        out.finish()
    });
}

fn replica(id: PartitionId, placed: PlacedReplica, known: Option<&BrokerInfo>) -> String {
    let known = known.and_then(|broker| broker.partitions.iter().find(|it| it.id == id));
    let dead = known.is_some_and(|it| it.health == Health::Dead);
    let mut out = ObjectWriter::new();
    out.int("id", i64::from(id.0))
        .str("state", if dead { "UNKNOWN" } else { place(placed.state) })
        .int("priority", i64::from(placed.priority));
    if let Some(known) = known {
        put_standing(known, &mut out);
    }
    out.finish()
}

fn put_standing(replica: &PartitionInfo, out: &mut ObjectWriter) {
    out.str("role", role(replica.role))
        .str("health", health(replica.health))
        .int("term", replica.term.cast_signed())
        .int("position", replica.position.cast_signed())
        .int("index", replica.index.cast_signed());
}

/// An operation, with the time at which it was done.
pub(super) fn operation(operation: &Operation, done: Option<u64>) -> String {
    let (name, partition, priority) = match operation {
        Operation::BrokerAdd { .. } => ("BROKER_ADD", None, None),
        Operation::BrokerRemove { .. } => ("BROKER_REMOVE", None, None),
        Operation::PartitionJoin {
            partition,
            priority,
            ..
        } => ("PARTITION_JOIN", Some(partition), Some(priority)),
        Operation::PartitionLeave { partition, .. } => ("PARTITION_LEAVE", Some(partition), None),
        Operation::PartitionReconfigurePriority {
            partition,
            priority,
            ..
        } => (
            "PARTITION_RECONFIGURE_PRIORITY",
            Some(partition),
            Some(priority),
        ),
    };
    let mut out = ObjectWriter::new();
    out.str("operation", name)
        .int("brokerId", i64::from(operation.broker()));
    if let Some(partition) = partition {
        out.int("partitionId", i64::from(partition.0));
    }
    if let Some(priority) = priority {
        out.int("priority", i64::from(*priority));
    }
    if let Some(done) = done {
        out.str("completedAt", &date_time(done.cast_signed()));
    }
    out.finish()
}

fn pending(change: &PendingChange) -> String {
    let (done, left) = change.operations.split_at(change.done.len());
    let done: Vec<_> = done.iter().zip(&change.done).collect();
    let mut out = ObjectWriter::new();
    out.int("id", change.id.cast_signed())
        .str("status", "IN_PROGRESS")
        .str("startedAt", &date_time(change.started.cast_signed()))
        .with("completed", |out| {
            put_list(out, &done, |(it, at)| operation(it, Some(**at)));
        })
        .with("pending", |out| {
            put_list(out, left, |it| operation(it, None));
        });
    out.finish()
}

fn ended(change: &EndedChange) -> String {
    let mut out = ObjectWriter::new();
    out.int("id", change.id.cast_signed())
        .str(
            "status",
            match change.end {
                ChangeEnd::Completed => "COMPLETED",
                ChangeEnd::Cancelled => "CANCELLED",
            },
        )
        .str("startedAt", &date_time(change.started.cast_signed()))
        .str("completedAt", &date_time(change.ended.cast_signed()));
    out.finish()
}

/// The changes that are known, the newest first: number and shape.
fn changes(configuration: &Configuration) -> Vec<(u64, String)> {
    let now = configuration.pending.as_ref();
    let last = configuration.last.as_ref();
    now.map(|change| (change.id, pending(change)))
        .into_iter()
        .chain(last.map(|change| (change.id, ended(change))))
        .collect()
}

/// What changes and what changed last.
pub(super) async fn list_changes(State(management): Shared) -> Response<Body> {
    let topology = management.front.backend.commands.topology();
    let found = changes(&topology.configuration);
    let mut out = ObjectWriter::new();
    out.with("changes", |out| {
        put_list(out, &found, |(_, shape)| shape.clone())
    });
    answer::with_body(200, "application/json", out.finish())
}

/// One change.
pub(super) async fn show_change(
    State(management): Shared,
    Path(change): Path<String>,
) -> Response<Body> {
    let topology = management.front.backend.commands.topology();
    let found = changes(&topology.configuration);
    let wanted: Option<u64> = change.parse().ok();
    match found.into_iter().find(|(id, _)| Some(*id) == wanted) {
        Some((_, shape)) => answer::with_body(200, "application/json", shape),
        None => refuse(404, &format!("change {change} is not known")),
    }
}

/// Leaders go where they are preferred.
pub(super) async fn rebalance(State(management): Shared) -> Response<Body> {
    let asked = management.front.backend.commands.rebalance();
    let mut out = ObjectWriter::new();
    out.int("asked", i64::try_from(asked).unwrap_or(i64::MAX));
    answer::with_body(202, "application/json", out.finish())
}

/// One leader goes where it is told.
pub(super) async fn transfer(
    State(management): Shared,
    Path((partition, broker)): Path<(u16, u32)>,
) -> Response<Body> {
    let front = Arc::clone(&management.front);
    let topology = front.backend.commands.topology();
    let id = PartitionId(partition);
    let up = topology.brokers.iter().find(|it| it.node_id == broker);
    let has = up.is_some_and(|it| it.partitions.iter().any(|replica| replica.id == id));
    if !has {
        let why = format!("broker {broker} is not up or has no replica of partition {partition}");
        return refuse(404, &why);
    }
    if !front.backend.commands.transfer(id, broker) {
        return refuse(503, &format!("partition {partition} has no leader to ask"));
    }
    answer::with_body(202, "application/json", "{}".to_owned())
}
