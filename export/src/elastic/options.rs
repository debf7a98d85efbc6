//! How records are exported to Elasticsearch: Camunda's options, with its defaults.
//!
//! Which value types there are for it at all, and which of them are exported where nothing is said,
//! is the table [`VALUE_TYPES`]. From 8.8 on only those that other programs of Camunda need are
//! exported ([`needed`](ElasticOptions)), unless all that are switched on are asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use ringflow_core::ids::Timestamp;
use ringflow_core::record::{RecordType, ValueType};

/// Value types that can be exported: switched on by default; exported even if not all that are
/// switched on are asked for.
pub const VALUE_TYPES: &[(ValueType, bool, bool)] = &[
    (ValueType::Deployment, true, true),
    (ValueType::Process, true, true),
    (ValueType::Incident, true, true),
    (ValueType::Variable, true, true),
    (ValueType::ProcessInstance, true, true),
    (ValueType::UserTask, true, true),
    (ValueType::Job, true, true),
    (ValueType::AdHocSubProcessInstruction, true, false),
    (ValueType::Checkpoint, false, false),
    (ValueType::ClusterVariable, true, false),
    (ValueType::CommandDistribution, true, false),
    (ValueType::CompensationSubscription, true, false),
    (ValueType::ConditionalEvaluation, true, false),
    (ValueType::ConditionalSubscription, true, false),
    (ValueType::Decision, true, false),
    (ValueType::DecisionEvaluation, true, false),
    (ValueType::DecisionRequirements, true, false),
    (ValueType::Error, true, false),
    (ValueType::Escalation, true, false),
    (ValueType::Form, true, false),
    (ValueType::GlobalListener, true, false),
    (ValueType::GlobalListenerBatch, true, false),
    (ValueType::JobBatch, false, false),
    (ValueType::Message, true, false),
    (ValueType::MessageBatch, false, false),
    (ValueType::MessageCorrelation, true, false),
    (ValueType::MessageStartEventSubscription, true, false),
    (ValueType::MessageSubscription, true, false),
    (ValueType::ProcessEvent, false, false),
    (ValueType::ProcessInstanceBatch, false, false),
    (ValueType::ProcessInstanceCreation, true, false),
    (ValueType::ProcessInstanceMigration, true, false),
    (ValueType::ProcessInstanceModification, true, false),
    (ValueType::ProcessMessageSubscription, true, false),
    (ValueType::ResourceDeletion, true, false),
    (ValueType::RuntimeInstruction, true, false),
    (ValueType::Signal, true, false),
    (ValueType::SignalSubscription, true, false),
    (ValueType::Timer, true, false),
    (ValueType::VariableDocument, true, false),
];

/// How the exporter works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticOptions {
    /// Addresses of the cluster, `http://HOST:PORT`; the next one is asked where one fails.
    pub urls: Vec<String>,
    /// Name and password, if any.
    pub credentials: Option<(String, Secret)>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Age of a window at most.
    pub bulk_delay: Duration,
    /// Documents of a window at most.
    pub bulk_size: usize,
    /// Bytes of a window at most; a larger document goes alone.
    pub bulk_bytes: usize,
    /// Indices.
    pub index: IndexOptions,
    /// Deletion of old indices, if wanted.
    pub retention: Option<Retention>,
    /// Version that records name; part of the names of indices.
    pub version: String,
    /// How long stopping may wait.
    pub stop_timeout: Duration,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Which records go where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// How all names begin.
    pub prefix: String,
    /// End of the names, from the day of the record.
    pub suffix: Suffix,
    /// The templates are put at the start; otherwise they must be there.
    pub create_template: bool,
    /// Their priority.
    pub priority: u32,
    /// Commands are exported.
    pub commands: bool,
    /// Events are exported.
    pub events: bool,
    /// Rejections are exported.
    pub rejections: bool,
    /// Value types that are exported.
    pub types: BTreeSet<ValueType>,
    /// Shards of each index; `None` = as is usual for its value type.
    pub shards: Option<u32>,
    /// Copies of each index.
    pub replicas: u32,
}

/// When an index is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age, as `30d`.
    pub minimum_age: String,
    /// Name of the policy.
    pub policy: String,
}

impl ElasticOptions {
    /// Camunda's defaults.
    #[must_use]
    pub fn new(urls: Vec<String>, version: impl Into<String>) -> Self {
        Self {
            urls,
            credentials: None,
            request_timeout: Duration::from_secs(30),
            bulk_delay: Duration::from_secs(5),
            bulk_size: 1000,
            bulk_bytes: 10 << 20,
            index: IndexOptions {
                prefix: "zeebe-record".into(),
                suffix: Suffix("%Y-%m-%d".into()),
                create_template: true,
                priority: 20,
                commands: false,
                events: true,
                rejections: false,
                types: VALUE_TYPES
                    .iter()
                    .filter(|(_, on, needed)| *on && *needed)
                    .map(|(value_type, _, _)| *value_type)
                    .collect(),
                shards: None,
                replicas: 1,
            },
            retention: None,
            version: version.into(),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

impl IndexOptions {
    /// True if such records are exported.
    pub(super) fn takes(&self, record_type: RecordType, value_type: ValueType) -> bool {
        (match record_type {
            RecordType::Event => self.events,
            RecordType::Command => self.commands,
            RecordType::CommandRejection => self.rejections,
        }) && self.types.contains(&value_type)
    }
}

/// End of the name of an index: the time of the record in UTC, in a pattern of Java's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suffix(String);

impl Suffix {
    /// Reads a pattern of `yyyy`, `MM`, `dd`, `HH` and of signs that a name may have.
    #[must_use]
    pub fn read(pattern: &str) -> Option<Self> {
        let mut ours = String::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let parts = [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H")];
            if let Some((java, part)) = parts.iter().find(|(java, _)| rest.starts_with(java)) {
                ours.push_str(part);
                rest = &rest[java.len()..];
            } else if matches!(first, '-' | '_' | '.') {
                ours.push(first);
                rest = &rest[1..];
            } else {
                return None;
            }
        }
        (!ours.is_empty()).then_some(Self(ours))
    }

    /// The end of the name for a record of `time`.
    pub(super) fn of(&self, time: Timestamp) -> String {
        let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        time.strftime(&self.0).to_string()
    }
}

/// How a value type is called in names.
pub(super) fn dashed(value_type: ValueType) -> String {
    value_type.name().to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_javas_patterns() {
        let at = Timestamp(1_795_456_805_284);
        let of = |pattern| Suffix::read(pattern).map(|suffix| suffix.of(at));
        assert_eq!(of("yyyy-MM-dd").as_deref(), Some("2026-11-23"));
        assert_eq!(of("yyyy-MM-dd_HH").as_deref(), Some("2026-11-23_18"));
        assert_eq!(of("yyyy.MM").as_deref(), Some("2026.11"));
        for wrong in ["", "yy-MM", "yyyy/MM", "week w"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn by_default_what_other_programs_need_is_exported() {
        let options = ElasticOptions::new(Vec::new(), "8.9.0").index;
        assert_eq!(options.types.len(), 7);
        assert!(options.takes(RecordType::Event, ValueType::Job));
        assert!(!options.takes(RecordType::Command, ValueType::Job));
        assert!(!options.takes(RecordType::Event, ValueType::Message));
    }
}
