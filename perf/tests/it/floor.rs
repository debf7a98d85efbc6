//! The canonical workload against the floor: counts add up, files parse back, percentiles are sane.

use std::path::Path;
use std::process::{Command, Output};

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

fn perf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringflow-perf"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn run(dir: &Path, options: &[&str]) -> (String, Value) {
    let json = dir.join("result.json");
    let out = dir.join("out");
    let mut arguments = vec!["floor", "--dir", dir.to_str().unwrap(), "--log-mib", "8"];
    arguments.extend(["--rate", "60", "--duration", "2s", "--warmup", "300ms"]);
    arguments.extend([
        "--json",
        json.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    arguments.extend(options);
    let output = perf(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let report = serde_json::from_str(&text(&json)).unwrap();
    (String::from_utf8(output.stdout).unwrap(), report)
}

#[test]
fn the_canonical_workload_against_the_floor() {
    let dir = tempfile::tempdir().unwrap();
    let (page, report) = run(dir.path(), &[]);

    let starts = &report["starts"];
    assert_eq!(starts["due"], 120, "{page}");
    for (fate, count) in [
        ("created", 120),
        ("completed", 120),
        ("rejected", 0),
        ("failed", 0),
    ] {
        assert_eq!(starts[fate], count, "{fate}: {page}");
    }
    assert_eq!(starts["unfinished"], 0);
    assert_eq!(starts["foreign"], 0);
    assert_eq!(report["errors"].as_array().unwrap().len(), 0, "{page}");

    let of = |op: &str, field: &str| report["operations"][op][field].as_f64().unwrap();
    for op in ["create", "activated", "completed", "lag"] {
        assert_eq!(of(op, "count"), 120.0, "{op}");
        let percentiles = ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map(|p| of(op, p));
        assert!(
            percentiles.is_sorted() && percentiles[0] > 0.0,
            "{op}: {percentiles:?}"
        );
    }
    // Completed follows activated for every instance, so its percentiles are not lower.
    assert!(of("completed", "p50_ms") >= of("activated", "p50_ms"));
    assert!(of("completed", "p50_ms") < 1_000.0);
    let flushes = report["floor"]["flush"]["count"].as_u64().unwrap();
    assert!(
        flushes > 0 && flushes <= 2 * 138 + 4,
        "one flush at most per record: {flushes}"
    );
    assert!(report["server"]["cpu_us_per_instance"].as_f64().unwrap() > 0.0);
    assert!(page.starts_with("rate "), "{page}");
    assert!(
        !dir.path().join("ringflow-perf-floor.log").exists(),
        "the log is removed"
    );
}

#[test]
fn the_result_files_parse_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_, report) = run(dir.path(), &["--arrival", "poisson", "--seed", "9"]);
    let created = report["starts"]["created"].as_u64().unwrap();

    let log = text(&dir.path().join("out/one-task.hlog"));
    let mut creates = 0;
    let mut ends = 0.0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(line) = entry.unwrap() else {
            continue;
        };
        if line.tag().unwrap().as_str() == "create" {
            creates += 1;
            ends = line.start_timestamp().as_secs_f64() + line.duration().as_secs_f64();
            assert!(line.max() > 0.0);
        }
    }
    assert!(creates >= 2, "one interval a second: {log}");
    assert!(ends >= 1.9, "the intervals cover the run: {ends}");

    let distribution = text(&dir.path().join("out/one-task.create.hgrm"));
    let summary = distribution
        .lines()
        .find(|line| line.starts_with("#[Max"))
        .unwrap();
    let total = summary
        .rsplit('=')
        .next()
        .unwrap()
        .trim_end_matches(']')
        .trim();
    assert_eq!(total.parse::<u64>().unwrap(), created);
}

#[test]
fn with_result_and_a_closed_loop() {
    let dir = tempfile::tempdir().unwrap();
    let options = [
        "--workload",
        "with-result",
        "--mode",
        "closed",
        "--concurrency",
        "4",
    ];
    let (page, report) = run(dir.path(), &options);
    let count = |op: &str| report["operations"][op]["count"].as_u64().unwrap();
    assert!(count("with-result") > 4, "{page}");
    assert_eq!(count("with-result"), count("completed"));
    assert!(report["setup"]["rate_asked_per_s"].is_null());
    assert!(
        page.contains("closed loop"),
        "the page says what a closed loop hides"
    );
}

#[test]
fn polling_alone_serves_the_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let (page, report) = run(dir.path(), &["--streams", "0", "--pollers", "2"]);
    assert_eq!(report["starts"]["completed"], 120, "{page}");
}
