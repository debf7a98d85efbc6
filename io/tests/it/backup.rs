//! Checkpoints as one cut through all partitions, and what is stored at one as partitions elsewhere.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Position};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{CheckpointRecord, CheckpointType};
use ringflow_core::record::{Record, Value};
use ringflow_io::restore::{RestoreTarget, Restorer};
use ringflow_io::{BackupTask, Broker, BrokerOptions, Submitter, TakeBackup};
use ringflow_storage::snapshot::SnapshotReader;
use tempfile::TempDir;

use crate::messages::correlate_everywhere;
use crate::world::{PATIENCE, client, deploy, on_both_drivers, run_one, submit};

/// Asks a partition for a checkpoint; the newest one it has then.
async fn checkpoint(to: &Submitter, partition: u16, id: i64) -> CheckpointRecord {
    let record = CheckpointRecord {
        checkpoint_id: id,
        checkpoint_type: CheckpointType::ManualBackup,
        ..CheckpointRecord::default()
    };
    let command = Command::internal(Key::NONE, of::Checkpoint::Create, record);
    let answer = submit(to, partition, command).await;
    let Value::Checkpoint(value) = &answer.value else {
        panic!("{:?}", answer.intent);
    };
    (**value).clone()
}

/// All committed records of a partition.
async fn records(broker: &Broker, partition: u16) -> Vec<Record> {
    let partition = PartitionId(partition);
    let last = broker.committed(partition).unwrap();
    let mut feed = broker.feed(partition, Position(0)).unwrap();
    let mut all: Vec<Record> = Vec::new();
    while all.last().is_none_or(|record| record.position < last) {
        let next = tokio::time::timeout(PATIENCE, feed.next()).await;
        let batch = next.expect("the feed stands").unwrap().unwrap();
        all.extend(batch.records.iter().cloned());
    }
    all
}

#[test]
fn what_is_sent_behind_a_checkpoint_comes_behind_it_everywhere() {
    on_both_drivers(|options| {
        let mut options = options();
        options.partitions = 3;
        options.shards = 2;
        options.exporting = true;
        let broker = Broker::start(options).unwrap();
        let submitter = broker.submitter();
        client(async {
            correlate_everywhere(&submitter).await;
            let created = checkpoint(&submitter, 1, 5).await;
            assert_eq!(created.checkpoint_id, 5);
            // Only the first partition was asked; the others hear of it from what it sends.
            correlate_everywhere(&submitter).await;
            for partition in [2, 3] {
                assert_eq!(checkpoint(&submitter, partition, 0).await.checkpoint_id, 5);
                let records = records(&broker, partition).await;
                let cut = records
                    .iter()
                    .position(|it| it.intent == of::Checkpoint::Created.into())
                    .expect("the checkpoint came");
                let sent = |it: &Record| {
                    it.intent == of::MessageSubscription::Create.into()
                        || it.intent == of::Deployment::Create.into()
                };
                let from_first = |it: &&Record| {
                    let Value::MessageSubscription(value) = &it.value else {
                        return false;
                    };
                    sent(it) && value.process_instance_key.partition() == PartitionId(1)
                };
                // Three instances per run wait on the first partition; those of the second run whose
                // subscription is here are behind the cut, those of the first before it.
                let before = records[..cut].iter().filter(from_first).count();
                let behind = records[cut..].iter().filter(from_first).count();
                assert_eq!(before, behind, "partition {partition}");
            }
        });
        broker.stop();
    });
}

/// The next thing to store.
fn taken(tasks: &mut tokio::sync::mpsc::Receiver<BackupTask>) -> TakeBackup {
    loop {
        match tasks.blocking_recv().expect("the broker runs") {
            BackupTask::Take(task) => return *task,
            BackupTask::Abandoned { .. } => {}
        }
    }
}

/// Puts what is to be stored straight into another directory.
fn copy(mut task: TakeBackup, into: &Restorer) {
    let mut partition = into.begin(task.partition, task.purged()).unwrap();
    if let Some(snapshot) = task.snapshot() {
        let reader = SnapshotReader::open(snapshot).unwrap();
        let manifest = reader.manifest().encode();
        let mut staging = partition.stage(manifest.as_bytes()).unwrap();
        for (number, file) in reader.manifest().files.iter().enumerate() {
            let bytes = reader.chunk(number, 0, file.len as usize).unwrap();
            staging.write(number, 0, &bytes).unwrap();
        }
        partition.staged(staging).unwrap();
    }
    loop {
        let entries = task.entries().unwrap();
        if entries.is_empty() {
            break;
        }
        partition.append(entries).unwrap();
    }
    assert!(task.first_position().is_some());
    partition.finish(task.at()).unwrap();
}

fn elsewhere(options: &BrokerOptions, data: &TempDir) -> BrokerOptions {
    BrokerOptions {
        data: data.path().join("data"),
        ..options.clone()
    }
}

#[test]
fn what_is_stored_at_a_checkpoint_becomes_the_same_partitions_elsewhere() {
    on_both_drivers(|options| {
        let mut options = options();
        options.partitions = 2;
        options.backups = true;
        // With a snapshot and without one: the first start has none yet.
        for round in 1..=2 {
            let broker = Broker::start(options.clone()).unwrap();
            let submitter = broker.submitter();
            let mut tasks = broker.backup_tasks().unwrap();
            client(async {
                deploy(&submitter).await;
                for _ in 0..20 {
                    run_one(&submitter, 1).await;
                    run_one(&submitter, 2).await;
                }
                for partition in [1, 2] {
                    let created = checkpoint(&submitter, partition, round).await;
                    assert_eq!(created.checkpoint_id, round);
                }
            });
            let digests = [1, 2].map(|id| broker.digest(PartitionId(id)).unwrap());
            // What comes later is not in it.
            client(run_one(&submitter, 1));
            let data = TempDir::new().unwrap();
            let there = elsewhere(&options, &data);
            let target = RestoreTarget::open(there.clone(), false).unwrap();
            let restorer = target.clear().unwrap();
            for _ in 0..2 {
                let task = taken(&mut tasks);
                assert_eq!(task.snapshot().is_some(), round > 1);
                copy(task, &restorer);
            }
            let refused = Broker::start(there.clone()).unwrap_err().to_string();
            assert!(refused.contains("process"), "{refused}");
            restorer.finish().unwrap();
            let restored = Broker::start(there.clone()).unwrap();
            let found = [1, 2].map(|id| restored.digest(PartitionId(id)).unwrap());
            assert_eq!(found, digests, "round {round}");
            let submitter = restored.submitter();
            client(async {
                let newest = checkpoint(&submitter, 1, 0).await;
                assert_eq!(newest.checkpoint_id, round);
                run_one(&submitter, 1).await;
                run_one(&submitter, 2).await;
            });
            restored.stop();
            let error = RestoreTarget::open(there.clone(), false).unwrap_err();
            assert!(error.to_string().contains("is not empty"), "{error}");
            // Overwritten only if that is said, and of no use until it is whole.
            let target = RestoreTarget::open(there.clone(), true).unwrap();
            drop(target.clear().unwrap());
            let error = Broker::start(there).unwrap_err().to_string();
            assert!(error.contains("restore it again"), "{error}");
            broker.stop();
        }
    });
}
