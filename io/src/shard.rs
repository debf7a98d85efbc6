//! A shard: one thread, one executor, the partitions placed on it.
//!
//! Nothing of a shard is reached from outside but through [`mailbox`]; admission is counted in
//! [`budget`] before a command enters a lane.

pub(crate) mod budget;
pub(crate) mod mailbox;
