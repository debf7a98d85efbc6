//! One Raft group per partition, by openraft in its single-threaded mode.
//!
//! What the rest of the crate relies on, and nothing more: an entry is applied on every replica in
//! log order after a quorum has it on disk; a proposal is answered once, by its application or by a
//! refusal; at most one leader per term proposes. A group of one member takes exactly this path.
//!
//! An entry's data is one encoded record batch. The commands were processed before it was proposed,
//! so applying an entry of our own only releases what it holds back, and applying anybody else's
//! replays its events (`partition/process.rs`).

pub(crate) mod runtime;
