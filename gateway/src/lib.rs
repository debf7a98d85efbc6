#![forbid(unsafe_code)]
pub mod limits;
pub mod problem;
mod document;
mod contract;
