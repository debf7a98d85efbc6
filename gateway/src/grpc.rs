//! The gRPC gateway: the RPCs of Camunda's service, each one operation.
//!
//! | RPC | file |
//! |---|---|
//! | ActivateJobs, StreamActivatedJobs, CompleteJob, FailJob, ThrowError, UpdateJob* | [`job`] |
//! | CreateProcessInstance*, CancelProcessInstance, ModifyProcessInstance, MigrateProcessInstance | [`process_instance`] |
//! | DeployResource, DeployProcess, DeleteResource | [`resource`] |
//! | PublishMessage, BroadcastSignal, EvaluateConditional | here |
//! | ResolveIncident, SetVariables, Topology | here |
//!
//! gzip is understood in requests and never used in answers: it would cost more than the bytes it
//! saves. The status details carry a `google.rpc.Status`.

mod decision;
mod job;
mod process_instance;
mod resource;
mod status;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_io::{Health, Role};
use tonic::{Request, Response, Status};

use crate::document;
use crate::identity::Identity;
use crate::op::{Caller, conditional, incident, message, operation_reference, signal, variable};
use crate::problem::Problem;
use crate::submit::Front;

/// The generated service and its messages.
#[expect(
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code follows its generator's rules"
)]
pub(crate) mod proto {
    tonic::include_proto!("gateway_protocol");
}

use proto::gateway_server::Gateway;

/// Full name of the service, as health checks ask for it.
pub(crate) const SERVICE: &str = "gateway_protocol.Gateway";

type Answered<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What RPCs are served from.
pub(crate) struct Service {
    pub(crate) front: Arc<Front>,
    pub(crate) identity: Arc<Identity>,
}

impl Service {
    /// Who calls.
    async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Problem> {
        let header = request.metadata().get("authorization");
        let header = header.map(|value| value.as_encoded_bytes().to_vec());
        Ok(Caller(self.identity.check(header.as_deref()).await?))
    }

    /// Authenticates, runs, counts.
    async fn unary<T, R, F>(
        &self,
        rpc: &'static str,
        request: Request<T>,
        run: impl FnOnce(T, Caller) -> F,
    ) -> Answered<R>
    where
        F: Future<Output = Result<R, Problem>>,
    {
        let outcome = match self.caller(&request).await {
            Ok(caller) => run(request.into_inner(), caller).await,
            Err(problem) => Err(problem),
        };
        self.counted(rpc, outcome.map(Response::new))
    }

    /// Opens a push stream. The tenants of the caller are those of this moment: who joins another
    /// one opens another stream; who leaves one is refused by the engine.
    async fn stream(
        &self,
        caller: &Caller,
        request: proto::StreamActivatedJobsRequest,
    ) -> Result<Streamed<proto::ActivatedJob>, Problem> {
        let mut tenants = Vec::new();
        if self.front.tenancy && request.tenant_filter() == proto::TenantFilter::Assigned {
            let rights = self.identity.rights(&caller.0.who).await?;
            tenants.extend(rights.tenants.iter().map(|id| Text::from(id.as_str())));
        }
        job::stream(&self.front, caller, tenants, request)
    }

    fn counted<R>(&self, rpc: &'static str, outcome: Result<R, Problem>) -> Result<R, Status> {
        let outcome = outcome.map_err(|problem| {
            if let Problem::Internal(text) = &problem {
                tracing::error!(rpc, text, "a request failed for a fault of this program");
            }
            status::of(&problem)
        });
        let code = outcome
            .as_ref()
            .map_or_else(Status::code, |_| tonic::Code::Ok);
        self.front.metrics.rpc(rpc, code as i32);
        outcome
    }
}

#[tonic::async_trait]
impl Gateway for Service {
    type ActivateJobsStream = Streamed<proto::ActivateJobsResponse>;
    type StreamActivatedJobsStream = Streamed<proto::ActivatedJob>;

