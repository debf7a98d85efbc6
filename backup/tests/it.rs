//! The two kinds of store, through the same doors: a directory, and a bucket behind HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the failure"
)]

#[path = "../../tests/system/s3.rs"]
mod s3;
#[path = "it/store.rs"]
mod store;
