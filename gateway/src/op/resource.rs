//! Deploying resources and deleting them.
//!
//! Both go to partition 1, which distributes them. A deployment is atomic: one command with all
//! files, refused as a whole with one line for each file that is wrong.

use std::sync::Arc;

use bytes::Bytes;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationType, DecisionMetadata, DecisionRequirementsMetadata, DeploymentRecord,
    DeploymentResource, FormMetadata, ProcessMetadata, ResourceDeletionRecord, ResourceMetadata,
    ResourceRecord,
};
use ringflow_core::record::{Blob, Rejection, RejectionType, Text};

use super::batch::{put_created, text};
use super::shape::{Members, ObjectWriter, put_list};
use super::{Caller, answered, decision, search, tenant};
use crate::backend::{Entity, KeyLiteral, Reads};
use crate::problem::{HttpFault, OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

const DEPLOY: OperationName = OperationName {
    rpc: "DeployResource",
    human: "Deploy Resources",
};

const PROCESS_DEFINITION: &str = "PROCESS_DEFINITION";
const DECISION_REQUIREMENTS: &str = "DECISION_REQUIREMENTS";

/// Deploy files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deploy {
    /// Names and contents.
    pub(crate) files: Vec<(String, Bytes)>,
    pub(crate) tenant_id: Option<String>,
}

/// What a deployment created, or found again.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) key: Key,
    pub(crate) tenant_id: Text,
    pub(crate) processes: Vec<ProcessMetadata>,
    pub(crate) forms: Vec<FormMetadata>,
    pub(crate) resources: Vec<ResourceMetadata>,
    pub(crate) decisions: Vec<DecisionMetadata>,
    pub(crate) decision_requirements: Vec<DecisionRequirementsMetadata>,
}

impl Deploy {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Deployed, Problem> {
        let tenant_id = tenant(front, DEPLOY, self.tenant_id.as_deref())?;
        if self.files.is_empty() {
            return Err(Problem::Rejected {
                intent: of::Deployment::Create.into(),
                rejection: Rejection::new(
                    RejectionType::InvalidArgument,
                    "Expected to deploy at least one resource, but none given",
                ),
            });
        }
        let resources = self
            .files
            .into_iter()
            .map(|(name, content)| DeploymentResource {
                resource: Blob::from(content.as_ref()),
                resource_name: Text::from(name),
            })
            .collect();
        let command = caller.command(
            Key::NONE,
            of::Deployment::Create,
            DeploymentRecord {
                resources,
                tenant_id,
                ..DeploymentRecord::default()
            },
            None,
        );
        let response = front.call(&Target::Deployment, command, None).await?;
        let deployed = answered!(response, Deployment)?;
        Ok(Deployed {
            key: response.key,
            tenant_id: deployed.tenant_id.clone(),
            processes: deployed.processes_metadata.clone(),
            forms: deployed.form_metadata.clone(),
            resources: deployed.resource_metadata.clone(),
            decisions: deployed.decisions_metadata.clone(),
            decision_requirements: deployed.decision_requirements_metadata.clone(),
        })
    }
}

/// Delete a deployed resource.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub(crate) key: Key,
    pub(crate) operation_reference: Option<i64>,
    /// Also what is known of its instances.
    pub(crate) delete_history: bool,
}

impl Delete {
    /// The batch operation that deletes the history and its type, if there is one.
    ///
    /// # Errors
    /// There is no history to delete, the engine refused, or no answer came.
    pub(crate) async fn run(
        self,
        front: &Front,
        caller: &Caller,
    ) -> Result<Option<(Key, BatchOperationType)>, Problem> {
        let record = ResourceDeletionRecord {
            resource_key: self.key,
            ..ResourceDeletionRecord::default()
        };
        let record = if self.delete_history {
            known(front.reads()?.as_ref(), record).await?
        } else {
            record
        };
        let command = caller.command(
            Key::NONE,
            of::ResourceDeletion::Delete,
            record,
            self.operation_reference,
        );
        let response = front.call(&Target::Deployment, command, None).await?;
        let deleted = answered!(response, ResourceDeletion)?;
        let kind = if deleted.resource_type == *DECISION_REQUIREMENTS {
            BatchOperationType::DeleteDecisionInstance
        } else {
            BatchOperationType::DeleteProcessInstance
        };
        let operation = deleted.batch_operation_key;
        Ok(operation.is_some().then_some((operation, kind)))
    }
}

/// The deletion of a resource and its history, with what is known of a resource that is deleted
/// already: the engine does not know it any more, and asks whether the caller may.
async fn known(
    reads: &dyn Reads,
    record: ResourceDeletionRecord,
) -> Result<ResourceDeletionRecord, Problem> {
    let mut record = ResourceDeletionRecord {
        delete_history: true,
        ..record
    };
    for (entity, kind, id) in [
        (
            Entity::ProcessDefinition,
            PROCESS_DEFINITION,
            "processDefinitionId",
        ),
        (
            Entity::DecisionRequirements,
            DECISION_REQUIREMENTS,
            "decisionRequirementsId",
        ),
    ] {
        let found = reads.get(entity, KeyLiteral(record.resource_key.0)).await;
        if let Some(row) = found.map_err(search::refused)? {
            record.resource_type = Text::from(kind);
            record.resource_id = text(&row, id);
            record.tenant_id = text(&row, "tenantId");
            break;
        }
    }
    Ok(record)
}

