//! One record as one document: index, id, routing, and the JSON that Camunda's records have.
//!
//! Members that Camunda leaves out of documents are left out (`authorizations`). `sequence` counts the
//! records of a value type in a partition, so that readers can page by range; it is not part of the
//! record. Ids are partition and position, so that a record that comes twice is one document.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ringflow_core::json::write_string;
use ringflow_core::record::{Record, ValueType};

use super::adapt;
use super::options::{ElasticOptions, dashed};

/// Bits of a sequence that count.
const COUNTER_BITS: u32 = 51;

/// How many records of each value type a partition has exported; kept with the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequences(pub(super) BTreeMap<&'static str, u64>);

impl Sequences {
    fn next(&mut self, record: &Record) -> u64 {
        let counter = self.0.entry(record.intent.value_type().name()).or_default();
        *counter += 1;
        (u64::from(record.partition.0) << COUNTER_BITS) + *counter
    }

    /// Takes over a stored count; a name that nothing has is dropped.
    pub(super) fn restore(&mut self, name: &str, count: u64) {
        if let Some(known) = ValueType::ALL.iter().find(|known| known.name() == name) {
            self.0.insert(known.name(), count);
        }
    }
}

/// One line of a bulk request and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Where it goes.
    pub(super) index: String,
    /// Which it is.
    pub(super) id: String,
    /// Both lines, each with its line end.
    pub(super) lines: String,
}

impl Document {
    /// The document of `record`, the next of its sequence.
    pub(super) fn of(record: &Record, options: &ElasticOptions, sequences: &mut Sequences) -> Self {
        let index = format!(
            "{}_{}_{}_{}",
            options.index.prefix,
            dashed(record.intent.value_type()),
            options.version,
            options.index.suffix.of(record.timestamp)
        );
        let id = format!("{}-{}", record.partition.0, record.position.0);
        let mut lines = String::with_capacity(1024);
        lines.push_str("{\"index\":{\"_index\":");
        write_string(&index, &mut lines);
        let _ = writeln!(
            lines,
            ",\"_id\":\"{id}\",\"routing\":\"{}\"}}}}",
            record.partition.0
        );
        source(record, &options.version, sequences.next(record), &mut lines);
        lines.push('\n');
        Self { index, id, lines }
    }
}

/// The record as JSON.
fn source(record: &Record, version: &str, sequence: u64, out: &mut String) {
    let (kind, reason) = match &record.rejection {
        Some(rejection) => (rejection.kind.name(), &*rejection.reason),
        None => ("NULL_VAL", ""),
    };
    let _ = write!(
        out,
        "{{\"valueType\":\"{}\",\"key\":{},\"position\":{},\"timestamp\":{},\"recordType\":\"{}\",\
         \"intent\":\"{}\",\"partitionId\":{},\"rejectionType\":\"{kind}\",\"rejectionReason\":",
        record.intent.value_type().name(),
        record.key.0,
        record.position.0,
        record.timestamp.0,
        record.record_type.name(),
        record.intent.name(),
        record.partition.0,
    );
    write_string(reason, out);
    out.push_str(",\"brokerVersion\":");
    write_string(version, out);
    let _ = write!(
        out,
        ",\"recordVersion\":{},\"operationReference\":{},\"batchOperationReference\":{},\"value\":",
        record.record_version, record.operation_reference, record.batch_operation_reference.0,
    );
    adapt::value(&record.value, out);
    match record.source_position {
        Some(source) => {
            let _ = write!(out, ",\"sourceRecordPosition\":{}", source.0);
        }
        None => out.push_str(",\"sourceRecordPosition\":-1"),
    }
    let _ = write!(out, ",\"sequence\":{sequence}}}");
}
