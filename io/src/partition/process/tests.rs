//! Tests of the order of things in one partition.
//!
//! On a store of their own; Raft is played by the test.

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::RequestId;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::Text;
use ringflow_core::record::value::{ClockRecord, JobBatchRecord, MessageRecord};
use ringflow_storage::state::StateMemory;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::background::Background;
use crate::cluster::configuration::Configuration;
use crate::options::BrokerOptions;
use crate::raft::Proposal;
use crate::shard::mailbox::PartitionTable;

type Answer = oneshot::Receiver<Result<Response, Loss>>;

/// A replica without group and log: the test decides what is committed, and when.
struct Replica {
    core: Core,
    mailbox: Arc<Mailbox>,
    index: u64,
    _directory: TempDir,
}

impl Replica {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let memory = StateMemory::new(8 << 20, 2 << 20).unwrap();
        let store = StateStore::open(&directory.path().join("state"), &memory).unwrap();
        let options = BrokerOptions::new("");
        let founding = Configuration::founding(&options.cluster, options.partitions);
        let cluster = crate::broker::cluster(&options, founding.clone(), Vec::new());
        let table = PartitionTable::new(&options, &founding, &cluster.role_changed);
        let mailbox = Arc::clone(table.get(PartitionId(1)).unwrap());
        let background = Background::start().unwrap();
        let shared = Arc::new(Shared::new(options, table, background, cluster));
        let core = Core::open(Arc::clone(&mailbox), shared, Rc::new(store)).unwrap();
        Self {
            core,
            mailbox,
            index: 0,
            _directory: directory,
        }
    }

    /// Hands in a poll for jobs and processes it.
    fn process(&mut self, request: u64) -> (Proposal, Answer) {
        let batch = JobBatchRecord {
            job_type: Text::from("work"),
            worker: Text::from("w"),
            timeout: 1000,
            max_jobs: 1,
            tenant_ids: vec![Text::from("<default>")],
            ..JobBatchRecord::default()
        };
        let mut command = Command::internal(Key::NONE, of::JobBatch::Activate, batch);
        command.request = Some(RequestId(request));
        let (reply, answer) = oneshot::channel();
        assert!(self.mailbox.budget.try_take());
        let pushed = self.mailbox.push_request(Request {
            command,
            reply: Some(reply),
            enqueued: Instant::now(),
            counted: true,
        });
        pushed.unwrap();
        let proposal = self.core.iterate().unwrap().unwrap();
        (proposal, answer)
    }

    /// Hands in a command that nobody waits for, and commits it alone.
    fn work(&mut self, command: Command) {
        let pushed = self.mailbox.push_request(Request {
            command,
            reply: None,
            enqueued: Instant::now(),
            counted: false,
        });
        pushed.unwrap();
        let proposal = self.core.iterate().unwrap().unwrap();
        self.commit(1, &proposal);
    }

    fn commit(&mut self, term: u64, proposal: &Proposal) {
        self.index += 1;
        self.core.apply(self.index, term, &proposal.0).unwrap();
    }

    fn digest(&self) -> [u8; 16] {
        self.core.engine.digest().0
    }
}

#[test]
fn answers_wait_for_their_commit_and_leave_in_order() {
    let mut leader = Replica::new();
    leader.core.lead(1);
    let (first, mut first_answer) = leader.process(1);
    let (second, mut second_answer) = leader.process(2);
    assert_eq!(leader.core.in_flight(), 2);
    assert!(first_answer.try_recv().is_err());
    leader.commit(1, &first);
    assert!(first_answer.try_recv().unwrap().is_ok());
    assert!(second_answer.try_recv().is_err());
    leader.commit(1, &second);
    assert!(second_answer.try_recv().unwrap().is_ok());
    assert_eq!(leader.mailbox.budget.in_flight(), 0);
    assert_eq!(leader.core.store.applied().index, 2);
}

#[test]
fn a_follower_that_replays_has_the_state_of_the_leader_that_processed() {
    let (mut leader, mut follower) = (Replica::new(), Replica::new());
    leader.core.lead(1);
    for request in 1..20 {
        let (proposal, _answer) = leader.process(request);
        leader.commit(1, &proposal);
        follower.commit(1, &proposal);
        assert_eq!(leader.digest(), follower.digest());
    }
}

/// Two entries are under way, the group refuses them and elects another leader, whose entry takes
/// their place: what was processed ahead has no effect, and whoever waited hears so.
#[test]
fn a_leader_that_lost_its_place_forgets_what_was_not_committed() {
    let (mut old, mut new) = (Replica::new(), Replica::new());
    old.core.lead(1);
    new.core.lead(2);
    let (first, _answer) = old.process(1);
    let (_second, mut second_answer) = old.process(2);
    let (other, _answer) = new.process(3);
    new.commit(2, &other);
    old.commit(2, &other);
    assert!(!old.core.is_leading());
    assert_eq!(second_answer.try_recv().unwrap(), Err(Loss::LeadershipLost));
    assert_eq!(old.mailbox.budget.in_flight(), 0);
    assert_eq!(old.digest(), new.digest());
    // The refused entry turns up after all, built on a position that is taken now.
    let (before, position) = (old.digest(), old.core.applied().position);
    for replica in [&mut old, &mut new] {
        replica.commit(2, &first);
        assert_eq!(replica.digest(), before);
        assert_eq!(replica.core.applied().position, position);
        assert_eq!(replica.core.applied().index, 2);
        assert_eq!(replica.mailbox.metrics.entries_refused.get(), 1);
    }
}

/// Three thousand messages end their lives at once, six megabytes of events: no entry holds them all.
#[test]
fn what_is_due_at_once_is_spread_over_entries() {
    const MESSAGES: usize = 3_000;
    const LIFE: i64 = 3_600_000;
    let mut leader = Replica::new();
    leader.core.lead(1);
    let pin = |time| {
        let time = Timestamp(time);
        Command::internal(Key::NONE, of::Clock::Pin, ClockRecord { time })
    };
    leader.work(pin(LIFE));
    for number in 0..MESSAGES {
        let message = MessageRecord {
            name: Text::from(format!("{number:02000}")),
            correlation_key: Text::from("c"),
            time_to_live: LIFE,
            ..MessageRecord::default()
        };
        leader.work(Command::internal(Key::NONE, of::Message::Publish, message));
    }
    leader.work(pin(3 * LIFE));
    let most = 2 * leader.core.shared.options.limits.iteration_bytes;
    let mut entries = 0;
    while let Some(proposal) = leader.core.iterate().unwrap() {
        assert!(proposal.0.len() < most);
        leader.commit(1, &proposal);
        entries += 1;
        assert!(entries < MESSAGES);
    }
    assert!(entries >= 3, "{entries}");
    assert_eq!(leader.core.engine.next_due(), None);
}

#[test]
fn an_entry_that_is_no_batch_stops_the_partition() {
    let mut replica = Replica::new();
    assert!(replica.core.apply(1, 1, &[]).is_err());
    assert!(replica.core.apply(1, 1, &[payload::BATCH, 1, 0]).is_err());
    assert_eq!(replica.core.applied().index, 0);
}
