//! Records in, documents out: each once by its id, whatever the other side does in between.
//!
//! The other side is a fake that refuses what a strict mapping refuses; expectations are computed from
//! the scenario, not written down.

mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringflow_core::ids::Timestamp;
use ringflow_core::record::{Record, RecordType, ValueType};
use ringflow_export::elastic::{AskPhase, Retention, Secret, VALUE_TYPES};
use ringflow_export::feed::RecordedFeed;
use ringflow_export::{Elastic, ElasticOptions, Phase};
use serde_json::{Value, json};

use super::export::wait;
use super::records::Scenario;
use fake::{Fake, Mood};

fn options(fake: &Fake) -> ElasticOptions {
    let mut options = ElasticOptions::new(vec![fake.url()], "8.9.0");
    options.bulk_delay = Duration::from_millis(20);
    options.bulk_size = 25;
    options.index.types = VALUE_TYPES
        .iter()
        .map(|(value_type, _, _)| *value_type)
        .collect();
    options
}

fn filled(partition: u16, instances: i64) -> Scenario {
    let mut scenario = Scenario::new(partition);
    for number in 0..instances {
        scenario.instance(number);
        scenario.noise();
    }
    scenario
}

/// Those that become documents.
fn exported<'r>(options: &ElasticOptions, records: &'r [Record]) -> Vec<&'r Record> {
    let wanted = |record: &&Record| {
        record.record_type == RecordType::Event
            && options.index.types.contains(&record.intent.value_type())
    };
    records.iter().filter(wanted).collect()
}

fn started(
    options: &ElasticOptions,
    records: &[Record],
    phase: Option<AskPhase>,
) -> (Elastic, Arc<AtomicU64>) {
    let partition = records[0].partition;
    let feed = RecordedFeed::new(partition, records.to_vec(), 64, false);
    let acknowledged = feed.acknowledged();
    let elastic = Elastic::start(options.clone(), phase).unwrap();
    elastic.add(Box::new(feed)).unwrap();
    (elastic, acknowledged)
}

fn last(records: &[Record]) -> u64 {
    records.last().map_or(0, |record| record.position.0)
}

/// Exports all records and checks that each that should be there is, as it should be.
fn to_the_end(fake: &Fake, options: &ElasticOptions, records: &[Record]) -> Elastic {
    let (elastic, acknowledged) = started(options, records, None);
    wait("the last acknowledgement", || {
        acknowledged.load(Ordering::Acquire) == last(records)
    });
    check(fake, options, records, &[]);
    elastic
}

fn check(fake: &Fake, options: &ElasticOptions, records: &[Record], left_out: &[String]) {
    let kept = fake.kept();
    let wanted = exported(options, records);
    assert_eq!(kept.documents.len() + left_out.len(), wanted.len());
    let mut counts: BTreeMap<ValueType, i64> = BTreeMap::new();
    for record in wanted {
        let count = counts.entry(record.intent.value_type()).or_default();
        *count += 1;
        let id = format!("{}-{}", record.partition.0, record.position.0);
        if left_out.contains(&id) {
            continue;
        }
        let name = record.intent.value_type().name();
        let kind = name.to_lowercase().replace('_', "-");
        let index = format!("zeebe-record_{kind}_8.9.0_2023-11-14");
        let (routing, source, _) = &kept.documents[&(index, id)];
        assert_eq!(*routing, record.partition.0.to_string());
        assert_eq!(source["position"], record.position.0);
        assert_eq!(source["key"], record.key.0);
        assert_eq!(source["valueType"], name);
        assert_eq!(source["intent"], record.intent.name());
        assert_eq!(source["recordType"], "EVENT");
        assert_eq!(source["rejectionType"], "NULL_VAL");
        let sequence = (i64::from(record.partition.0) << 51) + *count;
        assert_eq!(source["sequence"], sequence, "{name}");
        assert!(source.get("authorizations").is_none());
    }
    let partition = records[0].partition.0.to_string();
    assert_eq!(kept.cursors[&partition].0, last(records));
}

