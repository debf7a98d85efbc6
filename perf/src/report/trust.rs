//! Whether the numbers of a run are the server's, and every reason to read them with care.
//! A run is void when its generator was late or withheld starts, when nothing completed, or when
//! more starts than one in a thousand stayed open: then the high percentiles are not known.
//! Everything else that shapes numbers (closed loop, waiting by design) is a note, not a verdict.

use crate::args::{Mode, RunArgs};
use crate::report::Fates;
use crate::workload::Workload;

/// Above this share of unfinished starts the high percentiles are not known.
const UNFINISHED_SHARE_MAX: f64 = 0.001;

/// Whether the numbers are the server's, and every reason to read them with care.
pub(super) fn judge(
    args: &RunArgs,
    workload: &Workload,
    starts: &Fates,
    lag_p99_ms: f64,
    interrupted: bool,
) -> (bool, Vec<String>) {
    let mut trustworthy = true;
    let mut doubts = Vec::new();
    if args.mode == Mode::Open && lag_p99_ms > args.lag_max_ms {
        trustworthy = false;
        doubts.push(format!(
            "the generator itself lagged: p99 {lag_p99_ms:.3} ms, bound {} ms; the numbers are \
             not trustworthy",
            args.lag_max_ms
        ));
    }
    if starts.not_sent > 0 {
        trustworthy = false;
        doubts.push(format!(
            "{} starts were due but not sent (in-flight limit); the numbers are not trustworthy",
            starts.not_sent
        ));
    }
    let open = starts.unfinished + starts.unanswered;
    trustworthy &= open as f64 <= UNFINISHED_SHARE_MAX * starts.due as f64;
    if starts.unanswered > 0 {
        doubts.push(format!(
            "{} starts had no answer when the drain ended: percentiles of create are lower bounds",
            starts.unanswered
        ));
    }
    if starts.unfinished > 0 {
        doubts.push(format!(
            "{} measured instances did not complete before the drain ended: percentiles of \
             completed are lower bounds",
            starts.unfinished
        ));
    }
    if starts.completed == 0 {
        trustworthy = false;
        doubts.push("no measured instance completed".to_owned());
    }
    if starts.foreign > 0 {
        doubts.push(format!(
            "{} jobs belonged to instances of other runs or with a lost create answer",
            starts.foreign
        ));
    }
    if args.mode == Mode::Closed {
        doubts.push(
            "closed loop: a slow answer delays the next start, and that delay is in no percentile"
                .to_owned(),
        );
    }
    if !workload.designed_wait.is_zero() {
        doubts.push(format!(
            "activated and completed contain {} ms of waiting that the model asks for",
            workload.designed_wait.as_millis()
        ));
    }
    if interrupted {
        doubts.push("interrupted: shorter than asked".to_owned());
    }
    if cfg!(debug_assertions) {
        doubts.push("the generator is a debug build".to_owned());
    }
    (trustworthy, doubts)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    fn judged(starts: &Fates, lag_p99_ms: f64) -> (bool, String) {
        let args = Args::try_parse_from(["ringflow-perf", "--lag-max-ms", "2"])
            .unwrap()
            .run;
        let (trustworthy, doubts) =
            judge(&args, args.workload.workload(), starts, lag_p99_ms, false);
        (trustworthy, doubts.join("; "))
    }

    fn all_well() -> Fates {
        Fates {
            due: 1000,
            created: 1000,
            rejected: 0,
            failed: 0,
            unanswered: 0,
            not_sent: 0,
            completed: 1000,
            unfinished: 0,
            foreign: 0,
        }
    }

    #[test]
    fn a_generator_that_lags_voids_its_own_numbers() {
        assert!(judged(&all_well(), 1.9).0);
        let (trustworthy, doubts) = judged(&all_well(), 2.1);
        assert!(
            !trustworthy && doubts.contains("p99 2.100 ms, bound 2 ms"),
            "{doubts}"
        );
    }

    #[test]
    fn one_in_a_thousand_may_be_open_and_no_start_may_be_withheld() {
        assert!(
            judged(
                &Fates {
                    completed: 999,
                    unfinished: 1,
                    ..all_well()
                },
                0.0
            )
            .0
        );
        assert!(
            !judged(
                &Fates {
                    completed: 998,
                    unfinished: 2,
                    ..all_well()
                },
                0.0
            )
            .0
        );
        let (trustworthy, doubts) = judged(
            &Fates {
                not_sent: 1,
                ..all_well()
            },
            0.0,
        );
        assert!(!trustworthy && doubts.contains("not sent"), "{doubts}");
        assert!(
            !judged(
                &Fates {
                    completed: 0,
                    created: 0,
                    ..all_well()
                },
                0.0
            )
            .0
        );
    }
}
