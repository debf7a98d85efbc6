//! A record and everything about it that is not its value.
//!
//! Field meanings follow Zeebe: `position` is consecutive per partition; `source_position` is the
//! position of the command that caused the record, -1 (here `None`) for what no processing caused;
//! `key` identifies the entity, [`Key::NONE`] for commands that create one; `timestamp` is one value
//! for all records of a step. Rejections keep key, value and intent of the command they refuse.

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::{Document, Intent, Text, Value};

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum RecordType {
    /// Something that happened; the only kind that changes state.
    Event = 0,
    /// Something that is asked for.
    Command = 1,
    /// A command that was refused.
    CommandRejection = 2,
}

impl RecordType {
    /// The type under `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Event),
            1 => Some(Self::Command),
            2 => Some(Self::CommandRejection),
            _ => None,
        }
    }

    /// Camunda's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "EVENT",
            Self::Command => "COMMAND",
            Self::CommandRejection => "COMMAND_REJECTION",
        }
    }
}

/// Why a command was refused; the wire maps each to a status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum RejectionType {
    /// The request itself is wrong.
    InvalidArgument = 0,
    /// The entity is not there, or not for this caller.
    NotFound = 1,
    /// The entity is there already.
    AlreadyExists = 2,
    /// The entity is in a state that does not allow it.
    InvalidState = 3,
    /// A fault of the engine, contained.
    ProcessingError = 4,
    /// The records of the step do not fit one batch.
    ExceededBatchRecordSize = 5,
    /// The caller is not known.
    Unauthorized = 6,
    /// The caller may not.
    Forbidden = 7,
    /// This version does not know how to do it; not one of Camunda's.
    Unsupported = 128,
}

impl RejectionType {
    /// The type under `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::InvalidArgument),
            1 => Some(Self::NotFound),
            2 => Some(Self::AlreadyExists),
            3 => Some(Self::InvalidState),
            4 => Some(Self::ProcessingError),
            5 => Some(Self::ExceededBatchRecordSize),
            6 => Some(Self::Unauthorized),
            7 => Some(Self::Forbidden),
            128 => Some(Self::Unsupported),
            _ => None,
        }
    }

    /// Camunda's name, as it appears in rejection texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::InvalidState => "INVALID_STATE",
            Self::ProcessingError => "PROCESSING_ERROR",
            Self::ExceededBatchRecordSize => "EXCEEDED_BATCH_RECORD_SIZE",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

/// A refusal: its kind and a text for the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The kind.
    pub kind: RejectionType,
    /// The reason, worded as Camunda words it.
    pub reason: Text,
}

impl Rejection {
    /// A rejection of `kind` for `reason`.
    pub fn new(kind: RejectionType, reason: impl Into<Text>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

/// One record of a partition's stream.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Place in the stream.
    pub position: Position,
    /// Position of the command whose processing wrote this record; `None` for commands from
    /// clients, scheduled tasks and other partitions.
    pub source_position: Option<Position>,
    /// Identity of the entity.
    pub key: Key,
    /// When the step that wrote the record ran.
    pub timestamp: Timestamp,
    /// Event, command or rejection.
    pub record_type: RecordType,
    /// What happened or is asked for; determines the value type.
    pub intent: Intent,
    /// Present exactly on rejections.
    pub rejection: Option<Rejection>,
    /// Partition that wrote the record.
    pub partition: PartitionId,
    /// Version of the event's applier, from 1.
    pub record_version: u16,
    /// Number the client chose, copied to every record its command caused; -1 = none.
    pub operation_reference: i64,
    /// Key of the batch operation that caused the command; [`Key::NONE`] = none.
    pub batch_operation_reference: Key,
    /// Claims of the caller, for diagnosis; empty = none.
    pub authorization: Document,
    /// The value.
    pub value: Value,
}
