//! (draft of the public surface)
use std::path::Path;

use crate::error::Error;
use crate::log::{Log, OnDurable};

/// A small durable record, e.g. the Raft vote.
#[derive(Debug)]
pub struct VoteFile;

impl VoteFile {
    /// Opens or creates the file; also what was saved last. Saves go through the log's thread in order with its appends.
    pub fn open(path: &Path, log: &Log) -> Result<(Self, Option<Vec<u8>>), Error> {
        let _ = (path, log);
        unimplemented!()
    }
    /// Saves; `on_durable` is called on the log thread.
    pub fn save(&mut self, bytes: &[u8], on_durable: OnDurable) -> Result<(), Error> {
        let _ = (bytes, on_durable);
        unimplemented!()
    }
    /// Saves and waits (blocks the calling thread).
    pub fn save_and_wait(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let _ = bytes;
        unimplemented!()
    }
}
