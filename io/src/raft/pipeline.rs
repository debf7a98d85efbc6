//! Appends to one member, several on their way at once.
//!
//! openraft hands over a stream of appends; they are written to the connection as they come, up to a
//! bound, and answered in order. What is bounded is what a member that does not answer can hold up:
//! requests, entries and bytes ([`Window`]). The first answer that says no, and every error, ends the
//! stream; openraft then begins anew from what the member has.
//!
//! A member that is so far behind that it keeps the leader from forgetting its log is given up here
//! ([`Compaction::is_held_up_by`](crate::partition::compact::Compaction::is_held_up_by)): openraft
//! purges and sends it a snapshot.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use futures::stream::{self, Fuse};
use futures::{Stream, StreamExt as _};
use openraft::errors::RPCError;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, StreamAppendResult};

use crate::driver;
use crate::peer::frame;
use crate::raft::network::{Connection, Peer, unreachable};
use crate::raft::{EntryId, Group, log_index, message};

/// Longest wait for the answer to an append: a follower may be busy writing.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the member holds something up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Bounds of what is on its way to one member.
struct Window;

impl Window {
    const REQUESTS: usize = 16;
    const ENTRIES: usize = 512;
    const BYTES: usize = 8 << 20;
}

/// An append without its answer.
struct Sent {
    prev: Option<EntryId>,
    last: Option<EntryId>,
    entries: usize,
    bytes: usize,
    at: Instant,
}

type Answer = Result<StreamAppendResult<Group>, RPCError<Group>>;
type Answers<'s> = Pin<Box<dyn Stream<Item = Answer> + 's>>;

struct Pipeline<'s, S> {
    peer: &'s mut Peer,
    /// Taken from the peer, and given back only when nothing is on its way.
    connection: Option<Connection>,
    input: Fuse<S>,
    sent: VecDeque<Sent>,
    entries: usize,
    bytes: usize,
    /// The last entry the member said it has.
    matched: Option<EntryId>,
    ended: bool,
}

/// What the pipeline waited for.
enum Next {
    Request(Option<AppendEntriesRequest<Group>>),
    Answer(Result<frame::Frame, frame::FrameError>),
    Nothing,
}

/// Sends the appends of `input` and returns their answers in order.
pub(crate) fn append<'s, S>(
    peer: &'s mut Peer,
    input: S,
) -> Pin<Box<dyn Future<Output = Result<Answers<'s>, RPCError<Group>>> + 's>>
where
    S: Stream<Item = AppendEntriesRequest<Group>> + Unpin + 'static,
{
    Box::pin(async move {
        let pipeline = Pipeline {
            connection: peer.take_connection(),
            peer,
            input: input.fuse(),
            sent: VecDeque::new(),
            entries: 0,
            bytes: 0,
            matched: None,
            ended: false,
        };
        let answers: Answers<'s> = Box::pin(stream::unfold(pipeline, |mut pipeline| async move {
            let answer = pipeline.next().await?;
            Some((answer, pipeline))
        }));
        Ok(answers)
    })
}