    async fn activate_jobs(
        &self,
        request: Request<proto::ActivateJobsRequest>,
    ) -> Answered<Self::ActivateJobsStream> {
        let outcome = match self.caller(&request).await {
            Ok(caller) => job::activate(&self.front, &caller, request.into_inner()),
            Err(problem) => Err(problem),
        };
        self.counted("ActivateJobs", outcome.map(Response::new))
    }

    async fn stream_activated_jobs(
        &self,
        request: Request<proto::StreamActivatedJobsRequest>,
    ) -> Answered<Self::StreamActivatedJobsStream> {
        let outcome = match self.caller(&request).await {
            Ok(caller) => self.stream(&caller, request.into_inner()).await,
            Err(problem) => Err(problem),
        };
        self.counted("StreamActivatedJobs", outcome.map(Response::new))
    }

    async fn complete_job(
        &self,
        request: Request<proto::CompleteJobRequest>,
    ) -> Answered<proto::CompleteJobResponse> {
        self.unary("CompleteJob", request, |request, caller| async move {
            job::complete(request)?.run(&self.front, &caller).await?;
            Ok(proto::CompleteJobResponse {})
        })
        .await
    }

    async fn fail_job(
        &self,
        request: Request<proto::FailJobRequest>,
    ) -> Answered<proto::FailJobResponse> {
        self.unary("FailJob", request, |request, caller| async move {
            job::fail(request)?.run(&self.front, &caller).await?;
            Ok(proto::FailJobResponse {})
        })
        .await
    }

    async fn throw_error(
        &self,
        request: Request<proto::ThrowErrorRequest>,
    ) -> Answered<proto::ThrowErrorResponse> {
        self.unary("ThrowError", request, |request, caller| async move {
            job::throw_error(request)?.run(&self.front, &caller).await?;
            Ok(proto::ThrowErrorResponse {})
        })
        .await
    }

    async fn update_job_retries(
        &self,
        request: Request<proto::UpdateJobRetriesRequest>,
    ) -> Answered<proto::UpdateJobRetriesResponse> {
        self.unary("UpdateJobRetries", request, |request, caller| async move {
            job::update_retries(&request)?
                .run(&self.front, &caller)
                .await?;
            Ok(proto::UpdateJobRetriesResponse {})
        })
        .await
    }

    async fn update_job_timeout(
        &self,
        request: Request<proto::UpdateJobTimeoutRequest>,
    ) -> Answered<proto::UpdateJobTimeoutResponse> {
        self.unary("UpdateJobTimeout", request, |request, caller| async move {
            job::update_timeout(&request)?
                .run(&self.front, &caller)
                .await?;
            Ok(proto::UpdateJobTimeoutResponse {})
        })
        .await
    }

    async fn create_process_instance(
        &self,
        request: Request<proto::CreateProcessInstanceRequest>,
    ) -> Answered<proto::CreateProcessInstanceResponse> {
        self.unary(
            "CreateProcessInstance",
            request,
            |request, caller| async move {
                let request = process_instance::create(request)?;
                let created = request.run(&self.front, &caller).await?;
                Ok(process_instance::created(created))
            },
        )
        .await
    }

    async fn create_process_instance_with_result(
        &self,
        request: Request<proto::CreateProcessInstanceWithResultRequest>,
    ) -> Answered<proto::CreateProcessInstanceWithResultResponse> {
        let rpc = "CreateProcessInstanceWithResult";
        self.unary(rpc, request, |request, caller| async move {
            let request = process_instance::create_with_result(request)?;
            let created = request.run(&self.front, &caller).await?;
            process_instance::ended(created)
        })
        .await
    }

    async fn cancel_process_instance(
        &self,
        request: Request<proto::CancelProcessInstanceRequest>,
    ) -> Answered<proto::CancelProcessInstanceResponse> {
        self.unary(
            "CancelProcessInstance",
            request,
            |request, caller| async move {
                process_instance::cancel(&request)?
                    .run(&self.front, &caller)
                    .await?;
                Ok(proto::CancelProcessInstanceResponse {})
            },
        )
        .await
    }

