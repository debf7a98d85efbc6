//! Capacity plan: cores, memory, disk and database rows for a target load, by plain arithmetic.
//! Every constant is printed with its origin: an option, a field of a measured result, the shape
//! of the schema, or a definition. What no origin is known for is not computed, and the line says
//! which option supplies it. There is no safety factor in the arithmetic: headroom is
//! `--peak-factor` and `--utilisation-max`, both printed.
//!
//! Errors: a result that cannot be planned with (no server sample, a floor run, an untrustworthy
//! run) is refused by name rather than used quietly.
//!
//! Limit: the model is a chain of tasks; with results of two task counts the fixed part of an
//! instance and the part per task are separated, with one the cost is scaled by tasks.

use std::fmt::Write as _;
use std::path::Path;

use crate::args::PlanArgs;
use crate::drive::Error;
use crate::report::Report;

const DAY_S: f64 = 86_400.0;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;

/// A number and where it comes from.
#[derive(Clone, Debug, PartialEq)]
struct Constant {
    name: &'static str,
    value: f64,
    unit: &'static str,
    origin: String,
}

/// One result line: a value, or what is missing for it.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    name: &'static str,
    value: Result<f64, &'static str>,
    unit: &'static str,
}

#[derive(Debug, Default)]
struct Plan {
    constants: Vec<Constant>,
    lines: Vec<Line>,
}

/// What a run measured, as far as a plan can use it.
#[derive(Clone, Debug)]
struct Point {
    file: String,
    tasks: f64,
    payload_bytes: f64,
    cpu_us: f64,
    write_bytes: Option<f64>,
    rss_mib: f64,
}

/// The subcommand.
#[expect(
    clippy::print_stdout,
    reason = "the plan is what this subcommand prints"
)]
pub(crate) fn main(args: &PlanArgs) -> Result<(), Error> {
    let points = args
        .results
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()?;
    print!("{}", compute(args, &points)?.text());
    Ok(())
}

fn read(path: &Path) -> Result<Point, Error> {
    let file = path.display().to_string();
    let mut value: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    // A result of find-max carries the report of its best step.
    if value.get("best").is_some() {
        value = value["best"].take();
    }
    let report: Report =
        serde_json::from_value(value).map_err(|error| format!("{file}: no result: {error}"))?;
    point(file, &report)
}

fn point(file: String, report: &Report) -> Result<Point, Error> {
    if report.floor.is_some() {
        return Err(format!("{file}: a floor run measures no server").into());
    }
    if !report.trustworthy {
        return Err(format!("{file}: not trustworthy: {}", report.doubts.join("; ")).into());
    }
    let Some(server) = &report.server else {
        return Err(format!("{file}: no server sample; run with --server-pid").into());
    };
    Ok(Point {
        // The cost of an instance falls with load (larger groups), so the rate belongs to it.
        file: format!("{file} at {:.0}/s", report.rate_per_s),
        tasks: f64::from(report.setup.tasks_per_instance),
        payload_bytes: report.setup.payload_bytes as f64,
        cpu_us: server.cpu_us_per_instance,
        write_bytes: server.write_bytes_per_instance,
        rss_mib: server.rss_mib_after,
    })
}

impl Plan {
    fn constant(
        &mut self,
        name: &'static str,
        value: f64,
        unit: &'static str,
        origin: &str,
    ) -> f64 {
        self.constants.push(Constant {
            name,
            value,
            unit,
            origin: origin.to_owned(),
        });
        value
    }

    fn line(&mut self, name: &'static str, value: Result<f64, &'static str>, unit: &'static str) {
        self.lines.push(Line { name, value, unit });
    }

    fn text(&self) -> String {
        let mut page = String::from("constants\n");
        for Constant {
            name,
            value,
            unit,
            origin,
        } in &self.constants
        {
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "  {name:<38} {:>14} {unit:<12} {origin}",
                number(*value)
            );
        }
        page.push_str("\nplan\n");
        for Line { name, value, unit } in &self.lines {
            let _ = match value {
                Ok(value) => writeln!(page, "  {name:<38} {:>14} {unit}", number(*value)),
                Err(missing) => writeln!(page, "  {name:<38} {:>14} {missing}", "not known:"),
            };
        }
        page
    }
}

