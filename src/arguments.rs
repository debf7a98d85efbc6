//! The command line: what each word means, and how it becomes a setting.
//!
//! Flags override the environment, which overrides the file. A flag exists for what differs from
//! start to start; everything else is a setting of the registry and has no flag.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Id, SettingError, Settings};

/// Why a task of the command line ended badly.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A workflow engine for bare metal that speaks Camunda 8.
#[derive(Debug, Parser)]
#[command(name = "ringflow", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Start a broker with its gateway and exporter.
    Start(StartOptions),
    /// Show it without any client: start, deploy, work, read the history back.
    Demo(DemoOptions),
    /// Print what a stopped broker's files hold, as readable lines.
    Inspect(InspectOptions),
    /// Print the version.
    Version,
}

/// Flags of `start`.
#[derive(Debug, Default, Args)]
pub struct StartOptions {
    /// Configuration file (TOML, or YAML by its suffix).
    #[arg(long, value_name = "FILE", env = "RINGFLOW_CONFIG")]
    pub config: Option<String>,
    /// Directory of log, state and snapshots.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Address of the gRPC API; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub grpc_address: Option<String>,
    /// Address of the REST API; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub rest_address: Option<String>,
    /// Address of health and metrics; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub management_address: Option<String>,
    /// Cores that carry shards: a list such as 1-3,5, auto, or none.
    #[arg(long, value_name = "LIST")]
    pub cores: Option<String>,
    /// Number of partitions.
    #[arg(long, value_name = "N")]
    pub partitions: Option<String>,
    /// sqlite:PATH, postgres://..., or none.
    #[arg(long, value_name = "URL")]
    pub secondary_storage: Option<String>,
    /// Input and output driver: auto, uring or plain.
    #[arg(long, value_name = "DRIVER")]
    pub io: Option<String>,
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Number of orders to run.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub orders: u32,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectOptions {
    /// What to print.
    #[command(subcommand)]
    pub what: Inspected,
}

/// What `inspect` prints.
#[derive(Debug, Subcommand)]
pub enum Inspected {
    /// The records of the log, one a line.
    Log(InspectPlace),
    /// The rows of the state, one a line.
    State(InspectPlace),
}

/// Where `inspect` looks.
#[derive(Debug, Args)]
pub struct InspectPlace {
    /// Data directory of a stopped broker.
    pub dir: PathBuf,
    /// Only this partition.
    #[arg(long)]
    pub partition: Option<u16>,
    /// Print only the digest over everything, not the lines.
    #[arg(long)]
    pub digest: bool,
}

impl StartOptions {
    /// All settings: defaults, file, environment, then these flags.
    ///
    /// # Errors
    /// See [`SettingError`].
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let mut settings = Settings::default();
        if let Some(path) = &self.config {
            settings.read_file(path)?;
        }
        let environment = std::env::vars().filter(|(name, _)| name != "RINGFLOW_CONFIG");
        settings.read_environment(environment)?;
        let flags = [
            (Id::DataDirectory, &self.data_dir),
            (Id::GrpcAddress, &self.grpc_address),
            (Id::RestAddress, &self.rest_address),
            (Id::ManagementAddress, &self.management_address),
            (Id::Cores, &self.cores),
            (Id::Partitions, &self.partitions),
            (Id::SecondaryStorage, &self.secondary_storage),
            (Id::Io, &self.io),
        ];
        for (id, value) in flags {
            if let Some(value) = value {
                settings.set(id, value.clone());
            }
        }
        Ok(settings)
    }
}

/// Prints name, version and the Camunda version that is spoken.
///
/// # Errors
/// If standard output is closed.
pub fn print_version() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "ringflow {} (speaks Camunda {})",
        env!("CARGO_PKG_VERSION"),
        ringflow_gateway::GATEWAY_VERSION
    )?;
    Ok(())
}
