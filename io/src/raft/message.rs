//! What the replicas of a partition say to each other, as bodies of frames.
//!
//! | kind | request | body |
//! |---|---|---|
//! | 16 | append | vote, previous entry, committed entry, `u64` exported position, `u64` last index of the leader, `u32` count, entries |
//! | 17 | vote | vote, last entry, `u8` 1 if the leader asked for it |
//! | 18 | pre-vote | as vote |
//! | 19 | transfer | vote of the leader, `u64` member that shall lead, last entry |
//! | 20 | standing | `u8` 1 if the asker has nothing |
//! | 21 | snapshot | vote, last entry, stored membership, manifest |
//! | 22 | chunk | `u32` file, `u64` offset, bytes |
//! | 23 | install | none |
//!
//! | kind | answer | body |
//! |---|---|---|
//! | 32 | appended | `u8` 0 all, 1 up to the entry that follows, 2 conflict, 3 the vote that follows is higher |
//! | 33 | voted | vote, `u8` granted, last entry |
//! | 34 | transferred | none |
//! | 35 | stands | `u8` 1 if its log holds more than the first entry, `u64` term it knows, `u64` exported position it knows (older brokers leave it out) |
//! | 36 | received | `u32` count, `u64` bytes of each file that are there |
//! | 37 | installed | vote |
//! | 47 | failed | text |
//!
//! A vote is `u8` committed, `u64` term, `u64` member. An entry's name is `u64` index as the log
//! counts (0 = none) and `u64` term. An entry is its name, and its payload behind its `u32` length.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};

use ringflow_core::ids::Position;

use crate::peer::field::{Fields, put_bytes, put_u32, put_u64};
use crate::peer::frame::{self, Frame};
use crate::raft::{
    Entry, EntryId, Group, LeaderId, StoredMembership, Vote, entry_id, log_index, payload,
};

pub(crate) const APPEND: u8 = 16;
pub(crate) const VOTE: u8 = 17;
pub(crate) const PRE_VOTE: u8 = 18;
pub(crate) const TRANSFER: u8 = 19;
pub(crate) const STANDING: u8 = 20;
pub(crate) const SNAPSHOT: u8 = 21;
pub(crate) const CHUNK: u8 = 22;
pub(crate) const INSTALL: u8 = 23;
pub(crate) const APPENDED: u8 = 32;
pub(crate) const VOTED: u8 = 33;
pub(crate) const TRANSFERRED: u8 = 34;
pub(crate) const STANDS: u8 = 35;
pub(crate) const RECEIVED: u8 = 36;
pub(crate) const INSTALLED: u8 = 37;
pub(crate) const FAILED: u8 = 47;

/// An append and what travels with it.
pub(crate) struct Append {
    pub(crate) request: AppendEntriesRequest<Group>,
    /// Position up to which the records are exported; the log before may be deleted.
    pub(crate) exported: u64,
    /// Last index of the leader's log.
    pub(crate) leader_last: u64,
}

fn put_vote(out: &mut Vec<u8>, vote: &Vote) {
    out.push(u8::from(vote.committed));
    put_u64(out, vote.leader_id.term);
    put_u64(out, vote.leader_id.voted_for);
}

fn take_vote(fields: &mut Fields) -> Result<Vote, String> {
    let committed = fields.u8()? == 1;
    let leader_id = LeaderId {
        term: fields.u64()?,
        voted_for: fields.u64()?,
    };
    Ok(Vote {
        leader_id,
        committed,
    })
}

pub(crate) fn put_id(out: &mut Vec<u8>, id: Option<&EntryId>) {
    put_u64(out, id.map_or(0, |id| log_index(id.index)));
    put_u64(out, id.map_or(0, |id| id.leader_id.term));
}

pub(crate) fn take_id(fields: &mut Fields) -> Result<Option<EntryId>, String> {
    let (index, term) = (fields.u64()?, fields.u64()?);
    Ok(entry_id(index, term))
}

/// Bytes of an append without its entries, and of an entry without its payload.
const APPEND_LEN: usize = 17 + 2 * 16 + 2 * 8 + 4;
const ENTRY_LEN: usize = 16 + 4;

pub(crate) fn append(append: Append) -> Vec<u8> {
    let Append {
        request,
        exported,
        leader_last,
    } = append;
    let entries = &request.entries;
    let payloads: usize = entries.iter().map(|it| payload::len(&it.payload)).sum();
    let mut out = frame::begin_for(APPEND, APPEND_LEN + ENTRY_LEN * entries.len() + payloads);
    put_vote(&mut out, &request.vote);
    put_id(&mut out, request.prev_log_id.as_ref());
    put_id(&mut out, request.leader_commit.as_ref());
    put_u64(&mut out, exported);
    put_u64(&mut out, leader_last);
    put_u32(&mut out, request.entries.len() as u32);
    for entry in request.entries {
        put_id(&mut out, Some(&entry.log_id));
        put_bytes(&mut out, &payload::encode(entry.payload));
    }
    frame::finish(out)
}

