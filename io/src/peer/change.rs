//! What brokers say over a link of the cluster's configuration, from protocol version 2 on.
//!
//! | kind | from the dialling side | body |
//! |---|---|---|
//! | 72 | configuration | the document (`cluster/encoding.rs`) |
//! | 73 | standing | `u64` epoch, `u64` version, `u16` groups it leads; each `u16` partition, `u64` term, `u8` 1 if joint, `u16` count and `u32` voters, the same learners |
//! | 74 | change | `u64` request, `u8` 1 if it is only to be tried, request as below |
//!
//! | kind | from the accepting side | body |
//! |---|---|---|
//! | 83 | changed | `u64` request, `u8` outcome: 0 with `u64` change, document, operations, expected document; else text |
//!
//! A request is `u8` kind, then all of its fields whether its kind has them or not: two sets of `u32`
//! (count first), `u32` replication factor (0 = none), `u32` broker, `u16` partition, `u32` priority,
//! `u64` change. Outcomes: 1 invalid, 2 concurrent, 3 unsupported, 4 unreachable, 5 timeout.

use std::collections::BTreeSet;

use bytes::Bytes;
use ringflow_core::ids::PartitionId;

use crate::cluster::CLUSTER_SIZE_MAX;
use crate::cluster::configuration::Configuration;
use crate::cluster::coordinator::PlannedChange;
use crate::cluster::encoding;
use crate::cluster::plan::{ChangeError, ChangeRequest};
use crate::peer::field::{Fields, put_bytes, put_u16, put_u32, put_u64};
use crate::peer::frame;
use crate::peer::roster::{GroupMembers, Standing};

pub(crate) const CONFIGURATION: u8 = 72;
pub(crate) const STANDING: u8 = 73;
pub(crate) const CHANGE: u8 = 74;
pub(crate) const CHANGED: u8 = 83;

const ADD: u8 = 1;
const REMOVE: u8 = 2;
const SCALE: u8 = 3;
const PATCH: u8 = 4;
const FORCE_REMOVE: u8 = 5;
const FORCE_KEEP: u8 = 6;
const JOIN: u8 = 7;
const LEAVE: u8 = 8;
const CANCEL: u8 = 9;

/// Most groups a standing may list.
const GROUPS_MAX: u16 = 4096;

pub(crate) fn configuration(of: &Configuration) -> Vec<u8> {
    let mut out = frame::begin(CONFIGURATION);
    encoding::put(of, &mut out);
    frame::finish(out)
}

pub(crate) fn take_configuration(body: Bytes) -> Result<Configuration, String> {
    encoding::decode(body)
}

pub(crate) fn standing(of: &Standing) -> Vec<u8> {
    let mut out = frame::begin(STANDING);
    put_u64(&mut out, of.stamp.0);
    put_u64(&mut out, of.stamp.1);
    put_u16(&mut out, of.groups.len() as u16);
    for (partition, term, members) in &of.groups {
        put_u16(&mut out, partition.0);
        put_u64(&mut out, *term);
        out.push(u8::from(members.joint));
        for nodes in [&members.voters, &members.learners] {
            put_u16(&mut out, nodes.len() as u16);
            nodes.iter().for_each(|node| put_u32(&mut out, *node));
        }
    }
    frame::finish(out)
}

pub(crate) fn take_standing(body: Bytes) -> Result<Standing, String> {
    let mut fields = Fields::of("a standing", body);
    let stamp = (fields.u64()?, fields.u64()?);
    let count = fields.u16()?;
    if count > GROUPS_MAX {
        return Err(format!("a standing of {count} groups"));
    }
    let mut groups = Vec::new();
    for _ in 0..count {
        let (partition, term) = (PartitionId(fields.u16()?), fields.u64()?);
        let joint = fields.u8()? == 1;
        let mut nodes = || -> Result<Vec<u32>, String> {
            let count = fields.u16()?;
            (0..count).map(|_| fields.u32()).collect()
        };
        let members = GroupMembers {
            joint,
            voters: nodes()?,
            learners: nodes()?,
        };
        groups.push((partition, term, members));
    }
    fields.end()?;
    Ok(Standing { stamp, groups })
}

fn put_set(out: &mut Vec<u8>, set: &BTreeSet<u32>) {
    put_u32(out, set.len() as u32);
    set.iter().for_each(|node| put_u32(out, *node));
}

