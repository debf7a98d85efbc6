//! What the cluster is and who asks: answered from memory, never by a partition.
//!
//! Versions shown to clients are Camunda's: clients decide by them what they may ask for.

use std::collections::BTreeSet;

use ringflow_io::{BrokerInfo, Health, PartitionInfo, Role, Topology};

use super::shape::{ObjectWriter, put_list};
use crate::backend::{Cell, Entity, Filter, Literal, Op, Query};
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::submit::Front;

/// Names that the two protocols write in different casing.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Leader => "leader",
        Role::Follower => "follower",
        Role::Inactive => "inactive",
    }
}

/// As [`role`].
pub(crate) const fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Dead => "dead",
    }
}

/// True if at least one partition has a healthy leader.
pub(crate) fn serves(topology: &Topology) -> bool {
    topology
        .brokers
        .iter()
        .flat_map(|broker| &broker.partitions)
        .any(|partition| partition.role == Role::Leader && partition.health == Health::Healthy)
}

/// `getTopology`.
pub(crate) async fn topology(call: Call) -> Result<Answer, Problem> {
    let topology = call.front.backend.commands.topology();
    let version = &call.front.version;
    let mut out = ObjectWriter::new();
    out.with("brokers", |out| {
        put_list(out, &topology.brokers, |broker| {
            broker_json(broker, version)
        });
    })
    .null("clusterId")
    .int("clusterSize", i64::from(topology.cluster_size))
    .int("partitionsCount", i64::from(topology.partitions_count))
    .int("replicationFactor", i64::from(topology.replication_factor))
    .str("gatewayVersion", version)
    .str("lastCompletedChangeId", &last_change(&topology));
    Ok(Answer::Json(out.finish()))
}

/// The change that ended last; -1 if the cluster was never changed.
fn last_change(topology: &Topology) -> String {
    let last = topology.configuration.last.as_ref();
    last.map_or("-1".to_owned(), |last| last.id.to_string())
}

fn broker_json(broker: &BrokerInfo, version: &str) -> String {
    let mut out = ObjectWriter::new();
    out.int("nodeId", i64::from(broker.node_id))
        .str("brokerId", &broker.node_id.to_string())
        .str("host", &broker.address.host)
        .int("port", i64::from(broker.address.port))
        .with("partitions", |out| {
            put_list(out, &broker.partitions, partition_json);
        })
        // Clients compare it with Camunda's versions, not with those of this program.
        .str("version", version);
    out.finish()
}

fn partition_json(partition: &PartitionInfo) -> String {
    let mut out = ObjectWriter::new();
    out.int("partitionId", i64::from(partition.id.0))
        .str("role", role(partition.role))
        .str("health", health(partition.health))
        .str(
            "state",
            match partition.health {
                Health::Healthy | Health::Unhealthy => "active",
                Health::Dead => "unknown",
            },
        );
    out.finish()
}

/// `getStatus`: 204 while somebody serves.
pub(crate) async fn status(call: Call) -> Result<Answer, Problem> {
    Ok(if is_up(&call.front) {
        Answer::NoContent
    } else {
        Answer::Empty(503)
    })
}

fn is_up(front: &Front) -> bool {
    serves(&front.backend.commands.topology())
}

/// `getLicense`.
pub(crate) async fn license(_call: Call) -> Result<Answer, Problem> {
    let mut out = ObjectWriter::new();
    out.flag("validLicense", false)
        .str("licenseType", "unknown")
        .flag("isCommercial", false)
        .null("expiresAt");
    Ok(Answer::Json(out.finish()))
}

/// `getSystemConfiguration`: what a user interface asks before it shows anything.
pub(crate) async fn configuration(call: Call) -> Result<Answer, Problem> {
    let nested = |fill: &dyn Fn(&mut ObjectWriter)| {
        let mut out = ObjectWriter::new();
        fill(&mut out);
        out.finish()
    };
    let mut out = ObjectWriter::new();
    // Windows of a minute, names as long as their columns, no bound on the number of groups.
    let metrics = nested(&|out| {
        out.flag("enabled", true)
            .str("exportInterval", "PT1M")
            .int("maxWorkerNameLength", 400)
            .int("maxJobTypeLength", 255)
            .int("maxTenantIdLength", 400)
            .int("maxUniqueKeys", i64::from(i32::MAX));
    });
    let request = i64::try_from(call.front.limits.message_bytes).unwrap_or(i64::MAX);
    out.raw("jobMetrics", &metrics)
        .raw(
            "components",
            &nested(&|out| {
                out.raw("active", "[]");
            }),
        )
        .raw(
            "deployment",
            &nested(&|out| {
                out.flag("isMultiTenancyEnabled", false)
                    .int("maxRequestSize", request);
            }),
        )
        .raw(
            "authentication",
            &nested(&|out| {
                out.flag("canLogout", call.caller.0.user.is_some())
                    .flag("isLoginDelegated", false);
            }),
        )
        .raw(
            "cloud",
            &nested(&|out| {
                out.null("stage");
            }),
        );
    Ok(Answer::Json(out.finish()))
}

/// The tenants with these ids, as a JSON list.
async fn tenants_json(call: &Call, ids: &BTreeSet<String>) -> Result<String, Problem> {
    let mut text = String::new();
    if ids.is_empty() {
        return Ok("[]".to_owned());
    }
    let query = Query {
        filter: Filter::Field {
            field: "tenantId".into(),
            op: Op::In,
            values: ids.iter().cloned().map(Literal::Text).collect(),
        },
        ..Query::of(Entity::Tenant)
    };
    let page = call.front.reads()?.search(query).await;
    let page = page.map_err(|error| Problem::StorageUnavailable(error.to_string()))?;
    put_list(&mut text, &page.items, |row| {
        let mut out = ObjectWriter::new();
        for field in ["tenantId", "name", "description"] {
            match row.get(field) {
                Some(Cell::Text(value)) => out.str(field, value),
                Some(_) | None => out.null(field),
            };
        }
        out.finish()
    });
    Ok(text)
}

/// `getAuthentication`.
pub(crate) async fn me(call: Call) -> Result<Answer, Problem> {
    let known = call.caller.0.user.as_ref();
    let (name, display_name, email) = known.map_or(("anonymous", "", ""), |user| {
        (
            user.name.as_str(),
            user.display_name.as_str(),
            user.email.as_str(),
        )
    });
    let identity = &call.rest.identity;
    let rights = if known.is_some() && call.front.backend.reads.is_some() {
        identity.rights(&call.caller.0.who).await?
    } else {
        std::sync::Arc::default()
    };
    let components = if identity.guards.authorizations && known.is_some() {
        rights.components()
    } else {
        vec!["*".to_owned()]
    };
    let tenants = tenants_json(&call, &rights.tenants).await?;
    let mut out = ObjectWriter::new();
    out.str("username", name)
        .str_or_null("displayName", display_name)
        .str_or_null("email", email)
        .strs(
            "authorizedComponents",
            components.iter().map(String::as_str),
        )
        .raw("tenants", &tenants)
        .strs("groups", rights.groups.iter().map(String::as_str))
        .strs("roles", rights.roles.iter().map(String::as_str))
        .null("salesPlanType")
        .raw("c8Links", "{}")
        .flag("canLogout", known.is_some());
    Ok(Answer::Json(out.finish()))
}
