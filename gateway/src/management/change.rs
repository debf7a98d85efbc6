//! Changing the cluster over the management port, in Camunda's shapes.
//!
//! | path | asks for |
//! |---|---|
//! | `PATCH /actuator/cluster` | brokers that come and go (`brokers.add`, `.remove`, `.count`), `partitions.replicationFactor`; partitions are spread anew |
//! | `POST /actuator/cluster/brokers` | a cluster of exactly the listed brokers; `?replicationFactor=` |
//! | `POST`, `DELETE /actuator/cluster/brokers/{broker}` | a member more, or one without replicas less |
//! | `POST`, `DELETE .../brokers/{broker}/partitions/{partition}`, and the other way round | a replica more (`{"priority": n}`) or less |
//! | `DELETE /actuator/cluster/changes/{change}` | an end of the change that is under way |
//!
//! `?dryRun=true` only says what would be done, `?force=true` removes brokers that will never come back.
//! 202 says that the change has begun. Any broker takes the request and hands it to the one that changes
//! the cluster.

use std::collections::BTreeSet;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::Response;
use ringflow_core::ids::PartitionId;
use ringflow_io::{ChangeError, ChangeRequest, PlannedChange};
use serde_json::Value;

use super::Shared;
use super::cluster::{operation, put_brokers};
use crate::op::shape::{ObjectWriter, put_list};
use crate::rest::answer;

/// What a request's query says.
#[derive(Default)]
struct Flags {
    dry_run: bool,
    force: bool,
    replication_factor: Option<u32>,
}

impl Flags {
    fn read(query: Option<&str>) -> Result<Self, String> {
        let mut flags = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let truth = || match value {
                "true" => Ok(true),
                "false" | "" => Ok(false),
                other => Err(format!("{name}: {other:?} is neither true nor false")),
            };
            match name {
                "dryRun" => flags.dry_run = truth()?,
                "force" => flags.force = truth()?,
                "replicationFactor" => {
                    let factor = value.parse();
                    let factor = factor.map_err(|_| format!("{name}: {value:?} is no number"))?;
                    flags.replication_factor = Some(factor);
                }
                // Whatever else there is means nothing here.
                _ => {}
            }
        }
        Ok(flags)
    }
}

pub(super) fn refuse(code: u16, why: &str) -> Response<Body> {
    let mut out = ObjectWriter::new();
    out.str("message", why);
    answer::with_body(code, "application/json", out.finish())
}

fn code(error: &ChangeError) -> u16 {
    match error {
        ChangeError::Invalid(_) => 400,
        ChangeError::Concurrent(_) => 409,
        ChangeError::Unsupported(_) => 501,
        ChangeError::Unreachable(_) => 502,
        ChangeError::Timeout(_) => 504,
    }
}

fn planned(planned: &PlannedChange) -> Response<Body> {
    let mut out = ObjectWriter::new();
    out.int("changeId", planned.id.cast_signed())
        .with("currentTopology", |out| {
            put_brokers(&planned.current, None, out)
        })
        .with("plannedChanges", |out| {
            put_list(out, &planned.operations, |it| operation(it, None));
        })
        .with("expectedTopology", |out| {
            put_brokers(&planned.expected, None, out)
        });
    answer::with_body(202, "application/json", out.finish())
}

async fn ask(
    management: &Shared,
    query: Option<&str>,
    request: impl FnOnce(&Flags) -> Result<ChangeRequest, ChangeError>,
) -> Response<Body> {
    let flags = match Flags::read(query) {
        Ok(flags) => flags,
        Err(why) => return refuse(400, &why),
    };
    let request = match request(&flags) {
        Ok(request) => request,
        Err(error) => return refuse(code(&error), &error.to_string()),
    };
    let commands = &management.front.backend.commands;
    match commands.change(request, flags.dry_run).await {
        Ok(done) => planned(&done),
        Err(error) => refuse(code(&error), &error.to_string()),
    }
}

fn invalid(why: impl Into<String>) -> ChangeError {
    ChangeError::Invalid(why.into())
}

fn broker(value: &Value) -> Result<u32, ChangeError> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| invalid(format!("{value} is no broker id")))
}

fn brokers(value: &Value) -> Result<BTreeSet<u32>, ChangeError> {
    let list = value.as_array();
    let list = list.ok_or_else(|| invalid(format!("{value} is no list of broker ids")))?;
    list.iter().map(broker).collect()
}

fn parsed(body: &Bytes) -> Result<Value, ChangeError> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("the body is no JSON: {error}")))
}

/// The number under `name`, if it is there.
fn number(of: &Value, name: &str) -> Result<Option<u32>, ChangeError> {
    match of.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or_else(|| invalid(format!("{name}: {value} is no number")))?;
            Ok(Some(number))
        }
    }
}

