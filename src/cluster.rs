//! `ringflow cluster`: shows the replicas of a running cluster, moves its leaders, changes it.
//!
//! Talks to the management port of any broker, which knows the others. Positions are what each
//! broker last told, at most half a second old; the lag of a replica is counted from its partition's
//! leader. Moving a leader is a wish: the command ends when it was taken, not when it came true. A change
//! of the cluster goes on by itself; `--wait` looks until it has ended.

use std::io::Write as _;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::arguments::{ClusterAction, ClusterChange, ClusterCommand, Failure};

/// Time between looks at a change that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Runs the command.
///
/// # Errors
/// If the broker cannot be reached or refuses.
pub(crate) fn run(command: &ClusterCommand) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let at = &command.management_address;
    runtime.block_on(async {
        match &command.action {
            None => {
                let cluster = ask(at, "GET", "/actuator/cluster", None).await?;
                std::io::stdout().write_all(table(&cluster).as_bytes())?;
            }
            Some(ClusterAction::Transfer { partition, broker }) => {
                let path = format!("/actuator/cluster/partitions/{partition}/leader/{broker}");
                ask(at, "POST", &path, None).await?;
                say("asked; the leader hands over when the broker has caught up\n")?;
            }
            Some(ClusterAction::Rebalance) => {
                let answer = ask(at, "POST", "/actuator/rebalance", None).await?;
                say(&format!(
                    "asked {} leader(s) to hand over\n",
                    answer["asked"]
                ))?;
            }
            Some(ClusterAction::Change(wanted)) => change(at, wanted).await?,
            Some(ClusterAction::Cancel { change }) => {
                let path = format!("/actuator/cluster/changes/{change}");
                ask(at, "DELETE", &path, None).await?;
                say("the change is given up; what was done stays\n")?;
            }
        }
        Ok(())
    })
}

async fn change(at: &str, wanted: &ClusterChange) -> Result<(), Failure> {
    let path = format!(
        "/actuator/cluster?dryRun={}&force={}",
        wanted.dry_run, wanted.force
    );
    let mut body = json!({ "brokers": { "add": wanted.add, "remove": wanted.remove } });
    if let Some(factor) = wanted.replication_factor {
        body["partitions"] = json!({ "replicationFactor": factor });
    }
    let planned = ask(at, "PATCH", &path, Some(&body)).await?;
    let mut text = String::new();
    for operation in planned["plannedChanges"].as_array().into_iter().flatten() {
        text += &line(operation);
    }
    let id = planned["changeId"].as_u64().unwrap_or_default();
    text += &match (wanted.dry_run, text.is_empty()) {
        (_, true) => "nothing to do\n".to_owned(),
        (true, false) => "nothing was done\n".to_owned(),
        (false, false) => format!("change {id} has begun\n"),
    };
    let begun = !wanted.dry_run && !text.starts_with("nothing");
    say(&text)?;
    if begun && wanted.wait {
        wait(at, id).await?;
    }
    Ok(())
}

/// Looks until change `id` has ended.
async fn wait(at: &str, id: u64) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let cluster = ask(at, "GET", "/actuator/cluster", None).await?;
        let last = &cluster["lastChange"];
        if last["id"].as_u64().is_some_and(|ended| ended >= id) {
            let how = last["status"].as_str().unwrap_or("?").to_lowercase();
            return say(&format!("change {id} is {how}\n"));
        }
    }
}

/// An operation as one line.
fn line(operation: &Value) -> String {
    let mut out = operation["operation"].as_str().unwrap_or("?").to_owned();
    let number = |name: &str| operation[name].as_u64();
    if let Some(partition) = number("partitionId") {
        out += &format!(" partition {partition}");
    }
    out += &format!(" broker {}", number("brokerId").unwrap_or_default());
    if let Some(priority) = number("priority") {
        out += &format!(" priority {priority}");
    }
    out.push('\n');
    out
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

async fn ask(at: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    let body = body.map_or(Bytes::new(), |body| Bytes::from(body.to_string()));
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = hyper::Request::builder()
        .method(method)
        .uri(format!("http://{at}{path}"))
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let answer = client
        .request(request)
        .await
        .map_err(|error| Failure(format!("no broker answers at {at}: {error}")))?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        let told: Option<Value> = serde_json::from_slice(&bytes).ok();
        let why = told.and_then(|told| told["message"].as_str().map(str::to_owned));
        return Err(Failure(
            why.unwrap_or_else(|| format!("{method} {path} answered {status}")),
        ));
    }
    Ok(serde_json::from_slice(&bytes)?)
}

