//! What enters the engine: a command, who waits for its answer, and who asks.
//!
//! The shard builds these from requests, from due work and from other partitions' messages. The
//! engine trusts the shape of the value (it was decoded) and nothing else.

use crate::ids::{Key, Timestamp};
use crate::record::{Document, Intent, Value};

/// Names a caller that waits for an answer. Unique within the life of one shard process; means
/// nothing to any other process and is never persisted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A command to process.
#[derive(Clone, Debug)]
pub struct Command {
    /// Entity it addresses; [`Key::NONE`] if it creates one.
    pub key: Key,
    /// What is asked for.
    pub intent: Intent,
    /// Its value; of the intent's value type.
    pub value: Value,
    /// Who waits for the answer, if anybody.
    pub request: Option<RequestId>,
    /// Number the client chose; -1 = none.
    pub operation_reference: i64,
    /// Batch operation it belongs to; [`Key::NONE`] = none.
    pub batch_operation_reference: Key,
    /// Claims of the caller; empty = anonymous or internal.
    pub authorization: Document,
}

impl Command {
    /// A command without caller, reference and claims: what the engine and other partitions send.
    #[must_use]
    pub fn internal(key: Key, intent: impl Into<Intent>, value: impl Into<Value>) -> Self {
        Self {
            key,
            intent: intent.into(),
            value: value.into(),
            request: None,
            operation_reference: -1,
            batch_operation_reference: Key::NONE,
            authorization: Document::EMPTY,
        }
    }
}

/// When a step runs; the only time the engine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now(pub Timestamp);
