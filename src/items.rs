//! Answers partitions that ask for items of batch operations, from the secondary storage.
//!
//! The engine keeps what it is told and asks again for what it is not; nothing here is durable. A
//! question that fails is tried again with growing pauses, all within the time after which the
//! engine asks again; then the partition is told that it failed. Items are those the secondary
//! storage knows: what was created a moment ago may be missing.
//!
//! | operation | items |
//! |---|---|
//! | cancel | active root instances that fit the filter |
//! | resolve incidents | active incidents of active instances that fit |
//! | delete instances | all instances that fit; the engine refuses the active ones |
//! | change jobs | jobs that fit and are not over |
//! | delete decision instances | the evaluations of which a decision fits |

use std::sync::Arc;
use std::time::Duration;

use ringflow_core::engine::effect::ItemQuery;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationChunkRecord, BatchOperationError, BatchOperationErrorType, BatchOperationItem,
    BatchOperationPartitionLifecycleRecord, BatchOperationType,
};
use ringflow_export::{
    Cell, Entity, Filter, Literal, Op, Page, PageSpec, PageStart, Queries, Query, QueryError, Row,
};
use ringflow_io::{AskedItems, Submitter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Items of one page; they become records of one step.
const PAGE: u32 = 1000;
/// Instances whose incidents are looked for together.
const INSTANCES_WITH_INCIDENTS: u32 = 200;
/// Pauses between attempts. With time-outs of searches they stay below the engine's patience.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Answers for ever; who started it ends it, and with it all searches.
pub(crate) async fn answer(
    mut asked: mpsc::Receiver<AskedItems>,
    queries: Queries,
    submitter: Submitter,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            question = asked.recv() => match question {
                Some(AskedItems { partition, query }) => {
                    let (queries, submitter) = (queries.clone(), submitter.clone());
                    open.spawn(async move {
                        let command = answer_one(&queries, partition, &query).await;
                        if let Err(error) = submitter.send(partition, command) {
                            tracing::warn!(%partition, %error, "items were found in vain");
                        }
                    });
                }
                None => return,
            },
            Some(ended) = open.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a search for items ended early");
                }
            }
        }
    }
}

/// The command that answers a question.
async fn answer_one(queries: &Queries, partition: PartitionId, query: &ItemQuery) -> Command {
    let operation = query.batch_operation;
    let mut pauses = PAUSES.iter();
    let error = loop {
        let error = match find(queries, partition, query).await {
            Ok(chunk) => {
                let intent = of::BatchOperationChunk::Create;
                return refer(operation, Command::internal(operation, intent, chunk));
            }
            Err(error) => error,
        };
        tracing::warn!(%partition, %operation, %error, "items cannot be found");
        let passing = matches!(error, QueryError::Unavailable { .. });
        match pauses.next() {
            Some(pause) if passing => tokio::time::sleep(*pause).await,
            Some(_) | None => break error,
        }
    };
    let error = BatchOperationError {
        partition_id: partition,
        error_type: BatchOperationErrorType::QueryFailed,
        message: Text::from(format!(
            "Failed to initialize batch operation with end cursor: {}. Reason: {error}",
            query.after
        )),
    };
    let record = BatchOperationPartitionLifecycleRecord {
        batch_operation_key: operation,
        source_partition_id: partition,
        error: Arc::new(error),
    };
    let intent = of::BatchOperationPartitionLifecycle::Fail;
    refer(operation, Command::internal(operation, intent, record))
}

fn refer(operation: Key, command: Command) -> Command {
    Command {
        batch_operation_reference: operation,
        ..command
    }
}

