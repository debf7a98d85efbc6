//! The composition root: which parts a process has, in which order they start and end.
//!
//! Start: configuration, log lines, limits of the process, broker (its shards recover first), then
//! exporter and queries, then the gateway; only then the one line that says the process is ready.
//! What fails before that line ends the process with a sentence and leaves nothing running. The
//! order of the end is in [`shutdown`](crate::shutdown).

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{GlobalListenerBatchRecord, UserRecord};
use ringflow_export::elastic::{AskPhase, PhaseFuture};
use ringflow_export::{
    Database, Dialect, Elastic, ElasticOptions, Exporter, ExporterOptions, ExporterState, Queries,
    QueriesOptions, RecordFeed,
};
use ringflow_gateway::{
    Auth, Backend, Gateway, GatewayOptions, Guards, Reads, RunningGateway, stored_form,
};
use ringflow_io::{
    Broker, BrokerAddress, BrokerOptions, ClusterOptions, DriverChoice, Export, Submitter,
};

use crate::arguments::{Failure, StartOptions};
use crate::backups::Keeping;
use crate::config::{Access, Config, IoDriver};
use crate::feed::{BrokerFeed, follow_leaders, tell_exported};
use crate::initialization::Initialization;
use crate::items;
use crate::logging;
use crate::placement::{Placement, has_cpu_quota};
use crate::shutdown::EndSignals;

/// Longest time a start waits for its secondary storage.
const STORAGE_READY_WITHIN: Duration = Duration::from_secs(5);

/// Longest time a start waits until its configured identities are there.
const SETUP_WITHIN: Duration = Duration::from_secs(5);

/// A process that serves.
pub(crate) struct Running {
    broker: Arc<Broker>,
    exporter: Option<Arc<Exporter>>,
    elastic: Option<Arc<Elastic>>,
    gateway: RunningGateway,
    /// Answers partitions that ask for items of batch operations; ends with the broker.
    items: Option<tokio::task::JoinHandle<()>>,
    keeping: Option<Keeping>,
}

/// Where a running process listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// gRPC API.
    pub grpc: SocketAddr,
    /// REST API.
    pub rest: SocketAddr,
    /// Health and metrics.
    pub management: SocketAddr,
}

/// Runs a broker until it is told to end.
///
/// # Errors
/// If the configuration is wrong or a part cannot start.
pub(crate) fn start(options: &StartOptions) -> Result<(), Failure> {
    let config = Config::from_settings(&options.settings()?)?;
    logging::begin(&config)?;
    let placement = place(&config)?;
    runtime(placement.gateway_threads)?.block_on(async {
        let mut signals = EndSignals::register()?;
        let running = Running::start(&config, &placement).await?;
        announce(running.addresses())?;
        let refused = tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "ending");
                None
            }
            why = running.refused() => Some(why),
        };
        let anyway = tokio::spawn(signals.end_anyway());
        running.stop().await;
        anyway.abort();
        tracing::info!("ended");
        refused.map_or(Ok(()), |why| Err(Failure(why)))
    })
}

impl Running {
    /// Starts all parts.
    ///
    /// # Errors
    /// If a part cannot start; those that did are stopped.
    pub(crate) async fn start(config: &Config, placement: &Placement) -> Result<Self, Failure> {
        raise_file_limit();
        let options = broker_options(config, placement);
        let broker = tokio::task::spawn_blocking(move || Broker::start(options)).await??;
        let broker = Arc::new(broker);
        match serve(config, placement, &broker).await {
            Ok(parts) => Ok(Self {
                broker,
                exporter: parts.exporter,
                elastic: parts.elastic,
                gateway: parts.gateway,
                items: parts.items,
                keeping: parts.keeping,
            }),
            Err(failure) => {
                stop_broker(broker).await;
                Err(failure)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses {
            grpc: self.gateway.grpc,
            rest: self.gateway.rest,
            management: self.gateway.management,
        }
    }

    /// Returns with the reason if the cluster refuses this broker.
    pub(crate) async fn refused(&self) -> String {
        let mut fatal = self.broker.fatal();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The broker has ended otherwise.
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops all parts in order.
    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
        if let Some(items) = self.items {
            items.abort();
        }
        if let Some(keeping) = self.keeping {
            keeping.stop().await;
        }
        stop_broker(self.broker).await;
        let stopped = tokio::task::spawn_blocking(move || {
            // Both have the same time.
            let beside = self
                .elastic
                .map(|elastic| std::thread::spawn(move || stop_exporter(elastic, Elastic::stop)));
            if let Some(exporter) = self.exporter {
                stop_exporter(exporter, Exporter::stop);
            }
            beside.is_none_or(|beside| beside.join().is_ok())
        });
        if !matches!(stopped.await, Ok(true)) {
            tracing::error!("the exporter did not stop in order");
        }
    }
}

/// A tokio runtime for gateway and composition.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("gateway")
        .enable_all()
        .build()
}

/// Where everything goes on this host.
///
/// # Errors
/// If a core is named that is not there.
pub(crate) fn place(config: &Config) -> Result<Placement, Failure> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let quota = has_cpu_quota();
    let placement = Placement::new(config, available, quota).map_err(Failure)?;
    if placement.cores.is_empty() {
        let why = if quota {
            "a CPU quota"
        } else {
            "few cores, or by configuration"
        };
        tracing::warn!(available, why, "shards run unpinned");
    }
    Ok(placement)
}

