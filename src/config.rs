//! The configuration: every setting in its type, checked once at start.
//!
//! [`settings`](crate::settings) knows names and sources; here each text becomes a value or a refusal
//! that names the setting, the value, where it came from and what it must be. Nothing behind this
//! file parses text again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ringflow_core::record::Text;
use ringflow_core::record::value::{EntityType, GlobalListenerBatchRecord, RoleRecord};

use ringflow_io::cluster::CLUSTER_SIZE_MAX;
use ringflow_io::{ClusterOptions, PROTOCOL_VERSION};

use ringflow_export::{Audit, Database, ElasticOptions, Prefix, RetainOptions};
use ringflow_gateway::{
    DocumentOptions, GATEWAY_VERSION, OidcOptions, SecurityHeaders, TlsIdentity,
};

use crate::initialization::{self, InitialUser, Initialization};
use crate::settings::{Id, SettingError, Settings};

mod backup;
mod documents;
mod elastic;
mod headers;
mod security;
mod storage;

pub(crate) use backup::BackupConfig;
pub(crate) use elastic::ROWS as EXPORTER_ROWS;

/// Most partitions of a cluster (keys have room for more; one broker does not).
pub(crate) const PARTITIONS_MAX: u16 = 1024;

/// Port of peers, where a contact point names none.
const PEER_PORT: u16 = 26502;
/// Replicas of a partition by default, where there are as many brokers.
const REPLICAS: u32 = 3;
/// Longest name of a cluster.
const NAME_BYTES_MAX: usize = 256;

/// Which input and output driver the shards use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IoDriver {
    /// Probe for io_uring, fall back to plain.
    Auto,
    /// glommio on io_uring, or refuse to start.
    Uring,
    /// No io_uring.
    Plain,
}