/// Digits by magnitude: a plan is not exact to the byte.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn compute(args: &PlanArgs, points: &[Point]) -> Result<Plan, Error> {
    check(args)?;
    let mut plan = Plan::default();
    let tasks = plan.constant("tasks per instance", args.tasks as f64, "", "--tasks");
    let average = plan.constant(
        "average load",
        args.instances_per_s,
        "instances/s",
        "--instances-per-s",
    );
    let factor = plan.constant("peak over average", args.peak_factor, "", "--peak-factor");
    let replicas = plan.constant(
        "replicas",
        args.replication_factor as f64,
        "",
        "--replication-factor",
    );
    let payload = plan.constant("payload", args.payload_bytes as f64, "B", "--payload-bytes");
    let peak = average * factor;
    plan.line("peak load", Ok(peak), "instances/s");
    plan.line(
        "peak load per partition",
        Ok(peak / args.partitions as f64),
        "instances/s",
    );

    cores(&mut plan, args, points, peak, replicas, tasks)?;
    log(&mut plan, args, points, average, replicas, (tasks, payload))?;
    database(&mut plan, args, average, tasks, payload);
    memory(&mut plan, args, points, average, payload);
    Ok(plan)
}

fn check(args: &PlanArgs) -> Result<(), Error> {
    let positive = [
        ("--instances-per-s", args.instances_per_s),
        ("--peak-factor", args.peak_factor),
        ("--retention-days", args.retention_days),
        ("--utilisation-max", args.utilisation_max),
        ("--tasks", args.tasks as f64),
        ("--partitions", args.partitions as f64),
        ("--replication-factor", args.replication_factor as f64),
    ];
    for (name, value) in positive {
        if !(value > 0.0 && value.is_finite()) {
            return Err(format!("{name} must be above 0").into());
        }
    }
    if args.utilisation_max > 1.0 {
        return Err("--utilisation-max is a share of a core, at most 1".into());
    }
    Ok(())
}

fn cores(
    plan: &mut Plan,
    args: &PlanArgs,
    points: &[Point],
    peak: f64,
    replicas: f64,
    tasks: f64,
) -> Result<(), Error> {
    let per_instance = match args.cpu_us_per_instance {
        Some(value) => Some((value, "--cpu-us-per-instance".to_owned())),
        None => scale(points, tasks, |point| Some(point.cpu_us))?,
    };
    let Some((cpu_us, origin)) = per_instance else {
        plan.line("cores", Err("--cpu-us-per-instance or --json of a run"), "");
        return Ok(());
    };
    plan.constant("server CPU per instance", cpu_us, "us", &origin);
    let share = plan.constant(
        "use of a core, at most",
        args.utilisation_max,
        "",
        "--utilisation-max",
    );
    let leaders = peak * cpu_us / 1e6 / share;
    plan.line("cores for leaders", Ok(leaders), "cores");
    if replicas > 1.0 {
        let follower = args.follower_cpu_share.map(|share| {
            plan.constant(
                "follower CPU over leader CPU",
                share,
                "",
                "--follower-cpu-share",
            )
        });
        let missing = "--follower-cpu-share (compare a follower's CPU with its leader's)";
        let followers = follower
            .map(|share| leaders * share * (replicas - 1.0))
            .ok_or(missing);
        plan.line("cores for followers", followers, "cores");
        plan.line(
            "cores, all brokers",
            followers.map(|value| value + leaders),
            "cores",
        );
    }
    Ok(())
}

