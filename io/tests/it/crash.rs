//! A broker dropped where it stands, and what the next one finds: everything that was answered.
//!
//! The state after reopening is compared with the state before by digest; the first came from
//! processing, the second from replaying the log behind whatever the state store had kept.

use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_io::Broker;

use crate::world::{client, complete, create, deploy, on_both_drivers, poll, run_one, submit};

#[test]
fn a_state_replayed_from_the_log_is_the_state_that_processing_left() {
    on_both_drivers(|options| {
        // Nothing reaches the state store, so that the log has to bring everything back.
        let mut lazy = options();
        lazy.limits.persist_delay = Duration::from_secs(3600);
        let broker = Broker::start(lazy.clone()).unwrap();
        let submitter = broker.submitter();
        let jobs = client(async {
            deploy(&submitter).await;
            for _ in 0..20 {
                run_one(&submitter, 1).await;
            }
            for _ in 0..5 {
                submit(&submitter, 1, create()).await;
            }
            poll(&submitter, 1, 3).await
        });
        assert_eq!(jobs.len(), 3);
        let before = broker.digest(PartitionId(1)).unwrap();
        drop(broker);

        let broker = Broker::start(lazy).unwrap();
        let submitter = broker.submitter();
        assert_eq!(broker.digest(PartitionId(1)).unwrap(), before);
        assert!(submitter.metrics().partitions[0].records_replayed > 100);
        // It goes on where it was: jobs taken before the crash can be completed after it.
        client(async {
            for job in jobs {
                submit(&submitter, 1, complete(job)).await;
            }
            assert_eq!(poll(&submitter, 1, 10).await.len(), 2);
        });
        broker.stop();
    });
}

#[test]
fn a_crash_between_writes_of_the_state_loses_nothing() {
    on_both_drivers(|options| {
        let mut eager = options();
        eager.limits.persist_delay = Duration::from_millis(1);
        let mut before = None;
        for round in 0..4 {
            let broker = Broker::start(eager.clone()).unwrap();
            assert_eq!(
                before,
                before.and(broker.digest(PartitionId(1))),
                "round {round}"
            );
            let submitter = broker.submitter();
            client(async {
                if round == 0 {
                    deploy(&submitter).await;
                }
                for _ in 0..10 {
                    run_one(&submitter, 1).await;
                }
            });
            before = broker.digest(PartitionId(1));
            drop(broker);
        }
    });
}

#[test]
fn an_orderly_stop_leaves_nothing_to_replay() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            run_one(&submitter, 1).await;
        });
        let before = broker.digest(PartitionId(1));
        broker.stop();
        assert_eq!(submitter.metrics().partitions[0].snapshots_taken, 1);
        let broker = Broker::start(options()).unwrap();
        assert_eq!(broker.digest(PartitionId(1)), before);
        assert_eq!(
            broker.submitter().metrics().partitions[0].records_replayed,
            0
        );
        broker.stop();
    });
}

/// Snapshots while commands run, each followed by a purge; then a crash, then the newest snapshot
/// and the rest of the log.
#[test]
fn snapshots_under_load_and_a_purged_log_bring_the_state_back() {
    on_both_drivers(|options| {
        let mut busy = options();
        busy.snapshot_interval = Duration::from_millis(100);
        busy.limits.persist_delay = Duration::from_millis(5);
        let broker = Broker::start(busy.clone()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let patience = std::time::Instant::now();
            while submitter.metrics().partitions[0].snapshots_taken < 3 {
                run_one(&submitter, 1).await;
                assert!(patience.elapsed() < crate::world::PATIENCE, "no snapshots");
            }
            run_one(&submitter, 1).await;
        });
        let numbers = submitter.metrics().partitions.remove(0);
        assert!(numbers.purged_index > 0);
        assert!(numbers.purged_index <= numbers.snapshot_index);
        let before = broker.digest(PartitionId(1));
        drop(broker);
        let broker = Broker::start(busy).unwrap();
        assert_eq!(broker.digest(PartitionId(1)), before);
        broker.stop();
    });
}

/// The state directory is gone: the newest snapshot and the log behind it take its place. Without the
/// snapshot nothing covers what was purged, and the start is refused with both numbers.
#[test]
fn a_lost_state_comes_back_from_the_snapshot_or_the_start_is_refused() {
    on_both_drivers(|options| {
        let mut busy = options();
        busy.snapshot_interval = Duration::from_millis(50);
        let broker = Broker::start(busy.clone()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            while submitter.metrics().partitions[0].purged_index < 20 {
                run_one(&submitter, 1).await;
            }
            run_one(&submitter, 1).await;
        });
        let before = broker.digest(PartitionId(1));
        drop(broker);
        let partition = busy.data.join("partitions/1");
        std::fs::remove_dir_all(partition.join("state")).unwrap();
        let broker = Broker::start(busy.clone()).unwrap();
        assert_eq!(broker.digest(PartitionId(1)), before);
        drop(broker);
        // Only whole segments leave the disk, so what was purged logically may still be there; what
        // must never happen is a start with less than was acknowledged.
        std::fs::remove_dir_all(partition.join("state")).unwrap();
        std::fs::remove_dir_all(partition.join("snapshots")).unwrap();
        match Broker::start(busy.clone()) {
            Ok(broker) => assert_eq!(broker.digest(PartitionId(1)), before),
            Err(refused) => assert!(refused.to_string().contains("no snapshot covers")),
        }
    });
}

#[test]
fn a_log_that_lost_acknowledged_entries_is_refused() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        client(async {
            deploy(&broker.submitter()).await;
        });
        broker.stop();
        let log = options().data.join("partitions/1/log");
        for file in std::fs::read_dir(log).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let refused = Broker::start(options()).unwrap_err().to_string();
        assert!(refused.contains("acknowledged are missing"), "{refused}");
    });
}

#[test]
fn a_directory_in_use_is_refused() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let refused = Broker::start(options()).unwrap_err().to_string();
        assert!(refused.contains("in use"), "{refused}");
        broker.stop();
        Broker::start(options()).unwrap().stop();
    });
}
