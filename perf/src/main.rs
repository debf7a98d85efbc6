//! `ringflow-perf`: an open-loop load generator and capacity planner for any Camunda 8 endpoint.
//! Without arguments it runs the canonical workload (one service task, fixed arrival rate, HDR
//! histograms) against `localhost:26500` and prints two numbers: the rate and the 99th percentile.
//!
//! It shares no code with the product, only the protocol file: a load generator must not share the
//! server's mistakes. Everything here runs on ordinary tokio threads, the pacer on one of its own.
//!
//! Limits: plaintext endpoints only; authentication goes through `--header`. One process per server
//! and workload at a time: two would take each other's jobs, which both reports show as foreign.

#![forbid(unsafe_code)]

mod args;
mod client;
mod cpu;
mod drive;
mod floor;
mod hlog;
mod measure;
mod pacer;
mod plan;
mod report;
mod resident;
mod search;
mod stop;
mod track;
mod visible;
mod wire;
mod worker;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        None => drive::main(&args.run),
        Some(Command::Floor(floor)) => floor::main(&floor),
        Some(Command::Plan(plan)) => plan::main(&plan),
        Some(Command::FindMax(search)) => search::main(&search),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringflow-perf: {error}");
            ExitCode::FAILURE
        }
    }
}