pub(crate) fn take_append(body: Bytes) -> Result<Append, String> {
    let mut fields = Fields::of("an append", body);
    let vote = take_vote(&mut fields)?;
    let prev_log_id = take_id(&mut fields)?;
    let leader_commit = take_id(&mut fields)?;
    let (exported, leader_last) = (fields.u64()?, fields.u64()?);
    let count = fields.u32()?;
    let mut entries = Vec::new();
    let mut follows = prev_log_id.as_ref().map_or(0, |id| log_index(id.index));
    for _ in 0..count {
        let log_id = take_id(&mut fields)?.ok_or("an append holds an entry without index")?;
        follows += 1;
        if log_index(log_id.index) != follows {
            return Err("the entries of an append do not follow each other".to_owned());
        }
        let payload = payload::decode(fields.bytes()?)?;
        entries.push(Entry { log_id, payload });
    }
    fields.end()?;
    Ok(Append {
        request: AppendEntriesRequest {
            vote,
            prev_log_id,
            entries,
            leader_commit,
        },
        exported,
        leader_last,
    })
}

pub(crate) fn appended(response: &AppendEntriesResponse<Group>) -> Vec<u8> {
    let mut out = frame::begin(APPENDED);
    match response {
        AppendEntriesResponse::Success => out.push(0),
        AppendEntriesResponse::PartialSuccess(upto) => {
            out.push(1);
            put_id(&mut out, upto.as_ref());
        }
        AppendEntriesResponse::Conflict => out.push(2),
        AppendEntriesResponse::HigherVote(vote) => {
            out.push(3);
            put_vote(&mut out, vote);
        }
    }
    frame::finish(out)
}

pub(crate) fn take_appended(body: Bytes) -> Result<AppendEntriesResponse<Group>, String> {
    let mut fields = Fields::of("an append's answer", body);
    let response = match fields.u8()? {
        0 => AppendEntriesResponse::Success,
        1 => AppendEntriesResponse::PartialSuccess(take_id(&mut fields)?),
        2 => AppendEntriesResponse::Conflict,
        3 => AppendEntriesResponse::HigherVote(take_vote(&mut fields)?),
        other => return Err(format!("an append's answer of unknown kind {other}")),
    };
    fields.end()?;
    Ok(response)
}

pub(crate) fn vote(kind: u8, request: &VoteRequest<Group>) -> Vec<u8> {
    let mut out = frame::begin(kind);
    put_vote(&mut out, &request.vote);
    put_id(&mut out, request.last_log_id.as_ref());
    out.push(u8::from(request.leadership_transfer));
    frame::finish(out)
}

pub(crate) fn take_vote_request(body: Bytes) -> Result<VoteRequest<Group>, String> {
    let mut fields = Fields::of("a request for a vote", body);
    let mut request = VoteRequest::new(take_vote(&mut fields)?, take_id(&mut fields)?);
    request.leadership_transfer = fields.u8()? == 1;
    fields.end()?;
    Ok(request)
}

pub(crate) fn voted(response: &VoteResponse<Group>) -> Vec<u8> {
    let mut out = frame::begin(VOTED);
    put_vote(&mut out, &response.vote);
    out.push(u8::from(response.vote_granted));
    put_id(&mut out, response.last_log_id.as_ref());
    frame::finish(out)
}

pub(crate) fn take_voted(body: Bytes) -> Result<VoteResponse<Group>, String> {
    let mut fields = Fields::of("a vote", body);
    let vote = take_vote(&mut fields)?;
    let granted = fields.u8()? == 1;
    let last = take_id(&mut fields)?;
    fields.end()?;
    Ok(VoteResponse::new(vote, last, granted))
}

pub(crate) fn transfer(request: &TransferLeaderRequest<Group>) -> Vec<u8> {
    let mut out = frame::begin(TRANSFER);
    put_vote(&mut out, request.from_leader());
    put_u64(&mut out, *request.to_node_id());
    put_id(&mut out, request.last_log_id());
    frame::finish(out)
}

pub(crate) fn take_transfer(body: Bytes) -> Result<TransferLeaderRequest<Group>, String> {
    let mut fields = Fields::of("a transfer of leadership", body);
    let from = take_vote(&mut fields)?;
    let to = fields.u64()?;
    let last = take_id(&mut fields)?;
    fields.end()?;
    Ok(TransferLeaderRequest::new(from, to, last))
}

