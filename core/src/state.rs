//! State of one partition: typed tables over one byte-level read port.

pub mod store;
