//! The gateway protocol, generated from `gateway/proto/gateway.proto` at build time.
//! The file is the contract of the wire, shared as text only; the code below belongs to this
//! crate alone. Server code is generated too, for the floor server.

#![allow(
    unreachable_pub,
    missing_docs,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

tonic::include_proto!("gateway_protocol");