/// What stands between broker and clients.
struct Served {
    exporter: Option<Arc<Exporter>>,
    elastic: Option<Arc<Elastic>>,
    gateway: RunningGateway,
    items: Option<tokio::task::JoinHandle<()>>,
    keeping: Option<Keeping>,
}

async fn serve(
    config: &Config,
    placement: &Placement,
    broker: &Arc<Broker>,
) -> Result<Served, Failure> {
    let database = config.secondary_storage.clone();
    let mut exporter = None;
    let mut items = None;
    let mut reads: Option<Arc<dyn Reads>> = None;
    let mut phases = None;
    if let Some(database) = database {
        tracing::info!(database = %database.place(), "secondary storage");
        let queries = Queries::open(&QueriesOptions {
            prefix: config.table_prefix.clone(),
            ..QueriesOptions::new(database.clone())
        })?;
        items = broker
            .asked_items()
            .map(|asked| tokio::spawn(items::answer(asked, queries.clone(), broker.submitter())));
        phases = Some(queries.clone());
        if config.cluster.is_many() {
            tokio::spawn(tell_exported(Arc::downgrade(broker), queries.clone()));
        }
        reads = Some(Arc::new(queries));
        let alone = !config.cluster.is_many();
        let feeds = broker
            .replicas()
            .into_iter()
            .filter(|_| alone)
            .map(|partition| {
                let broker = Arc::downgrade(broker);
                Box::new(BrokerFeed::new(broker, Export::Storage, partition)) as Box<dyn RecordFeed>
            })
            .collect();
        let options = ExporterOptions {
            auto_ddl: config.auto_ddl,
            window_age: config.flush_interval,
            retain: Some(config.retain.clone()),
            audit: config.audit,
            prefix: config.table_prefix.clone(),
            ..ExporterOptions::new(database)
        };
        let started = Arc::new(Exporter::start(options, feeds)?);
        storage_ready(&started).await;
        if !alone {
            tokio::spawn(follow_leaders(
                Arc::downgrade(broker),
                Arc::downgrade(&started),
            ));
        }
        exporter = Some(started);
    }
    let elastic = match &config.elastic {
        Some(options) => Some(beside(options, phases, broker)?),
        None => None,
    };
    let setup = set_up(
        config.initialization.clone(),
        config.global_listeners.clone(),
        broker.submitter(),
    );
    if config.cluster.size == 1 {
        setup.await?;
    } else {
        // The others may not be there yet, and one that has no leader is no reason to keep clients out.
        tokio::spawn(async move {
            if let Err(failure) = setup.await {
                tracing::error!(%failure, "what is configured was not set up");
            }
        });
    }
    let keeping = Keeping::start(config, broker, placement.partitions)?;
    let backend = Backend {
        commands: Arc::new(broker.submitter()),
        reads,
        exporters: exporter
            .as_ref()
            .map(|exporter| ("rdbms", exporter.metrics()))
            .into_iter()
            .chain(
                elastic
                    .as_ref()
                    .map(|elastic| ("elasticsearch", elastic.metrics())),
            )
            .collect(),
        backups: keeping.as_ref().map(|keeping| keeping.backups.clone()),
        loggers: logging::loggers(),
    };
    let gateway = Gateway::start(gateway_options(config), backend).await?;
    Ok(Served {
        exporter,
        elastic,
        gateway,
        items,
        keeping,
    })
}

