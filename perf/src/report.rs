//! The result of a run: one page of text, one JSON document, percentile files.
//! Two numbers come first: completed instances per second inside the measured time, and the 99th
//! percentile from intended start to completion. Then everything that qualifies them.
//!
//! Invariants: 1. `trustworthy` is false when the generator, not the server, shaped the numbers,
//! or when many measured starts never finished; 2. every start of the measured time is in exactly
//! one of created, rejected, failed, unanswered, not_sent; 3. field names carry their unit and are
//! stable: `plan` reads this document.

mod trust;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::args::{Arrival, Mode, Protocol, RunArgs};
use crate::cpu::ServerUse;
use crate::drive::{Error, Run};
use crate::hlog;
use crate::measure::{Interval, Op};
use crate::workload::Workload;

const MS: f64 = 1e6;

/// What the measuring loop hands over.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) completed_within: u64,
    pub(crate) totals: Interval,
    pub(crate) server: Option<ServerUse>,
    pub(crate) interrupted: bool,
}

/// Percentiles of one operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

/// How often one operation failed with one code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ErrorRow {
    pub(crate) operation: String,
    pub(crate) code: String,
    pub(crate) count: u64,
    pub(crate) sample: String,
}

/// What the run was asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) target: String,
    pub(crate) protocol: Protocol,
    pub(crate) workload: String,
    pub(crate) tasks_per_instance: u32,
    pub(crate) designed_wait_ms: u64,
    pub(crate) mode: Mode,
    pub(crate) rate_asked_per_s: Option<f64>,
    pub(crate) arrival: Arrival,
    pub(crate) concurrency: Option<u64>,
    pub(crate) payload_bytes: u64,
    pub(crate) warmup_s: f64,
    pub(crate) seed: u64,
    pub(crate) streams: u64,
    pub(crate) pollers: u64,
    pub(crate) clients: u64,
    pub(crate) threads: u64,
    pub(crate) partitions: Option<u32>,
    /// Instances that were created before the run and wait all through it.
    pub(crate) resident: u64,
}

/// Where the generator ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: u64,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
}

/// Fates of the starts of the measured time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fates {
    pub(crate) due: u64,
    pub(crate) created: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
    /// No answer when the drain ended.
    pub(crate) unanswered: u64,
    pub(crate) not_sent: u64,
    pub(crate) completed: u64,
    pub(crate) unfinished: u64,
    /// Jobs of instances this run did not start (or whose create answer was lost).
    pub(crate) foreign: u64,
}

/// The flushes of the floor server over its whole life, warm-up included.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FloorUse {
    pub(crate) flush: Latency,
    pub(crate) records_per_flush: f64,
    pub(crate) direct_io: bool,
    pub(crate) create_bytes: u64,
    pub(crate) complete_bytes: u64,
}

/// The result of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) tool: String,
    pub(crate) began_unix_ms: u64,
    pub(crate) rate_per_s: f64,
    pub(crate) p99_ms: f64,
    pub(crate) trustworthy: bool,
    pub(crate) doubts: Vec<String>,
    pub(crate) measured_s: f64,
    pub(crate) setup: Setup,
    pub(crate) starts: Fates,
    pub(crate) operations: BTreeMap<String, Latency>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) server: Option<ServerUse>,
    pub(crate) floor: Option<FloorUse>,
    pub(crate) machine: Machine,
    #[serde(skip)]
    totals: Interval,
}

impl Latency {
    /// Of a histogram in nanoseconds.
    pub(crate) fn of(histogram: &hdrhistogram::Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / MS;
        Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / MS,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: histogram.max() as f64 / MS,
        }
    }
}

