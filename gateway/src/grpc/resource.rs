//! Messages of deployments and their operations.
//!
//! gRPC has no entry for resources that are not of a known kind. Entries come in the order of kinds:
//! processes, decisions, decision requirements, forms.

use ringflow_core::ids::Key;
use ringflow_core::record::value::{self, BatchOperationType};

use super::proto;
use crate::op::operation_reference;
use crate::op::resource::{Delete, Deploy, Deployed};
use crate::problem::Problem;

pub(super) fn deploy(request: proto::DeployResourceRequest) -> Deploy {
    Deploy {
        files: request
            .resources
            .into_iter()
            .map(|resource| (resource.name, resource.content))
            .collect(),
        tenant_id: Some(request.tenant_id),
    }
}

pub(super) fn deploy_process(request: proto::DeployProcessRequest) -> Deploy {
    Deploy {
        files: request
            .processes
            .into_iter()
            .map(|process| (process.name, process.definition))
            .collect(),
        tenant_id: None,
    }
}

pub(super) fn deployed(deployed: Deployed) -> proto::DeployResourceResponse {
    use proto::deployment::Metadata;

    let processes = (deployed.processes.iter()).map(|one| Metadata::Process(metadata(one)));
    let decisions = (deployed.decisions.iter()).map(|one| Metadata::Decision(decision(one)));
    let requirements = (deployed.decision_requirements.iter())
        .map(|one| Metadata::DecisionRequirements(decision_requirements(one)));
    proto::DeployResourceResponse {
        key: deployed.key.0,
        deployments: processes
            .chain(decisions)
            .chain(requirements)
            .chain(deployed.forms.iter().map(|of| Metadata::Form(form(of))))
            .map(|metadata| proto::Deployment {
                metadata: Some(metadata),
            })
            .collect(),
        tenant_id: deployed.tenant_id.to_string(),
    }
}

pub(super) fn deployed_processes(deployed: Deployed) -> proto::DeployProcessResponse {
    proto::DeployProcessResponse {
        key: deployed.key.0,
        processes: deployed.processes.iter().map(metadata).collect(),
    }
}

fn metadata(process: &value::ProcessMetadata) -> proto::ProcessMetadata {
    proto::ProcessMetadata {
        bpmn_process_id: process.bpmn_process_id.to_string(),
        version: process.version,
        process_definition_key: process.process_definition_key.0,
        resource_name: process.resource_name.to_string(),
        tenant_id: process.tenant_id.to_string(),
    }
}

fn form(form: &value::FormMetadata) -> proto::FormMetadata {
    proto::FormMetadata {
        form_id: form.id.to_string(),
        version: form.version,
        form_key: form.key.0,
        resource_name: form.resource_name.to_string(),
        tenant_id: form.tenant_id.to_string(),
    }
}

fn decision(decision: &value::DecisionMetadata) -> proto::DecisionMetadata {
    proto::DecisionMetadata {
        dmn_decision_id: decision.decision_id.to_string(),
        dmn_decision_name: decision.decision_name.to_string(),
        version: decision.version,
        decision_key: decision.decision_key.0,
        dmn_decision_requirements_id: decision.decision_requirements_id.to_string(),
        decision_requirements_key: decision.decision_requirements_key.0,
        tenant_id: decision.tenant_id.to_string(),
    }
}

fn decision_requirements(
    graph: &value::DecisionRequirementsMetadata,
) -> proto::DecisionRequirementsMetadata {
    proto::DecisionRequirementsMetadata {
        dmn_decision_requirements_id: graph.decision_requirements_id.to_string(),
        dmn_decision_requirements_name: graph.decision_requirements_name.to_string(),
        version: graph.decision_requirements_version,
        decision_requirements_key: graph.decision_requirements_key.0,
        resource_name: graph.resource_name.to_string(),
        tenant_id: graph.tenant_id.to_string(),
    }
}

pub(super) fn delete(request: &proto::DeleteResourceRequest) -> Result<Delete, Problem> {
    Ok(Delete {
        key: Key(request.resource_key),
        operation_reference: operation_reference(request.operation_reference)?,
        delete_history: request.delete_history.unwrap_or(false),
    })
}

pub(super) fn deleted(
    request: &proto::DeleteResourceRequest,
    operation: Option<(Key, BatchOperationType)>,
) -> proto::DeleteResourceResponse {
    use proto::batch_operation_created_result::BatchOperationTypeEnum as Named;

    proto::DeleteResourceResponse {
        resource_key: request.resource_key.to_string(),
        batch_operation: operation.map(|(key, kind)| proto::BatchOperationCreatedResult {
            batch_operation_key: key.0.to_string(),
            batch_operation_type: Named::from_str_name(kind.name())
                .unwrap_or(Named::DeleteProcessInstance)
                .into(),
        }),
    }
}
