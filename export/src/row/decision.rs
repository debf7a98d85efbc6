//! DECISION_REQUIREMENTS -> `decision_requirements`, DECISION -> `decision_definition`,
//! DECISION_EVALUATION -> `decision_instance`.
//!
//! As with processes, every partition writes graphs and decisions, always with the same columns; a
//! deletion leaves them for the history that refers to them. An evaluation gives one row for each
//! decision that was evaluated on the way. If it failed, the last of them is the one that failed.
//!
//! Inputs and matched rules are only ever handed out with their row, so they are texts in it, in the
//! JSON that REST sends.

use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DecisionEvaluationRecord, DecisionRecord, DecisionRequirementsRecord, EvaluatedDecision,
};
use ringflow_core::record::{Intent, RawValue, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::usage_metric::Used;
use crate::row::{Context, Datum, usage_metric};
use crate::schema::{Table, decision_definition, decision_instance, decision_requirements};

/// Writes a DECISION_REQUIREMENTS event.
pub fn write_requirements(
    window: &mut Window,
    record: &Record,
    value: &DecisionRequirementsRecord,
) {
    use decision_requirements::*;

    let Intent::DecisionRequirements(intent) = record.intent else {
        return;
    };
    match intent {
        of::DecisionRequirements::Created => {
            let xml = String::from_utf8_lossy(value.resource.as_bytes());
            window.upsert(
                Table::DecisionRequirements,
                RowKey::of(value.decision_requirements_key),
                record.position,
                vec![
                    (
                        DECISION_REQUIREMENTS_ID,
                        Datum::from(&value.decision_requirements_id),
                    ),
                    (NAME, Datum::from(&value.decision_requirements_name)),
                    (TENANT_ID, Datum::from(&value.tenant_id)),
                    (VERSION, value.decision_requirements_version.into()),
                    (RESOURCE_NAME, Datum::from(&value.resource_name)),
                    (XML, Datum::Text(Text::from(xml.as_ref()))),
                ],
            );
        }
        of::DecisionRequirements::Deleted => {}
    }
}

/// Writes a DECISION event.
pub fn write_definition(window: &mut Window, record: &Record, value: &DecisionRecord) {
    use decision_definition::*;

    let Intent::Decision(intent) = record.intent else {
        return;
    };
    match intent {
        of::Decision::Created => window.upsert(
            Table::DecisionDefinition,
            RowKey::of(value.decision_key),
            record.position,
            vec![
                (DECISION_DEFINITION_ID, Datum::from(&value.decision_id)),
                (NAME, Datum::from(&value.decision_name)),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (VERSION, value.version.into()),
                (
                    DECISION_REQUIREMENTS_KEY,
                    value.decision_requirements_key.into(),
                ),
                (
                    DECISION_REQUIREMENTS_ID,
                    Datum::from(&value.decision_requirements_id),
                ),
            ],
        ),
        of::Decision::Deleted => {}
    }
}

/// Writes a DECISION_EVALUATION event.
pub fn write_evaluation(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &DecisionEvaluationRecord,
) {
    use decision_instance::*;

    let Intent::DecisionEvaluation(intent) = record.intent else {
        return;
    };
    let failed = match intent {
        of::DecisionEvaluation::Evaluated => false,
        of::DecisionEvaluation::Failed => true,
        of::DecisionEvaluation::Evaluate => return,
    };
    if !failed {
        usage_metric::count(window, record, Used::DecisionInstance, &value.tenant_id);
    }
    // What belongs to an instance goes with its root.
    let standalone = !value.process_instance_key.is_some();
    let cleanup = match context.retain {
        Some(retain) if standalone => record.timestamp.plus_millis(retain.decision_ms()).into(),
        Some(_) | None => Datum::Null,
    };
    let root = if value.root_process_instance_key.is_some() {
        value.root_process_instance_key
    } else {
        value.process_instance_key
    };
    let last = value.evaluated_decisions.len();
    for (place, one) in (1..).zip(&value.evaluated_decisions) {
        let this_failed = failed && place == last;
        let (state, failure) = if this_failed {
            ("FAILED", Datum::from(&value.evaluation_failure_message))
        } else {
            ("EVALUATED", Datum::Null)
        };
        window.upsert(
            Table::DecisionInstance,
            RowKey::with_text(record.key, &one.decision_evaluation_instance_key),
            record.position,
            vec![
                (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                (ROOT_PROCESS_INSTANCE_KEY, root.into()),
                (
                    PROCESS_DEFINITION_ID,
                    Datum::present(&value.bpmn_process_id),
                ),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (DECISION_DEFINITION_ID, Datum::from(&one.decision_id)),
                // Knowledge has no definition: its key and version are -1.
                (DECISION_DEFINITION_KEY, Datum::Int(one.decision_key.0)),
                (DECISION_DEFINITION_NAME, Datum::from(&one.decision_name)),
                (DECISION_DEFINITION_VERSION, one.decision_version.into()),
                (
                    DECISION_REQUIREMENTS_ID,
                    Datum::from(&value.decision_requirements_id),
                ),
                (
                    DECISION_REQUIREMENTS_KEY,
                    value.decision_requirements_key.into(),
                ),
                (FLOW_NODE_ID, Datum::present(&value.element_id)),
                (FLOW_NODE_INSTANCE_KEY, value.element_instance_key.into()),
                (ROOT_DECISION_DEFINITION_KEY, value.decision_key.into()),
                (EVALUATION_DATE, record.timestamp.into()),
                (TYPE, kind(&one.decision_type).into()),
                (STATE, state.into()),
                (RESULT, Datum::Text(Text::from(text(&one.decision_output)))),
                (EVALUATED_INPUTS, Datum::Text(Text::from(inputs(one)))),
                (MATCHED_RULES, Datum::Text(Text::from(rules(one)))),
                (EVALUATION_FAILURE_MESSAGE, failure),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (PARTITION_ID, record.partition.0.into()),
                (HISTORY_CLEANUP_DATE, cleanup.clone()),
            ],
        );
    }
}

/// The kinds of logic that REST knows.
fn kind(kind: &str) -> &'static str {
    match kind {
        "DECISION_TABLE" => "DECISION_TABLE",
        "LITERAL_EXPRESSION" => "LITERAL_EXPRESSION",
        _ => "UNKNOWN",
    }
}

/// The JSON text of a value; a value that cannot be read shows as null.
fn text(value: &RawValue) -> String {
    let mut out = String::new();
    if json::from_msgpack(value.as_bytes(), &mut out).is_err() {
        out = "null".to_owned();
    }
    out
}

/// A JSON object of texts and numbers, in the order given.
struct Fields<'o>(&'o mut String, char);

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.0.push(self.1);
        self.1 = ',';
        json::write_string(name, self.0);
        self.0.push(':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        json::write_string(value, self.0);
    }

    fn number(&mut self, name: &str, value: i32) {
        self.name(name);
        self.0.push_str(&value.to_string());
    }
}

fn inputs(one: &EvaluatedDecision) -> String {
    let mut out = String::from("[");
    for (at, input) in one.evaluated_inputs.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        let mut fields = Fields(&mut out, '{');
        fields.text("inputId", &input.input_id);
        fields.text("inputName", &input.input_name);
        fields.text("inputValue", &text(&input.input_value));
        out.push('}');
    }
    out.push(']');
    out
}

fn rules(one: &EvaluatedDecision) -> String {
    let mut out = String::from("[");
    for (at, rule) in one.matched_rules.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        let mut fields = Fields(&mut out, '{');
        fields.text("ruleId", &rule.rule_id);
        fields.number("ruleIndex", rule.rule_index);
        fields.name("evaluatedOutputs");
        out.push('[');
        for (at, output) in rule.evaluated_outputs.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            let mut fields = Fields(&mut out, '{');
            fields.text("outputId", &output.output_id);
            fields.text("outputName", &output.output_name);
            fields.text("outputValue", &text(&output.output_value));
            fields.text("ruleId", &rule.rule_id);
            fields.number("ruleIndex", rule.rule_index);
            out.push('}');
        }
        out.push_str("]}");
    }
    out.push(']');
    out
}