/// Starts the export beside the secondary storage; an operator's pause holds for both.
fn beside(
    options: &ElasticOptions,
    phases: Option<Queries>,
    broker: &Arc<Broker>,
) -> Result<Arc<Elastic>, Failure> {
    tracing::info!(urls = ?options.urls, "exporting to Elasticsearch as well");
    let runtime = tokio::runtime::Handle::current();
    let phase = phases.map(|queries| {
        Box::new(move |partition| {
            // Connections belong to the runtime that opened them.
            let queries = queries.clone();
            let asked = runtime.spawn(async move { queries.phase(partition).await.ok() });
            Box::pin(async move { asked.await.ok().flatten() }) as PhaseFuture
        }) as AskPhase
    });
    let elastic = Arc::new(Elastic::start(options.clone(), phase)?);
    tokio::spawn(follow_leaders(
        Arc::downgrade(broker),
        Arc::downgrade(&elastic),
    ));
    Ok(elastic)
}

/// Orders the users, roles and the like of the configuration, which stay as they are if they are
/// there, and its listeners of all user tasks.
async fn set_up(
    initialization: Initialization,
    listeners: GlobalListenerBatchRecord,
    submitter: Submitter,
) -> Result<(), Failure> {
    let Initialization { users, mut setup } = initialization;
    // Hashes take their time by design.
    let hashed = tokio::task::spawn_blocking(move || {
        users
            .into_iter()
            .map(|user| {
                let password = stored_form(&user.password)
                    .map_err(|error| Failure(format!("password of {}: {error}", user.username)))?;
                Ok(UserRecord {
                    username: Text::from(user.username),
                    name: Text::from(user.name),
                    email: Text::from(user.email),
                    password: Text::from(password),
                    ..UserRecord::default()
                })
            })
            .collect::<Result<Vec<UserRecord>, Failure>>()
    });
    setup.users = hashed.await??;
    let initialize = Command::internal(Key::NONE, of::IdentitySetup::Initialize, setup);
    order(&submitter, initialize).await?;
    let configure = Command::internal(Key::NONE, of::GlobalListenerBatch::Configure, listeners);
    order(&submitter, configure).await
}

