//! The deterministic engine: no I/O, no clock, no randomness of its own.

pub mod feel;
pub mod json;
pub mod msgpack;
