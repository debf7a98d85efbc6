//! The management port: probes say UP while the broker serves, and every number has its known name.
//!
//! Names that dashboards and alerts of Zeebe use are listed here by hand: renaming one breaks them.

use serde_json::json;

use crate::broker::{Place, Start};
use crate::models;

#[test]
fn probes_say_up_and_redirect() {
    let place = Place::new();
    let broker = place.start(&Start::default());
    let mut probe = broker.probe();
    for path in ["", "/status", "/readiness", "/startup", "/liveness"] {
        let answer = probe.get(&format!("/actuator/health{path}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json(), json!({ "status": "UP" }), "{path}");
    }
    for (path, to) in [
        ("/ready", "readiness"),
        ("/health", "status"),
        ("/startup", "startup"),
    ] {
        let answer = probe.get(path);
        assert_eq!(answer.status, 301, "{path}: {answer:?}");
        assert_eq!(
            answer.header("location"),
            Some(format!("/actuator/health/{to}").as_str())
        );
    }
    let info = probe.get("/actuator/info").json();
    assert_eq!(info["build"]["name"], "ringflow", "{info}");
    assert_eq!(info["build"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(probe.get("/v2/topology").status, 404);
    assert_eq!(
        probe
            .send("POST", "/actuator/health", &[], &[])
            .unwrap()
            .status,
        405
    );
    assert_eq!(broker.client().get("/actuator/health").status, 404);
    assert_eq!(broker.client().get("/v2/status").status, 204);
    let topology = broker.client().get("/v2/topology").json();
    assert_eq!(topology["brokers"][0]["partitions"][0]["health"], "healthy");
    assert_eq!(broker.stop().code(), Some(0));
    place.assert_no_panic();
}

/// The value of a sample whose line starts so.
fn sample(text: &str, start: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(start))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn numbers_have_the_names_that_dashboards_know_and_move() {
    let place = Place::new();
    let broker = place.start(&Start::with(&["--partitions", "2"]));
    let mut client = broker.client();
    client.deploy("a.bpmn", &models::task("numbers")).unwrap();
    for _ in 0..4 {
        client.post(
            "/v2/process-instances",
            &json!({ "processDefinitionId": "numbers" }),
        );
    }
    client
        .try_post("/v2/process-instances", &json!({ "nonsense": 1 }))
        .unwrap();
    let answer = broker.probe().get("/actuator/prometheus");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text"),
        "{answer:?}"
    );
    let text = answer.body;
    assert!(text.ends_with("# EOF\n"));
    let histograms: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" histogram"))
        .collect();
    assert!(histograms.len() > 5, "{histograms:?}");
    for name in histograms {
        let lines = |start: String| text.lines().filter(move |line| line.starts_with(&start));
        // Without the last bucket a histogram has no quantiles.
        let last = lines(format!("{name}_bucket")).filter(|line| line.contains("le=\"+Inf\""));
        assert_eq!(
            last.count(),
            lines(format!("{name}_count")).count(),
            "{name}"
        );
    }
    for name in [
        "zeebe_received_request_count_total",
        "zeebe_dropped_request_count_total",
        "zeebe_stream_processor_records_total",
        "zeebe_stream_processor_last_processed_position",
        "zeebe_stream_processor_processing_duration_seconds_bucket",
        "zeebe_log_appender_record_appended_total",
        "zeebe_log_appender_last_committed_position",
        "zeebe_log_appender_commit_latency_seconds_bucket",
        "zeebe_backpressure_inflight_requests_count",
        "zeebe_backpressure_requests_limit",
        "zeebe_exporter_last_exported_position",
        "zeebe_exporter_events_total",
        "zeebe_snapshot_count_total",
        "zeebe_health",
        "atomix_role",
        "ringflow_last_persisted_position",
        "ringflow_engine_faults_total",
    ] {
        for partition in ["1", "2"] {
            let label = format!("partition=\"{partition}\"");
            assert!(
                text.lines()
                    .any(|line| line.starts_with(name) && line.contains(&label)),
                "{name} of partition {partition} is missing in\n{text}"
            );
        }
    }
    for name in [
        "zeebe_gateway_total_requests_total",
        "ringflow_rest_requests_total",
    ] {
        assert!(
            sample(&text, name).is_some_and(|value| value > 0.0),
            "{name}\n{text}"
        );
    }
    for partition in ["1", "2"] {
        let health = format!("zeebe_health{{partition=\"{partition}\"}}");
        assert_eq!(sample(&text, &health), Some(1.0), "{text}");
        let faults = format!("ringflow_engine_faults_total{{partition=\"{partition}\"}}");
        assert_eq!(sample(&text, &faults), Some(0.0), "{text}");
        let received = format!("zeebe_received_request_count_total{{partition=\"{partition}\"}}");
        assert!(sample(&text, &received) >= Some(2.0), "{text}");
    }
    assert_eq!(broker.stop().code(), Some(0));
    place.assert_no_panic();
}
