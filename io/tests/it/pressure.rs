//! Back pressure: what is refused, what never is, and that nothing is left over.

use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_core::record::intent::of;
use ringflow_io::{Broker, SubmitError};
use ringflow_storage::watermark::DiskSpace;

use crate::world::{ask, client, complete, create, deploy, on_both_drivers, poll, submit};

#[test]
fn more_than_the_limit_is_refused_and_what_ends_work_never() {
    on_both_drivers(|options| {
        let mut tight = options();
        tight.request_limit.initial = 4;
        tight.request_limit.max = 4;
        let broker = Broker::start(tight).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let creations = (0..200).map(|_| ask(&submitter, 1, create()));
            let answers = futures::future::join_all(creations).await;
            let refused = answers
                .iter()
                .filter(|answer| **answer == Err(SubmitError::ResourceExhausted))
                .count();
            let created = answers.iter().filter(|answer| answer.is_ok()).count();
            assert_eq!(refused + created, 200);
            assert!(created >= 4, "{created}");
            assert!(refused > 100, "{refused}");

            let jobs = poll(&submitter, 1, 200).await;
            assert_eq!(jobs.len(), created);
            // Far more completions than the limit at once, none refused. Unknown jobs are rejected
            // by the engine, which is an answer.
            let completions = (0..100).map(|i| ask(&submitter, 1, complete(jobs[i % created])));
            let answers = futures::future::join_all(completions).await;
            assert!(answers.iter().all(Result::is_ok));
        });
        broker.stop();
        let numbers = submitter.metrics().partitions.remove(0);
        assert!(numbers.requests_refused > 100);
        assert_eq!(numbers.requests_in_flight, 0);
        assert_eq!(numbers.callers_waiting, 0);
    });
}

#[test]
fn a_full_disk_refuses_new_work_and_lets_running_work_end() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        let job = client(async {
            deploy(&submitter).await;
            submit(&submitter, 1, create()).await;
            poll(&submitter, 1, 1).await[0]
        });
        broker.stop();
        // Half of the reserve is gone: nothing is processed, and a stop does not wait for that.
        let mut stopped = options();
        stopped.disk_reserve_bytes = u64::MAX;
        let broker = Broker::start(stopped).unwrap();
        let submitter = broker.submitter();
        client(async {
            let within = Duration::from_millis(300);
            let none = submitter
                .submit(PartitionId(1), complete(job), within)
                .await;
            assert_eq!(none, Err(SubmitError::Timeout));
        });
        broker.stop();
        // Less than the reserve is left, and more than half of it.
        let mut full = options();
        let free = DiskSpace::of(&full.data).unwrap().free_bytes;
        full.disk_reserve_bytes = free / 2 * 3;
        let broker = Broker::start(full).unwrap();
        let submitter = broker.submitter();
        client(async {
            let refused = ask(&submitter, 1, create()).await;
            assert_eq!(refused, Err(SubmitError::ResourceExhausted));
            submit(&submitter, 1, complete(job)).await;
        });
        broker.stop();
    });
}

#[test]
fn callers_hear_when_nothing_will_come() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            let nowhere = ask(&submitter, 9, create()).await;
            assert_eq!(nowhere, Err(SubmitError::NoSuchPartition));
            deploy(&submitter).await;
            // Nobody completes the job, so the result is waited for in vain.
            let mut awaiting = create();
            awaiting.intent = of::ProcessInstanceCreation::CreateWithAwaitingResult.into();
            let none = submitter
                .submit(PartitionId(1), awaiting.clone(), Duration::from_millis(50))
                .await;
            assert_eq!(none, Err(SubmitError::Timeout));
            // One that still waits when the broker stops cannot know what becomes of it.
            let waiting = ask(&submitter, 1, awaiting);
            let (lost, ()) = futures::join!(waiting, async {
                while submitter.metrics().partitions[0].callers_waiting < 2 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                broker.stop();
            });
            assert_eq!(lost, Err(SubmitError::UnknownOutcome));
        });
        let gone = client(ask(&submitter, 1, create()));
        assert!(matches!(gone, Err(SubmitError::Unavailable { .. })));
    });
}