fn take_set(fields: &mut Fields) -> Result<BTreeSet<u32>, String> {
    let count = fields.u32()?;
    if count > CLUSTER_SIZE_MAX {
        return Err(format!("a set of {count} brokers"));
    }
    (0..count).map(|_| fields.u32()).collect()
}

/// A request for a change, numbered `number` on its link.
pub(crate) fn change(number: u64, request: &ChangeRequest, dry_run: bool) -> Vec<u8> {
    let mut out = frame::begin(CHANGE);
    put_u64(&mut out, number);
    out.push(u8::from(dry_run));
    let none = BTreeSet::new();
    let (kind, sets, factor, place, id) = match request {
        ChangeRequest::Add { brokers } => (ADD, [brokers, &none], 0, (0, 0, 0), 0),
        ChangeRequest::Remove { brokers } => (REMOVE, [brokers, &none], 0, (0, 0, 0), 0),
        ChangeRequest::Scale {
            brokers,
            replication_factor,
        } => {
            let factor = replication_factor.unwrap_or(0);
            (SCALE, [brokers, &none], factor, (0, 0, 0), 0)
        }
        ChangeRequest::Patch {
            add,
            remove,
            replication_factor,
        } => {
            let factor = replication_factor.unwrap_or(0);
            (PATCH, [add, remove], factor, (0, 0, 0), 0)
        }
        ChangeRequest::ForceRemove { brokers } => (FORCE_REMOVE, [brokers, &none], 0, (0, 0, 0), 0),
        ChangeRequest::ForceKeep { brokers } => (FORCE_KEEP, [brokers, &none], 0, (0, 0, 0), 0),
        ChangeRequest::Join {
            broker,
            partition,
            priority,
        } => {
            let place = (*broker, partition.0, *priority);
            (JOIN, [&none, &none], 0, place, 0)
        }
        ChangeRequest::Leave { broker, partition } => {
            (LEAVE, [&none, &none], 0, (*broker, partition.0, 0), 0)
        }
        ChangeRequest::Cancel { id } => (CANCEL, [&none, &none], 0, (0, 0, 0), *id),
    };
    out.push(kind);
    sets.iter().for_each(|set| put_set(&mut out, set));
    put_u32(&mut out, factor);
    put_u32(&mut out, place.0);
    put_u16(&mut out, place.1);
    put_u32(&mut out, place.2);
    put_u64(&mut out, id);
    frame::finish(out)
}

/// Number, request, and whether it is only to be tried.
pub(crate) fn take_change(body: Bytes) -> Result<(u64, ChangeRequest, bool), String> {
    let mut fields = Fields::of("a change of the cluster", body);
    let number = fields.u64()?;
    let dry_run = fields.u8()? == 1;
    let kind = fields.u8()?;
    let (first, second) = (take_set(&mut fields)?, take_set(&mut fields)?);
    let factor = fields.u32()?;
    let replication_factor = (factor > 0).then_some(factor);
    let (broker, partition) = (fields.u32()?, PartitionId(fields.u16()?));
    let (priority, id) = (fields.u32()?, fields.u64()?);
    fields.end()?;
    let request = match kind {
        ADD => ChangeRequest::Add { brokers: first },
        REMOVE => ChangeRequest::Remove { brokers: first },
        SCALE => ChangeRequest::Scale {
            brokers: first,
            replication_factor,
        },
        PATCH => ChangeRequest::Patch {
            add: first,
            remove: second,
            replication_factor,
        },
        FORCE_REMOVE => ChangeRequest::ForceRemove { brokers: first },
        FORCE_KEEP => ChangeRequest::ForceKeep { brokers: first },
        JOIN => ChangeRequest::Join {
            broker,
            partition,
            priority,
        },
        LEAVE => ChangeRequest::Leave { broker, partition },
        CANCEL => ChangeRequest::Cancel { id },
        other => return Err(format!("a change of unknown kind {other}")),
    };
    Ok((number, request, dry_run))
}

/// What became of request `number`.
pub(crate) fn changed(number: u64, outcome: &Result<PlannedChange, ChangeError>) -> Vec<u8> {
    let mut out = frame::begin(CHANGED);
    put_u64(&mut out, number);
    match outcome {
        Ok(planned) => {
            out.push(0);
            put_u64(&mut out, planned.id);
            encoding::put(&planned.current, &mut out);
            encoding::put_operations(&planned.operations, &mut out);
            encoding::put(&planned.expected, &mut out);
        }
        Err(error) => {
            let (code, why) = match error {
                ChangeError::Invalid(why) => (1, why),
                ChangeError::Concurrent(why) => (2, why),
                ChangeError::Unsupported(why) => (3, why),
                ChangeError::Unreachable(why) => (4, why),
                ChangeError::Timeout(why) => (5, why),
            };
            out.push(code);
            put_bytes(&mut out, why.as_bytes());
        }
    }
    frame::finish(out)
}

