//! The three ways in which processing a command ends early, and what a fault is.
//!
//! | way | meaning | result |
//! |---|---|---|
//! | rejection | the command is refused | COMMAND_REJECTION record, answer to the caller |
//! | failure | the instance needs an operator | INCIDENT CREATED, element stays where it is |
//! | fault | the engine or its state is wrong | step undone, ERROR CREATED, instance banned |
//!
//! A step that outgrows its size limit is none of these: it is undone and cut shorter.

use crate::ids::Key;
use crate::record::value::ErrorType;
use crate::record::{Rejection, RejectionType, Text};
use crate::state::StateError;

/// Something that must not happen.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// State cannot be read: the partition stops.
    #[error(transparent)]
    State(#[from] StateError),
    /// A broken assumption while processing: contained, see [`Engine`](crate::engine::Engine).
    #[error("{0}")]
    Processing(String),
    /// A record that this version cannot apply: the partition stops.
    #[error("cannot apply {0}")]
    Apply(String),
}

impl Fault {
    /// True if going on would be guessing.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::State(_) | Self::Apply(_) => true,
            Self::Processing(_) => false,
        }
    }
}

/// Why an element cannot go on; becomes an incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorType,
    pub(crate) message: Text,
    /// Where the operator should mend variables; none = the element itself.
    pub(crate) scope: Option<Key>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorType, message: impl Into<Text>) -> Self {
        Self {
            kind,
            message: message.into(),
            scope: None,
        }
    }
}

/// Processing a command ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The command is refused.
    Reject(Rejection),
    /// The element needs an operator.
    Incident(Failure),
    /// The records of the step outgrew the limit.
    TooLarge,
    /// The engine or its state is wrong.
    Fault(Fault),
}

impl Stop {
    pub(crate) fn reject(kind: RejectionType, reason: impl Into<Text>) -> Self {
        Self::Reject(Rejection::new(kind, reason))
    }

    pub(crate) fn not_found(reason: impl Into<Text>) -> Self {
        Self::reject(RejectionType::NotFound, reason)
    }

    pub(crate) fn invalid_argument(reason: impl Into<Text>) -> Self {
        Self::reject(RejectionType::InvalidArgument, reason)
    }

    pub(crate) fn invalid_state(reason: impl Into<Text>) -> Self {
        Self::reject(RejectionType::InvalidState, reason)
    }

    pub(crate) fn fault(message: impl Into<String>) -> Self {
        Self::Fault(Fault::Processing(message.into()))
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::Fault(Fault::State(error))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Incident(failure)
    }
}

/// What processing gives.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;
