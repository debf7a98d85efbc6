//! Probes, redirects, metrics, the cluster and its changes.
//!
//! The partitions of the backend change their role while the gateway runs; probes have to follow.

use std::sync::Arc;

use ringflow_core::ids::PartitionId;
use ringflow_io::{ChangeRequest, Role};

use crate::fake::{self, Fake, Http, Running, http, start};
use crate::proto;

async fn get(running: &Running, path: &str) -> Http {
    let url = format!("http://{}{path}", running.gateway.management);
    http("GET", &url, &[], Vec::new()).await
}

#[tokio::test]
async fn probes_follow_the_partitions() {
    let running = start(Fake::new(2, fake::echo)).await;
    *running.fake.role.lock().unwrap() = Role::Inactive;
    for (path, status) in [
        ("/actuator/health", 503),
        ("/actuator/health/status", 503),
        ("/actuator/health/readiness", 503),
        ("/actuator/health/startup", 503),
        ("/actuator/health/liveness", 200),
    ] {
        assert_eq!(get(&running, path).await.status, status, "{path}");
    }
    // A broker whose replicas follow is ready, although nobody leads as far as it knows.
    *running.fake.role.lock().unwrap() = Role::Follower;
    for (path, status) in [
        ("/actuator/health", 503),
        ("/actuator/health/readiness", 200),
    ] {
        assert_eq!(get(&running, path).await.status, status, "{path}");
    }
    *running.fake.role.lock().unwrap() = Role::Leader;
    let answer = get(&running, "/actuator/health/readiness").await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, "{\"status\":\"UP\"}")
    );
    *running.fake.role.lock().unwrap() = Role::Inactive;
    assert_eq!(
        get(&running, "/actuator/health/readiness").await.status,
        503
    );
    assert_eq!(
        get(&running, "/actuator/health/startup").await.status,
        200,
        "it did start"
    );
    for (path, to) in [
        ("/ready", "/actuator/health/readiness"),
        ("/health", "/actuator/health/status"),
        ("/startup", "/actuator/health/startup"),
    ] {
        let answer = get(&running, path).await;
        assert_eq!(answer.status, 301);
        assert_eq!(answer.headers["location"], to);
    }
    assert_eq!(get(&running, "/nowhere").await.status, 404);
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_read() {
    let running = start(Fake::new(1, fake::echo)).await;
    let body = serde_json::json!({"processDefinitionId": "p"});
    running.post("/process-instances", body).await;
    let answer = get(&running, "/actuator/prometheus").await;
    assert_eq!(answer.status, 200);
    for line in [
        "zeebe_gateway_total_requests_total{partition=\"1\",\
         requestType=\"PROCESS_INSTANCE_CREATION_CREATE\"} 1",
        "zeebe_health{partition=\"1\"} 1",
        "atomix_role{partitionGroupName=\"raft-partition\",partition=\"1\"} 3",
        "ringflow_rest_requests_total{operation=\"createProcessInstance\",status=\"200\"} 1",
    ] {
        assert!(
            answer.text.contains(line),
            "{line} is not in\n{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn the_cluster_is_shown_and_its_leaders_are_asked() {
    let running = start(Fake::new(2, fake::echo)).await;
    let shown = get(&running, "/actuator/cluster").await;
    assert_eq!(shown.status, 200);
    let shown: serde_json::Value = serde_json::from_str(&shown.text).unwrap();
    assert_eq!(shown["clusterSize"], 1);
    let replica = &shown["brokers"][0]["partitions"][1];
    assert_eq!(
        (&replica["id"], &replica["role"]),
        (&2.into(), &"leader".into())
    );
    for (path, status) in [
        ("/actuator/rebalance", 202),
        ("/actuator/cluster/partitions/1/leader/0", 202),
        ("/actuator/cluster/partitions/1/leader/7", 404),
        ("/actuator/cluster/partitions/9/leader/0", 404),
    ] {
        let url = format!("http://{}{path}", running.gateway.management);
        let answer = http("POST", &url, &[], Vec::new()).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn changes_of_the_cluster_are_asked_for_in_camundas_shapes() {
    let fake = Fake::new(2, fake::echo);
    let running = start(Arc::clone(&fake)).await;
    let set = |brokers: &[u32]| brokers.iter().copied().collect();
    let patch = |add: &[u32], remove: &[u32], replication_factor| ChangeRequest::Patch {
        add: set(add),
        remove: set(remove),
        replication_factor,
    };
    let scale = |brokers: &[u32], replication_factor| ChangeRequest::Scale {
        brokers: set(brokers),
        replication_factor,
    };
    let partition = PartitionId(2);
    let broker = 3;
    let cases = [
        (
            "PATCH",
            "",
            r#"{"brokers": {"add": [3], "remove": [0]}}"#,
            patch(&[3], &[0], None),
        ),
        (
            "PATCH",
            "",
            r#"{"partitions": {"replicationFactor": 2, "count": 2}}"#,
            patch(&[], &[], Some(2)),
        ),
        (
            "PATCH",
            "",
            r#"{"brokers": {"count": 3}}"#,
            scale(&[0, 1, 2], None),
        ),
        (
            "PATCH",
            "?force=true",
            r#"{"brokers": {"remove": [2]}}"#,
            ChangeRequest::ForceRemove { brokers: set(&[2]) },
        ),
        (
            "POST",
            "/brokers?replicationFactor=1",
            "[0, 4]",
            scale(&[0, 4], Some(1)),
        ),
        (
            "POST",
            "/brokers?force=true",
            "[0, 4]",
            ChangeRequest::ForceKeep {
                brokers: set(&[0, 4]),
            },
        ),
        (
            "POST",
            "/brokers/3",
            "",
            ChangeRequest::Add { brokers: set(&[3]) },
        ),
        (
            "DELETE",
            "/brokers/3",
            "",
            ChangeRequest::Remove { brokers: set(&[3]) },
        ),
        (
            "POST",
            "/brokers/3/partitions/2",
            r#"{"priority": 5}"#,
            ChangeRequest::Join {
                broker,
                partition,
                priority: 5,
            },
        ),
        (
            "DELETE",
            "/partitions/2/brokers/3?dryRun=true",
            "",
            ChangeRequest::Leave { broker, partition },
        ),
    ];
    for (method, path, body, expected) in cases {
        let url = format!(
            "http://{}/actuator/cluster{path}",
            running.gateway.management
        );
        let answer = http(method, &url, &[], body.as_bytes().to_vec()).await;
        assert_eq!(answer.status, 202, "{method} {path}: {}", answer.text);
        let asked = fake.changes.lock().unwrap().pop();
        assert_eq!(asked, Some((expected, path.contains("dryRun"))), "{path}");
        let shown: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(shown["changeId"], 1);
        let planned = serde_json::json!([{ "operation": "BROKER_ADD", "brokerId": 1 }]);
        assert_eq!(shown["plannedChanges"], planned);
        for topology in ["currentTopology", "expectedTopology"] {
            let replica = &shown[topology][0]["partitions"][1];
            assert_eq!(
                (&replica["id"], &replica["state"]),
                (&2.into(), &"ACTIVE".into())
            );
        }
    }
    for (method, path, body, status) in [
        ("PATCH", "", r#"{"brokers": {"add": ["x"]}}"#, 400),
        ("PATCH", "", r#"{"brokers": {"count": 3, "add": [3]}}"#, 400),
        ("PATCH", "", r#"{"partitions": {"count": 9}}"#, 501),
        ("PATCH", "?force=true", r#"{"brokers": {"add": [3]}}"#, 400),
        ("PATCH", "?dryRun=maybe", "{}", 400),
        ("PATCH", "", "nonsense", 400),
        ("POST", "/brokers", "{}", 400),
        ("POST", "/brokers/3/partitions/2", "{}", 400),
        ("POST", "/brokers/x", "", 400),
        ("DELETE", "/changes/x", "", 400),
        ("DELETE", "/changes/1?dryRun=true", "", 501),
        ("DELETE", "/changes/9", "", 409),
        ("DELETE", "/changes/1", "", 200),
        ("GET", "/changes/1", "", 404),
        ("GET", "/changes", "", 200),
    ] {
        let url = format!(
            "http://{}/actuator/cluster{path}",
            running.gateway.management
        );
        let answer = http(method, &url, &[], body.as_bytes().to_vec()).await;
        assert_eq!(
            answer.status, status,
            "{method} {path} {body}: {}",
            answer.text
        );
    }
    let shown = get(&running, "/actuator/cluster").await;
    let shown: serde_json::Value = serde_json::from_str(&shown.text).unwrap();
    assert_eq!(
        (&shown["version"], &shown["brokers"][0]["version"]),
        (&1.into(), &1.into())
    );
    assert_eq!(shown["routing"]["requestHandling"]["partitionCount"], 2);
}

#[tokio::test]
async fn the_clock_is_read_moved_and_refuses_what_is_no_time() {
    let running = start(Fake::new(1, fake::echo)).await;
    let at = |path: &str| format!("http://{}{path}", running.gateway.management);
    let time = |answer: &Http| (answer.status, answer.json()["epochMilli"].as_i64());
    let shown = get(&running, "/actuator/clock").await;
    assert_eq!(time(&shown), (200, Some(1_700_000_000_000)));
    assert_eq!(shown.json()["instant"], "2023-11-14T22:13:20Z");
    let json_type = [("content-type", "application/json")];
    let post = async |change: &str, body: &str| {
        let url = at(&format!("/actuator/clock/{change}"));
        http("POST", &url, &json_type, body.as_bytes().to_vec()).await
    };
    let added = post("add", "{\"offsetMilli\":1500}").await;
    assert_eq!(time(&added), (200, Some(1_700_000_001_500)));
    let pinned = post("pin", "{\"epochMilli\":1000}").await;
    assert_eq!(time(&pinned), (200, Some(1000)));
    for (change, body) in [
        ("pin", "{}"),
        ("pin", "{\"epochMilli\":-1}"),
        ("add", "{\"epochMilli\":1}"),
        ("add", "1"),
        ("turn", "{}"),
    ] {
        let refused = post(change, body).await;
        assert_eq!(refused.status, 400, "{change} {body} {refused:?}");
    }
    let refused = http("DELETE", &at("/actuator/clock"), &[], Vec::new()).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.text.contains("zeebe.clock.controlled"));
}

#[tokio::test]
async fn streams_replicas_and_levels_are_shown() {
    let running = start(Fake::new(2, fake::echo)).await;
    let empty = get(&running, "/actuator/jobstreams").await;
    assert_eq!(
        (empty.status, empty.json()),
        (200, serde_json::json!({"remote": [], "client": []}))
    );
    let mut client = running.grpc().await;
    let wanted = proto::StreamActivatedJobsRequest {
        r#type: "pay".into(),
        worker: "w".into(),
        timeout: 30_000,
        fetch_variable: vec!["a".into()],
        ..proto::StreamActivatedJobsRequest::default()
    };
    let _first = client.stream_activated_jobs(wanted.clone()).await.unwrap();
    let _second = client.stream_activated_jobs(wanted).await.unwrap();
    let metadata = serde_json::json!({"worker": "w", "timeout": "PT30S", "fetchVariables": ["a"]});
    let remote = get(&running, "/actuator/jobstreams/remote").await.json();
    assert_eq!(remote.as_array().unwrap().len(), 1, "{remote}");
    assert_eq!(remote[0]["jobType"], "pay");
    assert_eq!(remote[0]["metadata"], metadata);
    assert_eq!(remote[0]["consumers"].as_array().unwrap().len(), 2);
    assert_eq!(remote[0]["consumers"][0]["receiver"], "0");
    let both = get(&running, "/actuator/jobstreams/client").await.json();
    assert_eq!(both.as_array().unwrap().len(), 2, "{both}");
    assert_eq!(both[1]["metadata"], metadata);
    assert_eq!(both[1]["connectedTo"], serde_json::json!([0]));
    assert_ne!(both[0]["id"], both[1]["id"]);
    let refused = get(&running, "/actuator/jobstreams/other").await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"],
        "No known stream type 'other'; should be one of [client, remote]"
    );

    let partitions = get(&running, "/actuator/partitions").await.json();
    assert_eq!(partitions.as_object().unwrap().len(), 2, "{partitions}");
    assert_eq!(partitions["1"]["role"], "LEADER");
    assert_eq!(partitions["1"]["streamProcessorPhase"], "PROCESSING");
    assert_eq!(partitions["1"]["exporterPhase"], "EXPORTING");
    assert!(partitions["2"]["processedPosition"].is_i64());
    *running.fake.role.lock().unwrap() = Role::Follower;
    let partitions = get(&running, "/actuator/partitions").await.json();
    assert_eq!(partitions["2"]["streamProcessorPhase"], "REPLAY");
    assert_eq!(partitions["2"]["exporterPhase"], "CLOSED");

    // This gateway was started without anything that logs.
    assert_eq!(get(&running, "/actuator/loggers").await.status, 501);
}
