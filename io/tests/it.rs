//! A whole broker, through its front door: options in, commands in, answers, jobs and records out.
//!
//! Every test runs on both drivers where the host allows io_uring, over a real data directory, and
//! compares states by digest. Nothing is mocked; a "crash" is a broker dropped where it stands.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests: a panic is the failure, and what is skipped should be seen"
)]

#[path = "it/backup.rs"]
mod backup;
#[path = "it/cluster.rs"]
mod cluster;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/feed.rs"]
mod feed;
#[path = "it/messages.rs"]
mod messages;
#[path = "it/pressure.rs"]
mod pressure;
#[path = "it/process.rs"]
mod process;
#[path = "it/streams.rs"]
mod streams;
#[path = "it/tls.rs"]
mod tls;
#[path = "it/world.rs"]
mod world;
