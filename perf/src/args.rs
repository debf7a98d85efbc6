//! The command line: every switch, its unit, its bound and its default.
//! One struct per subcommand; the load options are shared by all that generate load. Values are
//! checked here, so that the rest of the program works on what is already sane.
//!
//! Limits: see the `MAX_` constants; a value beyond its limit is refused with the limit named.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// More connections than this is a test of the kernel, not of the engine.
pub(crate) const MAX_CONNECTIONS: u64 = 10_000;
/// The pacer wakes once per start at most; beyond this it only ever lags.
pub(crate) const MAX_RATE_PER_S: f64 = 1_000_000.0;
/// A gateway refuses messages above 4 MiB; one MiB of payload leaves room for the envelope.
pub(crate) const MAX_PAYLOAD_BYTES: u64 = 1 << 20;
/// A hundred times the largest published figure of resident instances.
pub(crate) const RESIDENT_MAX: u64 = 100_000_000;
/// One day: longer runs belong to a scheduler that starts this tool.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// Open-loop load generator and capacity planner for Camunda 8 endpoints.
#[derive(Parser, Debug)]
#[command(
    name = "ringflow-perf",
    version,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The same disk and protocol work without an engine, driven by the same client.
    Floor(FloorArgs),
    /// Capacity plan from measured constants; every constant is printed with its origin.
    Plan(PlanArgs),
    /// Searches the highest rate that is neither rejected nor late.
    FindMax(FindMaxArgs),
}

/// Which protocol carries the load.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    Grpc,
    Rest,
}

/// Who decides when the next request starts.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// The clock: intended start times at a fixed rate.
    Open,
    /// The server: each of N callers starts again when its instance has completed.
    Closed,
}

/// How intended start times are spread.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrival {
    /// Equal distances.
    Even,
    /// Exponential distances (independent users), from the seed.
    Poisson,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkloadName {
    OneTask,
    TenTasks,
    Timers,
    Messages,
    WithResult,
}

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct RunArgs {
    /// gRPC gateway, host:port
    #[arg(long, default_value = "localhost:26500")]
    pub(crate) target: String,
    /// REST gateway, with or without /v2
    #[arg(long, default_value = "http://localhost:8080")]
    pub(crate) rest: String,
    /// Protocol of every call
    #[arg(long, value_enum, default_value_t = Protocol::Grpc)]
    pub(crate) protocol: Protocol,
    /// What one instance is
    #[arg(long, value_enum, default_value_t = WorkloadName::OneTask)]
    pub(crate) workload: WorkloadName,
    /// Open loop (by the clock) or closed loop (by the answers)
    #[arg(long, value_enum, default_value_t = Mode::Open)]
    pub(crate) mode: Mode,
    /// Instances started per second, open loop. The default is the rate of the published
    /// one-task benchmarks of Camunda
    #[arg(long, default_value_t = 300.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Spread of the start times
    #[arg(long, value_enum, default_value_t = Arrival::Even)]
    pub(crate) arrival: Arrival,
    /// Callers of the closed loop
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) concurrency: u64,
    /// Measured time: 30, 30s, 500ms, 2m
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Load before the measured time
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub(crate) warmup: Duration,
    /// Longest wait for started instances after the measured time
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// Longest wait for one answer
    #[arg(long, default_value = "15s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Connections. Default: 2 for gRPC, 64 for REST (one request each at a time)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_CONNECTIONS))]
    pub(crate) connections: Option<u64>,
    /// Lanes that start requests; each has its own recorder
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) clients: u64,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: u64,
    /// Requests in flight at most; a start beyond it is not sent, counted, and voids the run
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) inflight_max: u64,
    /// Job streams to hold open (gRPC); 0 = polling only
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1024))]
    pub(crate) streams: u64,
    /// Long-polling loops beside the streams
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1024))]
    pub(crate) pollers: u64,
    /// Jobs asked for per poll
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub(crate) poll_jobs: i32,
    /// Variable payload of each instance. The default is that of the published benchmarks
    #[arg(
        long,
        default_value_t = 512,
        value_parser = clap::value_parser!(u64).range(0..=MAX_PAYLOAD_BYTES)
    )]
    pub(crate) payload_bytes: u64,
    /// Seed of payload and arrivals
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Instances to create before the run that wait for a message which never comes. They stay
    #[arg(
        long,
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=RESIDENT_MAX)
    )]
    pub(crate) resident: u64,
    /// Look up one new instance per this time through the REST search until it is found (needs
    /// --rest), to measure when data becomes visible
    #[arg(long, value_parser = duration)]
    pub(crate) visible_every: Option<Duration>,
    /// Partitions of the cluster, for the report only
    #[arg(long)]
    pub(crate) partitions: Option<u32>,
    /// Extra request header, "name: value" (for example authorization); may repeat
    #[arg(long = "header", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Process of the server on this machine: its CPU, memory and disk writes are sampled
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// Bound on the generator's own lag (p99); beyond it the report calls the run untrustworthy
    #[arg(long, default_value_t = 2.0)]
    pub(crate) lag_max_ms: f64,
    /// Directory for .hlog and .hgrm files
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// File for the result as JSON
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct FloorArgs {
    /// Directory of the log file: put it on the disk of the broker
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Address of the floor server
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Only serve (until Ctrl-C); drive it from another process
    #[arg(long)]
    pub(crate) serve_only: bool,
    /// Log bytes per created instance, besides twice its payload. The default is an estimate: the
    /// 19 records of a one-task creation at 150 bytes
    #[arg(
        long,
        default_value_t = 2850,
        value_parser = clap::value_parser!(u64).range(1..=MAX_PAYLOAD_BYTES)
    )]
    pub(crate) create_bytes: u64,
    /// Log bytes per completed job. The default is an estimate: 15 records at 150 bytes
    #[arg(
        long,
        default_value_t = 2250,
        value_parser = clap::value_parser!(u64).range(1..=MAX_PAYLOAD_BYTES)
    )]
    pub(crate) complete_bytes: u64,
    /// Size of the pre-written log file, reused in a circle
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(8..=65_536))]
    pub(crate) log_mib: u64,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct FindMaxArgs {
    /// First rate
    #[arg(long, default_value_t = 100.0, value_parser = rate)]
    pub(crate) from: f64,
    /// Bound on create-to-completed p99
    #[arg(long, default_value_t = 100.0)]
    pub(crate) p99_max_ms: f64,
    /// Share of starts that may be rejected
    #[arg(long, default_value_t = 0.0)]
    pub(crate) reject_share_max: f64,
    /// Stop when the bracket is this narrow (upper / lower - 1)
    #[arg(long, default_value_t = 0.05)]
    pub(crate) precision: f64,
    /// Steps at most
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) steps_max: u32,
    /// Time at most; no step starts that would end later
    #[arg(long, default_value = "15m", value_parser = duration)]
    pub(crate) time_max: Duration,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct PlanArgs {
    /// Target: average instances per second
    #[arg(long)]
    pub(crate) instances_per_s: f64,
    /// Peak over average
    #[arg(long, default_value_t = 1.0)]
    pub(crate) peak_factor: f64,
    /// Job tasks per instance
    #[arg(long, default_value_t = 1)]
    pub(crate) tasks: u64,
    /// Variables per instance
    #[arg(long, default_value_t = 1)]
    pub(crate) variables: u64,
    /// Variable payload per instance
    #[arg(long, default_value_t = 512)]
    pub(crate) payload_bytes: u64,
    /// Days that finished instances stay in the database
    #[arg(long)]
    pub(crate) retention_days: f64,
    /// Replicas of each partition
    #[arg(long, default_value_t = 1)]
    pub(crate) replication_factor: u64,
    /// Partitions, to state the load of each
    #[arg(long, default_value_t = 1)]
    pub(crate) partitions: u64,
    /// Average life of an instance: decides how many wait at a time
    #[arg(long, value_parser = duration)]
    pub(crate) instance_life: Option<Duration>,
    /// Hours of log kept (snapshot period plus the longest exporter outage to survive)
    #[arg(long)]
    pub(crate) log_hours: Option<f64>,
    /// Share of a core that may be used at peak; the latency budget is stated at 70 %
    #[arg(long, default_value_t = 0.7)]
    pub(crate) utilisation_max: f64,
    /// Result of a run (--json). With two results of different task counts the fixed part of an
    /// instance and the part per task are told apart
    #[arg(long = "json")]
    pub(crate) results: Vec<PathBuf>,
    /// Server CPU per instance, us; instead of a result
    #[arg(long)]
    pub(crate) cpu_us_per_instance: Option<f64>,
    /// CPU of one follower as a share of the leader's, for replicated partitions
    #[arg(long)]
    pub(crate) follower_cpu_share: Option<f64>,
    /// Log bytes per instance and replica; instead of a result
    #[arg(long)]
    pub(crate) log_bytes_per_instance: Option<f64>,
    /// Average database bytes of a row, indexes included
    #[arg(long)]
    pub(crate) row_bytes: Option<f64>,
    /// State bytes of one waiting instance besides its payload
    #[arg(long)]
    pub(crate) state_bytes_per_instance: Option<f64>,
    /// Memory of one idle broker, MiB; instead of a result
    #[arg(long)]
    pub(crate) base_mib: Option<f64>,
}

