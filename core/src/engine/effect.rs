//! What must happen outside the engine after the records of a step are committed.
//!
//! Effects leave only after the commit they depend on and only on the leader. Each has a retry owner
//! in state (a checker that finds what is pending), because an effect can be lost with the process:
//! losing one costs time, never correctness.

use std::sync::Arc;

use crate::engine::input::{Command, RequestId};
use crate::ids::{Key, PartitionId};
use crate::record::value::{BatchOperationType, CheckpointRecord, JobRecord};
use crate::record::{Document, Intent, Rejection, Text, Value};

/// Names a job stream that a client opened; given out by the shard, meaningless elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Who waits.
    pub request: RequestId,
    /// Entity the answer is about.
    pub key: Key,
    /// Event that answers (its intent), or the command's intent if it was refused.
    pub intent: Intent,
    /// Value of the event or of the refused command.
    pub value: Value,
    /// Why it was refused; `None` = accepted.
    pub rejection: Option<Rejection>,
}

/// Which items of a batch operation this partition wants to know.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemQuery {
    /// The operation.
    pub batch_operation: Key,
    /// What is done to the items; decides what they are.
    pub kind: BatchOperationType,
    /// Which entities; see
    /// [`batch_operation`](crate::record::value::BatchOperationCreationRecord).
    pub filter: Text,
    /// Cursor behind which they are looked for; empty = from the first.
    pub after: Text,
    /// Claims of whoever created the operation.
    pub authentication: Document,
}

/// Something to do outside.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Answer a request.
    Respond(Response),
    /// Hand a command to another partition (best effort, at most once).
    Send {
        /// Its partition.
        to: PartitionId,
        /// The command.
        command: Box<Command>,
    },
    /// Hand an activated job to a stream. If that fails, the shard submits JOB YIELD.
    PushJob {
        /// The stream.
        stream: StreamId,
        /// Key of the job.
        key: Key,
        /// The job with its visible variables.
        job: Arc<JobRecord>,
    },
    /// Find a page of items. The answer is BATCH_OPERATION_CHUNK CREATE with the same `after`, or
    /// BATCH_OPERATION_PARTITION_LIFECYCLE FAIL; if none comes, the engine asks again.
    FindItems(Box<ItemQuery>),
    /// A checkpoint was created; if it is one for a backup, the partition is to be stored as it is
    /// right behind the records of the step. Nobody repeats this: a backup that is lost is not
    /// whole, which its states tell.
    CheckpointCreated(Arc<CheckpointRecord>),
    /// Jobs of a type became available and no stream took them: wake parked polls of that type.
    JobsAvailable {
        /// The type.
        job_type: Text,
    },
}
