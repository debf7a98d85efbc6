//! Starting and stopping a broker: the data directory, the threads, the order in which they end.
//!
//! [`Broker`] owns the threads. Everything else holds handles that stay valid after it is gone and
//! then answer "unavailable". Dropping a broker without [`Broker::stop`] ends its threads without a
//! snapshot, as a crash would, except that the lock of the data directory is released.

use std::sync::Arc;

use ringflow_core::ids::{PartitionId, Position};

use crate::feed::FeedReader;
use crate::options::BrokerOptions;
use crate::shard::mailbox::PartitionTable;
use crate::submit::{Shared, Submitter};

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option cannot be.
    #[error("{0}")]
    Options(String),
    /// The chosen driver does not work on this host.
    #[error("{0}")]
    Driver(String),
    /// The data directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Data(String),
    /// A partition could not be recovered.
    #[error("partition {partition} could not be started: {reason}")]
    Partition {
        /// The partition.
        partition: PartitionId,
        /// Why.
        reason: String,
    },
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
}

impl Broker {
    /// Opens the data, recovers all partitions and starts the shards; returns when every partition
    /// placed here serves or follows. Blocks the calling thread.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs then.
    pub fn start(options: BrokerOptions) -> Result<Self, StartError> {
        options.check().map_err(StartError::Options)?;
        let partitions = PartitionTable::new(&options);
        let _shared = Arc::new(Shared::new(options, partitions));
        Err(StartError::Driver("not built yet".to_owned()))
    }

    /// A handle for commands and streams.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        Submitter::new(Arc::clone(&self.shared))
    }

    /// The committed records of `partition` after `resume`, in order and without gaps. At most one
    /// reader per partition: `None` if there is one already, or no such partition.
    #[must_use]
    pub fn feed(&self, partition: PartitionId, resume: Position) -> Option<FeedReader> {
        let _ = (partition, resume);
        None
    }

    /// Stops intake, lets what was taken in finish, takes a last snapshot, closes. Blocks.
    pub fn stop(self) {}
}