impl<S> Pipeline<'_, S>
where
    S: Stream<Item = AppendEntriesRequest<Group>> + Unpin,
{
    /// The next answer; `None` when there will be none any more.
    async fn next(&mut self) -> Option<Answer> {
        if self.ended {
            return None;
        }
        match self.step().await {
            Ok(Some(answer)) => {
                if answer.is_err() {
                    self.end();
                }
                Some(Ok(answer))
            }
            Ok(None) => {
                self.end();
                None
            }
            Err(why) => {
                // What may still be answered is not known: so the connection is given up.
                self.ended = true;
                self.connection = None;
                Some(Err(unreachable(why)))
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if self.sent.is_empty()
            && let Some(connection) = self.connection.take()
        {
            self.peer.keep_connection(connection);
        }
    }

    async fn step(&mut self) -> Result<Option<StreamAppendResult<Group>>, String> {
        loop {
            if self.input.is_done() && self.sent.is_empty() {
                return Ok(None);
            }
            match self.wait().await? {
                Next::Nothing => {
                    let behind = self.matched.as_ref().map_or(0, |id| log_index(id.index));
                    let partition = &self.peer.partition;
                    let waits = !self.sent.is_empty();
                    if waits && partition.compaction.is_held_up_by(partition, behind) {
                        return Err(self.held_up());
                    }
                    let late = self.sent.front();
                    if late.is_some_and(|sent| driver::since(sent.at) >= ANSWER_WITHIN) {
                        return Err(format!(
                            "member {} gave no answer in {ANSWER_WITHIN:?}",
                            self.peer.target
                        ));
                    }
                }
                Next::Request(None) => {}
                Next::Request(Some(request)) => self.send(request).await?,
                Next::Answer(answer) => return self.take(answer).map(Some),
            }
        }
    }

    /// Waits for a request, while there is room for one, and for an answer.
    async fn wait(&mut self) -> Result<Next, String> {
        let room = self.sent.is_empty()
            || (self.sent.len() < Window::REQUESTS
                && self.entries < Window::ENTRIES
                && self.bytes < Window::BYTES);
        let room = room && !self.input.is_done();
        let input = &mut self.input;
        let request = async {
            if room {
                input.next().await
            } else {
                std::future::pending().await
            }
        };
        let connection = &mut self.connection;
        let answer = async {
            match connection {
                Some(connection) => connection.reader.next().await,
                None => std::future::pending().await,
            }
        };
        let next = async {
            // The request first: it is the longer way.
            let request = std::pin::pin!(request);
            let answer = std::pin::pin!(answer);
            match select(request, answer).await {
                Either::Left((request, _)) => Next::Request(request),
                Either::Right((answer, _)) => Next::Answer(answer),
            }
        };
        if self.sent.is_empty() {
            return Ok(next.await);
        }
        Ok(driver::within(LOOK_EVERY, next)
            .await
            .unwrap_or(Next::Nothing))
    }

    async fn send(&mut self, request: AppendEntriesRequest<Group>) -> Result<(), String> {
        if self.connection.is_none() {
            self.connection = Some(self.peer.connect().await?);
        }
        let connection = self.connection.as_mut().ok_or("there is no connection")?;
        let last = request.entries.last().map(|entry| entry.log_id);
        let mut sent = Sent {
            prev: request.prev_log_id,
            last: last.or(request.prev_log_id),
            entries: request.entries.len(),
            bytes: 0,
            at: driver::now(),
        };
        let partition = &self.peer.partition;
        let frame = message::append(message::Append {
            request,
            exported: partition.mailbox.feed.acknowledged().0,
            leader_last: partition.log.last_index(),
        });
        sent.bytes = frame.len();
        let written = frame::write(&mut connection.writer, &frame);
        driver::within(ANSWER_WITHIN, written)
            .await
            .ok_or_else(|| format!("member {} takes nothing", self.peer.target))?
            .map_err(|error| format!("member {}: {error}", self.peer.target))?;
        self.entries += sent.entries;
        self.bytes += sent.bytes;
        self.sent.push_back(sent);
        Ok(())
    }

    fn take(
        &mut self,
        answer: Result<frame::Frame, frame::FrameError>,
    ) -> Result<StreamAppendResult<Group>, String> {
        let answer = answer.map_err(|error| format!("member {}: {error}", self.peer.target))?;
        let sent = self
            .sent
            .pop_front()
            .ok_or("a member answers what it was not asked")?;
        self.entries -= sent.entries;
        self.bytes -= sent.bytes;
        let response = message::expect(answer, message::APPENDED)?;
        let response = message::take_appended(response)?;
        match &response {
            AppendEntriesResponse::Conflict if sent.prev.is_none() => {
                return Err("a member finds a conflict before the first entry".to_owned());
            }
            AppendEntriesResponse::PartialSuccess(upto)
                if *upto < sent.prev || *upto > sent.last =>
            {
                return Err("a member took what it was not sent".to_owned());
            }
            AppendEntriesResponse::PartialSuccess(_)
            | AppendEntriesResponse::Success
            | AppendEntriesResponse::Conflict
            | AppendEntriesResponse::HigherVote(_) => {}
        }
        let result = response.into_stream_result(sent.prev, sent.last);
        if let Ok(matched) = &result {
            self.matched = self.matched.max(*matched);
            let behind = self.matched.as_ref().map_or(0, |id| log_index(id.index));
            let partition = &self.peer.partition;
            if partition.compaction.is_held_up_by(partition, behind) {
                return Err(self.held_up());
            }
        }
        Ok(result)
    }

    fn held_up(&self) -> String {
        format!(
            "member {} is so far behind that the log cannot be compacted: it gets a snapshot",
            self.peer.target
        )
    }
}