/// A snapshot that is offered.
pub(crate) struct Offer {
    pub(crate) vote: Vote,
    pub(crate) last: Option<EntryId>,
    pub(crate) membership: StoredMembership,
    pub(crate) manifest: Bytes,
}

pub(crate) fn offer(offer: &Offer) -> Vec<u8> {
    let mut out = frame::begin(SNAPSHOT);
    put_vote(&mut out, &offer.vote);
    put_id(&mut out, offer.last.as_ref());
    put_bytes(&mut out, &payload::encode_stored(&offer.membership));
    put_bytes(&mut out, &offer.manifest);
    frame::finish(out)
}

pub(crate) fn take_offer(body: Bytes) -> Result<Offer, String> {
    let mut fields = Fields::of("an offer of a snapshot", body);
    let offer = Offer {
        vote: take_vote(&mut fields)?,
        last: take_id(&mut fields)?,
        membership: payload::decode_stored(&fields.bytes()?)?,
        manifest: fields.bytes()?,
    };
    fields.end()?;
    Ok(offer)
}

pub(crate) fn chunk(file: u32, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = frame::begin_for(CHUNK, 4 + 8 + bytes.len());
    put_u32(&mut out, file);
    put_u64(&mut out, offset);
    out.extend_from_slice(bytes);
    frame::finish(out)
}

pub(crate) fn take_chunk(body: Bytes) -> Result<(u32, u64, Bytes), String> {
    let mut fields = Fields::of("a chunk of a snapshot", body);
    Ok((fields.u32()?, fields.u64()?, fields.rest()))
}

pub(crate) fn received(lengths: &[u64]) -> Vec<u8> {
    let mut out = frame::begin(RECEIVED);
    put_u32(&mut out, lengths.len() as u32);
    for length in lengths {
        put_u64(&mut out, *length);
    }
    frame::finish(out)
}

pub(crate) fn take_received(body: Bytes) -> Result<Vec<u64>, String> {
    let mut fields = Fields::of("what was received", body);
    let count = fields.u32()?;
    (0..count).map(|_| fields.u64()).collect()
}

pub(crate) fn installed(vote: &Vote) -> Vec<u8> {
    let mut out = frame::begin(INSTALLED);
    put_vote(&mut out, vote);
    frame::finish(out)
}

pub(crate) fn take_installed(body: Bytes) -> Result<Vote, String> {
    take_vote(&mut Fields::of("an installation's answer", body))
}

pub(crate) fn standing(has_nothing: bool) -> Vec<u8> {
    let mut out = frame::begin(STANDING);
    out.push(u8::from(has_nothing));
    frame::finish(out)
}

pub(crate) fn take_standing(body: Bytes) -> Result<bool, String> {
    Ok(Fields::of("a question for the standing", body).u8()? == 1)
}

/// What a replica knows of its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Its group was led: the log holds more than the first entry.
    pub(crate) established: bool,
    pub(crate) term: u64,
    /// Up to where the records are exported; 0 if it does not know.
    pub(crate) exported: Position,
}

pub(crate) fn stands(standing: Standing) -> Vec<u8> {
    let mut out = frame::begin(STANDS);
    out.push(u8::from(standing.established));
    put_u64(&mut out, standing.term);
    put_u64(&mut out, standing.exported.0);
    frame::finish(out)
}

pub(crate) fn take_stands(body: Bytes) -> Result<Standing, String> {
    let mut fields = Fields::of("a standing", body);
    let (established, term) = (fields.u8()? == 1, fields.u64()?);
    // Brokers that do not say it end here, and they do not look at what follows either.
    let exported = if fields.is_empty() { 0 } else { fields.u64()? };
    Ok(Standing {
        established,
        term,
        exported: Position(exported),
    })
}

/// A frame that says nothing but its kind.
pub(crate) fn bare(kind: u8) -> Vec<u8> {
    frame::finish(frame::begin(kind))
}

pub(crate) fn failed(why: &str) -> Vec<u8> {
    let mut out = frame::begin(FAILED);
    put_bytes(&mut out, why.as_bytes());
    frame::finish(out)
}

