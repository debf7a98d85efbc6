//! Capacity search: the highest rate that a server takes without rejecting and without being late.
//! Doubles from a first rate until a step fails (or halves until one holds), then bisects in ratio.
//! Each step is an ordinary run; the same bounds decide every step, so two searches compare.
//!
//! Invariants: 1. at most `steps_max` steps and `time_max` time: a step that would end later is not
//! begun; 2. a step that the generator could not drive never counts as held: it bounds the search
//! from above and the result says that the limit is the generator's.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::{FindMaxArgs, MAX_RATE_PER_S, Mode};
use crate::client::Client;
use crate::drive::{self, Error};
use crate::report::Report;
use crate::stop::Stop;

/// Below this a server does not work at all.
const MIN_RATE_PER_S: f64 = 1.0;
/// Share of the starts that must complete inside the step, at least: less is a growing backlog.
const COMPLETED_SHARE_MIN: f64 = 0.98;
/// After a failed step the server may still work off its backlog.
const SETTLE: Duration = Duration::from_secs(2);

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Held,
    Rejected,
    Failed,
    Late,
    Backlog,
    GeneratorLimit,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Backlog => "backlog",
            Self::GeneratorLimit => "generator limit",
        })
    }
}

/// What is known about the limit.
#[derive(Clone, Copy, Debug, Default)]
struct Bracket {
    /// Highest rate that held.
    lower: Option<f64>,
    /// Lowest rate that did not.
    upper: Option<f64>,
}

impl Bracket {
    fn note(&mut self, rate: f64, verdict: Verdict) {
        if verdict == Verdict::Held {
            self.lower = Some(self.lower.map_or(rate, |known| known.max(rate)));
        } else {
            self.upper = Some(self.upper.map_or(rate, |known| known.min(rate)));
        }
    }

