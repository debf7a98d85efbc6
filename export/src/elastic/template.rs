//! Index templates: which fields documents have, and how they are searched.
//!
//! The head of a record is one component template, which all index templates are composed of; the
//! members of a value come from its type ([`shapes`]). Mappings are strict, as Camunda's are: what is
//! not declared is refused, so that an index does not grow fields by accident. Documents, files and
//! paths are kept and not searched; long texts are taken apart into words.

use ringflow_core::record::ValueType;
use ringflow_core::record::field::Shape;
use serde_json::{Map, Value, json};

use super::adapt::shapes;
use super::options::{ElasticOptions, dashed};

/// Longest text that is searched as a whole: a term has 32 766 bytes, a character up to four.
const KEYWORD_MAX: u32 = 8191;
/// Members that are kept and not searched.
const UNSEARCHED: &[&str] = &[
    "callingElementPath",
    "checksum",
    "customHeaders",
    "elementInstancePath",
    "processDefinitionPath",
    "resource",
    "source",
    "variables",
];
/// Members that are taken apart into words.
const WORDS: &[&str] = &[
    "action",
    "candidateGroupsList",
    "candidateUsersList",
    "changedAttributes",
    "correctedAttributes",
    "deniedReason",
    "errorCode",
    "errorMessage",
    "evaluationFailureMessage",
    "exceptionMessage",
    "reason",
    "resourceName",
    "stacktrace",
];

/// Name of the component template.
pub(super) fn component_name(options: &ElasticOptions) -> String {
    format!("{}-{}", options.index.prefix, options.version)
}

/// Name of the index template of a value type, which is also how its indices begin.
pub(super) fn name(options: &ElasticOptions, value_type: ValueType) -> String {
    let prefix = &options.index.prefix;
    format!("{prefix}_{}_{}", dashed(value_type), options.version)
}

/// What all records have.
pub(super) fn component(options: &ElasticOptions) -> Value {
    let kinds = [
        ("position", "long"),
        ("sourceRecordPosition", "long"),
        ("key", "long"),
        ("timestamp", "date"),
        ("intent", "keyword"),
        ("partitionId", "integer"),
        ("recordType", "keyword"),
        ("rejectionType", "keyword"),
        ("rejectionReason", "text"),
        ("valueType", "keyword"),
        ("brokerVersion", "keyword"),
        ("recordVersion", "integer"),
        ("sequence", "long"),
        ("operationReference", "long"),
        ("batchOperationReference", "long"),
    ];
    let properties: Map<String, Value> = kinds
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind })))
        .collect();
    json!({
        "version": 1,
        "template": {
            "settings": settings(options, 1),
            "mappings": { "dynamic": "strict", "properties": properties },
        },
    })
}

/// The index template of a value type.
pub(super) fn index(options: &ElasticOptions, value_type: ValueType) -> Value {
    let alias = format!("{}-{}", options.index.prefix, dashed(value_type));
    let pattern = format!("{}_*", name(options, value_type));
    let properties = properties(value_type, &shapes(value_type));
    json!({
        "index_patterns": [pattern],
        "composed_of": [component_name(options)],
        "priority": options.index.priority,
        "version": 1,
        "template": {
            "settings": settings(options, usual_shards(value_type)),
            "aliases": { alias: {} },
            "mappings": {
                "properties": { "value": { "dynamic": "strict", "properties": properties } },
            },
        },
    })
}

fn settings(options: &ElasticOptions, shards: u32) -> Value {
    let mut settings = json!({
        "number_of_shards": options.index.shards.unwrap_or(shards),
        "number_of_replicas": options.index.replicas,
        "index.queries.cache.enabled": false,
    });
    if let Some(retention) = &options.retention {
        settings["index.lifecycle.name"] = json!(retention.policy);
    }
    settings
}

/// Shards of an index; those of which there are most have more.
fn usual_shards(value_type: ValueType) -> u32 {
    if value_type == ValueType::ProcessInstance || value_type == ValueType::Job {
        3
    } else {
        1
    }
}

fn properties(value_type: ValueType, shapes: &[(&'static str, Shape)]) -> Map<String, Value> {
    shapes
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), property(value_type, name, shape)))
        .collect()
}

fn property(value_type: ValueType, name: &str, shape: &Shape) -> Value {
    if UNSEARCHED.contains(&name) {
        return json!({ "enabled": false });
    }
    match shape {
        Shape::Integer => json!({ "type": "integer" }),
        Shape::Long => json!({ "type": "long" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Text if in_words(value_type, name) => json!({ "type": "text" }),
        Shape::Text => json!({ "type": "keyword", "ignore_above": KEYWORD_MAX }),
        Shape::Opaque => json!({ "enabled": false }),
        Shape::Members(members) => json!({ "properties": properties(value_type, members) }),
    }
}

fn in_words(value_type: ValueType, name: &str) -> bool {
    let of_task = value_type == ValueType::Job || value_type == ValueType::UserTask;
    WORDS.contains(&name) || (name == "elementId" && of_task)
}

#[cfg(test)]
mod tests {
    use super::super::options::VALUE_TYPES;
    use super::*;

    #[test]
    fn templates_fit_their_indices_and_aliases() {
        let options = ElasticOptions::new(Vec::new(), "8.9.0");
        let job = index(&options, ValueType::Job);
        assert_eq!(job["index_patterns"], json!(["zeebe-record_job_8.9.0_*"]));
        assert_eq!(job["composed_of"], json!(["zeebe-record-8.9.0"]));
        assert_eq!(job["template"]["aliases"], json!({"zeebe-record-job": {}}));
        let value = &job["template"]["mappings"]["properties"]["value"];
        assert_eq!(value["dynamic"], "strict");
        let fields = &value["properties"];
        assert_eq!(fields["type"]["type"], "keyword");
        assert_eq!(fields["variables"], json!({"enabled": false}));
        assert_eq!(fields["deadline"]["type"], "long");
        assert_eq!(fields["elementId"]["type"], "text");
        let corrections = &fields["result"]["properties"]["corrections"]["properties"];
        assert_eq!(corrections["priority"]["type"], "integer");
        let process = index(&options, ValueType::ProcessInstance);
        let fields = &process["template"]["mappings"]["properties"]["value"]["properties"];
        assert_eq!(fields["elementId"]["type"], "keyword");
        assert_eq!(fields["bpmnElementType"]["type"], "keyword");
    }

    #[test]
    fn every_exported_type_has_a_template() {
        let options = ElasticOptions::new(Vec::new(), "8.9.0");
        for (value_type, _, _) in VALUE_TYPES {
            let template = index(&options, *value_type);
            let value = &template["template"]["mappings"]["properties"]["value"];
            assert!(
                value["properties"]
                    .as_object()
                    .is_some_and(|it| !it.is_empty())
            );
        }
    }
}