/// Number of the request, and what became of it.
pub(crate) fn take_changed(
    body: Bytes,
) -> Result<(u64, Result<PlannedChange, ChangeError>), String> {
    let mut fields = Fields::of("the answer to a change", body);
    let number = fields.u64()?;
    let outcome = match fields.u8()? {
        0 => {
            let id = fields.u64()?;
            let current = encoding::take(&mut fields)?;
            let operations = encoding::take_operations(&mut fields)?;
            let expected = encoding::take(&mut fields)?;
            Ok(PlannedChange {
                id,
                current,
                operations,
                expected,
            })
        }
        1 => Err(ChangeError::Invalid(fields.text()?)),
        2 => Err(ChangeError::Concurrent(fields.text()?)),
        3 => Err(ChangeError::Unsupported(fields.text()?)),
        4 => Err(ChangeError::Unreachable(fields.text()?)),
        5 => Err(ChangeError::Timeout(fields.text()?)),
        other => return Err(format!("a change of unknown outcome {other}")),
    };
    fields.end()?;
    Ok((number, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;
    use crate::cluster::plan;

    fn body(frame: &[u8]) -> Bytes {
        Bytes::copy_from_slice(&frame[9..])
    }

    #[test]
    fn requests_and_their_answers_come_back_as_they_were() {
        let set = |nodes: &[u32]| nodes.iter().copied().collect::<BTreeSet<u32>>();
        let (brokers, partition) = (set(&[1, 4]), PartitionId(3));
        let requests = [
            ChangeRequest::Add {
                brokers: brokers.clone(),
            },
            ChangeRequest::Remove {
                brokers: brokers.clone(),
            },
            ChangeRequest::Scale {
                brokers: brokers.clone(),
                replication_factor: Some(2),
            },
            ChangeRequest::Patch {
                add: brokers.clone(),
                remove: set(&[7]),
                replication_factor: None,
            },
            ChangeRequest::ForceRemove {
                brokers: brokers.clone(),
            },
            ChangeRequest::ForceKeep { brokers },
            ChangeRequest::Join {
                broker: 5,
                partition,
                priority: 2,
            },
            ChangeRequest::Leave {
                broker: 5,
                partition,
            },
            ChangeRequest::Cancel { id: 9 },
        ];
        for (number, request) in requests.into_iter().enumerate() {
            let sent = body(&change(number as u64, &request, number == 2));
            let back = take_change(sent.clone()).unwrap();
            assert_eq!(back, (number as u64, request, number == 2));
            for len in 0..sent.len() {
                assert!(take_change(sent.slice(..len)).is_err());
            }
        }
        let options = ClusterOptions {
            size: 3,
            ..ClusterOptions::default()
        };
        let current = Configuration::founding(&options, 2);
        let request = ChangeRequest::Add { brokers: set(&[3]) };
        let operations = plan::plan(&current, &request).unwrap();
        let planned = PlannedChange {
            id: 4,
            expected: plan::expected(&current, &operations, 8),
            current: current.clone(),
            operations,
        };
        let refused = |why: &str| Err(ChangeError::Concurrent(why.to_owned()));
        for outcome in [Ok(planned), refused("another")] {
            let sent = body(&changed(7, &outcome));
            assert_eq!(take_changed(sent.clone()).unwrap(), (7, outcome));
            for len in 0..sent.len() {
                assert!(take_changed(sent.slice(..len)).is_err());
            }
        }
        let sent = body(&configuration(&current));
        assert_eq!(take_configuration(sent).unwrap(), current);
    }

    #[test]
    fn a_standing_comes_back_as_it_was() {
        let members = GroupMembers {
            joint: true,
            voters: vec![0, 1, 2],
            learners: vec![9],
        };
        let told = Standing {
            stamp: (1, 5),
            groups: vec![(PartitionId(2), 4, members)],
        };
        let sent = body(&standing(&told));
        assert_eq!(take_standing(sent.clone()).unwrap(), told);
        for len in 0..sent.len() {
            assert!(take_standing(sent.slice(..len)).is_err());
        }
    }
}
