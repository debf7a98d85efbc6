//! Batch operations: one command for many entities that a filter chooses.
//!
//! Zeebe: `BatchOperationCreationRecord`, `...ChunkRecord`, `...InitializationRecord`,
//! `...ExecutionRecord`, `...LifecycleManagementRecord`, `...PartitionLifecycleRecord`.
//!
//! The filter is data for whoever finds the items, who lives outside the engine. Its text is JSON:
//!
//! | form | meaning |
//! |---|---|
//! | `{"all":[...]}`, `{"any":[...]}` | conjunction, disjunction of filters |
//! | `{"field":"state","op":"eq","values":["ACTIVE"]}` | a condition on a field, named as in REST; a time is `{"time":ms}` |
//! | `{"variable":"a","op":"eq","values":["1"],"local":false}` | a condition on a variable |

use std::sync::Arc;

use crate::ids::{Key, PartitionId};
use crate::record::value::{MappingInstruction, MoveInstruction};
use crate::record::{Document, Text};
use crate::{field_enum, record_value};

field_enum! {
    /// What is done to each item.
    pub enum BatchOperationType {
        /// Cancel a process instance.
        #[default] CancelProcessInstance = 0 "CANCEL_PROCESS_INSTANCE",
        /// Resolve an incident.
        ResolveIncident = 1 "RESOLVE_INCIDENT",
        /// Migrate a process instance.
        MigrateProcessInstance = 2 "MIGRATE_PROCESS_INSTANCE",
        /// Modify a process instance.
        ModifyProcessInstance = 3 "MODIFY_PROCESS_INSTANCE",
        /// Delete the history of a process instance.
        DeleteProcessInstance = 4 "DELETE_PROCESS_INSTANCE",
        /// Delete the history of a decision instance.
        DeleteDecisionInstance = 5 "DELETE_DECISION_INSTANCE",
        /// Change a job.
        UpdateJob = 6 "UPDATE_JOB",
    }
}

field_enum! {
    /// Why a partition could not find its items.
    pub enum BatchOperationErrorType {
        /// The secondary storage did not answer.
        #[default] QueryFailed = 0 "QUERY_FAILED",
        /// A page of items does not fit a record.
        ResultBufferSizeExceeded = 1 "RESULT_BUFFER_SIZE_EXCEEDED",
    }
}

record_value! {
    /// How instances are migrated.
    pub struct BatchOperationMigrationPlan {
        /// Their new definition.
        target_process_definition_key "targetProcessDefinitionKey": Key,
        /// Elements.
        mapping_instructions "mappingInstructions": Vec<MappingInstruction>,
    }
}

record_value! {
    /// How instances are modified.
    pub struct BatchOperationModificationPlan {
        /// What moves.
        move_instructions "moveInstructions": Vec<MoveInstruction>,
    }
}

record_value! {
    /// How jobs are changed.
    pub struct BatchOperationJobUpdatePlan {
        /// Attempts left.
        retries "retries": i32,
        /// Milliseconds from then on that a worker holds the job.
        timeout "timeout": i64,
        /// Priority.
        priority "priority": i32,
        /// Which of them count.
        changed_attributes "changedAttributes": Vec<Text>,
    }
}

record_value! {
    /// A batch operation. The record key is its key; the partition of the key leads it.
    pub struct BatchOperationCreationRecord {
        /// Its key.
        batch_operation_key "batchOperationKey": Key,
        /// What is done.
        batch_operation_type "batchOperationType": BatchOperationType,
        /// Which entities; see the head of this file.
        entity_filter "entityFilter": Text,
        /// Partitions that take part.
        partition_ids "partitionIds": Vec<PartitionId>,
        /// Claims of the caller.
        authentication "": Document,
        /// Process of the one instance that it is about, whose update is what the caller needs to be
        /// allowed; empty = what batch operations need.
        of_process "": Text,
        /// Tenant of that instance.
        of_tenant "": Text,
        /// True in the record of the partition that leads it.
        leading "": bool,
        /// Process definition or decision requirements whose history goes when all items are done;
        /// -1 = none.
        definition_to_delete "": Key,
        /// Migrations: to what.
        migration_plan "migrationPlan": Arc<BatchOperationMigrationPlan>,
        /// Modifications: how.
        modification_plan "modificationPlan": Arc<BatchOperationModificationPlan>,
        /// Changes of jobs.
        job_update_plan "jobUpdatePlan": Arc<BatchOperationJobUpdatePlan>,
    }
}

record_value! {
    /// An entity the operation is about.
    pub struct BatchOperationItem {
        /// Its key.
        item_key "itemKey": Key,
        /// Its process instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
    }
}

record_value! {
    /// Items of one partition. A command carries a page of what was found, an event a part of it.
    pub struct BatchOperationChunkRecord {
        /// The operation.
        batch_operation_key "batchOperationKey": Key,
        /// The items.
        items "items": Vec<Arc<BatchOperationItem>>,
        /// Commands: cursor behind which the page was looked for.
        after "": Text,
        /// Commands: cursor of the page's last item.
        cursor "": Text,
        /// Commands: there are no more.
        last "": bool,
    }
}

record_value! {
    /// How far a partition has found its items.
    pub struct BatchOperationInitializationRecord {
        /// The operation.
        batch_operation_key "batchOperationKey": Key,
        /// Cursor of the last item found.
        search_result_cursor "searchResultCursor": Text,
        /// Items asked for next.
        search_query_page_size "searchQueryPageSize": i32,
    }
}

record_value! {
    /// Items being done, or done.
    pub struct BatchOperationExecutionRecord {
        /// The operation.
        batch_operation_key "batchOperationKey": Key,
        /// Their keys.
        item_keys "itemKeys": Vec<Key>,
    }
}

record_value! {
    /// What went wrong on a partition.
    pub struct BatchOperationError {
        /// The partition.
        partition_id "partitionId": PartitionId = PartitionId(0),
        /// Kind.
        error_type "type": BatchOperationErrorType,
        /// For the operator.
        message "message": Text,
    }
}

record_value! {
    /// An operation is canceled, suspended, resumed, or over.
    pub struct BatchOperationLifecycleManagementRecord {
        /// The operation.
        batch_operation_key "batchOperationKey": Key,
        /// What went wrong, one entry for each partition that failed.
        errors "errors": Vec<Arc<BatchOperationError>>,
    }
}

record_value! {
    /// A partition has done its part, or failed.
    pub struct BatchOperationPartitionLifecycleRecord {
        /// The operation.
        batch_operation_key "batchOperationKey": Key,
        /// The partition.
        source_partition_id "sourcePartitionId": PartitionId = PartitionId(0),
        /// Why it failed.
        error "error": Arc<BatchOperationError>,
    }
}
