//! `ringflow demo`: the whole product in one command, without any client installed.
//!
//! Starts a broker on free loopback ports with its data in a temporary directory, then talks to it
//! over REST like any client: deploys a small order process, starts orders, works on their jobs,
//! waits until the search API shows them completed, prints one order's history and the latencies as
//! the client saw them, and stops. Bounded in orders and in time; leaves nothing behind.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::arguments::{DemoOptions, Failure, StartOptions};
use crate::boot::{self, Running};
use crate::config::Config;
use crate::logging;
use crate::settings::Id;

mod rest;

use rest::Rest;

const MODEL: &str = include_str!("demo/order.bpmn");
/// Orders under way at the same time.
const CONCURRENCY: usize = 8;
/// Longest time until history shows what was done.
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);

/// Runs the demonstration.
///
/// # Errors
/// If a part does not start or an answer is not what it should be.
pub(crate) fn run(options: &DemoOptions) -> Result<(), Failure> {
    let directory = Temporary::create()?;
    let mut settings = StartOptions::default().settings()?;
    settings.set(
        Id::DataDirectory,
        directory.0.join("data").display().to_string(),
    );
    for id in [Id::GrpcAddress, Id::RestAddress, Id::ManagementAddress] {
        settings.set(id, "127.0.0.1:0");
    }
    settings.set(Id::SecondaryStorage, "auto");
    settings.set(Id::Unprotected, "true");
    settings.set(Id::LogLevel, "error");
    let config = Config::from_settings(&settings)?;
    logging::begin(&config)?;
    let placement = boot::place(&config)?;
    boot::runtime(placement.gateway_threads)?.block_on(async {
        let begun = Instant::now();
        let running = Running::start(&config, &placement).await?;
        say(format_args!(
            "broker up in {:.0?}: {} partition(s), REST on {}",
            begun.elapsed(),
            placement.partitions,
            running.addresses().rest
        ))?;
        let outcome = orders(Rest::new(running.addresses().rest), options.orders).await;
        running.stop().await;
        outcome
    })
}

async fn orders(rest: Rest, count: u32) -> Result<(), Failure> {
    let deployed = rest.deploy("order.bpmn", MODEL).await?;
    let definition = &deployed["deployments"][0]["processDefinition"];
    say(format_args!(
        "deployed {} version {}",
        definition["processDefinitionId"], definition["processDefinitionVersion"]
    ))?;
    let begun = Instant::now();
    let worker = tokio::spawn(work(rest.clone(), count));
    let mut starting = tokio::task::JoinSet::new();
    let (mut created, mut first) = (Vec::new(), None);
    for number in 0..count {
        while starting.len() >= CONCURRENCY {
            finish(&mut starting, &mut created, &mut first).await?;
        }
        let rest = rest.clone();
        starting.spawn(async move { start(&rest, number).await });
    }
    while !starting.is_empty() {
        finish(&mut starting, &mut created, &mut first).await?;
    }
    let completed = worker.await??;
    say(format_args!(
        "{count} orders created and worked on in {:.2?}",
        begun.elapsed()
    ))?;
    percentiles("create", created)?;
    percentiles("complete", completed)?;
    let seen = all_completed(&rest, count).await?;
    say(format_args!(
        "history showed all of them completed {seen:.0?} later"
    ))?;
    history(&rest, &first.unwrap_or_default()).await
}

type Started = Result<(String, Duration), Failure>;

async fn start(rest: &Rest, number: u32) -> Started {
    let begun = Instant::now();
    let body = json!({
        "processDefinitionId": "demo-order",
        "variables": { "orderId": format!("order-{number}"), "amount": (number % 10) * 75 },
    });
    let answer = rest.post("/v2/process-instances", &body).await?;
    let key = answer["processInstanceKey"].as_str().unwrap_or_default();
    Ok((key.to_owned(), begun.elapsed()))
}

async fn finish(
    starting: &mut tokio::task::JoinSet<Started>,
    created: &mut Vec<Duration>,
    first: &mut Option<String>,
) -> Result<(), Failure> {
    let Some(started) = starting.join_next().await else {
        return Ok(());
    };
    let (key, took) = started??;
    created.push(took);
    first.get_or_insert(key);
    Ok(())
}

/// The built-in worker: polls, completes, measures, until `count` jobs are done.
async fn work(rest: Rest, count: u32) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::new();
    while took.len() < count as usize {
        let body = json!({
            "type": "demo-charge", "worker": "demo", "timeout": 30_000,
            "maxJobsToActivate": 32, "requestTimeout": 10_000,
        });
        let answer = rest.post("/v2/jobs/activation", &body).await?;
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        if jobs.is_empty() {
            return Err(Failure(format!("only {} of {count} jobs came", took.len())));
        }
        for job in jobs {
            let key = job["jobKey"].as_str().unwrap_or_default();
            let begun = Instant::now();
            let body = json!({ "variables": { "charged": job["variables"]["amount"] } });
            rest.post(&format!("/v2/jobs/{key}/completion"), &body)
                .await?;
            took.push(begun.elapsed());
        }
    }
    Ok(took)
}

async fn all_completed(rest: &Rest, count: u32) -> Result<Duration, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < VISIBLE_WITHIN {
        let body = json!({ "filter": { "state": "COMPLETED" }, "page": { "limit": 1 } });
        let answer = rest.post("/v2/process-instances/search", &body).await?;
        if answer["page"]["totalItems"].as_u64() >= Some(u64::from(count.min(10_000))) {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Failure(format!(
        "history does not show all orders after {VISIBLE_WITHIN:?}"
    )))
}

async fn history(rest: &Rest, key: &str) -> Result<(), Failure> {
    say(format_args!("history of process instance {key}:"))?;
    let filter = json!({ "processInstanceKey": key });
    let body = json!({ "filter": filter, "sort": [{ "field": "elementInstanceKey" }] });
    let elements = rest.post("/v2/element-instances/search", &body).await?;
    for element in elements["items"].as_array().into_iter().flatten() {
        say(format_args!(
            "  {:<12} {:<18} {:<10} {} - {}",
            text(&element["elementId"]),
            text(&element["type"]),
            text(&element["state"]),
            text(&element["startDate"]),
            text(&element["endDate"])
        ))?;
    }
    let body = json!({ "filter": filter, "sort": [{ "field": "name" }] });
    let variables = rest.post("/v2/variables/search", &body).await?;
    for variable in variables["items"].as_array().into_iter().flatten() {
        say(format_args!(
            "  {} = {}",
            text(&variable["name"]),
            text(&variable["value"])
        ))?;
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn percentiles(what: &str, mut took: Vec<Duration>) -> Result<(), Failure> {
    took.sort_unstable();
    let at = |share: f64| {
        let last = took.len().saturating_sub(1);
        took.get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or_default()
    };
    say(format_args!(
        "{what:<9} p50 {:.2?}  p90 {:.2?}  p99 {:.2?}  max {:.2?}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    ))
}

fn say(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

/// A directory that goes with the demonstration.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ringflow-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::error!(path = %self.0.display(), %error, "the demo's directory stays");
        }
    }
}
