//! Damaged data directories: a start heals what a crash can leave, and refuses the rest by name.
//!
//! Two good directories are made once: one of a killed broker (its whole log is there) and one of a
//! broker that ended in order (snapshot taken, log purged). A case is a copy, one damage, and either
//! the sentence of the refusal or a broker that still has everything. Never may a start go on with
//! less than was acknowledged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;

use crate::broker::{Place, Start, until};
use crate::models::task;

const INSTANCES: usize = 10;
const VISIBLE: Duration = Duration::from_secs(20);
const LOG: &str = "partitions/1/log/segment-0000000000000001.log";
const VOTE: &str = "partitions/1/vote";
const STATE: &str = "partitions/1/state";
const SNAPSHOTS: &str = "partitions/1/snapshots";
/// Where the first batch of a segment is.
const FIRST_BATCH: usize = 4096;

/// Which good directory a case begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    Killed,
    Stopped,
}

/// What must come of it.
enum Then {
    /// Exit code 1 and a sentence with these parts.
    Refused(&'static [&'static str]),
    /// A broker with all instances in state and history.
    Healed,
    /// A broker with all instances in its state; the history is damaged and says so.
    WithoutHistory,
    /// A broker that says in its log that this happened: what is missing cannot be seen in the
    /// directory itself.
    Told(&'static str),
}

type Damage = fn(&Path);

struct Good {
    killed: Place,
    stopped: Place,
}

fn start() -> Start {
    Start::with(&["--partitions", "1"]).variable("RINGFLOW_DATA_SNAPSHOT_PERIOD", "24h")
}

/// The two good directories.
fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let killed = Place::new();
        let broker = killed.start(&start());
        let mut client = broker.client();
        client.deploy("a.bpmn", &task("damaged")).unwrap();
        for number in 0..INSTANCES {
            let body = json!({
                "processDefinitionId": "damaged", "variables": { "number": number },
            });
            client.post("/v2/process-instances", &body);
        }
        until("the instances are visible", VISIBLE, || {
            let found = client.search(
                "/v2/process-instances/search",
                &json!({}),
                "processInstanceKey",
            );
            (found.len() == INSTANCES).then_some(())
        });
        broker.kill();
        let stopped = Place::new();
        copy(&killed.data(), &stopped.data());
        assert_eq!(stopped.start(&start()).stop().code(), Some(0));
        Good { killed, stopped }
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Changes the bytes of a file.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(path: &Path, at: usize) {
    edit(path, |bytes| bytes[at] ^= 0x20);
}

/// The files below `directory` whose names begin and end so, in order.
fn files(directory: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(start) && name.ends_with(end)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{directory:?} has no {start}*{end}");
    found
}

/// Offset behind the last byte that is not zero.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

fn snapshot(data: &Path) -> PathBuf {
    files(&data.join(SNAPSHOTS), "", "").pop().unwrap()
}

