//! Commands that one partition distributes to all others, and contained engine faults.
//!
//! Zeebe: `CommandDistributionRecord`, `ErrorRecord`.

use crate::ids::{Key, PartitionId, Position};
use crate::record::{Blob, Text};
use crate::record_value;

record_value! {
    /// A command on its way to other partitions. The record key is the distribution key.
    pub struct CommandDistributionRecord {
        /// Target (or acknowledging) partition.
        partition_id "partitionId": PartitionId = PartitionId(0),
        /// Queue that orders distributions of one kind; empty = unordered.
        queue_id "queueId": Text,
        /// Number of the command's value type.
        value_type "valueType": u8,
        /// Number of the command's intent.
        intent "intent": u8,
        /// Encoded value of the command.
        command_value "commandValue": Blob,
        /// Key of the command.
        command_key "": Key,
    }
}

record_value! {
    /// A fault of the engine that was contained; the instance is banned.
    pub struct ErrorRecord {
        /// What happened.
        exception_message "exceptionMessage": Text,
        /// Where, as far as known.
        stacktrace "stacktrace": Text,
        /// The command that failed.
        error_event_position "errorEventPosition": Position,
        /// The instance.
        process_instance_key "processInstanceKey": Key,
    }
}
