//! Probes, redirects, metrics.
//!
//! The partitions of the backend change their role while the gateway runs; probes have to follow.

use ringflow_io::Role;

use crate::fake::{self, Fake, Http, Running, http, start};

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
