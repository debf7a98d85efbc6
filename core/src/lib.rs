//! The deterministic engine: same state and same records give the same records and the same state,
//! on any machine, in any process, at any time.
//!
//! No input or output, no clock, no randomness, no thread, no async: time, identity and everything
//! else that differs between two runs enters as an argument. The crate knows nothing of the log, of
//! RocksDB, of Raft, of SQL and of the wire; those crates know it.
#![forbid(unsafe_code)]

pub mod claims;
pub mod dmn;
pub mod engine;
pub mod feel;
pub mod ids;
pub mod json;
pub mod model;
pub mod msgpack;
pub mod record;
pub mod schedule;
mod schema;
pub mod state;
