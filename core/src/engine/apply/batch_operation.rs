//! BATCH_OPERATION events: what a partition knows of an operation and its items.
//!
//! The leading partition keeps an operation until all partitions have reported; the others forget it
//! with their own report. Whoever ends it deletes every row of it here.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{
    BatchOperationChunkRecord, BatchOperationCreationRecord, BatchOperationExecutionRecord,
    BatchOperationInitializationRecord, BatchOperationLifecycleManagementRecord,
    BatchOperationPartitionLifecycleRecord,
};
use crate::state::{BatchOperationChunkRow, BatchOperationRow};

pub(super) fn created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationCreationRecord>,
) -> Applied {
    let row = BatchOperationRow {
        record: value.clone(),
        ..BatchOperationRow::default()
    };
    a.state.batch_operations.put(key, row)?;
    a.state.pending_batch_operations.insert(key);
    Ok(())
}

pub(super) fn chunk_created(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<BatchOperationChunkRecord>,
) -> Applied {
    let operation = value.batch_operation_key;
    let Some(row) = a.state.batch_operations.get(&operation)? else {
        return Ok(());
    };
    let chunk = BatchOperationChunkRow {
        items: value.items.iter().map(|item| item.item_key).collect(),
    };
    let number = row.next_chunk;
    a.state
        .batch_operation_chunks
        .put((operation, number), chunk)?;
    let found = value.items.len() as i64;
    a.state.batch_operations.update(&operation, |row| {
        row.next_chunk += 1;
        row.total += found;
    })?;
    Ok(())
}

pub(super) fn initializing(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationInitializationRecord>,
) -> Applied {
    a.state.batch_operations.update(&key, |row| {
        row.cursor = value.search_result_cursor.clone();
    })?;
    Ok(())
}

pub(super) fn initialized(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationInitializationRecord>,
) -> Applied {
    a.state.batch_operations.update(&key, |row| {
        row.cursor = value.search_result_cursor.clone();
        row.initialized = true;
    })?;
    a.state.pending_batch_operations.remove(&key);
    activate(a, key)
}

pub(super) fn executed(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationExecutionRecord>,
) -> Applied {
    let Some(row) = a.state.batch_operations.get(&key)? else {
        return Ok(());
    };
    let chunk_key = (key, row.first_chunk);
    let Some(chunk) = a.state.batch_operation_chunks.get(&chunk_key)? else {
        return Ok(());
    };
    let left: Vec<Key> = chunk
        .items
        .iter()
        .filter(|item| !value.item_keys.contains(item))
        .copied()
        .collect();
    let emptied = left.is_empty();
    if emptied {
        a.state.batch_operation_chunks.remove(&chunk_key)?;
    } else {
        let chunk = BatchOperationChunkRow { items: left };
        a.state.batch_operation_chunks.put(chunk_key, chunk)?;
    }
    let done = value.item_keys.len() as i64;
    a.state.batch_operations.update(&key, |row| {
        row.executed += done;
        row.first_chunk += u64::from(emptied);
    })?;
    Ok(())
}

pub(super) fn suspended(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Applied {
    let key = value.batch_operation_key;
    a.state
        .batch_operations
        .update(&key, |row| row.suspended = true)?;
    a.state.active_batch_operations.remove(&key);
    Ok(())
}

pub(super) fn resumed(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Applied {
    let key = value.batch_operation_key;
    a.state
        .batch_operations
        .update(&key, |row| row.suspended = false)?;
    activate(a, key)
}

/// Canceled, completed or failed as a whole.
pub(super) fn ended(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Applied {
    forget(a, value.batch_operation_key)
}

pub(super) fn partition_completed(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationPartitionLifecycleRecord>,
) -> Applied {
    report(a, key, value, false)
}

pub(super) fn partition_failed(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationPartitionLifecycleRecord>,
) -> Applied {
    report(a, key, value, true)
}

fn report(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<BatchOperationPartitionLifecycleRecord>,
    failed: bool,
) -> Applied {
    let Some(row) = a.state.batch_operations.get(&key)? else {
        return Ok(());
    };
    if !row.record.leading {
        return forget(a, key);
    }
    let source = value.source_partition_id;
    let own = source == key.partition();
    a.state.batch_operations.update(&key, |row| {
        row.finished_partitions.push(source);
        row.done |= own;
        if failed {
            row.errors.push(value.error.clone());
        }
    })?;
    if own {
        a.state.pending_batch_operations.remove(&key);
        a.state.active_batch_operations.remove(&key);
    }
    Ok(())
}

fn activate(a: &mut Applying<'_>, key: Key) -> Applied {
    let row = a.state.batch_operations.get(&key)?;
    if row.is_some_and(|row| row.is_active()) {
        a.state.active_batch_operations.insert(key);
    }
    Ok(())
}

fn forget(a: &mut Applying<'_>, key: Key) -> Applied {
    let Some(row) = a.state.batch_operations.get(&key)? else {
        return Ok(());
    };
    for number in row.first_chunk..row.next_chunk {
        a.state.batch_operation_chunks.remove(&(key, number))?;
    }
    a.state.pending_batch_operations.remove(&key);
    a.state.active_batch_operations.remove(&key);
    a.state.batch_operations.remove(&key)?;
    Ok(())
}