    async fn deploy_resource(
        &self,
        request: Request<proto::DeployResourceRequest>,
    ) -> Answered<proto::DeployResourceResponse> {
        self.unary("DeployResource", request, |request, caller| async move {
            let deployed = resource::deploy(request).run(&self.front, &caller).await?;
            Ok(resource::deployed(deployed))
        })
        .await
    }

    async fn deploy_process(
        &self,
        request: Request<proto::DeployProcessRequest>,
    ) -> Answered<proto::DeployProcessResponse> {
        self.unary("DeployProcess", request, |request, caller| async move {
            let deployed = resource::deploy_process(request)
                .run(&self.front, &caller)
                .await?;
            Ok(resource::deployed_processes(deployed))
        })
        .await
    }

    async fn delete_resource(
        &self,
        request: Request<proto::DeleteResourceRequest>,
    ) -> Answered<proto::DeleteResourceResponse> {
        self.unary("DeleteResource", request, |request, caller| async move {
            let operation = resource::delete(&request)?
                .run(&self.front, &caller)
                .await?;
            Ok(resource::deleted(&request, operation))
        })
        .await
    }

    async fn publish_message(
        &self,
        request: Request<proto::PublishMessageRequest>,
    ) -> Answered<proto::PublishMessageResponse> {
        self.unary("PublishMessage", request, |request, caller| async move {
            let published = message::Publish {
                variables: document::from_text("variables", &request.variables)?,
                name: request.name,
                correlation_key: request.correlation_key,
                time_to_live: request.time_to_live,
                message_id: request.message_id,
                tenant_id: Some(request.tenant_id),
            }
            .run(&self.front, &caller)
            .await?;
            Ok(proto::PublishMessageResponse {
                key: published.key.0,
                tenant_id: published.tenant_id.to_string(),
            })
        })
        .await
    }

    async fn broadcast_signal(
        &self,
        request: Request<proto::BroadcastSignalRequest>,
    ) -> Answered<proto::BroadcastSignalResponse> {
        self.unary("BroadcastSignal", request, |request, caller| async move {
            let broadcasted = signal::Broadcast {
                variables: document::from_text("variables", &request.variables)?,
                name: request.signal_name,
                tenant_id: Some(request.tenant_id),
            }
            .run(&self.front, &caller)
            .await?;
            Ok(proto::BroadcastSignalResponse {
                key: broadcasted.key.0,
                tenant_id: broadcasted.tenant_id.to_string(),
            })
        })
        .await
    }

    async fn resolve_incident(
        &self,
        request: Request<proto::ResolveIncidentRequest>,
    ) -> Answered<proto::ResolveIncidentResponse> {
        self.unary("ResolveIncident", request, |request, caller| async move {
            incident::Resolve {
                key: Key(request.incident_key),
                operation_reference: operation_reference(request.operation_reference)?,
            }
            .run(&self.front, &caller)
            .await?;
            Ok(proto::ResolveIncidentResponse {})
        })
        .await
    }

    async fn set_variables(
        &self,
        request: Request<proto::SetVariablesRequest>,
    ) -> Answered<proto::SetVariablesResponse> {
        self.unary("SetVariables", request, |request, caller| async move {
            let key = variable::Set {
                scope: Key(request.element_instance_key),
                variables: document::from_text("variables", &request.variables)?,
                local: request.local,
                operation_reference: operation_reference(request.operation_reference)?,
            }
            .run(&self.front, &caller)
            .await?;
            Ok(proto::SetVariablesResponse { key: key.0 })
        })
        .await
    }

    async fn topology(
        &self,
        request: Request<proto::TopologyRequest>,
    ) -> Answered<proto::TopologyResponse> {
        self.unary("Topology", request, |_request, _caller| async move {
            Ok(topology(&self.front))
        })
        .await
    }

    async fn evaluate_decision(
        &self,
        request: Request<proto::EvaluateDecisionRequest>,
    ) -> Answered<proto::EvaluateDecisionResponse> {
        self.unary("EvaluateDecision", request, |request, caller| async move {
            let evaluated = decision::evaluate(request)?
                .run(&self.front, &caller)
                .await?;
            decision::evaluated(&evaluated)
        })
        .await
    }

