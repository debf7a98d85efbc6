//! Fixtures: a sketch of a process, commands, and the records that each command writes.
//!
//! A case is one file in `fixture/bpmn/<area>/`. Above the line `---` stands the sketch (see
//! `sketch`), below it the script: a line that begins with `>` is a command, the lines behind it are
//! its records. `BLESS=1` writes the records as they are; what is committed has been read and
//! checked. Leader and follower are compared after every step, and a script leaves no rows unless
//! its last line is `> stays`.
//!
//! Records are written short: element records without their value type, events of one element that
//! follow each other on one line, the records of handing out jobs not at all.

use std::path::{Path, PathBuf};

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::{Intent, Record, RecordType};

use super::harness::text;
use super::script::Script;
use super::sketch;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/bpmn")
}

/// All cases, in order of their paths.
fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for area in std::fs::read_dir(directory()).unwrap() {
        let area = area.unwrap().path();
        if area.is_dir() {
            let files = std::fs::read_dir(area).unwrap();
            cases.extend(files.map(|file| file.unwrap().path()));
        }
    }
    cases.sort();
    cases
}

/// What a command wrote, as fixtures show it.
fn shown(records: &[Record]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut last: Option<(Key, String)> = None;
    for record in records {
        if record.intent == Intent::JobBatch(of::JobBatch::Activate)
            || record.intent == Intent::JobBatch(of::JobBatch::Activated)
        {
            continue;
        }
        let line = nameless(text(std::slice::from_ref(record)).trim_end());
        let Intent::ProcessInstance(_) = record.intent else {
            lines.push(line);
            last = None;
            continue;
        };
        let line = line.replacen("PROCESS_INSTANCE ", "", 1);
        let kind = if record.record_type == RecordType::Event {
            "E "
        } else {
            ""
        };
        let (intent, element) = line[2..].split_once(' ').unwrap();
        // Events of one instance in a row share a line.
        let this = (record.key, element.to_owned());
        if kind == "E " && last.as_ref() == Some(&this) {
            let line = lines.last_mut().unwrap();
            let at = line.len() - element.len() - 1;
            line.insert_str(at, &format!(", {}", intent.trim_start_matches("ELEMENT_")));
            continue;
        }
        last = (kind == "E ").then_some(this);
        lines.push(line);
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Keys depend on how many records stand in front: texts show them as `#`.
fn nameless(line: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in line.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if digits.len() >= 13 {
            out.push('#');
        } else {
            out.push_str(&digits);
        }
        digits.clear();
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// Runs a case; the file as it should be.
fn run(source: &str) -> String {
    let (sketch, script) = source.split_once("---\n").expect("a line ---");
    let mut run = Script::default();
    for files in sketch::deployments(sketch) {
        run.deploy(&files);
    }
    let mut out = format!("{sketch}---\n");
    let mut stays = false;
    for line in script.lines() {
        if line.starts_with('#') {
            out.push_str(&format!("{line}\n"));
        }
        let Some(command) = line.strip_prefix("> ") else {
            continue;
        };
        out.push_str(&format!("> {command}\n"));
        if command == "stays" {
            stays = true;
            continue;
        }
        let from = run.h.log.len();
        run.command(command);
        out.push_str(&shown(&run.h.log[from..]));
    }
    if !stays {
        run.h.assert_clean();
    }
    out
}

/// Puts the model and the script of a case where another engine finds them.
fn draw(case: &Path, source: &str, folder: &Path) {
    let area = case.parent().and_then(Path::file_name).unwrap();
    let name = case.file_stem().unwrap();
    let name = format!("{}__{}", area.display(), name.display());
    let (sketch, _) = source.split_once("---\n").expect("a line ---");
    for (number, files) in sketch::deployments(sketch).iter().enumerate() {
        for (file, text) in files {
            std::fs::write(folder.join(format!("{name}.{number}.{file}")), text).unwrap();
        }
    }
    std::fs::write(folder.join(format!("{name}.txt")), source).unwrap();
}

#[test]
fn every_case_writes_its_records() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let all = cases();
    for case in &all {
        let source = std::fs::read_to_string(case).unwrap();
        println!("{}", case.display());
        if let Some(folder) = std::env::var_os("SKETCHES") {
            draw(case, &source, Path::new(&folder));
        }
        let Ok(actual) = std::panic::catch_unwind(|| run(&source)) else {
            wrong.push(format!("{}: does not run", case.display()));
            continue;
        };
        if actual == source {
            continue;
        }
        if bless {
            std::fs::write(case, actual).unwrap();
            continue;
        }
        let first = actual
            .lines()
            .zip(source.lines())
            .find(|(actual, expected)| actual != expected);
        wrong.push(format!(
            "{}: {}",
            case.display(),
            first.map_or_else(
                || "another number of lines".to_owned(),
                |(actual, expected)| format!("\n  is        {actual}\n  should be {expected}")
            )
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 140, "{} cases", all.len());
}

#[test]
fn no_case_shows_an_engine_fault() {
    for case in cases() {
        let source = std::fs::read_to_string(&case).unwrap();
        // What a client asks to evaluate may fail by itself, and says so in these words.
        let evaluation = |line: &str| line.contains(" EVALUATE");
        let fault = source.lines().any(|line| {
            line.starts_with("  E ERROR CREATED")
                || line.contains("PROCESSING_ERROR") && !evaluation(line)
        });
        assert!(!fault, "{}", case.display());
    }
}
