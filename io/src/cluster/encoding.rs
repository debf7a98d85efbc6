//! The bytes of a cluster configuration: on disk, and between brokers.
//!
//! The table is in `docs/format/cluster-configuration.md`. What is read is checked as if somebody had
//! made it up: lengths, states and kinds that are none are refused with a sentence, and so is a
//! document of a newer format, whose writer knows more than this program. On disk a checksum stands
//! before it; on a link the frame has one.

use std::collections::BTreeMap;

use bytes::Bytes;
use ringflow_core::ids::PartitionId;

use crate::cluster::CLUSTER_SIZE_MAX;
use crate::cluster::configuration::{
    ChangeEnd, ClusterMember, Configuration, EndedChange, Operation, PendingChange, PlaceState,
    PlacedReplica,
};
use crate::peer::field::{Fields, put_u16, put_u32, put_u64};

/// Format of the document.
const FORMAT: u16 = 1;
/// Most operations of one change.
pub(crate) const OPERATIONS_MAX: u32 = 1 << 16;
/// Bytes of the checksum before a document on disk.
const CHECKSUM_LEN: usize = 4;

const BROKER_ADD: u8 = 1;
const BROKER_REMOVE: u8 = 2;
const PARTITION_JOIN: u8 = 3;
const PARTITION_LEAVE: u8 = 4;
const PARTITION_RECONFIGURE_PRIORITY: u8 = 5;

/// The document as bytes.
pub(crate) fn encode(of: &Configuration) -> Vec<u8> {
    let mut out = Vec::new();
    put(of, &mut out);
    out
}

/// Appends the document.
pub(crate) fn put(of: &Configuration, out: &mut Vec<u8>) {
    put_u16(out, FORMAT);
    put_u64(out, of.epoch);
    put_u64(out, of.version);
    put_u32(out, of.founding_size);
    put_u32(out, of.founding_factor);
    put_u16(out, of.partitions);
    put_u32(out, of.members.len() as u32);
    for (node, member) in &of.members {
        put_u32(out, *node);
        out.push(member.state as u8);
        put_u64(out, member.version);
        put_u64(out, member.updated);
        put_u16(out, member.replicas.len() as u16);
        for (partition, replica) in &member.replicas {
            put_u16(out, partition.0);
            out.push(replica.state as u8);
            put_u32(out, replica.priority);
        }
    }
    out.push(u8::from(of.pending.is_some()));
    if let Some(change) = &of.pending {
        put_u64(out, change.id);
        put_u32(out, change.led_by);
        put_u64(out, change.started);
        put_operations(&change.operations, out);
        put_u32(out, change.done.len() as u32);
        change.done.iter().for_each(|at| put_u64(out, *at));
    }
    out.push(u8::from(of.last.is_some()));
    if let Some(last) = &of.last {
        put_u64(out, last.id);
        out.push(last.end as u8);
        put_u64(out, last.started);
        put_u64(out, last.ended);
    }
}

/// Appends operations behind their number.
pub(crate) fn put_operations(operations: &[Operation], out: &mut Vec<u8>) {
    put_u32(out, operations.len() as u32);
    for operation in operations {
        let (kind, partition, priority) = match operation {
            Operation::BrokerAdd { .. } => (BROKER_ADD, PartitionId(0), 0),
            Operation::BrokerRemove { .. } => (BROKER_REMOVE, PartitionId(0), 0),
            Operation::PartitionJoin {
                partition,
                priority,
                ..
            } => (PARTITION_JOIN, *partition, *priority),
            Operation::PartitionLeave { partition, .. } => (PARTITION_LEAVE, *partition, 0),
            Operation::PartitionReconfigurePriority {
                partition,
                priority,
                ..
            } => (PARTITION_RECONFIGURE_PRIORITY, *partition, *priority),
        };
        out.push(kind);
        put_u32(out, operation.broker());
        put_u16(out, partition.0);
        put_u32(out, priority);
    }
}

/// Reads operations.
pub(crate) fn take_operations(fields: &mut Fields) -> Result<Vec<Operation>, String> {
    let count = fields.u32()?;
    if count > OPERATIONS_MAX {
        return Err(format!("a change of {count} operations"));
    }
    let mut operations = Vec::new();
    for _ in 0..count {
        let (kind, broker) = (fields.u8()?, fields.u32()?);
        let (partition, priority) = (PartitionId(fields.u16()?), fields.u32()?);
        operations.push(match kind {
            BROKER_ADD => Operation::BrokerAdd { broker },
            BROKER_REMOVE => Operation::BrokerRemove { broker },
            PARTITION_JOIN => Operation::PartitionJoin {
                broker,
                partition,
                priority,
            },
            PARTITION_LEAVE => Operation::PartitionLeave { broker, partition },
            PARTITION_RECONFIGURE_PRIORITY => Operation::PartitionReconfigurePriority {
                broker,
                partition,
                priority,
            },
            other => return Err(format!("an operation of unknown kind {other}")),
        });
    }
    Ok(operations)
}

fn state(fields: &mut Fields) -> Result<PlaceState, String> {
    let code = fields.u8()?;
    PlaceState::from_code(code).ok_or_else(|| format!("a place of unknown state {code}"))
}

fn flag(fields: &mut Fields) -> Result<bool, String> {
    match fields.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("{other} where 0 or 1 should stand")),
    }
}