#[test]
fn every_record_is_a_document_that_its_template_takes() {
    let fake = Fake::start();
    let mut options = options(&fake);
    options.retention = Some(Retention {
        minimum_age: "7d".into(),
        policy: "gone".into(),
    });
    let scenario = filled(3, 40);
    to_the_end(&fake, &options, &scenario.records).stop();
    let kept = fake.kept();
    assert_eq!(kept.templates.len(), VALUE_TYPES.len());
    assert!(kept.component.contains_key("zeebe-record-8.9.0"));
    let delete = &kept.policies["gone"]["policy"]["phases"]["delete"];
    assert_eq!(delete["min_age"], "7d");
    let settings = &kept.templates["zeebe-record_job_8.9.0"]["template"]["settings"];
    assert_eq!(settings["index.lifecycle.name"], "gone");
    // None was sent twice, and windows were full.
    assert!(kept.documents.values().all(|(_, _, times)| *times == 1));
    assert!(kept.bulks as usize <= kept.documents.len() / 25 + 2);
}

#[test]
fn by_default_only_what_other_programs_need_is_exported() {
    let fake = Fake::start();
    let mut options = ElasticOptions::new(vec![fake.url()], "8.9.0");
    options.bulk_delay = Duration::from_millis(20);
    let scenario = filled(1, 5);
    to_the_end(&fake, &options, &scenario.records).stop();
    assert_eq!(fake.kept().templates.len(), 7);
}

#[test]
fn whatever_fails_is_sent_again_until_it_is_taken() {
    let fake = Fake::start();
    let options = options(&fake);
    fake.kept().moods.extend([
        Mood::Answer(503),
        Mood::Half(429),
        Mood::Cut,
        Mood::Answer(429),
        Mood::KeepAndCut,
        Mood::Half(503),
        Mood::Answer(401),
    ]);
    let scenario = filled(1, 30);
    let elastic = to_the_end(&fake, &options, &scenario.records);
    let snapshot = elastic.metrics().snapshot(Timestamp(0));
    assert_eq!(snapshot.partitions[0].failed_flushes, 7);
    assert_eq!(snapshot.partitions[0].poisoned_rows, 0);
    assert!(fake.kept().moods.is_empty());
    elastic.stop();
}

#[test]
fn nothing_is_acknowledged_that_was_not_taken() {
    let fake = Fake::start();
    let options = options(&fake);
    fake.kept().moods.extend([Mood::Half(429); 6]);
    let scenario = filled(1, 20);
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    wait("all documents", || {
        let last = acknowledged.load(Ordering::Acquire);
        let kept = fake.kept();
        for record in exported(&options, &scenario.records) {
            if record.position.0 <= last {
                let id = format!("1-{}", record.position.0);
                assert!(kept.documents.keys().any(|(_, kept)| *kept == id), "{id}");
            }
        }
        last == scenario.last()
    });
    elastic.stop();
}

#[test]
fn a_document_that_is_never_taken_is_left_out_and_told() {
    let fake = Fake::start();
    let options = options(&fake);
    let scenario = filled(1, 20);
    let wanted = exported(&options, &scenario.records);
    let bad: Vec<String> = [3, 4, 60]
        .iter()
        .map(|at: &usize| format!("1-{}", wanted[*at].position.0))
        .collect();
    fake.kept().poison.extend(bad.clone());
    fake.kept().moods.push_back(Mood::Half(429));
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    wait("the last acknowledgement", || {
        acknowledged.load(Ordering::Acquire) == scenario.last()
    });
    check(&fake, &options, &scenario.records, &bad);
    let snapshot = elastic.metrics().snapshot(Timestamp(0));
    assert_eq!(snapshot.partitions[0].poisoned_rows, 3);
    elastic.stop();
}

#[test]
fn requests_that_are_too_large_are_halved() {
    let fake = Fake::start();
    let options = options(&fake);
    fake.kept().body_max = 6000;
    let scenario = filled(1, 10);
    let elastic = to_the_end(&fake, &options, &scenario.records);
    assert_eq!(
        elastic.metrics().snapshot(Timestamp(0)).partitions[0].poisoned_rows,
        0
    );
    elastic.stop();
}