/// The body of an answer of `kind`; a sentence if it is another one.
pub(crate) fn expect(frame: Frame, kind: u8) -> Result<Bytes, String> {
    if frame.kind == kind {
        return Ok(frame.body);
    }
    if frame.kind == FAILED {
        return Err(Fields::of("a failure", frame.body).text()?);
    }
    Err(format!(
        "an answer of kind {} instead of {kind}",
        frame.kind
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use openraft::EntryPayload;

    use super::*;
    use crate::raft::{Member, Membership, Proposal};

    fn body(frame: &[u8]) -> Bytes {
        Bytes::copy_from_slice(&frame[9..])
    }

    fn a_vote() -> Vote {
        Vote {
            leader_id: LeaderId {
                term: 4,
                voted_for: 2,
            },
            committed: true,
        }
    }

    fn an_append() -> Append {
        let entry = |index, payload| Entry {
            log_id: entry_id(index, 3).unwrap(),
            payload,
        };
        let batch = Proposal(Bytes::from_static(&[payload::BATCH, 1, 2]));
        Append {
            request: AppendEntriesRequest {
                vote: a_vote(),
                prev_log_id: entry_id(7, 3),
                entries: vec![
                    entry(8, EntryPayload::Blank),
                    entry(9, EntryPayload::Normal(batch)),
                ],
                leader_commit: entry_id(6, 3),
            },
            exported: 77,
            leader_last: 12,
        }
    }

    #[test]
    fn requests_and_answers_come_back_as_they_were() {
        let sent = an_append();
        let back = take_append(body(&append(an_append()))).unwrap();
        assert_eq!(format!("{:?}", back.request), format!("{:?}", sent.request));
        assert_eq!((back.exported, back.leader_last), (77, 12));
        let mut request = VoteRequest::new(a_vote(), entry_id(9, 2));
        request.leadership_transfer = true;
        assert_eq!(take_vote_request(body(&vote(VOTE, &request))), Ok(request));
        let response = VoteResponse::new(a_vote(), None, true);
        assert_eq!(take_voted(body(&voted(&response))), Ok(response));
        let moved = TransferLeaderRequest::new(a_vote(), 1, entry_id(3, 1));
        assert_eq!(take_transfer(body(&transfer(&moved))), Ok(moved));
        for response in [
            AppendEntriesResponse::Success,
            AppendEntriesResponse::PartialSuccess(entry_id(5, 1)),
            AppendEntriesResponse::Conflict,
            AppendEntriesResponse::HigherVote(a_vote()),
        ] {
            assert_eq!(take_appended(body(&appended(&response))), Ok(response));
        }
        assert_eq!(take_received(body(&received(&[1, 2]))), Ok(vec![1, 2]));
    }

    /// Frames of a megabyte are made for each follower: nothing is copied twice for lack of room.
    #[test]
    fn an_append_and_a_chunk_are_made_without_growing() {
        let of_bytes = |index| Entry {
            log_id: entry_id(index, 3).unwrap(),
            payload: EntryPayload::Normal(Proposal(Bytes::from(vec![payload::BATCH; 20_000]))),
        };
        let mut sent = an_append();
        sent.request.entries = (8..72).map(of_bytes).collect();
        let made = append(sent);
        assert!(made.len() > 64 * 20_000);
        assert_eq!(made.capacity(), made.len());
        let made = chunk(1, 2, &[7; 1 << 20]);
        assert_eq!(made.capacity(), made.len());
        let made = append(an_append());
        assert_eq!(made.capacity(), made.len());
    }

    #[test]
    fn a_standing_comes_back_also_from_brokers_that_do_not_speak_of_the_export() {
        let standing = |exported| Standing {
            established: true,
            term: 5,
            exported: Position(exported),
        };
        let frame = stands(standing(9));
        assert_eq!(take_stands(body(&frame)), Ok(standing(9)));
        assert_eq!(take_stands(body(&frame[..9 + 9])), Ok(standing(0)));
        assert!(take_stands(body(&frame[..9 + 12])).is_err());
    }

    #[test]
    fn an_offer_comes_back_as_it_was() {
        let membership = Membership::new(
            vec![BTreeSet::from([0, 1])],
            BTreeMap::from([(0, Member::default()), (1, Member::default())]),
        )
        .unwrap();
        let sent = Offer {
            vote: a_vote(),
            last: entry_id(4, 4),
            membership: StoredMembership::new(entry_id(1, 0), membership),
            manifest: Bytes::from_static(b"manifest"),
        };
        let back = take_offer(body(&offer(&sent))).unwrap();
        assert_eq!((back.vote, back.last), (sent.vote, sent.last));
        assert_eq!(back.membership, sent.membership);
        assert_eq!(back.manifest, sent.manifest);
    }

    #[test]
    fn an_append_that_is_cut_or_has_gaps_is_refused() {
        let whole = body(&append(an_append()));
        for len in 0..whole.len() {
            assert!(take_append(whole.slice(..len)).is_err(), "cut at {len}");
        }
        let mut gap = an_append();
        gap.request.entries.remove(0);
        assert!(take_append(body(&append(gap))).is_err());
    }
}
