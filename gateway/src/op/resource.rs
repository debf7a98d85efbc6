//! Deploying resources and deleting them.
//!
//! Both go to partition 1, which distributes them. A deployment is atomic: one command with all
//! files, refused as a whole with one line for each file that is wrong.

use bytes::Bytes;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, ProcessMetadata, ResourceDeletionRecord,
};
use ringflow_core::record::{Blob, Rejection, RejectionType, Text};

use super::shape::{Members, ObjectWriter, put_list};
use super::{Caller, answered, tenant};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

const DEPLOY: OperationName = OperationName {
    rpc: "DeployResource",
    human: "Deploy Resources",
};

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
}

impl Deploy {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Deployed, Problem> {
        let tenant_id = tenant(DEPLOY, self.tenant_id.as_deref())?;
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
        })
    }
}

/// Delete a deployed resource.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub(crate) key: Key,
    pub(crate) operation_reference: Option<i64>,
    /// Also what is known of its instances; not served.
    pub(crate) delete_history: bool,
}

impl Delete {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        if self.delete_history {
            return Err(Problem::Unimplemented(
                "Deleting the history of a resource is not implemented yet.".into(),
            ));
        }
        let command = caller.command(
            Key::NONE,
            of::ResourceDeletion::Delete,
            ResourceDeletionRecord {
                resource_key: self.key,
                ..ResourceDeletionRecord::default()
            },
            self.operation_reference,
        );
        front.call(&Target::Deployment, command, None).await?;
        Ok(())
    }
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
            put_list(out, &deployed.processes, process_json);
        });
    Ok(Answer::Json(out.finish()))
}

fn process_json(process: &ProcessMetadata) -> String {
    let mut inner = ObjectWriter::new();
    inner
        .str("processDefinitionId", &process.bpmn_process_id)
        .int("processDefinitionVersion", i64::from(process.version))
        .str("resourceName", &process.resource_name)
        .str("tenantId", &process.tenant_id)
        .key("processDefinitionKey", process.process_definition_key);
    let mut out = ObjectWriter::new();
    out.raw("processDefinition", &inner.finish())
        .null("decisionDefinition")
        .null("decisionRequirements")
        .null("form")
        .null("resource");
    out.finish()
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
    request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.key("resourceKey", key).null("batchOperation");
    Ok(Answer::Json(out.finish()))
}
