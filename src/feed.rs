//! Joins the broker's feeds to the exporter: the two crates do not know each other.
//!
//! The exporter decides where to start, because the cursor is in its database; only then is the
//! partition's reader opened. A feed that cannot go on ends, with the reason; the log is kept. In a
//! cluster, and beside the secondary storage, it is tried again with pauses that grow to a minute
//! ([`Fate`]), otherwise by the next start of the broker. A database that is ahead of the log is
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

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

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
    /// Of all feeds of this partition, one after the other.
    fate: Arc<Fate>,
    /// Gone when the feed is.
    alive: Arc<()>,
}

/// First and longest pause before a feed that could not go on is tried again.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often a partition's feed failed without a record in between. To look for the place where it
/// would begin may mean to read the whole log, on the thread of all exports.
#[derive(Debug, Default)]
struct Fate(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    pause: Duration,
    not_before: Option<Instant>,
    why: String,
}

impl Fate {
    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a failure; true if it is another one than the last.
    fn failed(&self, now: Instant, why: &str) -> bool {
        let mut failures = self.failures();
        failures.pause = (failures.pause * 2).clamp(TRY_AGAIN.0, TRY_AGAIN.1);
        failures.not_before = Some(now + failures.pause);
        let is_new = failures.why != why;
        why.clone_into(&mut failures.why);
        is_new
    }

    fn delivered(&self) {
        let mut failures = self.failures();
        if failures.not_before.is_some() {
            *failures = Failures::default();
        }
    }

    fn may_begin(&self, now: Instant) -> bool {
        self.failures().not_before.is_none_or(|at| now >= at)
    }
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
            fate: Arc::default(),
            alive: Arc::new(()),
        }
    }
}

impl RecordFeed for BrokerFeed {
    fn partition(&self) -> PartitionId {
        self.partition
    }

    fn start(&mut self, after: Position) -> Result<(), FeedError> {
        let started = self.open(after);
        if let Err(error) = &started {
            self.fate.failed(Instant::now(), &error.reason);
        }
        started
    }

    fn next(&mut self) -> FeedFuture<'_, Option<FeedBatch>> {
        Box::pin(async {
            let batch = match self.reader.as_mut()?.next().await {
                Ok(batch) => batch?,
                Err(error) => {
                    if self.fate.failed(Instant::now(), &error.to_string()) {
                        tracing::error!(partition = %self.partition, %error, "exporting stops");
                    }
                    return None;
                }
            };
            self.fate.delivered();
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

impl BrokerFeed {
    fn open(&mut self, after: Position) -> Result<(), FeedError> {
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
    let mut fed: Vec<(PartitionId, Arc<Fate>, Weak<()>)> = Vec::new();
    loop {
        let (Some(running), Some(exporter)) = (broker.upgrade(), exporter.upgrade()) else {
            return;
        };
        for partition in running.replicas() {
            let at = fed.iter().position(|(id, _, _)| *id == partition);
            let waits = at.is_some_and(|at| {
                fed[at].2.strong_count() > 0 || !fed[at].1.may_begin(Instant::now())
            });
            if waits || !running.leads(partition) {
                continue;
            }
            let mut feed = BrokerFeed::new(Weak::clone(&broker), T::EXPORT, partition);
            if let Some(at) = at {
                feed.fate = Arc::clone(&fed[at].1);
            }
            let fate = Arc::clone(&feed.fate);
            let alive = Arc::downgrade(&feed.alive);
            if let Err(error) = exporter.add(Box::new(feed)) {
                tracing::warn!(%partition, %error, "not exported yet");
                continue;
            }
            match at {
                Some(at) => fed[at].2 = alive,
                None => fed.push((partition, fate, alive)),
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
        let awaited = running.awaited_exports();
        // A broker that stops does not wait for the database.
        drop(running);
        for partition in awaited {
            match queries.exported(partition).await {
                Ok(Some(position)) => {
                    if let Some(running) = broker.upgrade() {
                        running.hear_exported(partition, position);
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%partition, %error, "the cursor cannot be read"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_fails_again_waits_longer_until_it_delivers() {
        let (fate, mut now) = (Fate::default(), Instant::now());
        assert!(fate.may_begin(now));
        assert!(fate.failed(now, "gone"), "told once");
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = Duration::from_secs(seconds);
            assert!(!fate.may_begin(now + pause - Duration::from_millis(1)));
            now += pause;
            assert!(fate.may_begin(now));
            assert!(!fate.failed(now, "gone"), "not told again");
        }
        assert!(fate.failed(now, "another reason"));
        fate.delivered();
        assert!(fate.may_begin(now));
        assert!(fate.failed(now, "gone"));
        assert!(fate.may_begin(now + TRY_AGAIN.0));
    }
}
