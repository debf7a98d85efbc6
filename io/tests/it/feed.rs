//! The feed: every committed record once, in order, however slow the reader is.

use std::time::Duration;

use ringflow_core::ids::{PartitionId, Position};
use ringflow_io::{Broker, FeedReader, Submitter};

use crate::world::{client, deploy, on_both_drivers, run_one};

const FIRST: PartitionId = PartitionId(1);

/// Reads up to `until` and checks order and completeness.
async fn read(feed: &mut FeedReader, mut after: Position, until: Position) -> Position {
    while after < until {
        let next = tokio::time::timeout(crate::world::PATIENCE, feed.next());
        let batch = next
            .await
            .expect("the feed stands")
            .unwrap()
            .expect("the feed ended");
        for record in batch.records.iter() {
            assert_eq!(record.position, after.next());
            after = record.position;
        }
        assert_eq!(after, batch.last);
    }
    after
}

fn committed(submitter: &Submitter) -> Position {
    Position(submitter.metrics().partitions[0].last_committed_position)
}

#[test]
fn a_reader_that_keeps_up_and_one_that_lags_see_the_same() {
    on_both_drivers(|options| {
        let mut small = options();
        small.exporting = true;
        small.limits.feed_batches = 4;
        small.limits.feed_records = 64;
        let broker = Broker::start(small.clone()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let mut feed = broker.feed(FIRST, Position(0)).unwrap();
            assert!(
                broker.feed(FIRST, Position(0)).is_none(),
                "one reader at a time"
            );
            let mut at = read(&mut feed, Position(0), committed(&submitter)).await;
            // Nobody reads meanwhile: the lane overflows and the log has to serve.
            for _ in 0..60 {
                run_one(&submitter, 1).await;
            }
            assert!(submitter.metrics().partitions[0].feed_spilled > 0);
            at = read(&mut feed, at, committed(&submitter)).await;
            run_one(&submitter, 1).await;
            let last = read(&mut feed, at, committed(&submitter)).await;
            feed.acknowledge(last);
            assert_eq!(
                submitter.metrics().partitions[0].last_exported_position,
                last.0
            );
            drop(feed);
            // Another reader resumes in the middle.
            let mut feed = broker.feed(FIRST, at).unwrap();
            assert_eq!(read(&mut feed, at, last).await, last);
        });
        let end = committed(&submitter);
        drop(broker);
        // After a restart everything comes from the log.
        let broker = Broker::start(small).unwrap();
        client(async {
            let mut feed = broker.feed(FIRST, Position(0)).unwrap();
            assert_eq!(read(&mut feed, Position(0), end).await, end);
        });
        broker.stop();
    });
}

#[test]
fn a_stopped_broker_ends_the_feed_after_its_last_record() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        let mut feed = broker.feed(FIRST, Position(0)).unwrap();
        client(async {
            deploy(&submitter).await;
            run_one(&submitter, 1).await;
        });
        broker.stop();
        client(async {
            let last = committed(&submitter);
            read(&mut feed, Position(0), last).await;
            assert!(feed.next().await.unwrap().is_none());
        });
    });
}

/// The log is kept for an export that has acknowledged nothing, and purged once it has.
#[test]
fn compaction_waits_for_the_export() {
    on_both_drivers(|options| {
        let mut busy = options();
        busy.exporting = true;
        busy.snapshot_interval = Duration::from_millis(50);
        let broker = Broker::start(busy).unwrap();
        let submitter = broker.submitter();
        let feed = broker.feed(FIRST, Position(0)).unwrap();
        client(async {
            deploy(&submitter).await;
            let taken = || submitter.metrics().partitions[0].snapshots_taken;
            while taken() < 2 {
                run_one(&submitter, 1).await;
            }
            // Only entries without records lie before the first unexported one.
            assert!(submitter.metrics().partitions[0].purged_index < 4);
            feed.acknowledge(committed(&submitter));
            let patience = std::time::Instant::now();
            while submitter.metrics().partitions[0].purged_index < 10 {
                run_one(&submitter, 1).await;
                feed.acknowledge(committed(&submitter));
                assert!(patience.elapsed() < crate::world::PATIENCE, "never purged");
            }
        });
        broker.stop();
    });
}