impl Report {
    pub(crate) fn new(
        args: &RunArgs,
        workload: &Workload,
        run: &Run,
        measured: Measured,
        began: SystemTime,
    ) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &run.counters;
        let (created, completed) = (count(&counters.created), count(&counters.completed));
        let (rejected, failed) = (count(&counters.rejected), count(&counters.failed));
        let (sent, not_sent) = (count(&counters.sent), count(&counters.not_sent));
        let starts = Fates {
            due: sent + not_sent,
            created,
            rejected,
            failed,
            unanswered: sent.saturating_sub(created + rejected + failed),
            not_sent,
            completed,
            unfinished: created.saturating_sub(completed),
            foreign: run.track.foreign(),
        };
        let totals = measured.totals;
        let lag_ms = totals.quantile_ns(Op::Lag, 0.99) as f64 / MS;
        let (trustworthy, doubts) =
            trust::judge(args, workload, &starts, lag_ms, measured.interrupted);
        let began = began
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        Self {
            tool: concat!("ringflow-perf ", env!("CARGO_PKG_VERSION")).to_owned(),
            began_unix_ms: u64::try_from(began).unwrap_or(u64::MAX),
            rate_per_s: measured.completed_within as f64 / measured.seconds.max(1e-3),
            p99_ms: totals.quantile_ns(Op::Completed, 0.99) as f64 / MS,
            trustworthy,
            doubts,
            measured_s: measured.seconds,
            setup: Setup::new(args, workload),
            starts,
            operations: Op::ALL
                .into_iter()
                .filter_map(|op| {
                    let histogram = totals.histograms.get(&op)?;
                    Some((op.name().to_owned(), Latency::of(histogram)))
                })
                .collect(),
            errors: totals
                .errors
                .iter()
                .map(|((op, code), error)| ErrorRow {
                    operation: op.name().to_owned(),
                    code: code.clone(),
                    count: error.count,
                    sample: error.sample.clone(),
                })
                .collect(),
            server: measured.server,
            floor: None,
            machine: Machine::here(),
            totals,
        }
    }

    /// Whether the generator was later than `bound_ms` with its starts, at the 99th percentile.
    pub(crate) fn lag_exceeds(&self, bound_ms: f64) -> bool {
        self.operations
            .get(Op::Lag.name())
            .is_some_and(|lag| lag.p99_ms > bound_ms)
    }

    /// Prints the page and writes the files that `args` asks for.
    #[expect(
        clippy::print_stdout,
        reason = "the report is what this program prints"
    )]
    pub(crate) fn publish(&self, args: &RunArgs) -> Result<(), Error> {
        print!("{}", self.text());
        if let Some(dir) = &args.out {
            for (op, histogram) in &self.totals.histograms {
                let path = dir.join(format!("{}.{}.hgrm", self.setup.workload, op.name()));
                let mut file = BufWriter::new(std::fs::File::create(path)?);
                hlog::write_hgrm(&mut file, histogram)?;
                file.flush()?;
            }
        }
        if let Some(path) = &args.json {
            std::fs::write(path, serde_json::to_vec_pretty(self)?)?;
        }
        Ok(())
    }

    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_text(&mut page);
        page
    }

    fn write_text(&self, page: &mut String) -> std::fmt::Result {
        let starts = &self.starts;
        writeln!(page, "rate {:>12.1} instances/s", self.rate_per_s)?;
        writeln!(
            page,
            "p99  {:>12.3} ms, intended start to completed",
            self.p99_ms
        )?;
        if !self.trustworthy {
            writeln!(page, "NOT TRUSTWORTHY: see below")?;
        }
        self.write_setup(page)?;
        writeln!(
            page,
            "measured   {:.1} s after {:.1} s warm-up",
            self.measured_s, self.setup.warmup_s
        )?;
        writeln!(
            page,
            "starts     {} due: {} created, {} rejected, {} failed, {} unanswered, {} not sent",
            starts.due,
            starts.created,
            starts.rejected,
            starts.failed,
            starts.unanswered,
            starts.not_sent
        )?;
        writeln!(
            page,
            "instances  {} completed, {} unfinished, {} foreign",
            starts.completed, starts.unfinished, starts.foreign
        )?;
        self.write_latencies(page)?;
        for row in &self.errors {
            writeln!(
                page,
                "error  {} {} x {}: {}",
                row.operation, row.code, row.count, row.sample
            )?;
        }
        if let Some(server) = &self.server {
            write_server(page, server)?;
        }
        if let Some(floor) = &self.floor {
            write_floor(page, floor)?;
        }
        for doubt in &self.doubts {
            writeln!(page, "note   {doubt}")?;
        }
        Ok(())
    }

    fn write_setup(&self, page: &mut String) -> std::fmt::Result {
        let setup = &self.setup;
        let load = match (setup.rate_asked_per_s, setup.concurrency) {
            (Some(rate), _) => format!("open loop {rate}/s, {:?} arrivals", setup.arrival),
            (None, callers) => format!("closed loop, {} callers", callers.unwrap_or(0)),
        };
        writeln!(
            page,
            "\nworkload   {}, {load}, {} B payload",
            setup.workload, setup.payload_bytes
        )?;
        writeln!(
            page,
            "target     {} over {:?}",
            setup.target, setup.protocol
        )?;
        writeln!(
            page,
            "workers    {} streams, {} polls; generator {} lanes, {} threads, seed {}",
            setup.streams, setup.pollers, setup.clients, setup.threads, setup.seed
        )?;
        let machine = &self.machine;
        writeln!(
            page,
            "machine    {} x {}, Linux {}",
            machine.cores, machine.cpu, machine.kernel
        )?;
        if setup.resident > 0 {
            writeln!(
                page,
                "resident   {} waiting instances created before",
                setup.resident
            )?;
        }
        if let Some(partitions) = setup.partitions {
            writeln!(page, "partitions {partitions} (as stated)")?;
        }
        Ok(())
    }

    fn write_latencies(&self, page: &mut String) -> std::fmt::Result {
        writeln!(
            page,
            "\n{:<12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "ms", "count", "mean", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for op in Op::ALL {
            let Some(row) = self.operations.get(op.name()) else {
                continue;
            };
            write_latency(page, op.name(), row)?;
        }
        Ok(())
    }
}