/// Who may call the APIs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Everybody; credentials are ignored.
    Unprotected,
    /// Those with the password of a user, by HTTP Basic.
    Basic,
    /// Those with a token of an identity provider.
    Oidc(OidcOptions),
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Data directory.
    pub data_dir: PathBuf,
    /// Time between snapshots.
    pub snapshot_period: Duration,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Bytes for all RocksDB databases together.
    pub state_memory_bytes: u64,
    /// Free bytes on disk below which intake stops.
    pub free_space_bytes: u64,
    /// Number of partitions; `None` = one per shard core.
    pub partitions: Option<u16>,
    /// Number of this broker.
    pub node_id: u32,
    /// Its cluster.
    pub cluster: ClusterOptions,
    /// Newest version of the peer protocol that it speaks; `None` = that of the program.
    pub peer_version: Option<u16>,
    /// Cores for shards; `None` = decide, empty = unpinned.
    pub cores: Option<Vec<usize>>,
    /// Driver.
    pub io: IoDriver,
    /// Zone of calendar timers.
    pub time_zone: String,
    /// One running root instance of a process at most has a business id.
    pub unique_business_ids: bool,
    /// The time that is processed by may be moved.
    pub clock_controlled: bool,
    /// gRPC listener.
    pub grpc_address: SocketAddr,
    /// REST listener.
    pub rest_address: SocketAddr,
    /// Management listener.
    pub management_address: SocketAddr,
    /// Encryption of the gRPC API; `None` = plain text.
    pub grpc_tls: Option<TlsIdentity>,
    /// The same of the REST API.
    pub rest_tls: Option<TlsIdentity>,
    /// What answers of REST tell browsers.
    pub headers: SecurityHeaders,
    /// The same of the management port.
    pub management_tls: Option<TlsIdentity>,
    /// How long a command may take.
    pub request_timeout: Duration,
    /// Where documents are kept.
    pub documents: DocumentOptions,
    /// Gateway threads; `None` = decide.
    pub gateway_threads: Option<usize>,
    /// History.
    pub secondary_storage: Option<Database>,
    /// The tables are made here, not by the database's owner.
    pub auto_ddl: bool,
    /// Longest wait of a committed record for its batch.
    pub flush_interval: Duration,
    /// How long history stays, and how it is cleaned.
    pub retain: RetainOptions,
    /// Whose operations are audited.
    pub audit: Audit,
    /// What stands in front of all tables.
    pub table_prefix: Prefix,
    /// The export to Elasticsearch, beside the secondary storage.
    pub elastic: Option<ElasticOptions>,
    /// Backups.
    pub backups: BackupConfig,
    /// Access.
    pub access: Access,
    /// Users, roles and the like that have to be there.
    pub initialization: Initialization,
    /// The listeners of all user tasks that the settings own.
    pub global_listeners: GlobalListenerBatchRecord,
    /// Callers need permissions.
    pub authorizations: bool,
    /// Callers see only their tenants.
    pub tenancy: bool,
    /// Filter of log lines.
    pub log_filter: String,
    /// Log lines as JSON.
    pub log_json: bool,
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// For the first setting that does not fit.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let read = Reader { settings };
        let data_dir = PathBuf::from(settings.get(Id::DataDirectory).0);
        let initialization = read.initialization()?;
        let rest_tls = read.tls(Id::RestTls, Id::RestTlsCertificates, Id::RestTlsKey)?;
        Ok(Self {
            snapshot_period: read.duration(Id::SnapshotPeriod, 10 * SECOND, DAY)?,
            // One segment holds the largest batch (8 MB) and its frame; whole blocks.
            segment_bytes: read.size(Id::SegmentSize, 16 * MB, 1024 * MB)? / BLOCK * BLOCK,
            state_memory_bytes: read.size(Id::StateMemory, 32 * MB, MB * MB)?,
            free_space_bytes: read.size(Id::MinimumFreeSpace, 16 * MB, MB * MB)?,
            partitions: read
                .auto_or(Id::Partitions, 1, u64::from(PARTITIONS_MAX))?
                .map(|n| n as u16),
            peer_version: read
                .auto_or(Id::PeerVersion, 1, u64::from(PROTOCOL_VERSION))?
                .map(|version| version as u16),
            node_id: read.number(Id::NodeId, 0, u64::from(CLUSTER_SIZE_MAX) - 1)? as u32,
            cluster: read.cluster()?,
            cores: read.cores(Id::Cores)?,
            io: read.one_of(
                Id::Io,
                &[
                    ("auto", IoDriver::Auto),
                    ("uring", IoDriver::Uring),
                    ("plain", IoDriver::Plain),
                ],
            )?,
            time_zone: read.time_zone(Id::TimeZone)?,
            unique_business_ids: read.one_of(Id::UniqueBusinessIds, &FLAGS)?,
            clock_controlled: read.one_of(Id::ClockControlled, &FLAGS)?,
            grpc_address: read.address(Id::GrpcAddress)?,
            rest_address: read.address(Id::RestAddress)?,
            management_address: read.address(Id::ManagementAddress)?,
            grpc_tls: read.tls(Id::GrpcTls, Id::GrpcTlsCertificates, Id::GrpcTlsKey)?,
            headers: read.headers(rest_tls.is_some())?,
            rest_tls,
            management_tls: read.tls(
                Id::ManagementTls,
                Id::ManagementTlsCertificates,
                Id::ManagementTlsKey,
            )?,
            documents: read.documents()?,
            request_timeout: read.duration(Id::RequestTimeout, 100, 10 * MINUTE)?,
            gateway_threads: read.auto_or(Id::GatewayThreads, 1, 64)?.map(|n| n as usize),
            secondary_storage: read.secondary_storage(&data_dir)?,
            auto_ddl: read.one_of(Id::AutoDdl, &FLAGS)?,
            flush_interval: read.duration(Id::FlushInterval, 10, 10 * SECOND)?,
            retain: read.retain()?,
            audit: read.audit()?,
            table_prefix: read.prefix()?,
            elastic: read.elastic(GATEWAY_VERSION)?,
            backups: read.backups()?,
            access: read.access(&initialization)?,
            authorizations: read.one_of(Id::Authorizations, &FLAGS)?,
            tenancy: read.one_of(Id::Tenancy, &FLAGS)?,
            initialization,
            global_listeners: initialization::listeners(&settings.global_listeners)
                .map_err(SettingError::Listeners)?,
            log_filter: settings.get(Id::LogLevel).0.to_owned(),
            log_json: read.one_of(Id::LogFormat, &[("text", false), ("json", true)])?,
            data_dir,
        })
    }
}

const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
const MB: u64 = 1 << 20;
/// Unit of direct file access, which the log's files are multiples of.
const BLOCK: u64 = 4096;

struct Reader<'s> {
    settings: &'s Settings,
}

