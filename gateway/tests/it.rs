//! The gateway from outside: real sockets, real clients, a backend in memory that answers what a
//! test wants. Behaviour of the engine is not tested here; how each protocol says what the engine
//! said is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "it/agent.rs"]
mod agent;
#[path = "it/auth.rs"]
mod auth;
#[path = "it/batch.rs"]
mod batch;
#[path = "it/bucket.rs"]
mod bucket;
#[path = "it/cluster_variable.rs"]
mod cluster_variable;
#[path = "it/contract.rs"]
mod contract;
#[path = "it/contract_details.rs"]
mod contract_details;
#[path = "it/decision.rs"]
mod decision;
#[path = "it/documents.rs"]
mod documents;
#[path = "it/fake.rs"]
mod fake;
#[path = "it/grpc.rs"]
mod grpc;
#[path = "it/jobs.rs"]
mod jobs;
#[path = "it/management.rs"]
mod management;
#[path = "it/oidc.rs"]
mod oidc;
#[path = "it/openapi.rs"]
mod openapi;
#[path = "it/parity.rs"]
mod parity;
#[path = "it/permission.rs"]
mod permission;
#[path = "it/reads.rs"]
mod reads;
#[path = "it/rest.rs"]
mod rest;
#[path = "it/rules.rs"]
mod rules;
#[path = "it/search.rs"]
mod search;
#[path = "it/slow.rs"]
mod slow;
#[path = "it/tls.rs"]
mod tls;

/// The generated client.
#[expect(
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code follows its generator's rules"
)]
mod proto {
    tonic::include_proto!("gateway_protocol");
}