fn log(
    plan: &mut Plan,
    args: &PlanArgs,
    points: &[Point],
    average: f64,
    replicas: f64,
    (tasks, payload): (f64, f64),
) -> Result<(), Error> {
    let per_instance = match args.log_bytes_per_instance {
        Some(value) => Some((value, "--log-bytes-per-instance".to_owned())),
        None => scale(points, tasks, |point| point.write_bytes)?.map(|(value, origin)| {
            (
                value,
                format!("{origin}; all disk writes of the process, so an upper bound"),
            )
        }),
    };
    let Some((bytes, origin)) = per_instance else {
        plan.line(
            "log",
            Err("--log-bytes-per-instance or --json with disk writes"),
            "",
        );
        return Ok(());
    };
    plan.constant("log bytes per instance and replica", bytes, "B", &origin);
    if args.log_bytes_per_instance.is_none() && points.iter().any(|p| p.payload_bytes != payload) {
        return Err(
            "measure with the payload of the plan (--payload-bytes of the run), or give \
                    --log-bytes-per-instance"
                .into(),
        );
    }
    let day = average * DAY_S * bytes;
    plan.line("log written per day and replica", Ok(day / GIB), "GiB/day");
    plan.line(
        "log written per day, all replicas",
        Ok(day * replicas / GIB),
        "GiB/day",
    );
    let kept = args.log_hours.map(|hours| {
        plan.constant("log kept", hours, "h", "--log-hours");
        average * hours * 3600.0 * bytes * replicas / GIB
    });
    plan.line(
        "log on disk, all replicas",
        kept.ok_or("--log-hours"),
        "GiB",
    );
    Ok(())
}

fn database(plan: &mut Plan, args: &PlanArgs, average: f64, tasks: f64, payload: f64) {
    let variables = plan.constant(
        "variables per instance",
        args.variables as f64,
        "",
        "--variables",
    );
    let days = plan.constant("retention", args.retention_days, "days", "--retention-days");
    let elements = tasks + 2.0;
    let flows = tasks + 1.0;
    let rows = plan.constant(
        "database rows per instance",
        1.0 + elements + flows + tasks + variables,
        "rows",
        "schema, chain of tasks: 1 instance, tasks + 2 elements, tasks + 1 flows, tasks jobs, \
         variables",
    );
    let day = average * DAY_S;
    plan.line("database rows per day", Ok(day * rows), "rows/day");
    plan.line("database rows kept", Ok(day * days * rows), "rows");
    let disk = args.row_bytes.map(|bytes| {
        plan.constant(
            "bytes of a row, indexes included",
            bytes,
            "B",
            "--row-bytes",
        );
        day * days * (rows * bytes + payload) / GIB
    });
    plan.line(
        "database on disk",
        disk.ok_or("--row-bytes (table and index size over rows)"),
        "GiB",
    );
}

fn memory(plan: &mut Plan, args: &PlanArgs, points: &[Point], average: f64, payload: f64) {
    let base = match (args.base_mib, points.first()) {
        (Some(value), _) => Some((value, "--base-mib".to_owned())),
        (None, Some(point)) => Some((
            point.rss_mib,
            format!("{}: rss_mib_after, under load", point.file),
        )),
        (None, None) => None,
    };
    let base = base.map(|(value, origin)| plan.constant("broker memory", value, "MiB", &origin));
    let waiting = args.instance_life.map(|life| {
        let life = plan.constant(
            "life of an instance",
            life.as_secs_f64(),
            "s",
            "--instance-life",
        );
        average * life
    });
    plan.line(
        "instances waiting, average",
        waiting.ok_or("--instance-life"),
        "instances",
    );
    let state = args.state_bytes_per_instance.map(|bytes| {
        plan.constant(
            "state of a waiting instance",
            bytes,
            "B",
            "--state-bytes-per-instance",
        )
    });
    let resident = waiting.ok_or("--instance-life").and_then(|waiting| {
        let bytes = state.ok_or("--state-bytes-per-instance")?;
        Ok(waiting * (bytes + payload) / MIB)
    });
    plan.line("state of waiting instances, per replica", resident, "MiB");
    let total = resident.and_then(|state| Ok(state + base.ok_or("--base-mib or --json of a run")?));
    plan.line("memory with all state resident", total, "MiB");
}