impl Reader<'_> {
    fn text(&self, id: Id) -> &str {
        self.settings.get(id).0.trim()
    }

    fn duration(&self, id: Id, min_millis: u64, max_millis: u64) -> Result<Duration, SettingError> {
        millis(self.text(id))
            .filter(|millis| (min_millis..=max_millis).contains(millis))
            .map(Duration::from_millis)
            .ok_or_else(|| {
                let range = format!("{min_millis}ms to {max_millis}ms");
                self.settings
                    .invalid(id, format!("a duration such as 5s, 100ms or PT5S, {range}"))
            })
    }

    fn size(&self, id: Id, min: u64, max: u64) -> Result<u64, SettingError> {
        bytes(self.text(id))
            .filter(|size| (min..=max).contains(size))
            .ok_or_else(|| {
                let range = format!("{}MB to {}MB", min / MB, max / MB);
                self.settings
                    .invalid(id, format!("a size such as 128MB, {range}"))
            })
    }

    fn auto_or(&self, id: Id, min: u64, max: u64) -> Result<Option<u64>, SettingError> {
        let text = self.text(id);
        if text == "auto" {
            return Ok(None);
        }
        text.parse()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .map(Some)
            .ok_or_else(|| {
                self.settings
                    .invalid(id, format!("auto or a number, {min} to {max}"))
            })
    }

    fn one_of<T: Copy>(&self, id: Id, choices: &[(&str, T)]) -> Result<T, SettingError> {
        let text = self.text(id);
        choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, it)| *it)
            .ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                self.settings
                    .invalid(id, format!("one of {}", names.join(", ")))
            })
    }

    fn time_zone(&self, id: Id) -> Result<String, SettingError> {
        let name = self.text(id);
        if ringflow_core::schedule::knows_zone(name) {
            return Ok(name.to_owned());
        }
        Err(self
            .settings
            .invalid(id, "UTC or an IANA name such as Europe/Berlin"))
    }

    fn address(&self, id: Id) -> Result<SocketAddr, SettingError> {
        use std::net::ToSocketAddrs as _;
        let text = self.text(id);
        text.to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| {
                self.settings
                    .invalid(id, "HOST:PORT with a host that resolves")
            })
    }

    fn number(&self, id: Id, min: u64, max: u64) -> Result<u64, SettingError> {
        self.text(id)
            .parse()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                self.settings
                    .invalid(id, format!("a number, {min} to {max}"))
            })
    }

    fn cluster(&self) -> Result<ClusterOptions, SettingError> {
        let size = self.number(Id::ClusterSize, 1, u64::from(CLUSTER_SIZE_MAX))? as u32;
        // A broker beyond the size is a guest until the cluster is told to add it.
        let nodes = if size > 1 { CLUSTER_SIZE_MAX } else { 1 };
        self.number(Id::NodeId, 0, u64::from(nodes) - 1)?;
        let factor = self.auto_or(Id::ReplicationFactor, 1, u64::from(size))?;
        let replication_factor = factor.map_or(size.min(REPLICAS), |factor| factor as u32);
        let name = self.text(Id::ClusterName);
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let expected = format!("a name of 1 to {NAME_BYTES_MAX} bytes");
            return Err(self.settings.invalid(Id::ClusterName, expected));
        }
        let points = self.text(Id::ContactPoints).split([',', ' ']);
        let points = points.map(str::trim).filter(|point| !point.is_empty());
        let contact_points: Vec<String> = points
            .map(|point| match point.rsplit_once(':') {
                Some(_) => point.to_owned(),
                None => format!("{point}:{PEER_PORT}"),
            })
            .collect();
        if size > 1 && contact_points.is_empty() {
            return Err(self.settings.invalid(
                Id::ContactPoints,
                format!("the peer addresses of some of the {size} brokers, HOST:PORT,..."),
            ));
        }
        let listen = self.address(Id::PeerAddress)?;
        let advertised = match self.text(Id::PeerAdvertised) {
            "auto" if listen.ip().is_unspecified() && size > 1 => {
                let name = rustix::system::uname();
                let name = name.nodename().to_string_lossy().into_owned();
                Some(format!("{name}:{}", listen.port()))
            }
            "auto" => None,
            text if text.contains(':') => Some(text.to_owned()),
            text => Some(format!("{text}:{}", listen.port())),
        };
        Ok(ClusterOptions {
            name: name.to_owned(),
            size,
            replication_factor,
            contact_points,
            listen,
            advertised,
            storage: String::new(),
            tls: self.peer_tls()?,
        })
    }

    fn cores(&self, id: Id) -> Result<Option<Vec<usize>>, SettingError> {
        let text = self.text(id);
        match text {
            "auto" => return Ok(None),
            "none" => return Ok(Some(Vec::new())),
            _ => {}
        }
        let refused = || {
            self.settings
                .invalid(id, "auto, none, or a list of cores such as 1-3,5")
        };
        let mut cores = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first: usize = first.trim().parse().map_err(|_| refused())?;
            let last: usize = last.trim().parse().map_err(|_| refused())?;
            if first > last || last >= 4096 {
                return Err(refused());
            }
            cores.extend(first..=last);
        }
        cores.sort_unstable();
        cores.dedup();
        Ok(Some(cores))
    }

    /// The database of the history; `None` = there is none, and searching says so.
    fn secondary_storage(
        &self,
        data_dir: &std::path::Path,
    ) -> Result<Option<Database>, SettingError> {
        let kind = self.text(Id::SecondaryStorageType).to_ascii_lowercase();
        let mut url = self.text(Id::SecondaryStorage).to_owned();
        match kind.as_str() {
            "none" => return Ok(None),
            "auto" | "rdbms" => {}
            _ => {
                return Err(self.settings.invalid(
                    Id::SecondaryStorageType,
                    "auto, rdbms or none (Elasticsearch and OpenSearch are not secondary storage here)",
                ));
            }
        }
        if url == "auto" && self.number(Id::ClusterSize, 1, u64::from(CLUSTER_SIZE_MAX))? > 1 {
            return Err(self.settings.invalid(
                Id::SecondaryStorage,
                "a database that all brokers of the cluster share (postgres://HOST/DATABASE), or none",
            ));
        }
        if url == "auto" {
            url = format!("sqlite:{}", data_dir.join("secondary.db").display());
        }
        let user = self.text(Id::SecondaryStorageUser);
        let password = self.text(Id::SecondaryStoragePassword);
        Database::parse(&url, Some(user), Some(password)).map_err(|error| {
            self.settings.invalid(
                Id::SecondaryStorage,
                format!(
                    "sqlite:PATH, postgres://HOST/DATABASE, mysql://HOST/DATABASE or none: {error}"
                ),
            )
        })
    }

    fn initialization(&self) -> Result<Initialization, SettingError> {
        let mut initialization = initialization::read(&self.settings.initialization)
            .map_err(SettingError::Initialization)?;
        for entry in self.text(Id::Users).split_whitespace() {
            let (name, password) = entry
                .split_once(':')
                .filter(|(name, password)| !name.is_empty() && !password.is_empty())
                .ok_or_else(|| {
                    self.settings
                        .invalid(Id::Users, "NAME:PASSWORD, blank between")
                })?;
            initialization.users.push(InitialUser {
                username: name.to_owned(),
                password: password.to_owned(),
                name: name.to_owned(),
                email: String::new(),
            });
            initialization.setup.role_members.push(RoleRecord {
                role_id: Text::from("admin"),
                entity_type: EntityType::User,
                entity_id: Text::from(name),
                ..RoleRecord::default()
            });
        }
        Ok(initialization)
    }
}

