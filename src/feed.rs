//! Joins the broker's feeds to the exporter: the two crates do not know each other.
//!
//! The exporter decides where to start, because the cursor is in its database; only then is the
//! partition's reader opened. A feed that cannot go on is told once, with the reason, and ends; the
//! log is kept, and the next start of the broker tries again. A database that is ahead of the log is
//! such a reason: new records would look as if they were exported already. A feed does not keep the broker alive:
//! the broker stops first and the feed then ends behind its last record.
//!
//! There may be two exports, each with feeds of its own: one into the secondary storage, one to
//! Elasticsearch beside it.
//!
//! In a cluster the leader of a partition exports it. [`follow_leaders`] gives the exporter a feed
//! whenever a partition begins to be led here; it ends when the partition is led elsewhere. The cursor
//! in the database is what the next leader's feed begins with, and what fences the old one. A replica
//! that must know this cursor before it may lead is told it by [`tell_exported`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use ringflow_core::ids::{PartitionId, Position};
use ringflow_export::feed::FeedFuture;
use ringflow_export::{Elastic, ExportError, Exporter, FeedBatch, FeedError, Queries, RecordFeed};
use ringflow_io::{Broker, Export, FeedReader};

/// The committed records of one partition of a running broker.
pub(crate) struct BrokerFeed {
    broker: Weak<Broker>,
    export: Export,
    partition: PartitionId,
    reader: Option<FeedReader>,
    /// Gone when the feed is.
    alive: Arc<()>,
}

impl BrokerFeed {
    /// The feed of `partition`, not positioned yet.
    #[must_use]
    pub(crate) fn new(broker: Weak<Broker>, export: Export, partition: PartitionId) -> Self {
        Self {
            broker,
            export,
            partition,
            reader: None,
            alive: Arc::new(()),
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
        if broker
            .as_ref()
            .is_some_and(|broker| !broker.leads(self.partition))
        {
            // It has lost the partition again; the feed ends at once.
            return Ok(());
        }
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
        self.reader = broker.and_then(|broker| broker.feed_of(self.export, self.partition, after));
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

/// What takes feeds: one of the two exports.
pub(crate) trait Exports {
    /// Which.
    const EXPORT: Export;

    /// Exports one more partition.
    fn add(&self, feed: Box<dyn RecordFeed>) -> Result<(), ExportError>;
}

impl Exports for Exporter {
    const EXPORT: Export = Export::Storage;

    fn add(&self, feed: Box<dyn RecordFeed>) -> Result<(), ExportError> {
        Self::add(self, feed)
    }
}

impl Exports for Elastic {
    const EXPORT: Export = Export::Beside;

    fn add(&self, feed: Box<dyn RecordFeed>) -> Result<(), ExportError> {
        Self::add(self, feed)
    }
}

/// How often it is looked which partitions are led here.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Feeds `exporter` with every partition that is led here, for as long as the broker lives.
pub(crate) async fn follow_leaders<T: Exports>(broker: Weak<Broker>, exporter: Weak<T>) {
    let mut fed: Vec<(PartitionId, Weak<()>)> = Vec::new();
    loop {
        let (Some(running), Some(exporter)) = (broker.upgrade(), exporter.upgrade()) else {
            return;
        };
        for partition in running.replicas() {
            let at = fed.iter().position(|(id, _)| *id == partition);
            let is_fed = at.is_some_and(|at| fed[at].1.strong_count() > 0);
            if is_fed || !running.leads(partition) {
                continue;
            }
            let feed = BrokerFeed::new(Weak::clone(&broker), T::EXPORT, partition);
            let alive = Arc::downgrade(&feed.alive);
            if let Err(error) = exporter.add(Box::new(feed)) {
                tracing::warn!(%partition, %error, "not exported yet");
                continue;
            }
            match at {
                Some(at) => fed[at].1 = alive,
                None => fed.push((partition, alive)),
            }
        }
        drop((running, exporter));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How often the cursor is read for a replica that waits for it.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Tells replicas that wait for it how far the database is, for as long as the broker lives. While
/// exporting is paused nothing is told, because the log is to be kept then.
pub(crate) async fn tell_exported(broker: Weak<Broker>, queries: Queries) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let Some(running) = broker.upgrade() else {
            return;
        };
        for partition in running.awaited_exports() {
            match queries.exported(partition).await {
                Ok(Some(position)) => running.hear_exported(partition, position),
                Ok(None) => {}
                Err(error) => tracing::warn!(%partition, %error, "the cursor cannot be read"),
            }
        }
    }
}
