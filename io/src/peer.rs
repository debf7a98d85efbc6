//! Brokers among themselves: who they are, how they talk, what they tell each other.
//!
//! | connection | from, to | carries | thread |
//! |---|---|---|---|
//! | group | replica to replica, per partition | Raft: votes, entries, snapshots | the shard of the partition, on both ends |
//! | link | broker to broker | commands to leaders, their answers, pushed jobs, gossip, status | `peers`, one per broker |
//!
//! One listener takes both ([`listener`]); every connection begins with a [`hello`] that says who
//! speaks, to which cluster it belongs and what it wants, and is refused with a sentence before
//! anything else is read. Bytes from peers are never trusted: [`frame`] checks length and checksum,
//! [`field`] every length inside. What is known of the other brokers is the [`roster`], written by
//! the `peers` thread alone.

pub(crate) mod address;
pub(crate) mod change;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod gossip;
pub(crate) mod hello;
pub(crate) mod link;
pub(crate) mod listener;
pub(crate) mod message;
pub(crate) mod roster;
pub(crate) mod serve;
pub(crate) mod thread;
pub(crate) mod tls;