/// Milliseconds of `250ms`, `5s`, `2m`, `3h`, `30d`, or of ISO-8601 days to seconds (`P1DT2H3M4S`).
fn millis(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let Some(iso) = upper.strip_prefix('P') else {
        return unit(&upper, true);
    };
    let (days, time) = iso.split_once('T').unwrap_or((iso, ""));
    if iso.is_empty() || iso.ends_with('T') {
        return None;
    }
    let mut total = if days.is_empty() {
        0
    } else {
        unit(days, true).filter(|_| days.ends_with('D'))?
    };
    let mut start = 0;
    for (end, _) in time.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()) {
        total += unit(&time[start..=end], false)?;
        start = end + 1;
    }
    (start == time.len()).then_some(total)
}

fn unit(text: &str, with_days: bool) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "MS" => 1,
        "S" => SECOND,
        "M" => MINUTE,
        "H" => 60 * MINUTE,
        "D" if with_days => DAY,
        _ => return None,
    };
    let millis = number * factor as f64;
    (millis.is_finite() && millis < 1e15).then_some(millis.round() as u64)
}

fn bytes(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let digits = upper
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(upper.len());
    let number: u64 = upper[..digits].parse().ok()?;
    let factor = match upper[digits..].trim() {
        "" | "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => MB,
        "G" | "GB" => MB << 10,
        "T" | "TB" => MB << 20,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests;