fn write_latency(page: &mut String, name: &str, row: &Latency) -> std::fmt::Result {
    writeln!(
        page,
        "{name:<12} {:>10} {:>10.3} {:>10.3} {:>10.3} {:>10.3} {:>10.3} {:>10.3}",
        row.count, row.mean_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.p999_ms, row.max_ms
    )
}

fn write_server(page: &mut String, server: &ServerUse) -> std::fmt::Result {
    writeln!(
        page,
        "\nserver     {:.1} us CPU per instance, {:.2} cores, RSS {:.1} -> {:.1} MiB",
        server.cpu_us_per_instance, server.cores, server.rss_mib_before, server.rss_mib_after
    )?;
    if let Some(bytes) = server.write_bytes_per_instance {
        writeln!(page, "           {bytes:.0} B to disk per instance")?;
    }
    for (name, us) in &server.threads_us_per_instance {
        if *us >= 0.05 {
            writeln!(page, "  {name:<20} {us:>8.1} us per instance")?;
        }
    }
    Ok(())
}

fn write_floor(page: &mut String, floor: &FloorUse) -> std::fmt::Result {
    let way = if floor.direct_io {
        "O_DIRECT"
    } else {
        "buffered (O_DIRECT refused)"
    };
    writeln!(
        page,
        "\nfloor      {way}; {} B per create (and twice the payload), {} B per completion",
        floor.create_bytes, floor.complete_bytes
    )?;
    writeln!(
        page,
        "           {:.1} records per flush; write + fdatasync, ms:",
        floor.records_per_flush
    )?;
    write_latency(page, "flush", &floor.flush)
}

impl Setup {
    fn new(args: &RunArgs, workload: &Workload) -> Self {
        let target = match args.protocol {
            Protocol::Grpc => &args.target,
            Protocol::Rest => &args.rest,
        };
        let open = args.mode == Mode::Open;
        Self {
            target: target.clone(),
            protocol: args.protocol,
            workload: workload.name.to_owned(),
            tasks_per_instance: workload.tasks,
            designed_wait_ms: u64::try_from(workload.designed_wait.as_millis()).unwrap_or(u64::MAX),
            mode: args.mode,
            rate_asked_per_s: open.then_some(args.rate),
            arrival: args.arrival,
            concurrency: (!open).then_some(args.concurrency),
            payload_bytes: args.payload_bytes,
            warmup_s: args.warmup.as_secs_f64(),
            seed: args.seed,
            streams: args.streams,
            pollers: args.pollers,
            clients: args.clients,
            threads: args.threads,
            partitions: args.partitions,
            resident: args.resident,
        }
    }
}

impl Machine {
    fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or_else(
                || "unknown CPU".to_owned(),
                |(_, name)| name.trim().to_owned(),
            );
        Self {
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
            cpu,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}