    /// The rate to try next; `None` when the bracket is narrow enough or at its end.
    fn next(&self, from: f64, precision: f64) -> Option<f64> {
        match (self.lower, self.upper) {
            (None, None) => Some(from),
            (Some(lower), None) => {
                (lower < MAX_RATE_PER_S).then(|| (lower * 2.0).min(MAX_RATE_PER_S))
            }
            (None, Some(upper)) => {
                (upper > MIN_RATE_PER_S).then(|| (upper / 2.0).max(MIN_RATE_PER_S))
            }
            (Some(lower), Some(upper)) => {
                (upper / lower - 1.0 > precision).then(|| (lower * upper).sqrt())
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Step {
    asked_per_s: f64,
    rate_per_s: f64,
    p99_ms: f64,
    rejected: u64,
    failed: u64,
    unfinished: u64,
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct Found {
    /// Highest rate that held; 0 when none did.
    max_rate_per_s: f64,
    complete: bool,
    steps: Vec<Step>,
    /// The report of the step at `max_rate_per_s`.
    best: Option<Report>,
}

/// The subcommand.
pub(crate) fn main(args: &FindMaxArgs) -> Result<(), Error> {
    if args.run.mode != Mode::Open {
        return Err("find-max drives an open loop: a closed loop never exceeds its server".into());
    }
    drive::runtime(&args.run)?.block_on(search(args))
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what this subcommand prints"
)]
async fn search(args: &FindMaxArgs) -> Result<(), Error> {
    let stop = Stop::new();
    tokio::spawn(stop.clone().on_interrupt());
    let client = Client::connect(&args.run).await?;
    let begun = Instant::now();
    let longest_step = args.run.warmup + args.run.duration + args.run.drain + SETTLE;
    let mut bracket = Bracket::default();
    let mut found = Found {
        max_rate_per_s: 0.0,
        complete: false,
        steps: Vec::new(),
        best: None,
    };
    println!(
        "{:>10} {:>12} {:>10} {:>10} {:>10}  verdict",
        "asked/s", "completed/s", "p99 ms", "rejected", "unfinished"
    );
    for number in 0..args.steps_max {
        let Some(rate) = bracket.next(args.from, args.precision) else {
            found.complete = true;
            break;
        };
        if begun.elapsed() + longest_step > args.time_max || stop.is_raised() {
            break;
        }
        let mut run = args.run.clone();
        run.rate = rate;
        run.out = run.out.map(|dir| dir.join(format!("step-{number:02}")));
        let report = drive::run(&run, client.clone(), &stop).await?;
        if stop.is_raised() {
            break;
        }
        let verdict = judge(args, &report);
        let (rejected, unfinished) = (report.starts.rejected, report.starts.unfinished);
        println!(
            "{rate:>10.1} {:>12.1} {:>10.3} {rejected:>10} {unfinished:>10}  {verdict}",
            report.rate_per_s, report.p99_ms
        );
        bracket.note(rate, verdict);
        found.steps.push(Step {
            asked_per_s: rate,
            rate_per_s: report.rate_per_s,
            p99_ms: report.p99_ms,
            rejected,
            failed: report.starts.failed,
            unfinished,
            verdict,
        });
        if verdict == Verdict::Held {
            found.max_rate_per_s = rate;
            found.best = Some(report);
        } else {
            tokio::time::sleep(SETTLE).await;
        }
    }
    found.complete |= bracket.next(args.from, args.precision).is_none();
    println!("\n{}", summary(args, &found));
    if let Some(path) = &args.run.json {
        std::fs::write(path, serde_json::to_vec_pretty(&found)?)?;
    }
    Ok(())
}

fn judge(args: &FindMaxArgs, report: &Report) -> Verdict {
    let starts = &report.starts;
    let due = starts.due.max(1) as f64;
    // Overload first: a server that rejects also makes generators lag on a shared machine.
    if starts.rejected as f64 / due > args.reject_share_max {
        Verdict::Rejected
    } else if starts.failed > 0 {
        Verdict::Failed
    } else if starts.not_sent > 0 || report.lag_exceeds(args.run.lag_max_ms) {
        Verdict::GeneratorLimit
    } else if starts.unfinished + starts.unanswered > 0
        || report.rate_per_s * report.measured_s < due * COMPLETED_SHARE_MIN
    {
        Verdict::Backlog
    } else if report.p99_ms > args.p99_max_ms {
        Verdict::Late
    } else {
        Verdict::Held
    }
}

fn summary(args: &FindMaxArgs, found: &Found) -> String {
    let bounds = format!(
        "bounds: p99 <= {} ms, rejected <= {} of starts, {} s a step",
        args.p99_max_ms,
        args.reject_share_max,
        args.run.duration.as_secs_f64()
    );
    let lowest_failure = found
        .steps
        .iter()
        .filter(|step| step.verdict != Verdict::Held)
        .min_by(|a, b| a.asked_per_s.total_cmp(&b.asked_per_s));
    let mut text = match &found.best {
        Some(best) => format!(
            "max {:.1} instances/s, p99 {:.3} ms there\n{bounds}",
            found.max_rate_per_s, best.p99_ms
        ),
        None => format!("no rate held\n{bounds}"),
    };
    if let Some(step) = lowest_failure {
        text.push_str(&format!(
            "\nabove it: {} at {:.1}/s",
            step.verdict, step.asked_per_s
        ));
        if step.verdict == Verdict::GeneratorLimit {
            text.push_str("; this is the limit of the generator, the server may take more");
        }
    }
    if !found.complete {
        text.push_str("\nended by its step or time bound: the server may take more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search_for(limit: f64, from: f64) -> (Bracket, usize) {
        let mut bracket = Bracket::default();
        let mut steps = 0;
        while let Some(rate) = bracket.next(from, 0.05) {
            steps += 1;
            assert!(steps <= 40, "the search must end");
            bracket.note(
                rate,
                if rate <= limit {
                    Verdict::Held
                } else {
                    Verdict::Late
                },
            );
        }
        (bracket, steps)
    }

    #[test]
    fn the_search_closes_in_from_below_and_from_above() {
        for (limit, from) in [(1234.0, 100.0), (37.0, 100.0), (250_000.0, 10.0)] {
            let (bracket, steps) = search_for(limit, from);
            let (lower, upper) = (bracket.lower.unwrap(), bracket.upper.unwrap());
            assert!(
                lower <= limit && limit < upper && upper / lower <= 1.051,
                "{bracket:?}"
            );
            assert!(steps <= 24, "{steps}");
        }
    }

    #[test]
    fn the_search_ends_where_nothing_holds_and_where_all_does() {
        let (bracket, _) = search_for(0.0, 100.0);
        assert_eq!((bracket.lower, bracket.upper), (None, Some(MIN_RATE_PER_S)));
        let (bracket, _) = search_for(f64::INFINITY, 100.0);
        assert_eq!((bracket.lower, bracket.upper), (Some(MAX_RATE_PER_S), None));
    }
}
