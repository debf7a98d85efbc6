//! Jobs on their way to one worker: a lane that is bounded by number and by bytes.
//!
//! Whoever leads a partition sends ([`partition::push`](crate::partition::push)), or the link that
//! brings a job from there; the worker's gateway reads. A lane without room refuses, and its job is
//! yielded at once instead of waiting for a reader that does not read. A job goes in while fewer than
//! [`Limits::stream_bytes`] wait, so that one of any size has its turn.
//!
//! Open streams are known by number ([`OpenedStream`]): replicas that begin are told of them, and
//! operators see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringflow_core::engine::StreamSpec;
use ringflow_core::engine::effect::StreamId;
use ringflow_core::ids::Key;
use ringflow_core::record::value::JobRecord;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Submitter;
use crate::options::Limits;
use crate::peer::link::ToPeer;
use crate::peer::thread;
use crate::shard::mailbox::Control;

/// Bytes of a job without its variables and headers, roughly.
const JOB_BYTES: usize = 512;

/// A job with its key.
type Job = (Key, Arc<JobRecord>);

/// Where the jobs of a stream go.
#[derive(Clone, Debug)]
pub(crate) struct Jobs(Arc<Sending>);

#[derive(Debug)]
struct Sending {
    lane: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

/// Where they come out.
#[derive(Debug)]
pub(crate) struct Waiting {
    lane: mpsc::Receiver<Job>,
    bytes: Arc<AtomicUsize>,
}

/// Both ends of a lane.
pub(crate) fn lane(limits: &Limits) -> (Jobs, Waiting) {
    let (sender, lane) = mpsc::channel(limits.stream_buffer);
    let waiting = Arc::new(AtomicUsize::new(0));
    let jobs = Jobs(Arc::new(Sending {
        lane: sender,
        waiting: Arc::clone(&waiting),
        bytes: limits.stream_bytes,
    }));
    let waiting = Waiting {
        lane,
        bytes: waiting,
    };
    (jobs, waiting)
}

/// What a job takes of the lane.
fn weight(job: &JobRecord) -> usize {
    let headers = job.custom_headers.0.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    JOB_BYTES + job.variables.as_bytes().len() + headers
}

impl Jobs {
    /// Hands a job over.
    ///
    /// # Errors
    /// There is no room, or nobody reads any more; the job comes back.
    pub(crate) fn try_send(&self, job: Job) -> Result<(), TrySendError<Job>> {
        let (to, weight) = (&*self.0, weight(&job.1));
        if to.waiting.fetch_add(weight, Ordering::Relaxed) >= to.bytes {
            to.waiting.fetch_sub(weight, Ordering::Relaxed);
            return Err(TrySendError::Full(job));
        }
        let sent = to.lane.try_send(job);
        if sent.is_err() {
            to.waiting.fetch_sub(weight, Ordering::Relaxed);
        }
        sent
    }
}

impl Waiting {
    fn taken(&self, job: Job) -> Job {
        self.bytes.fetch_sub(weight(&job.1), Ordering::Relaxed);
        job
    }

    async fn recv(&mut self) -> Option<Job> {
        let job = self.lane.recv().await?;
        Some(self.taken(job))
    }

    fn try_recv(&mut self) -> Option<Job> {
        let job = self.lane.try_recv().ok()?;
        Some(self.taken(job))
    }
}

/// A stream that is open on this broker.
#[derive(Clone, Debug)]
pub(crate) struct OpenedStream {
    pub(crate) spec: StreamSpec,
    /// Number of the broker whose gateway its client is connected to.
    pub(crate) gateway: u32,
    pub(crate) jobs: Jobs,
}

/// The same, for whoever looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamInfo {
    /// Its number on this broker.
    pub id: u64,
    /// Number of the broker whose gateway its client is connected to.
    pub gateway: u32,
    /// What it asks for.
    pub spec: StreamSpec,
}

impl Submitter {
    /// Opens a stream of jobs on all partitions, on whichever brokers they are led now or later. Jobs
    /// that were activatable before are not pushed.
    #[must_use]
    pub fn open_stream(&self, spec: StreamSpec) -> JobStream {
        let here = self.shared.options.node_id;
        let (mut stream, jobs) = self.register_stream(&spec, here);
        for (node, link) in self.shared.cluster.links.iter().enumerate() {
            if node as u32 == here {
                continue;
            }
            let open = ToPeer::OpenStream {
                id: stream.id,
                spec: spec.clone(),
                jobs: jobs.clone(),
            };
            if link.try_send(open).is_err() {
                // As below.
                stream.jobs.lane.close();
            }
        }
        stream.everywhere = true;
        stream
    }

