//! The ringflow binary: arguments, then configuration, then boot, then wait, then an orderly end.
//!
//! Everything that serves is in the library crates; here is only what a process needs around them.
//! Exit codes: 0 = ended as asked; 1 = could not start or ended with damage, the reason is on
//! standard error; 2 = the command line is wrong.

mod arguments;
mod backups;
mod boot;
mod cluster;
mod config;
mod demo;
mod feed;
mod initialization;
mod inspect;
mod items;
mod logging;
mod placement;
mod restore;
mod settings;
mod shutdown;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Task};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Start(options) => boot::start(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Cluster(what) => cluster::run(&what),
        Task::Inspect(what) => inspect::run(&what),
        Task::Ddl { database, prefix } => arguments::print_ddl(&database, &prefix),
        Task::Restore(options) => restore::run(&options),
        Task::Settings => arguments::print_settings(),
        Task::Version => arguments::print_version(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ringflow: {failure}");
            ExitCode::FAILURE
        }
    }
}
