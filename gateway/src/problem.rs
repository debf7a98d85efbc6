//! One table from what went wrong to what each protocol says about it.
//!
//! | problem | gRPC | HTTP | title |
//! |---|---|---|---|
//! | `Rejected` | by rejection type | by rejection type | the status name |
//! | `Invalid`, `Plain`, `Tenant`, `Document`, `BadCursor` | INVALID_ARGUMENT | 400 | the same |
//! | `Malformed` | INVALID_ARGUMENT | 400 | Bad Request |
//! | `Overloaded`, `AllRefused`, `NoJobsUnderPressure` | RESOURCE_EXHAUSTED | 503 | the same |
//! | `NoSuchPartition`, `Inactive`, `NoTopology`, `ShuttingDown` | UNAVAILABLE | 503 | the same |
//! | `StorageUnavailable`, `ProviderUnavailable` | UNAVAILABLE | 503 | UNAVAILABLE |
//! | `UnknownOutcome` | ABORTED | 502 | ABORTED |
//! | `LeadershipLost` | UNAVAILABLE | 503 | UNAVAILABLE |
//! | `Timeout` | DEADLINE_EXCEEDED | 504 | DEADLINE_EXCEEDED |
//! | `Unauthenticated` | UNAUTHENTICATED | 401 | Unauthorized |
//! | `Missing` | NOT_FOUND | 404 | NOT_FOUND |
//! | `Taken` | ALREADY_EXISTS | 409 | ALREADY_EXISTS |
//! | `NoSecondaryStorage` | PERMISSION_DENIED | 403 | FORBIDDEN |
//! | `Forbidden`, `NoSecondaryStorage` | PERMISSION_DENIED | 403 | FORBIDDEN |
//! | `Unimplemented` | UNIMPLEMENTED | 501 | Not Implemented |
//! | `Http` | INVALID_ARGUMENT | its own | its reason phrase |
//! | `Internal` | INTERNAL | 500 | INTERNAL |
//!
//! Titles and texts are Camunda's: clients match some of them. RESOURCE_EXHAUSTED is sent for
//! nothing but pressure, because clients shrink their concurrency when they see it.

mod violations;

use std::borrow::Cow;

use ringflow_core::ids::PartitionId;
use ringflow_core::record::value::default_tenant;
use ringflow_core::record::{Intent, Rejection, RejectionType};
use tonic::Code;
pub(crate) use violations::Violations;

/// How an operation names itself in texts: the RPC and the words REST uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationName {
    /// `CreateProcessInstance`.
    pub rpc: &'static str,
    /// `Create Process Instance`.
    pub human: &'static str,
}

/// Why a tenant id was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantFault {
    /// Another tenant than the default one, while multi-tenancy is off.
    Disabled,
    /// None, while multi-tenancy is on.
    Missing,
    /// More than 31 characters.
    TooLong,
    /// A character outside of letters, digits, `_`, `-`, `.`.
    IllegalCharacters,
}

impl TenantFault {
    const fn reason(self) -> &'static str {
        match self {
            Self::Disabled => "multi-tenancy is disabled",
            Self::Missing => "no tenant identifier was provided",
            Self::TooLong => "tenant identifier is longer than 31 characters",
            Self::IllegalCharacters => "tenant identifier contains illegal characters",
        }
    }
}

/// Why a text is not a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentFault {
    /// Not JSON; where and why.
    NotJson {
        /// The offending text, shortened.
        value: String,
        /// Reason and place.
        reason: String,
    },
    /// JSON, but no object.
    NotAnObject {
        /// What it is instead: `ARRAY`, `STRING`, ...
        found: &'static str,
    },
}

