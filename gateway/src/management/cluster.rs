//! The cluster as operators see and steer it: who has which replica, who leads, who should.
//!
//! | path | does |
//! |---|---|
//! | `GET /actuator/cluster` | brokers and their replicas; Camunda's fields, and role, health, term, position, log index |
//! | `POST /actuator/rebalance` | asks every leader that is not the preferred one to hand over to it |
//! | `POST /actuator/cluster/partitions/{partition}/leader/{broker}` | asks the partition's leader to hand over to that broker |
//!
//! Asking is all these do: 202 says that leaders were asked, and the cluster shows what came of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use ringflow_core::ids::PartitionId;
use ringflow_io::{BrokerInfo, Health, PartitionInfo, Topology};

use super::Shared;
use crate::op::cluster::{health, role};
use crate::op::shape::{ObjectWriter, put_list};
use crate::rest::answer;

/// Every broker of the cluster, those that are not up as well.
pub(super) async fn show(State(management): Shared) -> Response<Body> {
    let topology = management.front.backend.commands.topology();
    let brokers: Vec<u32> = (0..topology.cluster_size).collect();
    let mut out = ObjectWriter::new();
    out.int("version", 1)
        .int("clusterSize", i64::from(topology.cluster_size))
        .int("partitionsCount", i64::from(topology.partitions_count))
        .int("replicationFactor", i64::from(topology.replication_factor))
        .with("brokers", |out| {
            put_list(out, &brokers, |node| broker(&topology, *node));
        });
    answer::with_body(200, "application/json", out.finish())
}

fn broker(topology: &Topology, node: u32) -> String {
    let none = BrokerInfo {
        node_id: node,
        address: ringflow_io::BrokerAddress::default(),
        version: String::new(),
        partitions: Vec::new(),
    };
    let known = topology.brokers.iter().find(|it| it.node_id == node);
    let broker = known.unwrap_or(&none);
    let mut out = ObjectWriter::new();
    out.int("id", i64::from(node))
        .str("state", if known.is_some() { "ACTIVE" } else { "UNKNOWN" })
        .str("version", &broker.version)
        .with("partitions", |out| {
            put_list(out, &broker.partitions, replica);
        });
    out.finish()
}

fn replica(replica: &PartitionInfo) -> String {
    let mut out = ObjectWriter::new();
    out.int("id", i64::from(replica.id.0))
        .str(
            "state",
            match replica.health {
                Health::Healthy | Health::Unhealthy => "ACTIVE",
                Health::Dead => "UNKNOWN",
            },
        )
        .int("priority", i64::from(replica.priority))
        .str("role", role(replica.role))
        .str("health", health(replica.health))
        .int("term", replica.term.cast_signed())
        .int("position", replica.position.cast_signed())
        .int("index", replica.index.cast_signed());
    out.finish()
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
    let refuse = |code, why: String| {
        let mut out = ObjectWriter::new();
        out.str("message", &why);
        answer::with_body(code, "application/json", out.finish())
    };
    let up = topology.brokers.iter().find(|it| it.node_id == broker);
    let has = up.is_some_and(|it| it.partitions.iter().any(|replica| replica.id == id));
    if !has {
        let why = format!("broker {broker} is not up or has no replica of partition {partition}");
        return refuse(404, why);
    }
    if !front.backend.commands.transfer(id, broker) {
        return refuse(503, format!("partition {partition} has no leader to ask"));
    }
    answer::with_body(202, "application/json", "{}".to_owned())
}