const CASES: &[(&str, From, Damage, Then)] = &[
    ("nothing", From::Killed, |_| {}, Then::Healed),
    ("nothing", From::Stopped, |_| {}, Then::Healed),
    (
        "VERSION of another version",
        From::Killed,
        |data| fs::write(data.join("VERSION"), "ringflow-data 2\n").unwrap(),
        Then::Refused(&["VERSION has format version 2, this program reads version 1"]),
    ),
    (
        "VERSION of somebody else",
        From::Killed,
        |data| fs::write(data.join("VERSION"), "17\n").unwrap(),
        Then::Refused(&["VERSION is corrupt"]),
    ),
    (
        "VERSION empty",
        From::Killed,
        |data| fs::write(data.join("VERSION"), "").unwrap(),
        Then::Refused(&["VERSION is corrupt"]),
    ),
    (
        "VERSION lost",
        From::Killed,
        |data| fs::remove_file(data.join("VERSION")).unwrap(),
        Then::Refused(&["has no VERSION file"]),
    ),
    (
        "log: magic",
        From::Killed,
        |data| flip(&data.join(LOG), 0),
        Then::Refused(&["segment-0000000000000001.log is corrupt at offset 0"]),
    ),
    (
        "log: header",
        From::Killed,
        |data| flip(&data.join(LOG), 17),
        Then::Refused(&["segment-0000000000000001.log is corrupt"]),
    ),
    (
        "log: first batch",
        From::Killed,
        |data| flip(&data.join(LOG), FIRST_BATCH + 70),
        Then::Refused(&["segment-0000000000000001.log is corrupt at offset 4096"]),
    ),
    (
        "log: head of the first batch",
        From::Killed,
        |data| flip(&data.join(LOG), FIRST_BATCH + 17),
        Then::Refused(&["segment-0000000000000001.log is corrupt at offset 4096"]),
    ),
    (
        "log: a batch in the middle",
        From::Killed,
        |data| {
            edit(&data.join(LOG), |bytes| {
                let block = (FIRST_BATCH + written(bytes)) / 2 / 4096 * 4096;
                bytes[block..block + 4096].fill(0);
            });
        },
        Then::Refused(&["segment-0000000000000001.log is corrupt"]),
    ),
    (
        "log: cut in half",
        From::Killed,
        |data| edit(&data.join(LOG), |bytes| bytes.truncate(8 << 20)),
        Then::Refused(&["segment-0000000000000001.log is corrupt"]),
    ),
    (
        "log: emptied",
        From::Killed,
        |data| fs::write(data.join(LOG), "").unwrap(),
        Then::Refused(&["segment-0000000000000001.log is corrupt"]),
    ),
    (
        "log: a segment lost",
        From::Killed,
        |data| fs::remove_file(data.join(LOG)).unwrap(),
        // Of the segment, or of the whole log if the next one was not prepared yet.
        Then::Refused(&["partitions/1/log"]),
    ),
    (
        "log: all lost",
        From::Killed,
        |data| fs::remove_dir_all(data.join("partitions/1/log")).unwrap(),
        Then::Refused(&["vote holds a vote, but the log in ", " is empty"]),
    ),
    (
        "log: zeros behind the first batches",
        From::Killed,
        |data| edit(&data.join(LOG), |bytes| bytes[FIRST_BATCH + 8192..].fill(0)),
        Then::Told("the log lost records, or the database belongs to another one"),
    ),
    (
        "log: a torn batch behind the last",
        From::Killed,
        |data| {
            edit(&data.join(LOG), |bytes| {
                let end = written(bytes).next_multiple_of(4096);
                let torn: Vec<u8> = bytes[FIRST_BATCH..FIRST_BATCH + 40].to_vec();
                bytes[end..end + 40].copy_from_slice(&torn);
            });
        },
        Then::Healed,
    ),
    (
        "vote: flipped",
        From::Killed,
        |data| flip(&data.join(VOTE), 4096 + 40),
        Then::Refused(&["vote is corrupt at offset 4096: checksum"]),
    ),
    (
        "vote: cut",
        From::Killed,
        |data| edit(&data.join(VOTE), |bytes| bytes.truncate(100)),
        Then::Refused(&["vote is corrupt at offset 100: file is not two slots long"]),
    ),
    (
        "vote: the other version",
        From::Killed,
        |data| edit(&data.join(VOTE), |bytes| bytes[4096..8192].fill(0)),
        Then::Refused(&["vote is corrupt"]),
    ),
    (
        "state: CURRENT",
        From::Stopped,
        |data| fs::write(data.join(STATE).join("CURRENT"), "nonsense\n").unwrap(),
        Then::Refused(&["partitions/1/state", "CURRENT"]),
    ),
    (
        "state: CURRENT emptied",
        From::Stopped,
        |data| fs::write(data.join(STATE).join("CURRENT"), "").unwrap(),
        Then::Refused(&["partitions/1/state", "CURRENT"]),
    ),
    (
        "state: manifest",
        From::Stopped,
        |data| {
            let manifest = files(&data.join(STATE), "MANIFEST-", "").pop().unwrap();
            flip(&manifest, 30);
        },
        Then::Refused(&["partitions/1/state", "orruption"]),
    ),
    (
        "state: a table cut",
        From::Stopped,
        |data| {
            let table = files(&data.join(STATE), "", ".sst").pop().unwrap();
            edit(&table, |bytes| bytes.truncate(bytes.len() / 2));
        },
        Then::Refused(&["partitions/1/state", ".sst"]),
    ),
    (
        "state: a table lost",
        From::Stopped,
        |data| fs::remove_file(files(&data.join(STATE), "", ".sst").pop().unwrap()).unwrap(),
        Then::Refused(&["partitions/1/state", ".sst"]),
    ),
    (
        "state: a table flipped",
        From::Stopped,
        |data| {
            for table in files(&data.join(STATE), "", ".sst") {
                flip(&table, 100);
            }
        },
        Then::Refused(&["partitions/1/state", "orruption"]),
    ),
    (
        "state: all lost, log whole",
        From::Killed,
        |data| fs::remove_dir_all(data.join(STATE)).unwrap(),
        Then::Healed,
    ),
    (
        "state: all lost, snapshot there",
        From::Stopped,
        |data| fs::remove_dir_all(data.join(STATE)).unwrap(),
        Then::Healed,
    ),
    (
        "snapshot: manifest",
        From::Stopped,
        |data| flip(&snapshot(data).join("MANIFEST.ringflow"), 30),
        Then::Healed,
    ),
    (
        "snapshot: a file cut",
        From::Stopped,
        |data| {
            let table = files(&snapshot(data), "", ".sst").pop().unwrap();
            fs::write(table, "").unwrap();
        },
        Then::Healed,
    ),
    (
        "snapshot and state: manifest",
        From::Stopped,
        |data| {
            flip(&snapshot(data).join("MANIFEST.ringflow"), 30);
            fs::remove_dir_all(data.join(STATE)).unwrap();
        },
        // The log still begins with its first entry.
        Then::Healed,
    ),
    (
        "snapshot and state: a table",
        From::Stopped,
        |data| {
            flip(&files(&snapshot(data), "", ".sst").pop().unwrap(), 100);
            fs::remove_dir_all(data.join(STATE)).unwrap();
        },
        Then::Refused(&[".sst is corrupt"]),
    ),
    (
        "snapshot: the rest of an unfinished one",
        From::Stopped,
        |data| copy(&snapshot(data), &data.join(SNAPSHOTS).join("pending-1")),
        Then::Healed,
    ),
    (
        "history: lost, log whole",
        From::Killed,
        |data| {
            for file in files(data, "secondary.db", "") {
                fs::remove_file(file).unwrap();
            }
        },
        Then::Healed,
    ),
    (
        "history: no database",
        From::Stopped,
        |data| fs::write(data.join("secondary.db"), "nonsense".repeat(1000)).unwrap(),
        Then::WithoutHistory,
    ),
    (
        "history: flipped",
        From::Stopped,
        |data| flip(&data.join("secondary.db"), 5),
        Then::WithoutHistory,
    ),
];