/// What went wrong, in the words of no protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The engine refused the command.
    Rejected {
        /// The command.
        intent: Intent,
        /// The refusal.
        rejection: Rejection,
    },
    /// The request breaks rules of its fields; one text each, without final period.
    Invalid(Vec<String>),
    /// The request breaks one rule, in a text that the reference does not close with a period.
    Plain(Cow<'static, str>),
    /// The request is not of the expected shape.
    Malformed(String),
    /// The request names tenants it cannot name.
    Tenant {
        /// The operation.
        operation: OperationName,
        /// Those tenants, as given; while multi-tenancy is off all that were given.
        ids: Vec<String>,
        /// Why not, for each of them; one for all while multi-tenancy is off.
        faults: Vec<TenantFault>,
    },
    /// A JSON document field is unusable.
    Document {
        /// The field.
        field: &'static str,
        /// Why.
        fault: DocumentFault,
    },
    /// The partition takes no more requests now.
    Overloaded,
    /// Every partition refused a request that any could have taken.
    AllRefused(Vec<Problem>),
    /// No jobs were found and at least one partition was under pressure.
    NoJobsUnderPressure {
        /// The job type asked for.
        job_type: String,
    },
    /// The key or number names a partition that the cluster does not have.
    NoSuchPartition(PartitionId),
    /// The partition has no leader that takes requests now.
    Inactive {
        /// The partition.
        partition: PartitionId,
        /// What the broker says about it.
        reason: String,
    },
    /// The gateway does not know any partition yet.
    NoTopology,
    /// The gateway ends.
    ShuttingDown,
    /// The connection to the leader was cut after it got the command.
    UnknownOutcome,
    /// The leader lost its place after it got the command.
    LeadershipLost(PartitionId),
    /// No answer in time.
    Timeout,
    /// No credentials, or wrong ones.
    Unauthenticated(CredentialFault),
    /// The identity provider gives no keys, so no token can be checked.
    ProviderUnavailable,
    /// The entity is not in the secondary storage.
    Missing(String),
    /// There is one of this identity already, outside of the engine.
    Taken(String),
    /// A cursor that was not handed out for this search.
    BadCursor(String),
    /// The caller may not.
    Forbidden(String),
    /// The operation reads from the secondary storage and there is none.
    NoSecondaryStorage,
    /// The secondary storage does not answer.
    StorageUnavailable(String),
    /// The operation is not served; a sentence that names it.
    Unimplemented(String),
    /// The HTTP layer refuses the request.
    Http(HttpFault),
    /// A fault of this program.
    Internal(String),
}

/// What is wrong with the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFault {
    /// None were given.
    Missing,
    /// They are not of a form the gateway takes.
    Unreadable,
    /// Nobody has them.
    Wrong,
    /// A token of an identity provider is wanted, and there is none.
    NoToken,
    /// There is one, and it does not count; why.
    Token(&'static str),
}

/// Refusals that only HTTP knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// 404: no operation has this path.
    NoRoute(String),
    /// 405: the path exists, the method does not.
    Method(String),
    /// 415.
    MediaType(String),
    /// 406.
    NotAcceptable(&'static str),
    /// 413.
    BodyTooLarge(usize),
    /// 408: the client sends too slowly.
    Slow,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Code of the gRPC status.
    pub grpc: Code,
    /// HTTP status.
    pub http: u16,
    /// Title of the problem document.
    pub title: &'static str,
}

const fn row(grpc: Code, http: u16, title: &'static str) -> Row {
    Row { grpc, http, title }
}

impl Problem {
    /// One violated rule in a text that is not closed with a period.
    pub fn plain(violation: impl Into<Cow<'static, str>>) -> Self {
        Self::Plain(violation.into())
    }

    /// One violated rule.
    pub fn invalid(violation: impl Into<String>) -> Self {
        Self::Invalid(vec![violation.into()])
    }

