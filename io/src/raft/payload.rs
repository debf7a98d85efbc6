//! The bytes of an entry's payload: what the log stores and the feed reads back.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 1 | tag: 0 blank, 1 record batch, 2 membership |
//! | 1 | ... | tag 1: one batch as `core::record::batch` writes it |
//! | 1 | ... | tag 2: see below |
//!
//! Membership: `u8` number of configurations (two while joint); each `u16` count and that many
//! `u64` voter ids; then `u16` number of members; each `u64` id, `u16` length, address in UTF-8. All
//! little endian. Errors are sentences; the caller knows file and index.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;

use crate::raft::{Member, Membership, Proposal, StoredMembership, entry_id, log_index};

const BLANK: u8 = 0;
/// Tag of a record batch.
pub(crate) const BATCH: u8 = 1;
const MEMBERSHIP: u8 = 2;

type Payload = EntryPayload<Proposal, u64, Member>;

/// The bytes of `payload`; a batch carries its tag already and is not copied.
pub(crate) fn encode(payload: Payload) -> Bytes {
    match payload {
        EntryPayload::Blank => Bytes::from_static(&[BLANK]),
        EntryPayload::Normal(proposal) => proposal.0,
        EntryPayload::Membership(membership) => {
            let mut out = vec![MEMBERSHIP];
            put_membership(&membership, &mut out);
            Bytes::from(out)
        }
    }
}

/// Bytes of [`encode`]; 0 for a membership, of which there are few.
pub(crate) fn len(payload: &Payload) -> usize {
    match payload {
        EntryPayload::Blank => 1,
        EntryPayload::Normal(proposal) => proposal.0.len(),
        EntryPayload::Membership(_) => 0,
    }
}

/// The payload in `bytes`.
pub(crate) fn decode(bytes: Bytes) -> Result<Payload, String> {
    match bytes.first() {
        Some(&BLANK) if bytes.len() == 1 => Ok(EntryPayload::Blank),
        Some(&BATCH) => Ok(EntryPayload::Normal(Proposal(bytes))),
        Some(&MEMBERSHIP) => take_membership(&bytes[1..]).map(EntryPayload::Membership),
        Some(tag) => Err(format!("an entry of unknown kind {tag}")),
        None => Err("an entry without a kind".to_owned()),
    }
}

/// The record batch in `bytes`, if they are one.
pub(crate) fn batch(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first() {
        Some((&BATCH, rest)) => Some(rest),
        Some(_) | None => None,
    }
}

/// Appends a membership.
pub(crate) fn put_membership(membership: &Membership, out: &mut Vec<u8>) {
    let configs = membership.get_joint_config();
    out.push(configs.len() as u8);
    for voters in configs {
        out.extend_from_slice(&(voters.len() as u16).to_le_bytes());
        for id in voters {
            out.extend_from_slice(&id.to_le_bytes());
        }
    }
    let members: Vec<_> = membership.nodes().collect();
    out.extend_from_slice(&(members.len() as u16).to_le_bytes());
    for (id, member) in members {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&(member.address.len() as u16).to_le_bytes());
        out.extend_from_slice(member.address.as_bytes());
    }
}

/// Reads a membership from exactly its bytes.
pub(crate) fn take_membership(bytes: &[u8]) -> Result<Membership, String> {
    let mut rest = bytes;
    let [config_count] = take::<1>(&mut rest)?;
    let mut configs = Vec::with_capacity(usize::from(config_count));
    for _ in 0..config_count {
        let count = u16::from_le_bytes(take(&mut rest)?);
        let mut voters = BTreeSet::new();
        for _ in 0..count {
            voters.insert(u64::from_le_bytes(take(&mut rest)?));
        }
        configs.push(voters);
    }
    let count = u16::from_le_bytes(take(&mut rest)?);
    let mut members = BTreeMap::new();
    for _ in 0..count {
        let id = u64::from_le_bytes(take(&mut rest)?);
        let len = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let (address, after) = rest.split_at_checked(len).ok_or("a membership cut short")?;
        rest = after;
        let address = std::str::from_utf8(address)
            .map_err(|_| "an address that is not UTF-8")?
            .to_owned();
        members.insert(id, Member { address });
    }
    if !rest.is_empty() {
        return Err("bytes after a membership".to_owned());
    }
    Membership::new(configs, members)
        .map_err(|error| format!("a membership that cannot be: {error}"))
}

/// A membership with the entry that set it: log index and term, both 0 if none, then as in an entry.
pub(crate) fn encode_stored(stored: &StoredMembership) -> Vec<u8> {
    let (index, term) = stored
        .log_id()
        .as_ref()
        .map_or((0, 0), |id| (log_index(id.index), id.leader_id.term));
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&index.to_le_bytes());
    bytes.extend_from_slice(&term.to_le_bytes());
    put_membership(stored.membership(), &mut bytes);
    bytes
}

/// Reads what [`encode_stored`] wrote.
pub(crate) fn decode_stored(bytes: &[u8]) -> Result<StoredMembership, String> {
    let mut rest = bytes;
    let index = u64::from_le_bytes(take(&mut rest)?);
    let term = u64::from_le_bytes(take(&mut rest)?);
    Ok(StoredMembership::new(
        entry_id(index, term),
        take_membership(rest)?,
    ))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (head, after) = rest.split_first_chunk().ok_or("a membership cut short")?;
    *rest = after;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership() -> Membership {
        let member = |address: &str| Member {
            address: address.to_owned(),
        };
        Membership::new(
            vec![BTreeSet::from([1, 2]), BTreeSet::from([2])],
            BTreeMap::from([(1, member("a:1")), (2, member("b:2")), (3, member(""))]),
        )
        .unwrap()
    }

    #[test]
    fn payloads_come_back_as_they_were() {
        let normal = Payload::Normal(Proposal(Bytes::from_static(&[BATCH, 7, 8])));
        for payload in [Payload::Blank, normal, Payload::Membership(membership())] {
            assert_eq!(decode(encode(payload.clone())).unwrap(), payload);
        }
        assert_eq!(batch(&[BATCH, 7, 8]), Some(&[7, 8][..]));
        assert_eq!(batch(&[BLANK]), None);
    }

    #[test]
    fn a_membership_has_these_bytes() {
        let mut out = Vec::new();
        put_membership(&membership(), &mut out);
        let golden = [
            2, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, b'a', b':', b'1', 2, 0, 0, 0, 0, 0, 0, 0, 3, 0,
            b'b', b':', b'2', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(out, golden);
    }

    #[test]
    fn damaged_payloads_are_refused() {
        let bytes = encode(Payload::Membership(membership()));
        for len in 0..bytes.len() {
            assert!(decode(bytes.slice(..len)).is_err(), "cut at {len}");
        }
        assert!(decode(Bytes::from_static(&[9])).is_err());
        assert!(decode(Bytes::from_static(&[BLANK, 0])).is_err());
    }
}