/// Why the outcome is another one, if it is.
fn wrong(from: From, damage: Damage, then: &Then) -> Option<String> {
    let good = match from {
        From::Killed => &good().killed,
        From::Stopped => &good().stopped,
    };
    let place = Place::new();
    copy(&good.data(), &place.data());
    damage(&place.data());
    let started = place.try_start(&start());
    if place.said().contains("panicked") {
        return Some(format!("it panicked: {}", place.said()));
    }
    let broker = match (started, then) {
        (Err(refusal), Then::Refused(parts)) => {
            let sentence = refusal.sentence();
            let fits = refusal.code == Some(1) && parts.iter().all(|part| sentence.contains(part));
            return (!fits).then(|| format!("{:?}: {sentence}", refusal.code));
        }
        (Err(refusal), Then::Healed | Then::WithoutHistory | Then::Told(_)) => {
            return Some(refusal.sentence().to_owned());
        }
        (Ok(_), Then::Refused(_)) => return Some(format!("it started:\n{}", place.said())),
        (Ok(_), Then::Told(text)) => {
            until("it is told", VISIBLE, || {
                place.said().contains(text).then_some(())
            });
            return None;
        }
        (Ok(broker), Then::Healed | Then::WithoutHistory) => broker,
    };
    let mut client = broker.client();
    let search = |client: &mut crate::client::Client, state: &str| {
        let body = json!({ "filter": { "state": state } });
        client
            .try_post("/v2/process-instances/search", &body)
            .unwrap()
    };
    let body = json!({
        "type": "damaged", "timeout": 60_000, "maxJobsToActivate": 100, "requestTimeout": 5_000,
    });
    let jobs = client.post("/v2/jobs/activation", &body);
    let jobs = jobs["jobs"].as_array().unwrap();
    if jobs.len() != INSTANCES {
        return Some(format!("{} of {INSTANCES} jobs are there", jobs.len()));
    }
    for job in jobs {
        let path = format!("/v2/jobs/{}/completion", job["jobKey"].as_str().unwrap());
        client.post(&path, &json!({}));
    }
    match then {
        Then::WithoutHistory => {
            let answer = search(&mut client, "COMPLETED");
            if answer.status < 500 || !answer.body.contains("the secondary storage") {
                return Some(format!("the search answered {answer:?}"));
            }
        }
        Then::Healed | Then::Refused(_) | Then::Told(_) => {
            until("all are completed", VISIBLE, || {
                let items = search(&mut client, "COMPLETED").json();
                (items["items"].as_array().map(Vec::len) == Some(INSTANCES)).then_some(())
            })
        }
    }
    let code = broker.stop().code();
    if code != Some(0) || place.said().contains("panicked") {
        return Some(format!("it ended with {code:?}: {}", place.said()));
    }
    None
}

#[test]
fn damage_is_healed_or_refused_by_name() {
    let found: Vec<String> = CASES
        .iter()
        .filter_map(|(about, from, damage, then)| {
            Some(format!(
                "{about} ({from:?}): {}",
                wrong(*from, *damage, then)?
            ))
        })
        .collect();
    assert!(
        found.is_empty(),
        "{} of {}:\n{}",
        found.len(),
        CASES.len(),
        found.join("\n")
    );
    eprintln!("bad files: {} cases", CASES.len());
}
