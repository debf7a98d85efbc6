//! The front of a broker: gRPC, REST v2, identity, probes. The only crate that knows a wire format.
//!
//! A request is decoded once, becomes one operation of no protocol, is routed once and answered
//! once. Commands go to the broker, reads to the secondary storage, both through [`Backend`].
//! Everything runs on the tokio runtime that starts the [`Gateway`]; engine state is never here.
//!
//! | step | gRPC | REST |
//! |---|---|---|
//! | decode, check | `grpc/<resource>.rs` | `rest/extract.rs` against `contract/*.json` |
//! | operation | `op/<resource>.rs` | the same |
//! | route, submit | `route.rs`, `submit.rs` | the same |
//! | what went wrong | `problem.rs`, `grpc/status.rs` | `problem.rs`, `rest/answer.rs` |
//!
//! What is not served answers UNIMPLEMENTED or 501 with a sentence.
#![forbid(unsafe_code)]

pub mod backend;
pub mod identity;
pub mod limits;
pub mod problem;
pub mod server;
pub mod tls;

mod contract;
mod document;
mod documents;
mod grpc;
mod management;
mod metrics;
mod op;
mod park;
mod rest;
mod route;
mod submit;

pub use backend::{Backend, Backups, Commands, Loggers, PushedJobs, Reads};
pub use contract::ContractError;
pub use documents::{BucketOptions, DocumentOptions};
pub use identity::names::{id_violation, name_violation, tenant_id_violation};
pub use identity::password::stored_form;
pub use identity::token::OidcOptions;
pub use identity::{Auth, AuthError, Guards, User};
pub use limits::Limits;
pub use rest::headers::{SecurityHeader, SecurityHeaders};
pub use server::{GATEWAY_VERSION, Gateway, GatewayOptions, RunningGateway, StartError};
pub use tls::{TlsFault, TlsFile, TlsIdentity};