/// The measured value for `tasks` tasks, with its origin; `None` when no point has it.
fn scale(
    points: &[Point],
    tasks: f64,
    value: impl Fn(&Point) -> Option<f64>,
) -> Result<Option<(f64, String)>, Error> {
    let known: Vec<(&Point, f64)> = points
        .iter()
        .filter_map(|point| Some((point, value(point)?)))
        .collect();
    match known.as_slice() {
        [] => Ok(None),
        [(point, measured)] if point.tasks == tasks => Ok(Some((*measured, point.file.clone()))),
        [(point, measured)] => {
            let scaled = measured * tasks / point.tasks;
            let origin = format!("{}, scaled from {} tasks by tasks", point.file, point.tasks);
            Ok(Some((scaled, origin)))
        }
        [(a, at_a), (b, at_b)] if a.tasks != b.tasks => {
            let per_task = (at_b - at_a) / (b.tasks - a.tasks);
            let fixed = at_a - per_task * a.tasks;
            let origin = format!(
                "{} and {}: {fixed:.1} + {per_task:.1} per task",
                a.file, b.file
            );
            Ok(Some((fixed + per_task * tasks, origin)))
        }
        _ => Err("give one result, or two of different task counts".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn args(extra: &[&str]) -> PlanArgs {
        let base = [
            "ringflow-perf",
            "plan",
            "--instances-per-s",
            "100",
            "--retention-days",
            "10",
        ];
        let parsed = Args::try_parse_from(base.iter().chain(extra)).unwrap();
        let Some(Command::Plan(plan)) = parsed.command else {
            panic!("not a plan")
        };
        plan
    }

    fn measured(tasks: f64, cpu_us: f64) -> Point {
        Point {
            file: format!("{tasks}.json"),
            tasks,
            payload_bytes: 512.0,
            cpu_us,
            write_bytes: Some(6_000.0 * tasks),
            rss_mib: 50.0,
        }
    }

    fn value(plan: &Plan, name: &str) -> Result<f64, &'static str> {
        plan.lines
            .iter()
            .find(|line| line.name == name)
            .unwrap()
            .value
    }

    #[test]
    fn the_arithmetic_of_a_plan() {
        let options = [
            "--peak-factor",
            "10",
            "--row-bytes",
            "200",
            "--log-hours",
            "2",
        ];
        let plan = compute(&args(&options), &[measured(1.0, 140.0)]).unwrap();
        // 1000/s at 140 us is 0.14 cores busy, at 70 % use 0.2 cores.
        assert!((value(&plan, "cores for leaders").unwrap() - 0.2).abs() < 1e-9);
        assert_eq!(
            value(&plan, "database rows per day").unwrap(),
            100.0 * DAY_S * 8.0
        );
        let log = value(&plan, "log on disk, all replicas").unwrap();
        assert!((log - 100.0 * 7200.0 * 6000.0 / GIB).abs() < 1e-9);
        assert_eq!(
            value(&plan, "instances waiting, average"),
            Err("--instance-life")
        );
    }

    #[test]
    fn every_constant_has_an_origin_and_nothing_is_invented() {
        let plan = compute(&args(&["--replication-factor", "3"]), &[]).unwrap();
        assert!(
            plan.constants
                .iter()
                .all(|constant| !constant.origin.is_empty())
        );
        assert!(value(&plan, "cores").is_err());
        assert!(value(&plan, "log").is_err());
        assert!(value(&plan, "database on disk").is_err());
        let text = plan.text();
        assert!(text.contains("not known: --cpu-us-per-instance"), "{text}");
    }

    #[test]
    fn two_task_counts_separate_the_fixed_part() {
        let points = [measured(1.0, 150.0), measured(10.0, 600.0)];
        let (cpu_us, origin) = scale(&points, 5.0, |point| Some(point.cpu_us))
            .unwrap()
            .unwrap();
        assert!((cpu_us - 350.0).abs() < 1e-9, "{origin}");
        assert!(origin.contains("100.0 + 50.0 per task"));
        let (cpu_us, _) = scale(&points[..1], 5.0, |point| Some(point.cpu_us))
            .unwrap()
            .unwrap();
        assert_eq!(cpu_us, 750.0);
        assert!(
            scale(&[measured(1.0, 1.0), measured(1.0, 2.0)], 1.0, |p| Some(
                p.cpu_us
            ))
            .is_err()
        );
    }

    #[test]
    fn a_log_of_another_payload_is_refused() {
        assert!(compute(&args(&["--payload-bytes", "4096"]), &[measured(1.0, 140.0)]).is_err());
    }

    #[test]
    fn shares_beyond_a_core_are_refused() {
        assert!(compute(&args(&["--utilisation-max", "1.5"]), &[]).is_err());
        assert!(compute(&args(&["--peak-factor", "0"]), &[]).is_err());
    }
}
