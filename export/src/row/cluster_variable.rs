//! CLUSTER_VARIABLE -> `cluster_variable`.
//!
//! Every partition has every variable; only the first one writes, so that rows are in the order of
//! one log. A deleted variable keeps its row, marked, because a window folds rows and removes none.

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::json::from_msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::ClusterVariableRecord;
use ringflow_core::record::{Intent, Record, Text};

use super::variable::{PREVIEW_CHARS, kind};
use crate::batch::{RowKey, Window};
use crate::row::{Datum, cut};
use crate::schema::Table;
use crate::schema::cluster_variable::*;

/// Writes a CLUSTER_VARIABLE event.
pub fn write(window: &mut Window, record: &Record, value: &ClusterVariableRecord) {
    let Intent::ClusterVariable(intent) = record.intent else {
        return;
    };
    if record.partition != PartitionId::DEPLOYMENT {
        return;
    }
    // Tenants have no slash in their names, and the empty one is the whole cluster.
    let id = Text::from(format!("{}/{}", value.tenant_id, value.name));
    let key = RowKey::with_text(Key(0), &id);
    match intent {
        of::ClusterVariable::Created | of::ClusterVariable::Updated => {
            let mut json = String::new();
            if from_msgpack(value.value.as_bytes(), &mut json).is_err() {
                json = "null".to_owned();
            }
            let mut metadata = String::new();
            if from_msgpack(value.metadata.as_bytes(), &mut metadata).is_err() {
                metadata = "{}".to_owned();
            }
            let preview = cut(&json, PREVIEW_CHARS);
            let is_preview = preview.len() < json.len();
            let (kind, long, double) = kind(value.value.as_bytes());
            window.upsert(
                Table::ClusterVariable,
                key,
                record.position,
                vec![
                    (VAR_NAME, Datum::from(&value.name)),
                    (TYPE, kind.into()),
                    (DOUBLE_VALUE, double.map_or(Datum::Null, Datum::Float)),
                    (LONG_VALUE, long.map_or(Datum::Null, Datum::Int)),
                    (VAR_VALUE, preview.into()),
                    (
                        VAR_FULL_VALUE,
                        if is_preview {
                            Datum::Text(Text::from(json.as_str()))
                        } else {
                            Datum::Null
                        },
                    ),
                    (IS_PREVIEW, is_preview.into()),
                    (TENANT_ID, Datum::present(&value.tenant_id)),
                    (SCOPE, value.scope.name().into()),
                    (METADATA, Datum::Text(Text::from(metadata))),
                    (IS_DELETED, false.into()),
                ],
            );
        }
        of::ClusterVariable::Deleted => window.update(
            Table::ClusterVariable,
            key,
            record.position,
            vec![(IS_DELETED, true.into())],
        ),
        of::ClusterVariable::Create | of::ClusterVariable::Update | of::ClusterVariable::Delete => {
        }
    }
}
