//! PROCESS_MESSAGE_SUBSCRIPTION and MESSAGE_START_EVENT_SUBSCRIPTION -> `message_subscription`,
//! `correlated_message_subscription`.
//!
//! The state column is the name of the last event; CREATING and DELETING are halves of an exchange
//! with another partition and are not shown. Each correlation adds a row of its own, identified by
//! message and subscription.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    MessageStartEventSubscriptionRecord, ProcessMessageSubscriptionRecord,
};
use ringflow_core::record::{Intent, Record};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::{Table, correlated_message_subscription as correlated, message_subscription};

/// Writes a PROCESS_MESSAGE_SUBSCRIPTION event.
pub fn write(window: &mut Window, record: &Record, value: &ProcessMessageSubscriptionRecord) {
    use message_subscription::*;
    let key = RowKey::of(record.key);
    let root = if value.root_process_instance_key.is_some() {
        value.root_process_instance_key
    } else {
        value.process_instance_key
    };
    let Intent::ProcessMessageSubscription(intent) = record.intent else {
        return;
    };
    match intent {
        of::ProcessMessageSubscription::Created => window.upsert(
            Table::MessageSubscription,
            key,
            record.position,
            vec![
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                (ROOT_PROCESS_INSTANCE_KEY, root.into()),
                (FLOW_NODE_ID, Datum::from(&value.element_id)),
                (FLOW_NODE_INSTANCE_KEY, value.element_instance_key.into()),
                (MESSAGE_SUBSCRIPTION_STATE, "CREATED".into()),
                (MESSAGE_SUBSCRIPTION_TYPE, "PROCESS_EVENT".into()),
                (DATE_TIME, record.timestamp.into()),
                (MESSAGE_NAME, Datum::from(&value.message_name)),
                (CORRELATION_KEY, Datum::present(&value.correlation_key)),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (PARTITION_ID, record.partition.0.into()),
            ],
        ),
        of::ProcessMessageSubscription::Correlated
        | of::ProcessMessageSubscription::Deleted
        | of::ProcessMessageSubscription::Migrated => {
            let mut columns = vec![
                (
                    MESSAGE_SUBSCRIPTION_STATE,
                    Datum::from(record.intent.name()),
                ),
                (DATE_TIME, record.timestamp.into()),
            ];
            if intent == of::ProcessMessageSubscription::Migrated {
                columns.extend([
                    (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                    (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                    (FLOW_NODE_ID, Datum::from(&value.element_id)),
                ]);
            }
            window.update(Table::MessageSubscription, key, record.position, columns);
            if intent == of::ProcessMessageSubscription::Correlated {
                window.upsert(
                    Table::CorrelatedMessageSubscription,
                    RowKey::pair(value.message_key, record.key),
                    record.position,
                    vec![
                        (
                            correlated::CORRELATION_KEY,
                            Datum::present(&value.correlation_key),
                        ),
                        (correlated::CORRELATION_TIME, record.timestamp.into()),
                        (correlated::FLOW_NODE_ID, Datum::from(&value.element_id)),
                        (
                            correlated::FLOW_NODE_INSTANCE_KEY,
                            value.element_instance_key.into(),
                        ),
                        (correlated::MESSAGE_NAME, Datum::from(&value.message_name)),
                        (correlated::PARTITION_ID, record.partition.0.into()),
                        (
                            correlated::PROCESS_DEFINITION_ID,
                            Datum::from(&value.bpmn_process_id),
                        ),
                        (
                            correlated::PROCESS_DEFINITION_KEY,
                            value.process_definition_key.into(),
                        ),
                        (
                            correlated::PROCESS_INSTANCE_KEY,
                            value.process_instance_key.into(),
                        ),
                        (correlated::ROOT_PROCESS_INSTANCE_KEY, root.into()),
                        (correlated::SUBSCRIPTION_TYPE, "PROCESS_EVENT".into()),
                        (correlated::TENANT_ID, Datum::from(&value.tenant_id)),
                    ],
                );
            }
        }
        of::ProcessMessageSubscription::Creating
        | of::ProcessMessageSubscription::Create
        | of::ProcessMessageSubscription::Correlate
        | of::ProcessMessageSubscription::Deleting
        | of::ProcessMessageSubscription::Delete => {}
    }
}

/// Writes a MESSAGE_START_EVENT_SUBSCRIPTION event.
pub fn write_start(
    window: &mut Window,
    record: &Record,
    value: &MessageStartEventSubscriptionRecord,
) {
    use message_subscription::*;
    let key = RowKey::of(record.key);
    let Intent::MessageStartEventSubscription(intent) = record.intent else {
        return;
    };
    match intent {
        of::MessageStartEventSubscription::Created => window.upsert(
            Table::MessageSubscription,
            key,
            record.position,
            vec![
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (FLOW_NODE_ID, Datum::from(&value.start_event_id)),
                (MESSAGE_SUBSCRIPTION_STATE, "CREATED".into()),
                (MESSAGE_SUBSCRIPTION_TYPE, "START_EVENT".into()),
                (DATE_TIME, record.timestamp.into()),
                (MESSAGE_NAME, Datum::from(&value.message_name)),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (PARTITION_ID, record.partition.0.into()),
            ],
        ),
        of::MessageStartEventSubscription::Deleted => window.update(
            Table::MessageSubscription,
            key,
            record.position,
            vec![
                (MESSAGE_SUBSCRIPTION_STATE, "DELETED".into()),
                (DATE_TIME, record.timestamp.into()),
            ],
        ),
        // The subscription stays open for the next message.
        of::MessageStartEventSubscription::Correlated => window.upsert(
            Table::CorrelatedMessageSubscription,
            RowKey::pair(value.message_key, record.key),
            record.position,
            vec![
                (
                    correlated::CORRELATION_KEY,
                    Datum::present(&value.correlation_key),
                ),
                (correlated::CORRELATION_TIME, record.timestamp.into()),
                (correlated::FLOW_NODE_ID, Datum::from(&value.start_event_id)),
                (correlated::FLOW_NODE_INSTANCE_KEY, Key::NONE.into()),
                (correlated::MESSAGE_NAME, Datum::from(&value.message_name)),
                (correlated::PARTITION_ID, record.partition.0.into()),
                (
                    correlated::PROCESS_DEFINITION_ID,
                    Datum::from(&value.bpmn_process_id),
                ),
                (
                    correlated::PROCESS_DEFINITION_KEY,
                    value.process_definition_key.into(),
                ),
                (
                    correlated::PROCESS_INSTANCE_KEY,
                    value.process_instance_key.into(),
                ),
                (
                    correlated::ROOT_PROCESS_INSTANCE_KEY,
                    value.process_instance_key.into(),
                ),
                (correlated::SUBSCRIPTION_TYPE, "START_EVENT".into()),
                (correlated::TENANT_ID, Datum::from(&value.tenant_id)),
            ],
        ),
    }
}