fn rate(text: &str) -> Result<f64, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number"))?;
    if value > 0.0 && value <= MAX_RATE_PER_S {
        Ok(value)
    } else {
        Err(format!(
            "a rate lies above 0 and at most at {MAX_RATE_PER_S} per second"
        ))
    }
}

/// `30`, `30s`, `500ms`, `2m`, `1h`; at most [`MAX_DURATION`].
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a duration"))?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1_000.0,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return Err(format!("{unit:?} is not one of ms, s, m, h")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(value) if value <= MAX_DURATION => Ok(value),
        Ok(_) | Err(_) => Err(format!(
            "a duration is at most {} s",
            MAX_DURATION.as_secs()
        )),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header is written \"name: value\"")?;
    let name = name.trim().to_ascii_lowercase();
    let value = value.trim();
    if name.is_empty() || value.is_empty() || !value.is_ascii() {
        return Err("a header has a name and an ASCII value".to_owned());
    }
    Ok((name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_a_bound() {
        assert_eq!(duration("30").unwrap(), Duration::from_secs(30));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("1.5m").unwrap(), Duration::from_secs(90));
        assert!(duration("3d").is_err());
        assert!(duration("s").is_err());
        assert!(duration("25h").is_err());
    }

    #[test]
    fn no_arguments_is_the_canonical_workload() {
        let args = Args::try_parse_from(["ringflow-perf"]).unwrap();
        assert!(args.command.is_none());
        assert_eq!(args.run.workload, WorkloadName::OneTask);
        assert_eq!(args.run.target, "localhost:26500");
    }

    #[test]
    fn rates_and_headers_are_checked() {
        assert!(rate("0").is_err());
        assert!(rate("NaN").is_err());
        assert!(rate("250").is_ok());
        assert_eq!(
            header("Authorization: Basic eA==").unwrap(),
            ("authorization".to_owned(), "Basic eA==".to_owned())
        );
        assert!(header("nothing").is_err());
    }
}
