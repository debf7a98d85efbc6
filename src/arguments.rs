//! The command line: what each word means, and how it becomes a setting.
//!
//! Flags override the environment, which overrides the file. A flag exists for what differs from
//! start to start; everything else is a setting of the registry and has no flag.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::EXPORTER_ROWS;
use crate::settings::{Id, SettingError, Settings};

/// Why a task of the command line ended badly.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

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
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Start a broker with its gateway and exporter.
    Start(StartOptions),
    /// Show it without any client: start, deploy, work, read the history back.
    Demo(DemoOptions),
    /// Show a running cluster's partitions, or move their leaders.
    Cluster(ClusterCommand),
    /// Print what a stopped broker's files hold, as readable lines.
    Inspect(InspectOptions),
    /// Fill an empty data directory from a backup; run it on every broker, then start them.
    Restore(RestoreOptions),
    /// Print the statements that make the tables of the secondary storage.
    Ddl {
        /// sqlite, postgresql, mariadb or mysql.
        database: String,
        /// Stands in front of all tables, as the setting secondary-storage.prefix says.
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: String,
    },
    /// List all settings: name, default, meaning, other names.
    Settings,
    /// Print the version.
    Version,
}

/// Flags of `start`.
#[derive(Debug, Default, Args)]
pub(crate) struct StartOptions {
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
    /// Number of this broker in its cluster, from 0.
    #[arg(long, value_name = "N")]
    pub node_id: Option<String>,
    /// Number of brokers of the cluster.
    #[arg(long, value_name = "N")]
    pub cluster_size: Option<String>,
    /// Replicas of each partition.
    #[arg(long, value_name = "N")]
    pub replication_factor: Option<String>,
    /// Where other brokers reach this one.
    #[arg(long, value_name = "HOST:PORT")]
    pub peer_address: Option<String>,
    /// Peer addresses of some brokers, commas between.
    #[arg(long, value_name = "LIST")]
    pub contact_points: Option<String>,
    /// sqlite:PATH, postgres://..., or none.
    #[arg(long, value_name = "URL")]
    pub secondary_storage: Option<String>,
    /// Input and output driver: auto, uring or plain.
    #[arg(long, value_name = "DRIVER")]
    pub io: Option<String>,
}

/// Flags of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// Number of the backup; without it, the newest that fits the database.
    #[arg(long, alias = "backupId", value_name = "N", conflicts_with = "to")]
    pub backup_id: Option<i64>,
    /// The backup whose checkpoint is nearest to this time (2026-01-31T12:00:00Z).
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Delete the partitions that the data directory holds.
    #[arg(long)]
    pub overwrite: bool,
    /// The configuration the broker starts with.
    #[command(flatten)]
    pub start: StartOptions,
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Number of orders to run.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub orders: u32,
}

/// Arguments of `cluster`.
#[derive(Debug, Args)]
pub(crate) struct ClusterCommand {
    /// Management address of any broker.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9600")]
    pub management_address: String,
    /// What to do; without it, the cluster is shown.
    #[command(subcommand)]
    pub action: Option<ClusterAction>,
}

/// What `cluster` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterAction {
    /// Ask the leader of a partition to hand over to a broker.
    Transfer {
        /// The partition.
        partition: u16,
        /// The broker that shall lead.
        broker: u32,
    },
    /// Ask all leaders that are not the preferred ones to hand over to them.
    Rebalance,
    /// Change the cluster: brokers come and go, partitions are spread over those that stay.
    Change(ClusterChange),
    /// Give up the change that is under way; what was done stays.
    Cancel {
        /// Its number, as the cluster shows it.
        change: u64,
    },
}

/// What a change of the cluster is to bring.
#[derive(Debug, Args)]
pub(crate) struct ClusterChange {
    /// A broker that becomes a member; may be repeated.
    #[arg(long, value_name = "BROKER")]
    pub add: Vec<u32>,
    /// A broker that leaves; may be repeated.
    #[arg(long, value_name = "BROKER")]
    pub remove: Vec<u32>,
    /// Replicas of each partition; as many as before if it is not given.
    #[arg(long, value_name = "NUMBER")]
    pub replication_factor: Option<u32>,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove brokers that will never come back.
    #[arg(long)]
    pub force: bool,
    /// Wait until the change has come to its end.
    #[arg(long)]
    pub wait: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// What to print.
    #[command(subcommand)]
    pub what: Inspected,
}

/// What `inspect` prints.
#[derive(Debug, Subcommand)]
pub(crate) enum Inspected {
    /// The records of the log, one a line.
    Log(InspectPlace),
    /// The rows of the state, one a line.
    State(InspectPlace),
}

/// Where `inspect` looks.
#[derive(Debug, Args)]
pub(crate) struct InspectPlace {
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
    pub(crate) fn settings(&self) -> Result<Settings, SettingError> {
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
            (Id::NodeId, &self.node_id),
            (Id::ClusterSize, &self.cluster_size),
            (Id::ReplicationFactor, &self.replication_factor),
            (Id::PeerAddress, &self.peer_address),
            (Id::ContactPoints, &self.contact_points),
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

/// Prints the registry of settings.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print_settings() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for id in Id::ALL {
        let row = id.row();
        writeln!(out, "{} = {:?}\n    {}", row.name, row.default, row.about)?;
        if !row.aliases.is_empty() {
            writeln!(out, "    also: {}", row.aliases.join(", "))?;
        }
    }
    for (name, default, about) in EXPORTER_ROWS {
        writeln!(out, "elasticsearch.{name} = {default:?}\n    {about}")?;
    }
    writeln!(
        out,
        "elasticsearch.index.TYPE\n    true or false: whether a value type is exported, as \
         elasticsearch.index.process-instance.\n    also all of these: \
         camunda.data.exporters.elasticsearch.args.NAME, zeebe.broker.exporters.elasticsearch.args.NAME, \
         and the same of opensearch"
    )?;
    Ok(())
}

/// Prints the statements that make the tables of the secondary storage.
///
/// # Errors
/// If there is no such database or prefix, or if standard output is closed.
pub(crate) fn print_ddl(database: &str, prefix: &str) -> Result<(), Failure> {
    let prefix =
        ringflow_export::Prefix::new(prefix).map_err(|error| Failure(error.to_string()))?;
    let Some(statements) = ringflow_export::migrate::ddl(database, &prefix) else {
        return Err(Failure(format!(
            "there are no tables for '{database}'; sqlite, postgresql, mariadb or mysql"
        )));
    };
    write!(std::io::stdout().lock(), "{statements}")?;
    Ok(())
}

/// Prints name, version and the Camunda version that is spoken.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print_version() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "ringflow {} (speaks Camunda {})",
        env!("CARGO_PKG_VERSION"),
        ringflow_gateway::GATEWAY_VERSION
    )?;
    Ok(())
}
