//! Problems as gRPC statuses.
//!
//! `grpc-status-details-bin` carries a `google.rpc.Status` of the same code and text; if several
//! partitions refused, each refusal is one of its details.

use bytes::Bytes;
use prost::Message;
use tonic::Status;

use crate::problem::Problem;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// Type of the details of a status.
const STATUS_TYPE: &str = "type.googleapis.com/google.rpc.Status";

/// The status of `problem`.
pub(super) fn of(problem: &Problem) -> Status {
    let rpc = rpc_status(problem);
    Status::with_details(
        problem.row().grpc,
        rpc.message.clone(),
        Bytes::from(rpc.encode_to_vec()),
    )
}

fn rpc_status(problem: &Problem) -> RpcStatus {
    RpcStatus {
        code: problem.row().grpc as i32,
        message: problem.grpc_text(),
        details: causes(problem)
            .iter()
            .map(|cause| Any {
                type_url: STATUS_TYPE.to_owned(),
                value: Bytes::from(rpc_status(cause).encode_to_vec()),
            })
            .collect(),
    }
}

fn causes(problem: &Problem) -> &[Problem] {
    if let Problem::AllRefused(causes) = problem {
        causes
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_say_what_each_partition_said() {
        let status = of(&Problem::AllRefused(vec![
            Problem::Overloaded,
            Problem::NoTopology,
        ]));
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let details = RpcStatus::decode(status.details()).unwrap();
        assert_eq!(details.code, 8);
        assert_eq!(details.message, status.message());
        let inner = RpcStatus::decode(details.details[1].value.clone()).unwrap();
        assert_eq!(inner.code, 14);
    }
}