/// `createDeployment`.
pub(crate) async fn deploy(call: Call) -> Result<Answer, Problem> {
    let request = Deploy {
        files: call
            .upload
            .files
            .into_iter()
            .map(|file| (file.name, file.bytes))
            .collect(),
        tenant_id: call
            .upload
            .texts
            .iter()
            .find(|(name, _)| name == "tenantId")
            .map(|(_, text)| text.clone()),
    };
    let deployed = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.key("deploymentKey", deployed.key)
        .str("tenantId", &deployed.tenant_id)
        .with("deployments", |out| {
            put_list(out, &entries(&deployed), String::clone);
        });
    Ok(Answer::Json(out.finish()))
}

/// Entries in the order of kinds: all processes, all decisions, all graphs, forms, resources.
fn entries(deployed: &Deployed) -> Vec<String> {
    let processes = deployed.processes.iter().map(process_json);
    let decisions = deployed.decisions.iter().map(|one| {
        let json = decision::deployed_decision(one);
        entry("decisionDefinition", &json)
    });
    let requirements = deployed.decision_requirements.iter().map(|one| {
        entry(
            "decisionRequirements",
            &decision::deployed_requirements(one),
        )
    });
    let forms = deployed.forms.iter().map(form_json);
    let resources = deployed.resources.iter().map(resource_json);
    (processes.chain(decisions).chain(requirements))
        .chain(forms)
        .chain(resources)
        .collect()
}

/// An entry of one kind; the others are null.
fn entry(kind: &str, json: &str) -> String {
    let mut out = ObjectWriter::new();
    for name in [
        "processDefinition",
        "decisionDefinition",
        "decisionRequirements",
        "form",
        "resource",
    ] {
        if name == kind {
            out.raw(name, json);
        } else {
            out.null(name);
        }
    }
    out.finish()
}

fn process_json(process: &ProcessMetadata) -> String {
    let mut inner = ObjectWriter::new();
    inner
        .str("processDefinitionId", &process.bpmn_process_id)
        .int("processDefinitionVersion", i64::from(process.version))
        .str("resourceName", &process.resource_name)
        .str("tenantId", &process.tenant_id)
        .key("processDefinitionKey", process.process_definition_key);
    entry("processDefinition", &inner.finish())
}

fn form_json(form: &FormMetadata) -> String {
    let mut inner = ObjectWriter::new();
    inner
        .str("formId", &form.id)
        .int("version", i64::from(form.version))
        .str("resourceName", &form.resource_name)
        .str("tenantId", &form.tenant_id)
        .key("formKey", form.key);
    entry("form", &inner.finish())
}

fn resource_json(resource: &ResourceMetadata) -> String {
    let mut inner = ObjectWriter::new();
    inner
        .str("resourceId", &resource.id)
        .str("resourceName", &resource.resource_name)
        .int("version", i64::from(resource.version))
        .str("tenantId", &resource.tenant_id)
        .key("resourceKey", resource.key);
    entry("resource", &inner.finish())
}

/// Reads a deployed resource from the engine.
async fn fetch(call: &Call) -> Result<Arc<ResourceRecord>, Problem> {
    let key = call.path_key("resourceKey");
    let record = ResourceRecord {
        key,
        ..ResourceRecord::default()
    };
    let command = (call.caller).command(Key::NONE, of::Resource::Fetch, record, None);
    let response = call.front.call(&Target::Deployment, command, None).await?;
    call.access.left_to_engine();
    answered!(response, Resource)
}

/// `getResource`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let resource = fetch(&call).await?;
    let mut out = ObjectWriter::new();
    out.str("resourceName", &resource.resource_name)
        .int("version", i64::from(resource.version))
        .str_or_null("versionTag", &resource.version_tag)
        .str("resourceId", &resource.id)
        .str("tenantId", &resource.tenant_id)
        .key("resourceKey", resource.key);
    Ok(Answer::Json(out.finish()))
}

/// `getResourceContent`: the content of a resource that is JSON.
pub(crate) async fn content(call: Call) -> Result<Answer, Problem> {
    let resource = fetch(&call).await?;
    let text = std::str::from_utf8(resource.resource.as_bytes()).ok();
    let text = text.filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
    match text {
        Some(text) => Ok(Answer::Json(text.to_owned())),
        None => Err(Problem::Http(HttpFault::NotAcceptable(
            "application/octet-stream",
        ))),
    }
}

/// `getResourceContentBinary`.
pub(crate) async fn content_binary(call: Call) -> Result<Answer, Problem> {
    let resource = fetch(&call).await?;
    Ok(Answer::Bytes(resource.resource.as_bytes().to_vec()))
}

/// `deleteResource`.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let key = call.path_key("resourceKey");
    let request = Delete {
        key,
        operation_reference: body.int("operationReference"),
        delete_history: body.flag("deleteHistory").unwrap_or(false),
    };
    let operation = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.key("resourceKey", key);
    if let Some((operation, kind)) = operation {
        let mut created = ObjectWriter::new();
        put_created(&mut created, operation, kind);
        out.raw("batchOperation", &created.finish());
    } else {
        out.null("batchOperation");
    }
    Ok(Answer::Json(out.finish()))
}
