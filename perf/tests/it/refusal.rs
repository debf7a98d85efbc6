//! What the program refuses, and that it says why instead of printing numbers.

use std::process::Command;

fn refused(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ringflow-perf"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{arguments:?} must fail");
    assert!(output.stdout.is_empty(), "no numbers beside a refusal");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn no_server_is_an_error_with_its_address() {
    let error = refused(&["--target", "127.0.0.1:1", "--timeout", "2s"]);
    assert!(error.contains("127.0.0.1:1"), "{error}");
    let error = refused(&["--protocol", "rest", "--rest", "http://127.0.0.1:1"]);
    assert!(error.contains("deploy"), "{error}");
}

#[test]
fn bounds_are_named() {
    assert!(refused(&["--rate", "0"]).contains("above 0"));
    assert!(refused(&["--duration", "2d"]).contains("ms, s, m, h"));
    assert!(refused(&["floor", "--dir", "/tmp", "--workload", "timers"]).contains("one-task"));
    assert!(refused(&["find-max", "--mode", "closed"]).contains("open loop"));
}

#[test]
fn a_floor_result_is_not_planned_with() {
    let dir = tempfile::tempdir().unwrap();
    let (json, path) = (dir.path().join("r.json"), dir.path().to_str().unwrap());
    let json = json.to_str().unwrap();
    let run = [
        "floor",
        "--dir",
        path,
        "--log-mib",
        "8",
        "--rate",
        "20",
        "--duration",
        "500ms",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_ringflow-perf"))
        .args(run)
        .args(["--warmup", "0s", "--json", json])
        .output()
        .unwrap();
    assert!(output.status.success());
    let plan = [
        "plan",
        "--instances-per-s",
        "10",
        "--retention-days",
        "1",
        "--json",
        json,
    ];
    assert!(refused(&plan).contains("floor"));
}
