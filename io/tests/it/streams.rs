//! Job streams: jobs arrive without a poll, and none is lost with its stream.
use ringflow_core::record::{Document, Text};
use std::collections::BTreeSet;
use std::time::Duration;

use ringflow_core::ids::Key;
use ringflow_io::{Broker, DriverChoice, JobStream, StreamSpec, Submitter};

use crate::cluster::Three;
use crate::world::{
    PATIENCE, TENANT, activate, client, complete, create, deploy, on_both_drivers, poll, submit,
};

pub(crate) fn spec() -> StreamSpec {
    StreamSpec {
        job_type: Text::from("work"),
        worker: Text::from("streamer"),
        timeout: 60_000,
        fetch_variables: Vec::new(),
        tenant_ids: vec![Text::from(TENANT)],
        authorization: Document::EMPTY,
    }
}

#[test]
fn a_stream_gets_jobs_and_gives_back_those_it_did_not_read() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let mut stream = submitter.open_stream(spec());
            for _ in 0..4 {
                submit(&submitter, 1, create()).await;
            }
            let next = tokio::time::timeout(PATIENCE, stream.next()).await;
            let (key, job) = next.unwrap().unwrap();
            assert_eq!(job.worker, "streamer");
            submit(&submitter, 1, complete(key)).await;
            assert!(poll(&submitter, 1, 10).await.is_empty(), "all were pushed");
            drop(stream);
            let mut back = 0;
            while back < 3 {
                back += poll(&submitter, 1, 10).await.len();
            }
            assert_eq!(back, 3);
        });
        broker.stop();
    });
}

#[test]
fn a_stream_that_is_full_leaves_the_rest_to_polls() {
    on_both_drivers(|options| {
        let mut narrow = options();
        narrow.limits.stream_buffer = 2;
        let broker = Broker::start(narrow).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let stream = submitter.open_stream(spec());
            let mut available = submitter.jobs_available();
            for _ in 0..6 {
                submit(&submitter, 1, create()).await;
            }
            drop(stream);
            let heard = tokio::time::timeout(PATIENCE, available.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), "work");
            let mut jobs = 0;
            while jobs < 6 {
                jobs += poll(&submitter, 1, 10).await.len();
            }
            assert_eq!(jobs, 6);
        });
        assert!(submitter.metrics().partitions[0].pushes_failed > 0);
        broker.stop();
    });
}

#[test]
fn a_stream_ends_with_its_broker() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let mut stream = broker.submitter().open_stream(spec());
        broker.stop();
        client(async {
            let next = tokio::time::timeout(PATIENCE, stream.next()).await;
            assert!(next.unwrap().is_none());
        });
    });
}

/// Long polls park until they are told that there is something.
#[test]
fn a_parked_poll_is_woken_by_the_first_job_of_its_type() {
    on_both_drivers(|options| {
        let broker = Broker::start(options()).unwrap();
        let submitter = broker.submitter();
        client(async {
            deploy(&submitter).await;
            let mut available = submitter.jobs_available();
            assert!(submit(&submitter, 1, activate(1)).await.key.0 != 0);
            submit(&submitter, 1, create()).await;
            let heard = tokio::time::timeout(PATIENCE, available.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), "work");
        });
        broker.stop();
    });
}

/// Creates instances until one's job comes over the stream, which is open everywhere only after a
/// moment; what came before is polled and given up. The job's key.
async fn first_pushed(to: &Submitter, partition: u16, stream: &mut JobStream) -> Key {
    loop {
        submit(to, partition, create()).await;
        let next = tokio::time::timeout(Duration::from_millis(500), stream.next()).await;
        match next {
            Ok(next) => return next.unwrap().0,
            Err(_) => {
                poll(to, partition, 100).await;
            }
        }
    }
}

/// A gateway dies with jobs on their way to it: the leader gives back what it cannot hand over, the
/// client that comes back by another gateway, or by the same one later, is pushed to again.
#[test]
fn streams_come_back_when_their_gateway_dies() {
    let mut three = Three::started(3, DriverChoice::Plain);
    let gateway = three.leader(1).unwrap();
    let partition = (2..=3)
        .find(|it| three.leader(*it) != Some(gateway))
        .expect("leaders are spread");
    let other = three.leader(partition).unwrap();
    let at = |three: &Three, node: usize| three.brokers[node].as_ref().unwrap().submitter();

    let dying = at(&three, gateway);
    let mut stream = client(async {
        deploy(&dying).await;
        let mut stream = dying.open_stream(spec());
        let held = first_pushed(&dying, partition, &mut stream).await;
        submit(&dying, partition, complete(held)).await;
        stream
    });
    three.kill(gateway);
    assert!(
        client(stream.next()).is_none(),
        "a stream ends with its broker"
    );
    let survivor = at(&three, other);
    client(async {
        // Some are pushed before anybody has seen that nobody is there.
        for _ in 0..50 {
            submit(&survivor, partition, create()).await;
        }
        let mut back = BTreeSet::new();
        let patience = tokio::time::Instant::now() + PATIENCE;
        while back.len() < 50 {
            assert!(
                tokio::time::Instant::now() < patience,
                "{} came back",
                back.len()
            );
            back.extend(poll(&survivor, partition, 100).await);
        }
        // A worker that connects to another gateway.
        let mut stream = survivor.open_stream(spec());
        let pushed = first_pushed(&survivor, partition, &mut stream).await;
        submit(&survivor, partition, complete(pushed)).await;
    });
    three.start(gateway);
    three.wait("every partition has a leader", Three::is_ready);
    let again = at(&three, gateway);
    client(async {
        let mut stream = again.open_stream(spec());
        let pushed = first_pushed(&again, partition, &mut stream).await;
        submit(&again, partition, complete(pushed)).await;
    });
    three.wait_equal();
}
