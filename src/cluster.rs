//! `ringflow cluster`: shows the replicas of a running cluster and moves its leaders.
//!
//! Talks to the management port of any broker, which knows the others. Positions are what each
//! broker last told, at most half a second old; the lag of a replica is counted from its partition's
//! leader. Moving a leader is a wish: the command ends when it was taken, not when it came true.

use std::io::Write as _;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::arguments::{ClusterAction, ClusterCommand, Failure};

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
                let cluster = ask(at, "GET", "/actuator/cluster").await?;
                std::io::stdout().write_all(table(&cluster).as_bytes())?;
            }
            Some(ClusterAction::Transfer { partition, broker }) => {
                let path = format!("/actuator/cluster/partitions/{partition}/leader/{broker}");
                ask(at, "POST", &path).await?;
                say("asked; the leader hands over when the broker has caught up\n")?;
            }
            Some(ClusterAction::Rebalance) => {
                let answer = ask(at, "POST", "/actuator/rebalance").await?;
                say(&format!(
                    "asked {} leader(s) to hand over\n",
                    answer["asked"]
                ))?;
            }
        }
        Ok(())
    })
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

async fn ask(at: &str, method: &str, path: &str) -> Result<Value, Failure> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = hyper::Request::builder()
        .method(method)
        .uri(format!("http://{at}{path}"))
        .body(Full::new(Bytes::new()))?;
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
        for replica in broker["partitions"].as_array().unwrap_or(&empty) {
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
        out += &format!("broker {} is not up\n", broker["id"]);
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
        ]});
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
        assert_eq!(lines[3], "broker 2 is not up");
    }
}