async fn order(submitter: &Submitter, command: Command) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let answer = submitter.submit(PartitionId::DEPLOYMENT, command.clone(), SETUP_WITHIN);
        match answer.await {
            Ok(_) => return Ok(()),
            // Elsewhere is the leader, or nowhere yet; its broker orders the same.
            Err(error) if begun.elapsed() > SETUP_WITHIN => {
                tracing::warn!(%error, "what is configured was not set up here");
                return Ok(());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Waits until the schema is prepared, so that the first client can search; not for ever, because a
/// database that is down must not keep commands out.
async fn storage_ready(exporter: &Exporter) {
    let begun = Instant::now();
    let metrics = exporter.metrics();
    while matches!(
        metrics.snapshot(Timestamp(0)).state,
        ExporterState::Starting
    ) {
        if begun.elapsed() > STORAGE_READY_WITHIN {
            tracing::warn!("the secondary storage does not answer; searches fail until it does");
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How often it is looked whether a part that is to be stopped is let go of.
const RELEASE_LOOK: Duration = Duration::from_millis(1);

fn stop_exporter<T>(exporter: Arc<T>, stop: fn(T)) {
    let mut shared = exporter;
    loop {
        // Whoever follows the leaders may hold it for a moment.
        match Arc::try_unwrap(shared) {
            Ok(exporter) => return stop(exporter),
            Err(still) => shared = still,
        }
        std::thread::sleep(RELEASE_LOOK);
    }
}

async fn stop_broker(broker: Arc<Broker>) {
    let stopped = tokio::task::spawn_blocking(move || {
        let mut shared = broker;
        loop {
            // A feed may hold the broker for the moment in which it opens its reader.
            match Arc::try_unwrap(shared) {
                Ok(broker) => return broker.stop(),
                Err(still) => shared = still,
            }
            std::thread::sleep(RELEASE_LOOK);
        }
    });
    if stopped.await.is_err() {
        tracing::error!("the broker did not stop in order");
    }
}

/// What brokers of one cluster must agree on: the kind of database they share, and whether they
/// export to Elasticsearch as well.
fn storage_name(config: &Config) -> String {
    let dialect = config.secondary_storage.as_ref().map(Database::dialect);
    let mut name = match dialect {
        None => "none",
        Some(Dialect::Sqlite) => "sqlite",
        Some(Dialect::Postgres) => "postgresql",
        Some(Dialect::Mysql) => "mysql",
    }
    .to_owned();
    if config.elastic.is_some() {
        name.push_str("+elasticsearch");
    }
    name
}

/// What the broker is told.
pub(crate) fn broker_options(config: &Config, placement: &Placement) -> BrokerOptions {
    let defaults = BrokerOptions::new(config.data_dir.clone());
    BrokerOptions {
        peer_version: config.peer_version.unwrap_or(defaults.peer_version),
        partitions: placement.partitions,
        node_id: config.node_id,
        cluster: ClusterOptions {
            storage: storage_name(config),
            ..config.cluster.clone()
        },
        address: if config.cluster.is_many() {
            BrokerAddress {
                host: client_host(config),
                port: config.grpc_address.port(),
            }
        } else {
            BrokerAddress::default()
        },
        shards: placement.shards,
        cores: placement.cores.clone(),
        driver: match config.io {
            IoDriver::Auto => DriverChoice::Auto,
            IoDriver::Uring => DriverChoice::Uring,
            IoDriver::Plain => DriverChoice::Plain,
        },
        exporting: config.secondary_storage.is_some(),
        exporting_beside: config.elastic.is_some(),
        snapshot_interval: config.snapshot_period,
        authorizations: config.authorizations,
        tenancy: config.tenancy,
        disk_reserve_bytes: config.free_space_bytes,
        time_zone: config.time_zone.clone(),
        unique_business_ids: config.unique_business_ids,
        controlled_clock: config.clock_controlled,
        state_memory_bytes: usize::try_from(config.state_memory_bytes).unwrap_or(usize::MAX),
        log_segment_bytes: config.segment_bytes,
        backups: config.backups.store.is_some(),
        continuous_backups: config.backups.continuous && config.backups.store.is_some(),
        ..defaults
    }
}

/// Under which name clients reach this host, as far as it can be known.
fn client_host(config: &Config) -> String {
    let advertised = config.cluster.advertised.as_deref();
    let host = advertised.and_then(|name| name.rsplit_once(':').map(|(host, _)| host));
    match host {
        Some(host) => host.to_owned(),
        None => config.cluster.listen.ip().to_string(),
    }
}

fn gateway_options(config: &Config) -> GatewayOptions {
    let auth = match &config.access {
        Access::Unprotected => {
            tracing::warn!(
                "the APIs are unprotected: everybody who reaches them may do everything; set \
                 security.users to ask for credentials"
            );
            Auth::Unprotected
        }
        Access::Oidc(options) => {
            if options.audiences.is_empty() {
                tracing::warn!(
                    "tokens of any audience of the issuer count; set security.oidc.audiences"
                );
            }
            Auth::Oidc(options.clone())
        }
        Access::Basic => Auth::Basic(
            config
                .initialization
                .users
                .iter()
                .map(|user| ringflow_gateway::User {
                    name: user.username.clone(),
                    display_name: user.name.clone(),
                    email: user.email.clone(),
                    password: user.password.clone(),
                })
                .collect(),
        ),
    };
    let mut options = GatewayOptions {
        grpc: config.grpc_address,
        rest: config.rest_address,
        management: config.management_address,
        grpc_tls: config.grpc_tls.clone(),
        rest_tls: config.rest_tls.clone(),
        management_tls: config.management_tls.clone(),
        auth,
        guards: Guards {
            authorizations: config.authorizations,
            tenancy: config.tenancy,
        },
        ..GatewayOptions::default()
    };
    options.limits.request_timeout = config.request_timeout;
    options.documents = config.documents.clone();
    options.headers = config.headers.clone();
    options
}

/// The one line that tells scripts and people that clients may come, and where.
fn announce(at: Addresses) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "ringflow is ready: grpc={} rest={} management={}",
        at.grpc, at.rest, at.management
    )?;
    out.flush()?;
    Ok(())
}

/// RocksDB keeps its table files open: the soft limit of open files is raised to the hard one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!(soft = ?limit.current, "the limit of open files could not be raised");
    }
}
