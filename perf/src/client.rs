//! One client for both protocols: the six calls a load generator makes, with one failure type.
//! Cheap to clone; a call names a slot, and slots are spread over the connections. No call is
//! retried here: an answer is an answer, and what a caller repeats is measured from its first try.
//!
//! Errors: every failure carries a code for counting, whether the server said that it is
//! overloaded (gRPC RESOURCE_EXHAUSTED; HTTP 429, or 503 with that title), and whether the request
//! may have taken effect all the same.
//!
//! Not here: what is called and when (`drive`, `worker`).

mod grpc;
pub(crate) mod rest;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::args::{Protocol, RunArgs};
use crate::client::grpc::GrpcClient;
pub(crate) use crate::client::grpc::JobStream;
use crate::client::rest::RestClient;

/// A job as far as a worker of this tool needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) key: i64,
    pub(crate) instance_key: i64,
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub(crate) struct JobQuery {
    pub(crate) job_type: String,
    /// Lock of an activated job.
    pub(crate) lock: Duration,
    pub(crate) jobs_max: i32,
    /// How long the server may hold an empty poll.
    pub(crate) wait: Duration,
}

/// A request to start an instance of the latest version of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation<'a> {
    pub(crate) process_id: &'a str,
    /// A JSON object as text.
    pub(crate) variables: &'a str,
}

/// How a call ended without its answer; the unit of error counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Grpc(tonic::Code),
    Http(u16),
    /// The connection failed below the protocol.
    Transport,
    /// This client stopped waiting.
    ClientTimeout,
    /// The answer could not be read.
    Malformed,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(code) => f.write_str(grpc::code_name(*code)),
            Self::Http(status) => write!(f, "HTTP {status}"),
            Self::Transport => f.write_str("transport"),
            Self::ClientTimeout => f.write_str("client timeout"),
            Self::Malformed => f.write_str("malformed answer"),
        }
    }
}

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) text: String,
    pub(crate) resource_exhausted: bool,
}

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        let resource_exhausted = code == Code::Grpc(tonic::Code::ResourceExhausted);
        Self {
            code,
            text: text.into(),
            resource_exhausted,
        }
    }

    /// Whether the request may have taken effect although no answer came.
    pub(crate) fn outcome_unknown(&self) -> bool {
        match self.code {
            Code::Transport | Code::ClientTimeout | Code::Malformed => true,
            Code::Grpc(code) => matches!(
                code,
                tonic::Code::DeadlineExceeded
                    | tonic::Code::Unavailable
                    | tonic::Code::Aborted
                    | tonic::Code::Cancelled
                    | tonic::Code::Unknown
                    | tonic::Code::Internal
            ),
            Code::Http(status) => matches!(status, 500 | 502..=504) && !self.resource_exhausted,
        }
    }

    /// Whether the server does not know the entity.
    pub(crate) fn not_found(&self) -> bool {
        self.code == Code::Grpc(tonic::Code::NotFound) || self.code == Code::Http(404)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl std::error::Error for Failure {}

/// Connections to one endpoint.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    Grpc(GrpcClient),
    Rest(Arc<RestClient>),
}

impl Client {
    /// Opens the connections of `args`. gRPC connects now, REST on first use.
    pub(crate) async fn connect(args: &RunArgs) -> Result<Self, Failure> {
        match args.protocol {
            Protocol::Grpc => {
                let connections = args.connections.unwrap_or(2);
                let client =
                    GrpcClient::connect(&args.target, connections, &args.headers, args.timeout);
                Ok(Self::Grpc(client.await?))
            }
            Protocol::Rest => {
                let connections = args.connections.unwrap_or(64);
                RestClient::new(&args.rest, connections, &args.headers, args.timeout)
                    .map(|client| Self::Rest(Arc::new(client)))
            }
        }
    }

    pub(crate) async fn deploy(&self, name: &str, bpmn: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Grpc(client) => client.deploy(name, bpmn).await,
            Self::Rest(client) => client.deploy(name, bpmn).await,
        }
    }

    /// Starts an instance; the key of the instance.
    pub(crate) async fn create(&self, slot: usize, creation: Creation<'_>) -> Result<i64, Failure> {
        match self {
            Self::Grpc(client) => client.create(slot, creation).await,
            Self::Rest(client) => client.create(creation, false).await,
        }
    }

    /// Starts an instance and waits until it has completed; the key of the instance.
    pub(crate) async fn create_with_result(
        &self,
        slot: usize,
        creation: Creation<'_>,
    ) -> Result<i64, Failure> {
        match self {
            Self::Grpc(client) => client.create_with_result(slot, creation).await,
            Self::Rest(client) => client.create(creation, true).await,
        }
    }

    pub(crate) async fn publish(
        &self,
        slot: usize,
        name: &str,
        correlation_key: &str,
        ttl: Duration,
    ) -> Result<(), Failure> {
        match self {
            Self::Grpc(client) => client.publish(slot, name, correlation_key, ttl).await,
            Self::Rest(client) => client.publish(name, correlation_key, ttl).await,
        }
    }

    pub(crate) async fn complete(&self, slot: usize, job_key: i64) -> Result<(), Failure> {
        match self {
            Self::Grpc(client) => client.complete(slot, job_key).await,
            Self::Rest(client) => client.complete(job_key).await,
        }
    }

    /// One long poll; an empty answer after the wait is not a failure.
    pub(crate) async fn poll(&self, slot: usize, query: &JobQuery) -> Result<Vec<Job>, Failure> {
        match self {
            Self::Grpc(client) => client.poll(slot, query).await,
            Self::Rest(client) => client.poll(query).await,
        }
    }

    /// Opens a job stream; `None` where the protocol has none (REST).
    pub(crate) async fn stream(
        &self,
        slot: usize,
        query: &JobQuery,
    ) -> Option<Result<JobStream, Failure>> {
        match self {
            Self::Grpc(client) => Some(client.stream(slot, query).await),
            Self::Rest(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_is_told_from_an_unknown_outcome() {
        let exhausted = Failure::new(Code::Grpc(tonic::Code::ResourceExhausted), "busy");
        assert!(exhausted.resource_exhausted && !exhausted.outcome_unknown());
        let cut = Failure::new(Code::Grpc(tonic::Code::Unavailable), "cut");
        assert!(cut.outcome_unknown() && !cut.resource_exhausted);
        assert!(Failure::new(Code::Http(404), "").not_found());
        assert_eq!(exhausted.code.to_string(), "RESOURCE_EXHAUSTED");
    }
}