#[test]
fn it_goes_on_where_it_was_when_the_other_side_is_back() {
    let mut fake = Fake::start();
    let options = options(&fake);
    let scenario = filled(2, 60);
    let half = &scenario.records[..scenario.records.len() / 2];
    to_the_end(&fake, &options, half).stop();
    fake.die();
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(acknowledged.load(Ordering::Acquire), 0);
    fake.rise();
    wait("the last acknowledgement", || {
        acknowledged.load(Ordering::Acquire) == scenario.last()
    });
    check(&fake, &options, &scenario.records, &[]);
    let kept = fake.kept();
    assert!(kept.documents.values().all(|(_, _, times)| *times == 1));
    drop(kept);
    elastic.stop();
}

#[test]
fn the_cursor_never_goes_back() {
    let fake = Fake::start();
    let options = options(&fake);
    let scenario = filled(1, 10);
    to_the_end(&fake, &options, &scenario.records).stop();
    // An exporter that was deposed comes late with less.
    let later = json!({"position": last(&scenario.records) + 500, "sequences": {}});
    let version = last(&scenario.records) + 500;
    fake.kept().cursors.insert("1".into(), (version, later));
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    wait("the acknowledgement of what is there", || {
        acknowledged.load(Ordering::Acquire) == version
    });
    elastic.stop();
    assert_eq!(fake.kept().cursors["1"].0, version);
}

#[test]
fn stopping_waits_as_long_as_it_may() {
    let fake = Fake::start();
    let mut options = options(&fake);
    options.stop_timeout = Duration::from_millis(300);
    fake.kept().moods.extend(vec![Mood::Answer(503); 10_000]);
    let scenario = filled(1, 10);
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    wait("a first attempt", || fake.kept().bulks > 0);
    let began = Instant::now();
    elastic.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(acknowledged.load(Ordering::Acquire), 0);
    // With the other side well, stopping sends the rest.
    fake.kept().moods.clear();
    options.bulk_delay = Duration::from_secs(600);
    options.bulk_size = 100_000;
    let (elastic, acknowledged) = started(&options, &scenario.records, None);
    wait("all records", || {
        let snapshot = elastic.metrics().snapshot(Timestamp(0));
        let partition = snapshot.partitions.first();
        partition.is_some_and(|it| it.lag_records >= scenario.records.len() as u64)
    });
    elastic.stop();
    assert_eq!(acknowledged.load(Ordering::Acquire), scenario.last());
    check(&fake, &options, &scenario.records, &[]);
}

#[test]
fn a_pause_holds_it_as_well() {
    let fake = Fake::start();
    let options = options(&fake);
    let scenario = filled(1, 10);
    let code = Arc::new(AtomicU64::new(1));
    let asked = Arc::clone(&code);
    let phase: AskPhase = Box::new(move |_| {
        let phase = match asked.load(Ordering::Acquire) {
            0 => Phase::Exporting,
            1 => Phase::Paused,
            _ => Phase::SoftPaused,
        };
        Box::pin(async move { Some(phase) })
    });
    let (elastic, acknowledged) = started(&options, &scenario.records, Some(phase));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(fake.kept().bulks, 0);
    code.store(2, Ordering::Release);
    let wanted = exported(&options, &scenario.records).len();
    wait("documents", || fake.kept().documents.len() == wanted);
    assert_eq!(acknowledged.load(Ordering::Acquire), 0);
    elastic.stop();
    assert!(fake.kept().cursors.is_empty());
}

#[test]
fn who_asks_for_a_password_gets_it() {
    let fake = Fake::start();
    let mut options = options(&fake);
    // ann:secret
    fake.kept().authorization = Some("Basic YW5uOnNlY3JldA==".into());
    options.credentials = Some(("ann".into(), Secret("secret".into())));
    // The first address answers nobody.
    options.urls.insert(0, "http://127.0.0.1:9".into());
    let scenario = filled(1, 3);
    to_the_end(&fake, &options, &scenario.records).stop();
    let kept = fake.kept();
    let variable = kept
        .documents
        .iter()
        .find(|((index, _), _)| index.contains("_variable_"));
    let (_, source, _) = variable.unwrap().1;
    let value = &source["value"];
    assert_eq!(value["elementInstanceKey"], value["scopeKey"]);
    assert_eq!(value["source"], json!({"type": "UNKNOWN"}));
    assert!(matches!(source["operationReference"], Value::Number(_)));
}
