//! Joins the broker's feeds to the exporter: the two crates do not know each other.
//!
//! The exporter decides where to start, because the cursor is in its database; only then is the
//! partition's reader opened. A feed that cannot go on is told once, with the reason, and ends; the
//! log is kept, and the next start of the broker tries again. A database that is ahead of the log is
//! such a reason: new records would look as if they were exported already. A feed does not keep the broker alive:
//! the broker stops first and the feed then ends behind its last record.

use std::sync::Weak;

use ringflow_core::ids::{PartitionId, Position};
use ringflow_export::feed::FeedFuture;
use ringflow_export::{FeedBatch, FeedError, RecordFeed};
use ringflow_io::{Broker, FeedReader};

/// The committed records of one partition of a running broker.
pub(crate) struct BrokerFeed {
    broker: Weak<Broker>,
    partition: PartitionId,
    reader: Option<FeedReader>,
}

impl BrokerFeed {
    /// The feed of `partition`, not positioned yet.
    #[must_use]
    pub(crate) fn new(broker: Weak<Broker>, partition: PartitionId) -> Self {
        Self {
            broker,
            partition,
            reader: None,
        }
    }
}

impl RecordFeed for BrokerFeed {
    fn partition(&self) -> PartitionId {
        self.partition
    }

    fn start(&mut self, after: Position) -> Result<(), FeedError> {
        self.reader = None; // a partition has one reader at a time
        let broker = self.broker.upgrade();
        let committed = broker
            .as_ref()
            .and_then(|broker| broker.committed(self.partition));
        if let Some(committed) = committed
            && after > committed
        {
            return Err(FeedError {
                reason: format!(
                    "the database has its records up to position {after}, but the log ends with \
                     {committed}: the log lost records, or the database belongs to another one"
                ),
            });
        }
        self.reader = broker.and_then(|broker| broker.feed(self.partition, after));
        if self.reader.is_some() {
            return Ok(());
        }
        Err(FeedError {
            reason: format!("partition {} gives no records here", self.partition),
        })
    }

    fn next(&mut self) -> FeedFuture<'_, Option<FeedBatch>> {
        Box::pin(async {
            let batch = match self.reader.as_mut()?.next().await {
                Ok(batch) => batch?,
                Err(error) => {
                    tracing::error!(partition = %self.partition, %error, "exporting stops");
                    return None;
                }
            };
            Some(FeedBatch {
                partition: batch.partition,
                records: batch.records,
                last: batch.last,
            })
        })
    }

    fn acknowledge(&self, position: Position) {
        if let Some(reader) = &self.reader {
            reader.acknowledge(position);
        }
    }
}