    /// The row of this problem.
    #[must_use]
    pub fn row(&self) -> Row {
        match self {
            Self::Rejected { rejection, .. } => rejection_row(rejection.kind),
            Self::Invalid(_)
            | Self::Plain(_)
            | Self::Tenant { .. }
            | Self::Document { .. }
            | Self::BadCursor(_) => row(Code::InvalidArgument, 400, "INVALID_ARGUMENT"),
            Self::Malformed(_) => row(Code::InvalidArgument, 400, "Bad Request"),
            Self::Overloaded | Self::AllRefused(_) | Self::NoJobsUnderPressure { .. } => {
                row(Code::ResourceExhausted, 503, "RESOURCE_EXHAUSTED")
            }
            Self::NoSuchPartition(_)
            | Self::Inactive { .. }
            | Self::NoTopology
            | Self::ShuttingDown
            | Self::LeadershipLost(_)
            | Self::ProviderUnavailable
            | Self::StorageUnavailable(_) => row(Code::Unavailable, 503, "UNAVAILABLE"),
            Self::UnknownOutcome => row(Code::Aborted, 502, "ABORTED"),
            Self::Timeout => row(Code::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
            Self::Unauthenticated(_) => row(Code::Unauthenticated, 401, "Unauthorized"),
            Self::Missing(_) => row(Code::NotFound, 404, "NOT_FOUND"),
            Self::Taken(_) => row(Code::AlreadyExists, 409, "ALREADY_EXISTS"),
            Self::Forbidden(_) | Self::NoSecondaryStorage => {
                row(Code::PermissionDenied, 403, "FORBIDDEN")
            }
            Self::Unimplemented(_) => row(Code::Unimplemented, 501, "Not Implemented"),
            Self::Http(fault) => fault.row(),
            Self::Internal(_) => row(Code::Internal, 500, "INTERNAL"),
        }
    }

    /// Text of the gRPC status.
    #[must_use]
    pub fn grpc_text(&self) -> String {
        match self {
            Self::Overloaded => "Reached maximum capacity of requests handled".into(),
            Self::AllRefused(_) => "Expected to execute the command on one of the partitions, but \
                 all failed; there are no more partitions available to retry. Please try again \
                 later. If the error persists contact your zeebe operator"
                .into(),
            Self::NoSuchPartition(partition) => format!(
                "Expected to execute command on partition {partition}, but either it does not \
                 exist, or the gateway is not yet aware of it"
            ),
            Self::Inactive { partition, .. } => {
                format!("The partition {partition} is currently INACTIVE with no leader.")
            }
            Self::NoTopology => "Expected to send the request to a partition in the topology, but \
                 gateway does not know broker topology. Please try again later. If the error \
                 persists contact your zeebe operator."
                .into(),
            Self::Timeout => "Time out between gateway and broker: Request timed out".into(),
            Self::Tenant {
                operation,
                ids,
                faults,
            } => format!(
                "Expected to handle gRPC request {} with tenant identifier '{}', but {}",
                operation.rpc,
                // Who is asked for the default one is nobody's fault.
                ids.iter()
                    .find(|id| default_tenant() != *id.as_str())
                    .map_or("", String::as_str),
                faults.first().map_or("", |fault| fault.reason()),
            ),
            Self::Document { field, fault } => match fault {
                DocumentFault::NotJson { value, reason } => {
                    format!("Invalid JSON value: {value} ({reason})")
                }
                DocumentFault::NotAnObject { found } => format!(
                    "Property '{field}' is invalid: Expected document to be a root level object, \
                     but was '{found}'"
                ),
            },
            Self::Unauthenticated(CredentialFault::Missing) => "Expected authentication \
                 information at header with key [authorization], but found nothing"
                .into(),
            Self::Unauthenticated(CredentialFault::NoToken) => "Expected bearer token at header \
                 with key [authorization], but found nothing"
                .into(),
            Self::Unauthenticated(CredentialFault::Token(reason)) => {
                format!("Expected a valid token, but {reason}")
            }
            Self::Internal(text) => {
                format!("Unexpected error occurred during the request processing: {text}")
            }
            Self::Invalid(violations) => violations.join(". "),
            Self::Rejected { .. }
            | Self::Plain(_)
            | Self::Malformed(_)
            | Self::NoJobsUnderPressure { .. }
            | Self::ShuttingDown
            | Self::UnknownOutcome
            | Self::LeadershipLost(_)
            | Self::Unauthenticated(_)
            | Self::ProviderUnavailable
            | Self::Missing(_)
            | Self::Taken(_)
            | Self::BadCursor(_)
            | Self::Forbidden(_)
            | Self::NoSecondaryStorage
            | Self::StorageUnavailable(_)
            | Self::Unimplemented(_)
            | Self::Http(_) => self.detail(),
        }
    }

    /// Detail of the problem document.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Rejected { rejection, .. } if rejection.kind == RejectionType::Unsupported => {
                rejection.reason.to_string()
            }
            Self::Rejected { intent, rejection } => format!(
                "Command '{}' rejected with code '{}': {}",
                intent.name(),
                rejection.kind.name(),
                rejection.reason
            ),
            Self::Invalid(violations) => sentences(violations),
            Self::Plain(text) => text.to_string(),
            Self::Malformed(text)
            | Self::Forbidden(text)
            | Self::Missing(text)
            | Self::Taken(text)
            | Self::StorageUnavailable(text)
            | Self::Unimplemented(text) => text.clone(),
            Self::Tenant {
                operation,
                ids,
                faults,
            } => tenant_sentences(operation.human, ids, faults),
            Self::Document { .. } => {
                "Expected to handle request, but JSON property was invalid".into()
            }
            Self::Overloaded => {
                "Expected to handle request, but the partition is at its capacity of requests"
                    .into()
            }
            Self::AllRefused(_) => {
                "Expected to handle request, but all retries have been exhausted".into()
            }
            Self::NoJobsUnderPressure { job_type } => format!(
                "Expected to activate jobs of type '{job_type}', but no jobs available and at \
                 least one broker returned 'RESOURCE_EXHAUSTED'. Please try again later."
            ),
            Self::NoSuchPartition(_) => {
                "Expected to handle request, but request could not be delivered".into()
            }
            Self::Inactive { .. } => {
                "Expected to handle request, but the target partition is currently inactive".into()
            }
            Self::NoTopology => {
                "Expected to handle request, but the gateway does not know any partitions yet"
                    .into()
            }
            Self::ShuttingDown => "Expected to handle request, but the gateway shuts down".into(),
            Self::UnknownOutcome => "Expected to handle request, but the connection was cut \
                 prematurely with the broker; the request may or may not have been accepted, and \
                 may not be safe to retry."
                .into(),
            Self::LeadershipLost(partition) => format!(
                "Expected to handle request, but the leader of partition '{partition}' lost its \
                 place before it answered; the request may or may not have been accepted"
            ),
            Self::Timeout => "Expected to handle request, but request timed out between gateway \
                 and broker"
                .into(),
            Self::Unauthenticated(fault) => match fault {
                CredentialFault::Missing | CredentialFault::NoToken => {
                    "An Authentication object was not found in the SecurityContext".into()
                }
                CredentialFault::Unreadable => "Failed to decode basic authentication token".into(),
                CredentialFault::Wrong => "Bad credentials".into(),
                CredentialFault::Token(reason) => {
                    format!("An error occurred while attempting to decode the Jwt: {reason}")
                }
            },
            Self::ProviderUnavailable => "Expected to handle request, but the keys of the \
                 identity provider cannot be fetched"
                .into(),
            Self::BadCursor(cursor) => format!("Cannot decode pagination cursor '{cursor}'"),
            Self::NoSecondaryStorage => "This endpoint requires a secondary storage, but none is \
                 configured"
                .into(),
            Self::Http(fault) => fault.detail(),
            Self::Internal(text) => {
                format!("Unexpected error occurred during the request processing: {text}")
            }
        }
    }
}

