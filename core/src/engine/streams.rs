//! Job streams: clients that take jobs as soon as they can be taken.
//!
//! Volatile and leader only: the shard adds and removes streams as clients come and go. Which stream
//! gets a job is decided here, that the job was activated for it is an event like any other.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::engine::effect::StreamId;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};

/// What a stream asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Job type.
    pub job_type: Text,
    /// Name of the worker.
    pub worker: Text,
    /// Hold in milliseconds.
    pub timeout: i64,
    /// Names of the variables to hand out; empty = all visible.
    pub fetch_variables: Vec<Text>,
    /// Tenants whose jobs may be handed out; empty = the default tenant.
    pub tenant_ids: Vec<Text>,
    /// Claims of who opened it; empty = jobs are not looked at for permissions.
    pub authorization: Document,
}

/// The streams of this partition.
#[derive(Debug, Default)]
pub struct JobStreams {
    specs: BTreeMap<StreamId, StreamSpec>,
    /// Streams per type, and whose turn it is.
    by_type: FxHashMap<Text, (Vec<StreamId>, usize)>,
}

impl JobStreams {
    /// Opens a stream, or changes what it asks for.
    pub fn add(&mut self, stream: StreamId, spec: StreamSpec) {
        self.remove(stream);
        let (streams, _) = self.by_type.entry(spec.job_type.clone()).or_default();
        streams.push(stream);
        self.specs.insert(stream, spec);
    }

    /// Closes a stream.
    pub fn remove(&mut self, stream: StreamId) {
        let Some(spec) = self.specs.remove(&stream) else {
            return;
        };
        if let Some((streams, _)) = self.by_type.get_mut(&spec.job_type) {
            streams.retain(|other| *other != stream);
            if streams.is_empty() {
                self.by_type.remove(&spec.job_type);
            }
        }
    }

    /// Whether there is no stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// What a stream asks for.
    #[must_use]
    pub fn spec(&self, stream: StreamId) -> Option<&StreamSpec> {
        self.specs.get(&stream)
    }

    /// The streams that take jobs of `job_type`.
    pub(crate) fn of_type(&self, job_type: &Text) -> &[StreamId] {
        self.by_type
            .get(job_type)
            .map_or(&[], |(streams, _)| streams.as_slice())
    }

    /// The stream whose turn it is among those that take jobs of `job_type` and `tenant` and are
    /// not in `barred`.
    pub(crate) fn next(
        &mut self,
        job_type: &Text,
        tenant: &Text,
        barred: &[StreamId],
    ) -> Option<StreamId> {
        let (streams, turn) = self.by_type.get_mut(job_type)?;
        for _ in 0..streams.len() {
            let stream = streams[*turn % streams.len()];
            *turn = (*turn + 1) % streams.len();
            if serves(&self.specs[&stream].tenant_ids, tenant) && !barred.contains(&stream) {
                return Some(stream);
            }
        }
        None
    }
}

/// Whether jobs of `tenant` go to who asked for `asked`; nobody named means the default tenant.
pub(crate) fn serves(asked: &[Text], tenant: &Text) -> bool {
    if asked.is_empty() {
        *tenant == default_tenant()
    } else {
        asked.contains(tenant)
    }
}
