//! Job streams that are open on a partition, and handing jobs to them.
//!
//! The engine chooses the stream and activates the job for it; after the commit the job is handed
//! over here. A stream that is gone or full does not get it: the caller then submits a yield, which
//! makes the job activatable again without counting a failure. A stream that is gone is forgotten at
//! once, so that the engine chooses it no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringflow_core::engine::effect::StreamId;
use ringflow_core::ids::Key;
use ringflow_core::record::value::JobRecord;
use tokio::sync::mpsc::error::TrySendError;

use crate::submit::StreamSpec;
use crate::submit::stream::Jobs;

/// What became of a push.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pushed {
    /// The stream has it.
    Delivered,
    /// The stream has no room.
    Full,
    /// The stream is gone and was forgotten.
    Gone,
}

/// Open streams, in the order in which they were opened.
#[derive(Debug, Default)]
pub(crate) struct OpenStreams {
    streams: BTreeMap<StreamId, OpenStream>,
}

#[derive(Debug)]
struct OpenStream {
    spec: StreamSpec,
    jobs: Jobs,
}

impl OpenStreams {
    pub(crate) fn open(&mut self, id: StreamId, spec: StreamSpec, jobs: Jobs) {
        self.streams.insert(id, OpenStream { spec, jobs });
    }

    pub(crate) fn close(&mut self, id: StreamId) -> bool {
        self.streams.remove(&id).is_some()
    }

    pub(crate) fn push(&mut self, id: StreamId, key: Key, job: Arc<JobRecord>) -> Pushed {
        let Some(stream) = self.streams.get(&id) else {
            return Pushed::Gone;
        };
        match stream.jobs.try_send((key, job)) {
            Ok(()) => Pushed::Delivered,
            Err(TrySendError::Full(_)) => Pushed::Full,
            Err(TrySendError::Closed(_)) => {
                self.close(id);
                Pushed::Gone
            }
        }
    }

    /// All open streams, for an engine that was opened anew.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StreamId, &StreamSpec)> {
        self.streams.iter().map(|(id, stream)| (*id, &stream.spec))
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }
}

#[cfg(test)]
mod tests {
    use ringflow_core::record::{Document, Text};

    use super::*;
    use crate::options::Limits;
    use crate::submit::stream::lane;

    #[test]
    fn a_full_stream_refuses_and_a_closed_one_is_forgotten() {
        let spec = StreamSpec {
            job_type: Text::from("pay"),
            worker: Text::from("w"),
            timeout: 1000,
            fetch_variables: Vec::new(),
            tenant_ids: Vec::new(),
            authorization: Document::EMPTY,
        };
        let job = Arc::new(JobRecord::default());
        let limits = Limits {
            stream_buffer: 1,
            ..Limits::default()
        };
        let (sender, jobs) = lane(&limits);
        let mut streams = OpenStreams::default();
        streams.open(StreamId(1), spec, sender);
        let push = |streams: &mut OpenStreams| streams.push(StreamId(1), Key(1), job.clone());
        assert_eq!(push(&mut streams), Pushed::Delivered);
        assert_eq!(push(&mut streams), Pushed::Full);
        drop(jobs);
        assert_eq!(push(&mut streams), Pushed::Gone);
        assert_eq!(streams.len(), 0);
        assert_eq!(push(&mut streams), Pushed::Gone);
    }
}
