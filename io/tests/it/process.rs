//! One-task processes from creation to completion, on one and on several partitions and shards.

use ringflow_core::ids::PartitionId;
use ringflow_core::record::Value;
use ringflow_core::record::value::JobBatchRecord;
use ringflow_io::{Broker, Health, Role};

use crate::world::{
    activate, ask, client, complete, create, deploy, on_both_drivers, options, poll, run_one,
    submit,
};

#[test]
fn a_process_runs_from_creation_to_completion() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            run_one(&submitter, 1).await;
            assert!(poll(&submitter, 1, 10).await.is_empty());
        });
        broker.stop();
        let metrics = submitter.metrics();
        let numbers = &metrics.partitions[0];
        assert!(numbers.commands_processed >= 5);
        assert!(numbers.followups_processed > 0);
        assert_eq!(numbers.responses_sent, 5);
        assert_eq!(numbers.requests_in_flight, 0);
        assert_eq!(numbers.commit.count(), numbers.entries_proposed);
    });
}

/// A deployment reaches the other partitions as commands between partitions, whichever shard they
/// are on; an instance can then be created there.
#[test]
fn a_deployment_reaches_partitions_on_other_shards() {
    on_both_drivers(|options| {
        let mut options = options();
        options.partitions = 3;
        options.shards = 2;
        let broker = Broker::start(options).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            for partition in 1..=3 {
                let mut created = ask(&submitter, partition, create()).await.unwrap();
                while created.rejection.is_some() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    created = ask(&submitter, partition, create()).await.unwrap();
                }
                assert_eq!(created.key.partition(), PartitionId(partition));
                let jobs = poll(&submitter, partition, 5).await;
                assert_eq!(jobs.len(), 1);
                submit(&submitter, partition, complete(jobs[0])).await;
            }
        });
        let metrics = submitter.metrics();
        assert!(metrics.partitions[0].sends >= 2, "the deployment itself");
        assert!(metrics.partitions[1].sends >= 1, "its acknowledgement");
        broker.stop();
    });
}

#[test]
fn thousands_of_commands_are_pipelined_and_grouped() {
    const INSTANCES: usize = 3000;
    on_both_drivers(|options| {
        let mut options = options();
        options.request_limit.initial = 1000;
        options.request_limit.expected = crate::world::PATIENCE;
        let broker = Broker::start(options).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let mut left = INSTANCES;
            while left > 0 {
                let wave = left.min(500);
                let creations = (0..wave).map(|_| submit(&submitter, 1, create()));
                futures::future::join_all(creations).await;
                left -= wave;
            }
            let mut done = 0;
            while done < INSTANCES {
                let jobs = poll(&submitter, 1, 250).await;
                assert!(!jobs.is_empty(), "jobs are missing after {done}");
                done += jobs.len();
                let completions = jobs.iter().map(|job| submit(&submitter, 1, complete(*job)));
                futures::future::join_all(completions).await;
            }
            assert!(poll(&submitter, 1, 1).await.is_empty());
        });
        let metrics = submitter.metrics();
        let numbers = &metrics.partitions[0];
        assert!(
            numbers.entries_proposed < numbers.commands_processed,
            "{} entries for {} commands: nothing was grouped",
            numbers.entries_proposed,
            numbers.commands_processed
        );
        broker.stop();
    });
}

#[test]
fn the_topology_shows_leaders_while_the_broker_runs() {
    on_both_drivers(|options| {
        let mut options = options();
        options.partitions = 2;
        let broker = Broker::start(options).unwrap();
        let submitter = broker.submitter();
        let topology = submitter.topology();
        assert!(topology.is_ready());
        assert_eq!(topology.partitions_count, 2);
        let partitions = &topology.brokers[0].partitions;
        assert!(partitions.iter().all(|p| p.role == Role::Leader));
        broker.stop();
        let topology = submitter.topology();
        assert!(!topology.is_ready());
        let partitions = &topology.brokers[0].partitions;
        assert!(partitions.iter().all(|p| p.health == Health::Unhealthy));
        let refused = client(ask(&submitter, 1, activate(1))).unwrap_err();
        assert!(matches!(
            refused,
            ringflow_io::SubmitError::Unavailable { .. }
        ));
    });
}

/// Time passes in the engine only as due work that the shard hands it.
#[test]
fn a_job_whose_hold_ends_can_be_taken_again() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            submit(&submitter, 1, create()).await;
            let mut brief = activate(1);
            if let Value::JobBatch(batch) = &brief.value {
                brief.value = Value::from(JobBatchRecord {
                    timeout: 30,
                    ..(**batch).clone()
                });
            }
            let first = submit(&submitter, 1, brief).await;
            assert!(poll(&submitter, 1, 1).await.is_empty(), "it is held");
            let mut available = submitter.jobs_available();
            let heard = tokio::time::timeout(crate::world::PATIENCE, available.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), "work");
            let again = poll(&submitter, 1, 1).await;
            assert_eq!(again.len(), 1);
            assert!(matches!(first.value, Value::JobBatch(batch) if batch.job_keys == again));
        });
        assert!(submitter.metrics().partitions[0].due_commands > 0);
        broker.stop();
    });
}

#[test]
fn a_pinned_shard_serves() {
    on_both_drivers(|options| {
        let mut pinned = options();
        pinned.cores = vec![0];
        pinned.spin_micros = 20;
        let broker = Broker::start(pinned).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            run_one(&submitter, 1).await;
        });
        broker.stop();
    });
}

#[test]
fn options_that_contradict_each_other_refuse_the_start() {
    let data = tempfile::TempDir::new().unwrap();
    let good = options(&data, ringflow_io::DriverChoice::Plain);
    let mut none = good.clone();
    none.partitions = 0;
    assert!(Broker::start(none).is_err());
    let mut cores = good.clone();
    cores.cores = vec![0, 1];
    assert!(Broker::start(cores).is_err());
    Broker::start(good.clone()).unwrap().stop();
    let mut more = good;
    more.partitions = 2;
    let refused = Broker::start(more).unwrap_err().to_string();
    assert!(refused.contains("cannot be changed"), "{refused}");
}