fn rejection_row(kind: RejectionType) -> Row {
    match kind {
        RejectionType::InvalidArgument => row(Code::InvalidArgument, 400, "INVALID_ARGUMENT"),
        RejectionType::NotFound => row(Code::NotFound, 404, "NOT_FOUND"),
        RejectionType::AlreadyExists => row(Code::AlreadyExists, 409, "ALREADY_EXISTS"),
        RejectionType::InvalidState => row(Code::FailedPrecondition, 409, "INVALID_STATE"),
        RejectionType::ProcessingError => row(Code::Internal, 500, "INTERNAL"),
        RejectionType::ExceededBatchRecordSize => row(Code::Unknown, 500, "UNKNOWN"),
        RejectionType::Unauthorized => row(Code::PermissionDenied, 401, "UNAUTHORIZED"),
        RejectionType::Forbidden => row(Code::PermissionDenied, 403, "FORBIDDEN"),
        RejectionType::Unsupported => row(Code::Unimplemented, 501, "Not Implemented"),
    }
}

impl HttpFault {
    fn row(&self) -> Row {
        match self {
            Self::NoRoute(_) => row(Code::Unimplemented, 404, "Not Found"),
            Self::Method(_) => row(Code::Unimplemented, 405, "Method Not Allowed"),
            Self::MediaType(_) => row(Code::InvalidArgument, 415, "Unsupported Media Type"),
            Self::NotAcceptable(_) => row(Code::InvalidArgument, 406, "Not Acceptable"),
            Self::BodyTooLarge(_) => row(Code::ResourceExhausted, 413, "Content Too Large"),
            Self::Slow => row(Code::DeadlineExceeded, 408, "Request Timeout"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoRoute(path) => {
                format!("No static resource {}.", path.trim_start_matches('/'))
            }
            Self::Method(method) => format!("Method '{method}' is not supported."),
            Self::MediaType(given) => format!("Content-Type '{given}' is not supported."),
            Self::NotAcceptable(produced) => {
                format!("Acceptable representations: [{produced}, application/problem+json].")
            }
            Self::BodyTooLarge(limit) => format!("The request body exceeds {limit} bytes."),
            Self::Slow => "The request was not received in time.".into(),
        }
    }
}

/// What REST says about tenants: one sentence for all of them while there are none, else one each.
fn tenant_sentences(operation: &str, ids: &[String], faults: &[TenantFault]) -> String {
    let handle = format!("Expected to handle request {operation} with");
    match (faults, ids) {
        ([TenantFault::Disabled], [_, _, ..]) => format!(
            "{handle} tenant identifiers [{}], but {}",
            ids.join(", "),
            TenantFault::Disabled.reason()
        ),
        ([TenantFault::Disabled], [id]) => format!(
            "{handle} tenant identifier '{id}', but {}",
            TenantFault::Disabled.reason()
        ),
        ([TenantFault::Missing], _) => format!(
            "{handle} multi-tenancy enabled, but {}.",
            TenantFault::Missing.reason()
        ),
        (faults, ids) => {
            let each = ids.iter().zip(faults).map(|(id, fault)| {
                format!("{handle} tenant identifier '{id}', but {}", fault.reason())
            });
            sentences(&each.collect::<Vec<_>>())
        }
    }
}

/// Violations joined with `. `, closed by one period.
fn sentences(violations: &[String]) -> String {
    let mut text = violations.join(". ");
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use ringflow_core::record::intent::of;

    use super::*;

    #[test]
    fn every_rejection_type_has_the_status_clients_expect() {
        let expected = [
            (RejectionType::InvalidArgument, Code::InvalidArgument, 400),
            (RejectionType::NotFound, Code::NotFound, 404),
            (RejectionType::AlreadyExists, Code::AlreadyExists, 409),
            (RejectionType::InvalidState, Code::FailedPrecondition, 409),
            (RejectionType::ProcessingError, Code::Internal, 500),
            (RejectionType::ExceededBatchRecordSize, Code::Unknown, 500),
            (RejectionType::Unauthorized, Code::PermissionDenied, 401),
            (RejectionType::Forbidden, Code::PermissionDenied, 403),
            (RejectionType::Unsupported, Code::Unimplemented, 501),
        ];
        for (kind, grpc, http) in expected {
            let problem = Problem::Rejected {
                intent: of::Job::Complete.into(),
                rejection: Rejection::new(kind, "reason"),
            };
            let row = problem.row();
            assert_eq!((row.grpc, row.http), (grpc, http), "{kind:?}");
            let text = if kind == RejectionType::Unsupported {
                "reason".to_owned()
            } else {
                format!(
                    "Command 'COMPLETE' rejected with code '{}': reason",
                    kind.name()
                )
            };
            assert_eq!(problem.detail(), text);
            assert_eq!(problem.grpc_text(), text);
        }
    }

    #[test]
    fn only_pressure_is_called_resource_exhausted() {
        for pressure in [Problem::Overloaded, Problem::AllRefused(Vec::new())] {
            assert_eq!(pressure.row().title, "RESOURCE_EXHAUSTED");
            assert_eq!(pressure.row().http, 503);
        }
        assert_eq!(Problem::NoTopology.row().title, "UNAVAILABLE");
    }

    #[test]
    fn violations_end_with_one_period() {
        let problem = Problem::Invalid(vec!["No a provided".into(), "No b provided.".into()]);
        assert_eq!(problem.detail(), "No a provided. No b provided.");
    }
}
