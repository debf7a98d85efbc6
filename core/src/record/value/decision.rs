//! Decisions, the graphs they belong to, and evaluations of them.
//!
//! Zeebe: `DecisionRecord`, `DecisionRequirementsRecord`, `DecisionEvaluationRecord`. A graph is
//! one DMN file. An evaluation lists every decision and every business knowledge model whose logic
//! ran, in the order in which they ended; knowledge has no definition, so its key and version are -1.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Blob, Document, RawValue, Text};
use crate::record_value;

record_value! {
    /// A decision as a deployment reports it.
    pub struct DecisionMetadata {
        /// Id in the file.
        decision_id "decisionId": Text,
        /// Name in the file.
        decision_name "decisionName": Text,
        /// Version, from 1 per id and tenant.
        version "version": i32,
        /// Key.
        decision_key "decisionKey": Key,
        /// Id of its graph.
        decision_requirements_id "decisionRequirementsId": Text,
        /// Key of its graph.
        decision_requirements_key "decisionRequirementsKey": Key,
        /// The latest version already was this one.
        is_duplicate "duplicate": bool,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Deployment that created it.
        deployment_key "deploymentKey": Key,
        /// Version tag of the model.
        version_tag "versionTag": Text,
    }
}

record_value! {
    /// A decision requirements graph as a deployment reports it.
    pub struct DecisionRequirementsMetadata {
        /// Id in the file.
        decision_requirements_id "decisionRequirementsId": Text,
        /// Name in the file.
        decision_requirements_name "decisionRequirementsName": Text,
        /// Version, from 1 per id and tenant.
        decision_requirements_version "decisionRequirementsVersion": i32,
        /// Key.
        decision_requirements_key "decisionRequirementsKey": Key,
        /// Namespace of the file.
        namespace "namespace": Text,
        /// File it came from.
        resource_name "resourceName": Text,
        /// MD5 of the file.
        checksum "checksum": Blob,
        /// The latest version already was this file.
        is_duplicate "duplicate": bool,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A decision.
    pub struct DecisionRecord {
        /// Id in the file.
        decision_id "decisionId": Text,
        /// Name in the file.
        decision_name "decisionName": Text,
        /// Version.
        version "version": i32,
        /// Key.
        decision_key "decisionKey": Key,
        /// Id of its graph.
        decision_requirements_id "decisionRequirementsId": Text,
        /// Key of its graph.
        decision_requirements_key "decisionRequirementsKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Deployment that created it.
        deployment_key "deploymentKey": Key,
        /// Version tag of the model.
        version_tag "versionTag": Text,
    }
}

record_value! {
    /// A decision requirements graph: one DMN file.
    pub struct DecisionRequirementsRecord {
        /// Id in the file.
        decision_requirements_id "decisionRequirementsId": Text,
        /// Name in the file.
        decision_requirements_name "decisionRequirementsName": Text,
        /// Version.
        decision_requirements_version "decisionRequirementsVersion": i32,
        /// Key.
        decision_requirements_key "decisionRequirementsKey": Key,
        /// Namespace of the file.
        namespace "namespace": Text,
        /// File it came from.
        resource_name "resourceName": Text,
        /// MD5 of the file.
        checksum "checksum": Blob,
        /// The file; empty when it is deleted.
        resource "resource": Blob,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Deployment that created it.
        deployment_key "deploymentKey": Key,
    }
}

record_value! {
    /// The value of an input of a decision table.
    pub struct EvaluatedInput {
        /// Id of the input.
        input_id "inputId": Text,
        /// Its label, else the beginning of its expression.
        input_name "inputName": Text,
        /// The value.
        input_value "inputValue": RawValue,
    }
}

record_value! {
    /// The value of an output of a matched rule.
    pub struct EvaluatedOutput {
        /// Id of the output.
        output_id "outputId": Text,
        /// Its label, else its name.
        output_name "outputName": Text,
        /// The value.
        output_value "outputValue": RawValue,
    }
}

record_value! {
    /// A rule that matched.
    pub struct MatchedRule {
        /// Id of the rule; made up if the file has none.
        rule_id "ruleId": Text,
        /// Its place in the table, from 1.
        rule_index "ruleIndex": i32,
        /// What it gave.
        evaluated_outputs "evaluatedOutputs": Vec<EvaluatedOutput>,
    }
}

record_value! {
    /// A decision, or knowledge, that was evaluated on the way.
    pub struct EvaluatedDecision {
        /// Its id.
        decision_id "decisionId": Text,
        /// Its name.
        decision_name "decisionName": Text,
        /// Its key; -1 = knowledge.
        decision_key "decisionKey": Key,
        /// Its version; -1 = knowledge.
        decision_version "decisionVersion": i32 = -1,
        /// Kind of its logic, e.g. DECISION_TABLE.
        decision_type "decisionType": Text,
        /// What came out; null if it failed.
        decision_output "decisionOutput": RawValue,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Values of the inputs of a table.
        evaluated_inputs "evaluatedInputs": Vec<EvaluatedInput>,
        /// Matched rules of a table.
        matched_rules "matchedRules": Vec<MatchedRule>,
        /// Key of the evaluation and the place in it, from 1: `<key>-<place>`.
        decision_evaluation_instance_key "decisionEvaluationInstanceKey": Text,
    }
}

record_value! {
    /// A decision to evaluate, or what came of it.
    pub struct DecisionEvaluationRecord {
        /// Key of the decision; -1 in a command = found by id.
        decision_key "decisionKey": Key,
        /// Its id; empty in a command = found by key.
        decision_id "decisionId": Text,
        /// Its name.
        decision_name "decisionName": Text,
        /// Its version.
        decision_version "decisionVersion": i32 = -1,
        /// Id of its graph.
        decision_requirements_id "decisionRequirementsId": Text,
        /// Key of its graph.
        decision_requirements_key "decisionRequirementsKey": Key,
        /// The result; null if it failed.
        decision_output "decisionOutput": RawValue,
        /// Variables of a command.
        variables "variables": Document,
        /// BPMN process id, if a process asked.
        bpmn_process_id "bpmnProcessId": Text,
        /// Its definition.
        process_definition_key "processDefinitionKey": Key,
        /// Its instance.
        process_instance_key "processInstanceKey": Key,
        /// Element of the model that asked.
        element_id "elementId": Text,
        /// Its instance.
        element_instance_key "elementInstanceKey": Key,
        /// Everything that was evaluated.
        evaluated_decisions "evaluatedDecisions": Vec<EvaluatedDecision>,
        /// Why it failed.
        evaluation_failure_message "evaluationFailureMessage": Text,
        /// Which decision failed.
        failed_decision_id "failedDecisionId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Business id of the instance.
        business_id "businessId": Text,
    }
}
