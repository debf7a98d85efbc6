//! VARIABLE -> `variable`.
//!
//! The value is kept as JSON text. What does not fit the preview column is cut there
//! (`is_preview`) and kept whole in `var_full_value`. Numbers are also kept as numbers, for filters
//! that compare them.
//!
//! The names that variables of a definition have are also kept by themselves
//! (`process_def_var_name_lookup`), so that they can be listed without reading the variables.
//!
//! An update states everything the row holds, so it writes the whole row: one statement for a
//! variable however often it changed in a window.

use ringflow_core::json::from_msgpack;
use ringflow_core::msgpack::{Reader, Token};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::VariableRecord;
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::{Context, Datum, cut};
use crate::schema::variable::*;
use crate::schema::{Table, process_def_var_name_lookup};

/// Characters of a preview.
pub const PREVIEW_CHARS: usize = 8191;

/// Writes a VARIABLE event.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &VariableRecord,
) {
    let Intent::Variable(intent) = record.intent else {
        return;
    };
    if intent != of::Variable::Updated {
        note_name(window, context, record, value);
    }
    match intent {
        of::Variable::Created | of::Variable::Updated => {
            let mut json = String::new();
            if from_msgpack(value.value.as_bytes(), &mut json).is_err() {
                json.clear();
                json.push_str("null");
            }
            let preview = cut(&json, PREVIEW_CHARS);
            let is_preview = preview.len() < json.len();
            let (kind, long, double) = kind(value.value.as_bytes());
            window.upsert(
                Table::Variable,
                RowKey::of(record.key),
                record.position,
                vec![
                    (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                    (
                        ROOT_PROCESS_INSTANCE_KEY,
                        if value.root_process_instance_key.is_some() {
                            value.root_process_instance_key.into()
                        } else {
                            value.process_instance_key.into()
                        },
                    ),
                    (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                    (SCOPE_KEY, value.scope_key.into()),
                    (TYPE, kind.into()),
                    (VAR_NAME, Datum::from(&value.name)),
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
                    (TENANT_ID, Datum::from(&value.tenant_id)),
                    (IS_PREVIEW, is_preview.into()),
                    (PARTITION_ID, record.partition.0.into()),
                ],
            );
        }
        of::Variable::Migrated => window.update(
            Table::Variable,
            RowKey::of(record.key),
            record.position,
            vec![(PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id))],
        ),
    }
}

/// Keeps the name for the definition, once.
fn note_name(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &VariableRecord,
) {
    use process_def_var_name_lookup::*;

    let definition = value.process_definition_key;
    if !definition.is_some() || !context.names.is_new_variable(definition, &value.name) {
        return;
    }
    window.upsert(
        Table::VariableName,
        RowKey::with_text(definition, &value.name),
        record.position,
        vec![
            (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
            (TENANT_ID, Datum::from(&value.tenant_id)),
        ],
    );
}

/// Type name, and the value as a number if it is one.
pub(crate) fn kind(bytes: &[u8]) -> (&'static str, Option<i64>, Option<f64>) {
    match Reader::new(bytes).next() {
        Ok(Token::Int(number)) => ("LONG", Some(number), None),
        Ok(Token::Uint(number)) => ("DOUBLE", None, Some(number as f64)),
        Ok(Token::Float(number)) => ("DOUBLE", None, number.is_finite().then_some(number)),
        Ok(Token::Bool(_)) => ("BOOLEAN", None, None),
        Ok(Token::Str(_) | Token::Bin(_)) => ("STRING", None, None),
        Ok(Token::Array(_) | Token::Map(_) | Token::Ext(..)) => ("JSON", None, None),
        Ok(Token::Nil) | Err(_) => ("NULL", None, None),
    }
}