/// Reads a document from the front of `fields`.
pub(crate) fn take(fields: &mut Fields) -> Result<Configuration, String> {
    let format = fields.u16()?;
    if format != FORMAT {
        return Err(format!(
            "a cluster configuration of format {format}, this broker knows {FORMAT}"
        ));
    }
    let (epoch, version) = (fields.u64()?, fields.u64()?);
    let (founding_size, founding_factor) = (fields.u32()?, fields.u32()?);
    let partitions = fields.u16()?;
    let count = fields.u32()?;
    if count == 0 || count > CLUSTER_SIZE_MAX {
        return Err(format!("a cluster of {count} brokers"));
    }
    let mut members = BTreeMap::new();
    for _ in 0..count {
        let node = fields.u32()?;
        if node >= CLUSTER_SIZE_MAX {
            return Err(format!("a broker with number {node}"));
        }
        let state_of = state(fields)?;
        let (version, updated) = (fields.u64()?, fields.u64()?);
        let mut replicas = BTreeMap::new();
        for _ in 0..fields.u16()? {
            let partition = PartitionId(fields.u16()?);
            if partition.0 == 0 || partition.0 > partitions {
                return Err(format!("a replica of partition {partition}"));
            }
            let placed = PlacedReplica {
                state: state(fields)?,
                priority: fields.u32()?,
            };
            replicas.insert(partition, placed);
        }
        let member = ClusterMember {
            state: state_of,
            version,
            updated,
            replicas,
        };
        members.insert(node, member);
    }
    let pending = if flag(fields)? {
        let (id, led_by, started) = (fields.u64()?, fields.u32()?, fields.u64()?);
        let operations = take_operations(fields)?;
        let done = fields.u32()?;
        if done as usize > operations.len() {
            return Err("more operations are done than there are".to_owned());
        }
        let done: Result<Vec<u64>, String> = (0..done).map(|_| fields.u64()).collect();
        Some(PendingChange {
            id,
            led_by,
            started,
            operations,
            done: done?,
        })
    } else {
        None
    };
    let last = if flag(fields)? {
        let id = fields.u64()?;
        let end = match fields.u8()? {
            1 => ChangeEnd::Completed,
            2 => ChangeEnd::Cancelled,
            other => return Err(format!("a change that ended as {other}")),
        };
        Some(EndedChange {
            id,
            end,
            started: fields.u64()?,
            ended: fields.u64()?,
        })
    } else {
        None
    };
    Ok(Configuration {
        epoch,
        version,
        founding_size,
        founding_factor,
        partitions,
        members,
        pending,
        last,
    })
}

/// Reads a document that is all there is.
pub(crate) fn decode(bytes: Bytes) -> Result<Configuration, String> {
    let mut fields = Fields::of("a cluster configuration", bytes);
    let read = take(&mut fields)?;
    fields.end()?;
    Ok(read)
}

/// The document as it is written to disk.
pub(crate) fn to_disk(of: &Configuration) -> Vec<u8> {
    let bytes = encode(of);
    let mut out = crc32c::crc32c(&bytes).to_le_bytes().to_vec();
    out.extend_from_slice(&bytes);
    out
}

/// Reads what [`to_disk`] wrote.
pub(crate) fn from_disk(bytes: Vec<u8>) -> Result<Configuration, String> {
    let bytes = Bytes::from(bytes);
    let mut fields = Fields::of("a cluster configuration", bytes.clone());
    let crc = fields.u32()?;
    let rest = bytes.slice(CHECKSUM_LEN..);
    if crc32c::crc32c(&rest) != crc {
        return Err("the checksum of the cluster configuration does not match".to_owned());
    }
    decode(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    fn changed() -> Configuration {
        let options = ClusterOptions {
            size: 2,
            replication_factor: 1,
            ..ClusterOptions::default()
        };
        let mut of = Configuration::founding(&options, 2);
        of.version = 7;
        of.epoch = 1;
        of.place(1, PartitionId(1), PlaceState::Joining, 3, 99);
        let (broker, partition) = (1, PartitionId(1));
        of.pending = Some(PendingChange {
            id: 6,
            led_by: 0,
            started: 90,
            operations: vec![
                Operation::BrokerAdd { broker },
                Operation::PartitionJoin {
                    broker,
                    partition,
                    priority: 3,
                },
                Operation::PartitionReconfigurePriority {
                    broker,
                    partition,
                    priority: 4,
                },
                Operation::PartitionLeave { broker, partition },
                Operation::BrokerRemove { broker },
            ],
            done: vec![91],
        });
        of.last = Some(EndedChange {
            id: 2,
            end: ChangeEnd::Cancelled,
            started: 3,
            ended: 4,
        });
        of
    }

    #[test]
    fn a_founding_has_these_bytes() {
        let options = ClusterOptions::default();
        let bytes = encode(&Configuration::founding(&options, 1));
        let mut expected = vec![1, 0];
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
        expected.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 1, 0, 0, 0]);
        expected.extend_from_slice(&[0, 0]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn documents_come_back_and_nothing_else_is_taken_for_one() {
        let of = changed();
        assert_eq!(from_disk(to_disk(&of)), Ok(of.clone()));
        let bytes = encode(&of);
        for len in 0..bytes.len() {
            assert!(decode(Bytes::copy_from_slice(&bytes[..len])).is_err());
        }
        let disk = to_disk(&of);
        for at in 0..disk.len() {
            let mut flipped = disk.clone();
            flipped[at] ^= 1;
            assert!(from_disk(flipped).is_err(), "byte {at}");
        }
        let mut newer = bytes.clone();
        newer[0] = 2;
        let refused = decode(Bytes::from(newer)).unwrap_err();
        assert!(refused.contains("format 2"), "{refused}");
        let mut longer = bytes;
        longer.push(0);
        assert!(decode(Bytes::from(longer)).is_err());
    }
}