    /// Opens a stream of jobs on the partitions of this broker, for the gateway of another one.
    pub(crate) fn open_stream_here(&self, spec: StreamSpec, gateway: u32) -> JobStream {
        self.register_stream(&spec, gateway).0
    }

    fn register_stream(&self, spec: &StreamSpec, gateway: u32) -> (JobStream, Jobs) {
        let id = StreamId(self.shared.next_stream.fetch_add(1, Ordering::Relaxed));
        let (sender, jobs) = lane(&self.shared.options.limits);
        let mut streams = self.shared.streams();
        let opened = OpenedStream {
            spec: spec.clone(),
            gateway,
            jobs: sender.clone(),
        };
        streams.insert(id, opened);
        let registered = self.shared.partitions.iter().all(|mailbox| {
            mailbox
                .push_control(Control::AddStream {
                    id,
                    spec: spec.clone(),
                    jobs: sender.clone(),
                })
                .is_ok()
        });
        drop(streams);
        let mut stream = JobStream {
            id,
            jobs,
            submitter: self.clone(),
            everywhere: false,
        };
        if !registered {
            // A stream that misses a partition would miss its jobs without anybody noticing; an
            // ended one is opened again by its client.
            stream.jobs.lane.close();
        }
        (stream, sender)
    }

    /// The streams that are open on this broker, in the order in which they were opened.
    #[must_use]
    pub fn job_streams(&self) -> Vec<StreamInfo> {
        let streams = self.shared.streams();
        let streams = streams.iter().map(|(id, opened)| StreamInfo {
            id: id.0,
            gateway: opened.gateway,
            spec: opened.spec.clone(),
        });
        streams.collect()
    }
}

/// Jobs pushed to one worker. Dropping it closes it; jobs not yet read are given back.
#[derive(Debug)]
pub struct JobStream {
    id: StreamId,
    jobs: Waiting,
    submitter: Submitter,
    /// Open on the other brokers as well.
    everywhere: bool,
}

impl JobStream {
    /// The next job, activated for this stream's worker; `None` when the stream has ended because
    /// the broker stops or is overloaded.
    pub async fn next(&mut self) -> Option<(Key, Arc<JobRecord>)> {
        self.jobs.recv().await
    }

    /// Gives back a job that could not be delivered: it becomes activatable at once, and that does
    /// not count as a failure.
    pub fn give_back(&self, key: Key, job: Arc<JobRecord>) {
        // If even the reserved lane is full the job's time-out gives it back.
        thread::yield_job(&self.submitter.shared, key, job);
    }
}

impl Drop for JobStream {
    fn drop(&mut self) {
        self.jobs.lane.close();
        self.submitter.shared.streams().remove(&self.id);
        for mailbox in self.submitter.shared.partitions.iter() {
            // A partition that misses this learns it from its next push.
            let _ = mailbox.push_control(Control::RemoveStream(self.id));
        }
        if self.everywhere {
            for link in &self.submitter.shared.cluster.links {
                // A broker that misses this sees it when it pushes.
                let _ = link.try_send(ToPeer::CloseStream(self.id));
            }
        }
        while let Some((key, job)) = self.jobs.try_recv() {
            self.give_back(key, job);
        }
    }
}

#[cfg(test)]
mod tests {
    use ringflow_core::record::Document;

    use super::*;

    fn job(variables: usize) -> Job {
        let record = JobRecord {
            variables: Document::from(vec![0_u8; variables]),
            ..JobRecord::default()
        };
        (Key(1), Arc::new(record))
    }

    #[test]
    fn lanes_are_bounded_by_number_and_by_bytes() {
        let limits = Limits {
            stream_buffer: 3,
            stream_bytes: 64 * 1024,
            ..Limits::default()
        };
        let (jobs, mut waiting) = lane(&limits);
        // One of any size has its turn.
        jobs.try_send(job(1 << 20)).unwrap();
        assert!(matches!(jobs.try_send(job(0)), Err(TrySendError::Full(_))));
        assert!(waiting.try_recv().is_some());
        for _ in 0..3 {
            jobs.try_send(job(16)).unwrap();
        }
        assert!(matches!(jobs.try_send(job(0)), Err(TrySendError::Full(_))));
        while waiting.try_recv().is_some() {}
        assert_eq!(waiting.bytes.load(Ordering::Relaxed), 0);
        drop(waiting);
        assert!(matches!(
            jobs.try_send(job(0)),
            Err(TrySendError::Closed(_))
        ));
        assert_eq!(jobs.0.waiting.load(Ordering::Relaxed), 0);
    }
}
