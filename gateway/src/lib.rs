#![forbid(unsafe_code)]
pub mod backend;
pub mod identity;
pub mod limits;
pub mod problem;
mod contract;
mod document;
mod metrics;
mod op;
mod park;
mod rest;
mod grpc;
mod route;
mod submit;