/// A page of items.
async fn find(
    queries: &Queries,
    partition: PartitionId,
    query: &ItemQuery,
) -> Result<BatchOperationChunkRecord, QueryError> {
    let mut conditions = vec![
        Filter::from_text(&query.filter)?,
        field("partitionId", Op::Eq, Literal::Int(partition.0.into())),
    ];
    let active = || field("state", Op::Eq, Literal::Text("ACTIVE".into()));
    let mut limit = PAGE;
    let mut entity = Entity::ProcessInstance;
    match query.kind {
        BatchOperationType::CancelProcessInstance => {
            conditions.push(active());
            let parent = "parentProcessInstanceKey";
            conditions.push(field(parent, Op::Exists, Literal::Bool(false)));
        }
        BatchOperationType::MigrateProcessInstance | BatchOperationType::ModifyProcessInstance => {
            conditions.push(active());
        }
        BatchOperationType::ResolveIncident => {
            conditions.push(active());
            limit = INSTANCES_WITH_INCIDENTS;
        }
        BatchOperationType::DeleteProcessInstance => {}
        BatchOperationType::UpdateJob => {
            entity = Entity::Job;
            let over = ["CANCELED", "COMPLETED"].map(|state| Literal::Text(state.into()));
            conditions.push(Filter::Field {
                field: "state".to_owned(),
                op: Op::NotIn,
                values: over.into(),
            });
        }
        BatchOperationType::DeleteDecisionInstance => {
            entity = Entity::DecisionInstance;
        }
    }
    let page = queries
        .search(&Query {
            filter: Filter::All(conditions),
            page: PageSpec {
                limit,
                start: start(&query.after),
            },
            ..Query::of(entity)
        })
        .await?;
    let rows = page.items.iter();
    let items = match query.kind {
        BatchOperationType::ResolveIncident => incidents(queries, &page).await?,
        BatchOperationType::DeleteDecisionInstance => {
            // All decisions of an evaluation go together, and stand together.
            let mut items: Vec<_> = rows.map(|row| item(row, "decisionEvaluationKey")).collect();
            items.dedup_by_key(|item| item.item_key);
            items
        }
        BatchOperationType::UpdateJob => rows.map(|row| item(row, "jobKey")).collect(),
        BatchOperationType::CancelProcessInstance
        | BatchOperationType::MigrateProcessInstance
        | BatchOperationType::ModifyProcessInstance
        | BatchOperationType::DeleteProcessInstance => {
            rows.map(|row| item(row, "processInstanceKey")).collect()
        }
    };
    let last = page.items.len() < limit as usize;
    Ok(BatchOperationChunkRecord {
        batch_operation_key: query.batch_operation,
        items,
        after: query.after.clone(),
        cursor: page.end_cursor.map_or(query.after.clone(), Text::from),
        last,
    })
}

/// Active incidents of the instances of a page.
async fn incidents(
    queries: &Queries,
    instances: &Page,
) -> Result<Vec<Arc<BatchOperationItem>>, QueryError> {
    let keys: Vec<Literal> = instances
        .items
        .iter()
        .map(|row| Literal::Int(key(row, "processInstanceKey").0))
        .collect();
    let mut found = Vec::new();
    let mut after = Text::default();
    while !keys.is_empty() {
        let of_these = Filter::Field {
            field: "processInstanceKey".into(),
            op: Op::In,
            values: keys.clone(),
        };
        let active = field("state", Op::Eq, Literal::Text("ACTIVE".into()));
        let page = queries
            .search(&Query {
                filter: Filter::All(vec![of_these, active]),
                page: PageSpec {
                    limit: PAGE,
                    start: start(&after),
                },
                ..Query::of(Entity::Incident)
            })
            .await?;
        found.extend(page.items.iter().map(|row| item(row, "incidentKey")));
        match page.end_cursor {
            Some(cursor) if page.items.len() == PAGE as usize => after = Text::from(cursor),
            Some(_) | None => break,
        }
    }
    Ok(found)
}

fn item(row: &Row, name: &str) -> Arc<BatchOperationItem> {
    Arc::new(BatchOperationItem {
        item_key: key(row, name),
        process_instance_key: key(row, "processInstanceKey"),
        root_process_instance_key: key(row, "rootProcessInstanceKey"),
    })
}

fn key(row: &Row, name: &str) -> Key {
    match row.get(name) {
        Some(Cell::Key(key)) => Key(*key),
        Some(_) | None => Key::NONE,
    }
}

fn start(after: &Text) -> PageStart {
    if after.is_empty() {
        PageStart::From(0)
    } else {
        PageStart::After(after.as_str().to_owned())
    }
}

fn field(name: &str, op: Op, value: Literal) -> Filter {
    Filter::Field {
        field: name.to_owned(),
        op,
        values: vec![value],
    }
}