/// One line per replica, by partition, the leader first.
fn table(cluster: &Value) -> String {
    let mut rows: Vec<(u64, bool, u64, &Value)> = Vec::new();
    let empty = Vec::new();
    let brokers = cluster["brokers"].as_array().unwrap_or(&empty);
    for broker in brokers {
        let node = broker["id"].as_u64().unwrap_or_default();
        let replicas = broker["partitions"].as_array().unwrap_or(&empty).iter();
        // What is said of a replica whose broker is not up is only where it belongs.
        for replica in replicas.filter(|replica| replica["role"].is_string()) {
            let partition = replica["id"].as_u64().unwrap_or_default();
            rows.push((partition, replica["role"] != "leader", node, replica));
        }
    }
    rows.sort_by_key(|(partition, follows, node, _)| (*partition, *follows, *node));
    let mut out = format!(
        "{:>9} {:>6} {:<9} {:<9} {:>8} {:>5} {:>14} {:>10}\n",
        "partition", "broker", "role", "health", "priority", "term", "position", "lag"
    );
    let mut lead = (0, None);
    for (partition, follows, node, replica) in rows {
        let position = replica["position"].as_u64().unwrap_or_default();
        if lead.0 != partition {
            lead = (partition, (!follows).then_some(position));
        }
        let lag = lead.1.map_or("?".to_owned(), |leader| {
            leader.saturating_sub(position).to_string()
        });
        let text = |name: &str| replica[name].as_str().unwrap_or("?").to_owned();
        let (role, health) = (text("role"), text("health"));
        let (priority, term) = (&replica["priority"], &replica["term"]);
        out += &format!(
            "{partition:>9} {node:>6} {role:<9} {health:<9} {priority:>8} {term:>5} {position:>14} {lag:>10}\n"
        );
    }
    for broker in brokers.iter().filter(|broker| broker["state"] != "ACTIVE") {
        out += &match broker["state"].as_str() {
            Some("JOINING") => format!("broker {} joins\n", broker["id"]),
            Some("LEAVING") => format!("broker {} leaves\n", broker["id"]),
            Some(_) | None => format!("broker {} is not up\n", broker["id"]),
        };
    }
    let pending = &cluster["pendingChange"];
    if let (Some(done), Some(left)) = (
        pending["completed"].as_array(),
        pending["pending"].as_array(),
    ) {
        let of = done.len() + left.len();
        out += &format!(
            "change {}: {} of {of} operations are done",
            pending["id"],
            done.len()
        );
        let next = left.first().map(line);
        out += &next.map_or("\n".to_owned(), |next| format!(", next: {next}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_leaders_first_and_how_far_the_others_are() {
        let replica = |role: &str, position: u64| {
            serde_json::json!({
                "id": 1, "role": role, "health": "healthy", "priority": 3, "term": 4,
                "position": position
            })
        };
        let cluster = serde_json::json!({ "brokers": [
            { "id": 0, "state": "ACTIVE", "partitions": [replica("follower", 90)] },
            { "id": 1, "state": "ACTIVE", "partitions": [replica("leader", 100)] },
            { "id": 2, "state": "UNKNOWN", "partitions": [] },
            { "id": 3, "state": "JOINING", "partitions": [] },
        ], "pendingChange": { "id": 7, "completed": [], "pending": [
            { "operation": "PARTITION_JOIN", "brokerId": 3, "partitionId": 1, "priority": 2 }
        ]}});
        let table = table(&cluster);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[1].contains("leader") && lines[1].ends_with(" 0"),
            "{table}"
        );
        assert!(
            lines[2].contains("follower") && lines[2].ends_with(" 10"),
            "{table}"
        );
        assert_eq!(lines[3..5], ["broker 2 is not up", "broker 3 joins"]);
        let next = "next: PARTITION_JOIN partition 1 broker 3 priority 2";
        assert_eq!(
            lines[5],
            format!("change 7: 0 of 1 operations are done, {next}")
        );
    }
}