    async fn modify_process_instance(
        &self,
        request: Request<proto::ModifyProcessInstanceRequest>,
    ) -> Answered<proto::ModifyProcessInstanceResponse> {
        self.unary(
            "ModifyProcessInstance",
            request,
            |request, caller| async move {
                process_instance::modify(request)?
                    .run(&self.front, &caller)
                    .await?;
                Ok(proto::ModifyProcessInstanceResponse {})
            },
        )
        .await
    }

    async fn migrate_process_instance(
        &self,
        request: Request<proto::MigrateProcessInstanceRequest>,
    ) -> Answered<proto::MigrateProcessInstanceResponse> {
        self.unary(
            "MigrateProcessInstance",
            request,
            |request, caller| async move {
                process_instance::migrate(request)?
                    .run(&self.front, &caller)
                    .await?;
                Ok(proto::MigrateProcessInstanceResponse {})
            },
        )
        .await
    }

    async fn evaluate_conditional(
        &self,
        request: Request<proto::EvaluateConditionalRequest>,
    ) -> Answered<proto::EvaluateConditionalResponse> {
        self.unary(
            "EvaluateConditional",
            request,
            |request, caller| async move {
                let evaluated = conditional::Evaluate {
                    definition: request.process_definition_key.map_or(Key::NONE, Key),
                    variables: document::from_text("variables", &request.variables)?,
                    tenant_id: Some(request.tenant_id),
                }
                .run(&self.front, &caller)
                .await?;
                let started = evaluated.record.started.iter();
                Ok(proto::EvaluateConditionalResponse {
                    process_instances: started
                        .map(|started| proto::ProcessInstanceReference {
                            process_definition_key: started.process_definition_key.0,
                            process_instance_key: started.process_instance_key.0,
                        })
                        .collect(),
                    conditional_evaluation_key: evaluated.key.0,
                    tenant_id: evaluated.record.tenant_id.to_string(),
                })
            },
        )
        .await
    }

    async fn update_job_priority(
        &self,
        request: Request<proto::UpdateJobPriorityRequest>,
    ) -> Answered<proto::UpdateJobPriorityResponse> {
        self.unary("UpdateJobPriority", request, |request, caller| async move {
            job::update_priority(&request)?
                .run(&self.front, &caller)
                .await?;
            Ok(proto::UpdateJobPriorityResponse {})
        })
        .await
    }
}

fn topology(front: &Front) -> proto::TopologyResponse {
    use proto::partition::{PartitionBrokerHealth, PartitionBrokerRole};

    let topology = front.backend.commands.topology();
    let brokers = topology.brokers.iter().map(|broker| proto::BrokerInfo {
        node_id: broker.node_id.cast_signed(),
        host: broker.address.host.clone(),
        port: i32::from(broker.address.port),
        partitions: broker
            .partitions
            .iter()
            .map(|partition| proto::Partition {
                partition_id: i32::from(partition.id.0),
                role: match partition.role {
                    Role::Leader => PartitionBrokerRole::Leader,
                    Role::Follower => PartitionBrokerRole::Follower,
                    Role::Inactive => PartitionBrokerRole::Inactive,
                }
                .into(),
                health: match partition.health {
                    Health::Healthy => PartitionBrokerHealth::Healthy,
                    Health::Unhealthy => PartitionBrokerHealth::Unhealthy,
                    Health::Dead => PartitionBrokerHealth::Dead,
                }
                .into(),
            })
            .collect(),
        // Clients compare it with Camunda's versions, not with those of this program.
        version: front.version.clone(),
    });
    proto::TopologyResponse {
        brokers: brokers.collect(),
        cluster_size: topology.cluster_size.cast_signed(),
        partitions_count: i32::from(topology.partitions_count),
        replication_factor: topology.replication_factor.cast_signed(),
        gateway_version: front.version.clone(),
        cluster_id: String::new(),
    }
}