/// `PATCH /actuator/cluster`.
pub(super) async fn patch(
    State(management): Shared,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response<Body> {
    let members = management.front.backend.commands.topology();
    ask(&State(management), query.as_deref(), |flags| {
        let body = parsed(&body)?;
        let none = Value::Null;
        let of_brokers = body.get("brokers").unwrap_or(&none);
        let of_partitions = body.get("partitions").unwrap_or(&none);
        let set = |name| match of_brokers.get(name).filter(|value| !value.is_null()) {
            None => Ok(BTreeSet::new()),
            Some(value) => brokers(value),
        };
        let (add, remove) = (set("add")?, set("remove")?);
        let replication_factor = number(of_partitions, "replicationFactor")?;
        let partitions = number(of_partitions, "count")?;
        if partitions.is_some_and(|count| count != u32::from(members.partitions_count)) {
            return Err(ChangeError::Unsupported(
                "the number of partitions cannot be changed".to_owned(),
            ));
        }
        let count = number(of_brokers, "count")?;
        if count.is_some() && !(add.is_empty() && remove.is_empty()) {
            return Err(invalid(
                "Cannot change brokers count and add/remove brokers at the same time. Specify either \
                 the new brokers count or brokers to add and remove.",
            ));
        }
        if flags.force {
            if !add.is_empty() || replication_factor.is_some() || partitions.is_some() {
                return Err(invalid(
                    "Cannot force more than the removal of brokers: nothing can be added or spread anew",
                ));
            }
            return Ok(match count {
                Some(count) => ChangeRequest::ForceKeep {
                    brokers: (0..count).collect(),
                },
                None => ChangeRequest::ForceRemove { brokers: remove },
            });
        }
        Ok(match count {
            Some(count) => ChangeRequest::Scale {
                brokers: (0..count).collect(),
                replication_factor,
            },
            None => ChangeRequest::Patch {
                add,
                remove,
                replication_factor,
            },
        })
    })
    .await
}

/// `POST /actuator/cluster/brokers`.
pub(super) async fn scale(
    State(management): Shared,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response<Body> {
    ask(&State(management), query.as_deref(), |flags| {
        let brokers = brokers(&parsed(&body)?)?;
        Ok(if flags.force {
            ChangeRequest::ForceKeep { brokers }
        } else {
            ChangeRequest::Scale {
                brokers,
                replication_factor: flags.replication_factor,
            }
        })
    })
    .await
}

/// `POST /actuator/cluster/brokers/{broker}`.
pub(super) async fn add(
    State(management): Shared,
    RawQuery(query): RawQuery,
    Path(broker): Path<u32>,
) -> Response<Body> {
    let brokers = BTreeSet::from([broker]);
    let request = |_: &Flags| Ok(ChangeRequest::Add { brokers });
    ask(&State(management), query.as_deref(), request).await
}

/// `DELETE /actuator/cluster/brokers/{broker}`.
pub(super) async fn remove(
    State(management): Shared,
    RawQuery(query): RawQuery,
    Path(broker): Path<u32>,
) -> Response<Body> {
    let brokers = BTreeSet::from([broker]);
    let request = |flags: &Flags| {
        Ok(if flags.force {
            ChangeRequest::ForceRemove { brokers }
        } else {
            ChangeRequest::Remove { brokers }
        })
    };
    ask(&State(management), query.as_deref(), request).await
}

/// `POST .../brokers/{broker}/partitions/{partition}`.
pub(super) async fn join(
    management: Shared,
    query: RawQuery,
    Path((broker, partition)): Path<(u32, u16)>,
    body: Bytes,
) -> Response<Body> {
    let request = |_: &Flags| {
        let priority = number(&parsed(&body)?, "priority")?;
        Ok(ChangeRequest::Join {
            broker,
            partition: PartitionId(partition),
            priority: priority.ok_or_else(|| invalid("the body has no priority"))?,
        })
    };
    ask(&management, query.0.as_deref(), request).await
}

/// `POST .../partitions/{partition}/brokers/{broker}`.
pub(super) async fn join_of(
    management: Shared,
    query: RawQuery,
    Path((partition, broker)): Path<(u16, u32)>,
    body: Bytes,
) -> Response<Body> {
    join(management, query, Path((broker, partition)), body).await
}

/// `DELETE .../brokers/{broker}/partitions/{partition}`.
pub(super) async fn leave(
    management: Shared,
    query: RawQuery,
    Path((broker, partition)): Path<(u32, u16)>,
) -> Response<Body> {
    let partition = PartitionId(partition);
    let request = |_: &Flags| Ok(ChangeRequest::Leave { broker, partition });
    ask(&management, query.0.as_deref(), request).await
}

/// `DELETE .../partitions/{partition}/brokers/{broker}`.
pub(super) async fn leave_of(
    management: Shared,
    query: RawQuery,
    Path((partition, broker)): Path<(u16, u32)>,
) -> Response<Body> {
    leave(management, query, Path((broker, partition))).await
}

/// `DELETE /actuator/cluster/changes/{change}`.
pub(super) async fn cancel(
    State(management): Shared,
    RawQuery(query): RawQuery,
    Path(change): Path<String>,
) -> Response<Body> {
    match Flags::read(query.as_deref()) {
        Ok(flags) if flags.dry_run => {
            return refuse(501, "Dry run is not supported for cancelling changes");
        }
        Ok(_) => {}
        Err(why) => return refuse(400, &why),
    }
    let Ok(id) = change.parse() else {
        return refuse(400, "Change id must be a number");
    };
    let commands = &management.front.backend.commands;
    match commands.change(ChangeRequest::Cancel { id }, false).await {
        Ok(cancelled) => {
            let shown = super::cluster::shown(&cancelled.expected, &commands.topology());
            answer::with_body(200, "application/json", shown)
        }
        Err(error) => refuse(code(&error), &error.to_string()),
    }
}
