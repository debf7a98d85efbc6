//! The registry of settings: one row names a setting, its other names, its default and its meaning.
//!
//! A value comes from, in rising order: the default, the configuration file, the environment, the
//! command line. File keys and environment variables are compared without case and separators, so
//! that `camunda.cluster.partition-count`, `CAMUNDA_CLUSTER_PARTITIONCOUNT` and
//! `CAMUNDA_CLUSTER_PARTITION_COUNT` are one name (Spring's relaxed binding). An unknown key in the
//! file, or an unknown `RINGFLOW_` variable, is an error; foreign names that Camunda knows and this
//! program does not need are ignored, because one environment often serves several programs.
//!
//! | condition | refusal |
//! |---|---|
//! | key not in the table | names the key and where it stood |
//! | value not of the setting's form | names the setting, the value, the form or range |
//! | two names of one setting with different values in one source | names both |

use std::collections::BTreeMap;

mod error;
mod exporters;

pub(crate) use error::{Origin, SettingError};
pub(crate) use exporters::{Argument, Arguments};

use crate::initialization::{INITIALIZATION, LISTENERS, Tree};

/// Most bytes of a configuration file: it is read whole.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// Sections that a file shared with Camunda may hold; unknown keys below them are ignored.
const FOREIGN_FILE_SECTIONS: &[&str] = &[
    "camunda.",
    "zeebe.",
    "spring.",
    "server.",
    "management.",
    "logging.",
];

/// How the names of variables begin that are looked at.
const PREFIXES: [&str; 7] = [
    "AWS_",
    "DOCUMENT_",
    "RINGFLOW_",
    "CAMUNDA_",
    "ZEEBE_",
    "SERVER_SSL_",
    "MANAGEMENT_SERVER_SSL_",
];

/// One row of the registry.
pub(crate) struct Setting {
    /// Name in the file; `RINGFLOW_` + upper case in the environment.
    pub name: &'static str,
    /// Camunda's and Zeebe's names for the same thing.
    pub aliases: &'static [&'static str],
    /// Text of the default.
    pub default: &'static str,
    /// Meaning, unit, effect of the extremes.
    pub about: &'static str,
}

macro_rules! settings {
    ($($id:ident = $name:literal, default $default:literal, aliases [$($alias:literal),*], $about:literal;)+) => {
        /// Identifies a setting.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
        #[expect(
            clippy::enum_variant_names,
            reason = "variants follow the names of the settings"
        )]
        pub(crate) enum Id { $(#[doc = $about] $id,)+ }

        impl Id {
            /// All settings, in the order of the table.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$id,)+];

            /// The row of this setting.
            #[must_use]
            pub(crate) const fn row(self) -> &'static Setting {
                match self {
                    $(Self::$id => &Setting {
                        name: $name,
                        aliases: &[$($alias),*],
                        default: $default,
                        about: $about,
                    },)+
                }
            }
        }
    };
}

settings! {
    DataDirectory = "data.directory", default "data",
        aliases ["camunda.data.primary-storage.directory", "zeebe.broker.data.directory"],
        "Directory of log, state and snapshots; created if absent.";
    SnapshotPeriod = "data.snapshot-period", default "5m",
        aliases ["camunda.data.snapshot-period", "zeebe.broker.data.snapshot-period"],
        "Time between snapshots, 10s to 24h. Longer means more replay at start and more log kept.";
    SegmentSize = "data.log-segment-size", default "64MB",
        aliases ["camunda.data.primary-storage.logstream.log-segment-size",
                 "zeebe.broker.data.log-segment-size"],
        "Size of one log file, 16MB to 1GB. Files are written in full once and recycled.";
    StateMemory = "data.state-memory", default "512MB",
        aliases ["camunda.data.primary-storage.rocksdb.memory-limit",
                 "zeebe.broker.experimental.rocksdb.memory-limit"],
        "Memory of all RocksDB databases of this broker together, 32MB to 1TB.";
    MinimumFreeSpace = "data.disk.free-space", default "256MB",
        aliases ["camunda.data.primary-storage.disk.free-space.processing",
                 "zeebe.broker.data.disk.free-space.processing"],
        "Free disk space below which client commands are refused, 16MB to 1TB.";
    Partitions = "cluster.partition-count", default "auto",
        aliases ["camunda.cluster.partition-count", "zeebe.broker.cluster.partitions-count"],
        "Number of partitions, 1 to 1024, or auto: one per shard core. Fixed once data exists.";
    NodeId = "cluster.node-id", default "0",
        aliases ["camunda.cluster.node-id", "zeebe.broker.cluster.node-id"],
        "Number of this broker in its cluster, from 0; from the size on it is a guest until added.";
    ClusterName = "cluster.name", default "zeebe-cluster",
        aliases ["camunda.cluster.name", "zeebe.broker.cluster.cluster-name"],
        "Name of the cluster; brokers of another name are refused.";
    ClusterSize = "cluster.size", default "1",
        aliases ["camunda.cluster.size", "zeebe.broker.cluster.cluster-size"],
        "Number of brokers the cluster is founded with, 1 to 1024; the same on all of them.";
    ReplicationFactor = "cluster.replication-factor", default "auto",
        aliases ["camunda.cluster.replication-factor", "zeebe.broker.cluster.replication-factor"],
        "Replicas of each partition, 1 to the cluster size, or auto: 3 where there are as many brokers.";
    ContactPoints = "cluster.contact-points", default "",
        aliases ["camunda.cluster.initial-contact-points",
                 "zeebe.broker.cluster.initial-contact-points"],
        "Peer addresses of some brokers, HOST:PORT, commas between; this one may be among them.";
    PeerAddress = "cluster.peer-address", default "0.0.0.0:26502",
        aliases [],
        "Host and port where other brokers reach this one; not used in a cluster of one.";
    PeerAdvertised = "cluster.peer-advertised", default "auto",
        aliases [],
        "Host and port that other brokers are told; auto: as listened on, or the host's name.";
    PeerVersion = "cluster.peer-version", default "auto",
        aliases [],
        "Newest version of the peer protocol to speak, or auto; lower before a way back to an older program.";
    PeerTls = "cluster.peer-tls", default "false",
        aliases ["camunda.security.transport-layer-security.cluster.enabled",
                 "zeebe.broker.network.security.enabled"],
        "Encryption between brokers: true or false, the same on every broker.";
    PeerTlsCertificates = "cluster.peer-tls-certificate-chain", default "",
        aliases ["camunda.security.transport-layer-security.cluster.certificate-chain-path",
                 "zeebe.broker.network.security.certificateChainPath"],
        "PEM file of this broker's certificates, its own first.";
    PeerTlsKey = "cluster.peer-tls-private-key", default "",
        aliases ["camunda.security.transport-layer-security.cluster.certificate-private-key-path",
                 "zeebe.broker.network.security.privateKeyPath"],
        "PEM file of the key of this broker's certificate, without passphrase.";
    PeerTlsAuthority = "cluster.peer-tls-authority", default "",
        aliases [],
        "PEM file of the certificates that sign those of brokers; empty = the chain itself.";
    Cores = "shards.cores", default "auto",
        aliases [],
        "Cores that carry shards: a list such as 1-3,5, auto (all but core 0), or none (unpinned).";
    Io = "shards.io", default "auto",
        aliases [],
        "Input and output driver: auto (probe), uring or plain.";
    TimeZone = "engine.time-zone", default "UTC",
        aliases [],
        "Zone of calendar timers and dates in expressions, as Europe/Berlin; one for all brokers.";
    UniqueBusinessIds = "engine.unique-business-ids", default "false",
        aliases ["camunda.process-instance-creation.business-id-uniqueness-enabled",
                 "zeebe.broker.experimental.engine.processInstanceCreation.businessIdUniquenessEnabled"],
        "Whether one running root instance of a process at most has a business id; one for all brokers.";
    ClockControlled = "engine.clock-controlled", default "false",
        aliases ["camunda.system.clock-controlled",
                 "zeebe.clock.controlled"],
        "Whether /actuator/clock may move the time, for tests of processes; never in production.";
    GrpcAddress = "api.grpc.address", default "0.0.0.0:26500",
        aliases [],
        "Host and port of the gRPC API; port 0 picks a free one.";
    RestAddress = "api.rest.address", default "0.0.0.0:8080",
        aliases [],
        "Host and port of the REST API; port 0 picks a free one.";
    ManagementAddress = "api.management.address", default "0.0.0.0:9600",
        aliases [],
        "Host and port of health and metrics; port 0 picks a free one.";
    GrpcTls = "api.grpc.tls.enabled", default "auto",
        aliases ["zeebe.gateway.security.enabled",
                 "zeebe.broker.gateway.security.enabled",
                 "camunda.api.grpc.ssl.enabled"],
        "Encryption of the gRPC API: true, false, or auto: where a certificate is named.";
    GrpcTlsCertificates = "api.grpc.tls.certificate-chain", default "",
        aliases ["zeebe.gateway.security.certificateChainPath",
                 "zeebe.broker.gateway.security.certificateChainPath",
                 "camunda.api.grpc.ssl.certificate"],
        "PEM file of the certificates of the gRPC API, its own first.";
    GrpcTlsKey = "api.grpc.tls.private-key", default "",
        aliases ["zeebe.gateway.security.privateKeyPath",
                 "zeebe.broker.gateway.security.privateKeyPath",
                 "camunda.api.grpc.ssl.certificate-private-key"],
        "PEM file of the key of the gRPC API's certificate, without passphrase.";
    RestTls = "api.rest.tls.enabled", default "auto",
        aliases ["server.ssl.enabled"],
        "Encryption of the REST API: true, false, or auto: where a certificate is named.";
    RestTlsCertificates = "api.rest.tls.certificate-chain", default "",
        aliases ["server.ssl.certificate"],
        "PEM file of the certificates of the REST API, its own first.";
    RestTlsKey = "api.rest.tls.private-key", default "",
        aliases ["server.ssl.certificate-private-key"],
        "PEM file of the key of the REST API's certificate, without passphrase.";
    ManagementTls = "api.management.tls.enabled", default "auto",
        aliases ["management.server.ssl.enabled"],
        "Encryption of the management port: true, false, or auto: where a certificate is named.";
    ManagementTlsCertificates = "api.management.tls.certificate-chain", default "",
        aliases ["management.server.ssl.certificate"],
        "PEM file of the certificates of the management port, its own first.";
    ManagementTlsKey = "api.management.tls.private-key", default "",
        aliases ["management.server.ssl.certificate-private-key"],
        "PEM file of the key of the management port's certificate, without passphrase.";
    DocumentsDirectory = "documents.directory", default "",
        aliases ["document.store.local.path"],
        "Directory of documents; empty = they are kept in memory, 64 MB in all, until the end.";
    DocumentsBucket = "documents.s3.bucket", default "",
        aliases ["document.store.aws.bucket", "camunda.document.aws.aws.bucket-name"],
        "Bucket of documents, at S3 or at what speaks like it; empty = there is none.";
    DocumentsBucketPath = "documents.s3.path", default "",
        aliases ["document.store.aws.bucket-path", "camunda.document.aws.aws.bucket-path"],
        "What stands in front of the ids of documents in the bucket.";
    DocumentsBucketTtl = "documents.s3.ttl-days", default "none",
        aliases ["document.store.aws.bucket-ttl", "camunda.document.aws.aws.bucket-ttl"],
        "Days after which the bucket deletes by itself; documents for longer are tagged NoAutoDelete.";
    DocumentsRegion = "documents.s3.region", default "",
        aliases ["aws.region", "camunda.document.aws.aws.region"],
        "Region of the bucket.";
    DocumentsEndpoint = "documents.s3.endpoint", default "",
        aliases [],
        "Address of a service that speaks like S3, as http://HOST:PORT; empty = Amazon.";
    DocumentsAccessKey = "documents.s3.access-key", default "",
        aliases ["aws.access-key-id"],
        "Key id for the bucket.";
    DocumentsSecretKey = "documents.s3.secret-key", default "",
        aliases ["aws.secret-access-key"],
        "Secret of the key.";
    DocumentsDefault = "documents.default-store", default "auto",
        aliases ["document.default-store-id", "camunda.document.default-store-id"],
        "Store where none is named: aws, local, in-memory, or auto: the first of these that there is.";
    RequestTimeout = "api.request-timeout", default "15s",
        aliases ["zeebe.gateway.cluster.request-timeout"],
        "Time a command may take before its caller is told so, 100ms to 10m.";
    GatewayThreads = "api.threads", default "auto",
        aliases ["zeebe.gateway.threads.management-threads", "camunda.api.grpc.management-threads"],
        "Threads that serve clients, 1 to 64, or auto.";
    SecondaryStorage = "secondary-storage.url", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.url"],
        "sqlite:PATH, postgres://..., mysql://..., mariadb://..., none, or auto: a SQLite file in the data directory.";
    SecondaryStorageType = "secondary-storage.type", default "auto",
        aliases ["camunda.data.secondary-storage.type"],
        "auto, rdbms or none; none switches searching off.";
    SecondaryStorageUser = "secondary-storage.username", default "",
        aliases ["camunda.data.secondary-storage.rdbms.username"],
        "User of the database, if the URL names none.";
    SecondaryStoragePassword = "secondary-storage.password", default "",
        aliases ["camunda.data.secondary-storage.rdbms.password"],
        "Password of the database, if the URL holds none.";
    FlushInterval = "secondary-storage.flush-interval", default "100ms",
        aliases ["camunda.data.secondary-storage.rdbms.flush-interval"],
        "Longest time a committed record waits for its batch, 10ms to 10s.";
    AutoDdl = "secondary-storage.auto-ddl", default "true",
        aliases ["camunda.data.secondary-storage.rdbms.auto-ddl"],
        "false: the tables must be there; 'ringflow ddl' prints the statements that make them.";
    HistoryTtl = "secondary-storage.history-ttl", default "30d",
        aliases ["camunda.data.secondary-storage.rdbms.history.default-history-ttl"],
        "How long finished instances stay searchable, 1m to 3650d.";
    HistoryProcessTtl = "secondary-storage.history.process-ttl", default "",
        aliases [],
        "Processes with times of their own, PROCESS=TIME with commas between, such as order=7d.";
    HistoryDecisionTtl = "secondary-storage.history.decision-ttl", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.history.decision-instance-ttl"],
        "The same of evaluations that no process asked for; auto: as history-ttl.";
    HistoryBatchTtl = "secondary-storage.history.batch-operation-ttl", default "5d",
        aliases ["camunda.data.secondary-storage.rdbms.history.default-batch-operation-history-ttl",
                 "camunda.data.secondary-storage.rdbms.history.default-batch-operation-ttl"],
        "The same of finished batch operations, 1m to 3650d.";
    HistoryBatchCancelTtl = "secondary-storage.history.batch-operation-cancel-process-instance-ttl", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.history.batch-operation-cancel-process-instance-history-ttl",
                 "camunda.data.secondary-storage.rdbms.history.batch-operation-cancel-process-instance-ttl"],
        "The same of batch operations of this kind; auto: as all of them.";
    HistoryBatchMigrateTtl = "secondary-storage.history.batch-operation-migrate-process-instance-ttl", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.history.batch-operation-migrate-process-instance-history-ttl",
                 "camunda.data.secondary-storage.rdbms.history.batch-operation-migrate-process-instance-ttl"],
        "The same of batch operations of this kind; auto: as all of them.";
    HistoryBatchModifyTtl = "secondary-storage.history.batch-operation-modify-process-instance-ttl", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.history.batch-operation-modify-process-instance-history-ttl",
                 "camunda.data.secondary-storage.rdbms.history.batch-operation-modify-process-instance-ttl"],
        "The same of batch operations of this kind; auto: as all of them.";
    HistoryBatchResolveTtl = "secondary-storage.history.batch-operation-resolve-incident-ttl", default "auto",
        aliases ["camunda.data.secondary-storage.rdbms.history.batch-operation-resolve-incident-history-ttl",
                 "camunda.data.secondary-storage.rdbms.history.batch-operation-resolve-incident-ttl"],
        "The same of batch operations of this kind; auto: as all of them.";
    HistoryUsageTtl = "secondary-storage.history.usage-metrics-ttl", default "730d",
        aliases ["camunda.data.secondary-storage.rdbms.history.usage-metrics-ttl"],
        "How long counts of usage are kept, 1m to 3650d.";
    HistoryUsageInterval = "secondary-storage.history.usage-metrics-cleanup", default "24h",
        aliases ["camunda.data.secondary-storage.rdbms.history.usage-metrics-cleanup"],
        "How often it is looked for those that are too old, 1m to 30d.";
    HistoryIntervalMin = "secondary-storage.history.interval-min", default "1m",
        aliases ["camunda.data.secondary-storage.rdbms.history.min-history-cleanup-interval"],
        "How often it is looked for history that is too old, 1s to 24h.";
    HistoryIntervalMax = "secondary-storage.history.interval-max", default "1m",
        aliases ["camunda.data.secondary-storage.rdbms.history.max-history-cleanup-interval"],
        "What that doubles up to while nothing is found.";
    HistoryRows = "secondary-storage.history.batch-size", default "5000",
        aliases ["camunda.data.secondary-storage.rdbms.history.history-cleanup-batch-size"],
        "Rows that one statement of the clean-up deletes at most.";
    HistoryRoots = "secondary-storage.history.process-instance-batch-size", default "100",
        aliases ["camunda.data.secondary-storage.rdbms.history.history-cleanup-process-instance-batch-size"],
        "Root instances that are removed together at most.";
    HistoryShare = "secondary-storage.history.max-usage", default "0.25",
        aliases ["camunda.data.secondary-storage.rdbms.history.max-history-cleanup-usage"],
        "Share of the time that the clean-up may work, 0.01 to 1.";
    TablePrefix = "secondary-storage.prefix", default "",
        aliases ["camunda.data.secondary-storage.rdbms.prefix"],
        "Stands in front of all tables: at most 24 letters, digits, underscores, no digit first.";
    AuditEnabled = "audit-log.enabled", default "true",
        aliases ["camunda.data.audit-log.enabled"],
        "true or false: whether operations of callers are kept.";
    AuditUserCategories = "audit-log.user.categories", default "ADMIN,DEPLOYED_RESOURCES,USER_TASKS",
        aliases ["camunda.data.audit-log.user.categories"],
        "Which of users: ADMIN, DEPLOYED_RESOURCES, USER_TASKS, commas between; empty: none.";
    AuditUserExcludes = "audit-log.user.excludes", default "",
        aliases ["camunda.data.audit-log.user.excludes"],
        "Entities left out of those, such as VARIABLE, commas between.";
    AuditClientCategories = "audit-log.client.categories", default "",
        aliases ["camunda.data.audit-log.client.categories"],
        "The same of programs.";
    AuditClientExcludes = "audit-log.client.excludes", default "",
        aliases ["camunda.data.audit-log.client.excludes"],
        "The same of programs.";
    Unprotected = "security.unprotected-api", default "auto",
        aliases ["camunda.security.authentication.unprotected-api"],
        "true: no credentials asked; false: they are; auto: true without users and provider.";
    Users = "security.users", default "",
        aliases [],
        "Administrators, NAME:PASSWORD separated by blanks; a password may be a hash.";
    AuthenticationMethod = "security.authentication-method", default "basic",
        aliases ["camunda.security.authentication.method"],
        "How callers of a protected API prove who they are: basic (name and password) or oidc.";
    OidcIssuer = "security.oidc.issuer-uri", default "",
        aliases ["camunda.security.authentication.oidc.issuer-uri"],
        "Issuer of the tokens that count; it is asked for its keys unless jwk-set-uri is set.";
    OidcKeySet = "security.oidc.jwk-set-uri", default "",
        aliases ["camunda.security.authentication.oidc.jwk-set-uri"],
        "Address of the keys that sign tokens; empty: the issuer says it.";
    OidcAudiences = "security.oidc.audiences", default "",
        aliases ["camunda.security.authentication.oidc.audiences"],
        "Audiences of which a token needs one, commas or blanks between; empty: any audience.";
    OidcClientId = "security.oidc.client-id", default "",
        aliases ["camunda.security.authentication.oidc.client-id"],
        "Id of this program at the provider; only a browser login would need it.";
    OidcUsernameClaim = "security.oidc.username-claim", default "sub",
        aliases ["camunda.security.authentication.oidc.username-claim"],
        "Claim of a token, or path that begins with $, that holds the name of a user.";
    OidcClientIdClaim = "security.oidc.client-id-claim", default "",
        aliases ["camunda.security.authentication.oidc.client-id-claim"],
        "Claim that holds the id of a program; tokens with it are of programs. Empty: none are.";
    OidcGroupsClaim = "security.oidc.groups-claim", default "",
        aliases ["camunda.security.authentication.oidc.groups-claim"],
        "Claim that holds the groups of a caller; empty: groups are kept by this cluster.";
    OidcPreferUsername = "security.oidc.prefer-username-claim", default "false",
        aliases ["camunda.security.authentication.oidc.prefer-username-claim"],
        "true: a token with both claims is of a user; false: of a program.";
    Authorizations = "security.authorizations", default "false",
        aliases ["camunda.security.authorizations.enabled"],
        "true: callers need permissions for what they do and see.";
    Tenancy = "security.multi-tenancy", default "false",
        aliases ["camunda.security.multi-tenancy.checks-enabled"],
        "true: callers do and see only what is of their tenants.";
    HeaderContentType = "security.http-headers.content-type-options.enabled", default "true",
        aliases ["camunda.security.http-headers.content-type-options.enabled"],
        "true: answers of REST carry X-Content-Type-Options.";
    HeaderCache = "security.http-headers.cache-control.enabled", default "true",
        aliases ["camunda.security.http-headers.cache-control.enabled"],
        "true: answers of REST say that nobody keeps them (Cache-Control, Pragma, Expires).";
    HeaderFrame = "security.http-headers.frame-options.enabled", default "true",
        aliases ["camunda.security.http-headers.frame-options.enabled"],
        "true: answers of REST carry X-Frame-Options.";
    HeaderFrameMode = "security.http-headers.frame-options.mode", default "sameorigin",
        aliases ["camunda.security.http-headers.frame-options.mode"],
        "What it says: sameorigin or deny.";
    HeaderContentPolicy = "security.http-headers.content-security-policy.enabled", default "true",
        aliases ["camunda.security.http-headers.content-security-policy.enabled"],
        "true: answers of REST carry Content-Security-Policy.";
    HeaderContentPolicyText = "security.http-headers.content-security-policy.policy-directives",
        default "",
        aliases ["camunda.security.http-headers.content-security-policy.policy-directives"],
        "What it says; empty: nothing may be loaded.";
    HeaderContentPolicyReport = "security.http-headers.content-security-policy.report-only",
        default "false",
        aliases ["camunda.security.http-headers.content-security-policy.report-only"],
        "true: browsers only report what it forbids.";
    HeaderReferrer = "security.http-headers.referrer-policy.value",
        default "strict-origin-when-cross-origin",
        aliases ["camunda.security.http-headers.referrer-policy.value"],
        "Referrer-Policy of answers of REST.";
    HeaderPermissions = "security.http-headers.permissions-policy.value", default "",
        aliases ["camunda.security.http-headers.permissions-policy.value"],
        "Permissions-Policy of answers of REST; empty: none.";
    HeaderOpener = "security.http-headers.cross-origin-opener-policy.value",
        default "same-origin-allow-popups",
        aliases ["camunda.security.http-headers.cross-origin-opener-policy.value"],
        "Cross-Origin-Opener-Policy of answers of REST.";
    HeaderEmbedder = "security.http-headers.cross-origin-embedder-policy.value",
        default "unsafe-none",
        aliases ["camunda.security.http-headers.cross-origin-embedder-policy.value"],
        "Cross-Origin-Embedder-Policy of answers of REST.";
    HeaderResource = "security.http-headers.cross-origin-resource-policy.value",
        default "same-site",
        aliases ["camunda.security.http-headers.cross-origin-resource-policy.value"],
        "Cross-Origin-Resource-Policy of answers of REST.";
    HeaderTransport = "security.http-headers.hsts.enabled", default "true",
        aliases ["camunda.security.http-headers.hsts.enabled"],
        "true: answers of REST over TLS carry Strict-Transport-Security.";
    HeaderTransportAge = "security.http-headers.hsts.max-age-in-seconds", default "31536000",
        aliases ["camunda.security.http-headers.hsts.max-age-in-seconds"],
        "Seconds for which it holds.";
    HeaderTransportDomains = "security.http-headers.hsts.include-sub-domains", default "false",
        aliases ["camunda.security.http-headers.hsts.include-sub-domains"],
        "true: it holds for all below the host.";
    HeaderTransportPreload = "security.http-headers.hsts.preload", default "false",
        aliases ["camunda.security.http-headers.hsts.preload"],
        "true: browsers may know it beforehand.";
    BackupStore = "backup.store", default "none",
        aliases ["camunda.data.primary-storage.backup.store", "zeebe.broker.data.backup.store"],
        "Where backups are kept: none, filesystem or s3; the same for all brokers.";
    BackupDirectory = "backup.filesystem.base-path", default "",
        aliases ["camunda.data.primary-storage.backup.filesystem.base-path",
                 "zeebe.broker.data.backup.filesystem.base-path"],
        "Directory of backups, which all brokers share; for backup.store = filesystem.";
    BackupBucket = "backup.s3.bucket-name", default "",
        aliases ["camunda.data.primary-storage.backup.s3.bucket-name",
                 "zeebe.broker.data.backup.s3.bucket-name"],
        "Bucket of backups; it has to be there. For backup.store = s3.";
    BackupEndpoint = "backup.s3.endpoint", default "",
        aliases ["camunda.data.primary-storage.backup.s3.endpoint",
                 "zeebe.broker.data.backup.s3.endpoint"],
        "Address of the service that speaks S3; empty: Amazon's for the region.";
    BackupRegion = "backup.s3.region", default "",
        aliases ["camunda.data.primary-storage.backup.s3.region",
                 "zeebe.broker.data.backup.s3.region"],
        "Region of the bucket; empty: as AWS_REGION says.";
    BackupAccessKey = "backup.s3.access-key", default "",
        aliases ["camunda.data.primary-storage.backup.s3.access-key",
                 "zeebe.broker.data.backup.s3.access-key"],
        "Access key; empty: credentials come from the environment or the instance.";
    BackupSecretKey = "backup.s3.secret-key", default "",
        aliases ["camunda.data.primary-storage.backup.s3.secret-key",
                 "zeebe.broker.data.backup.s3.secret-key"],
        "Secret half of the access key.";
    BackupPathStyle = "backup.s3.force-path-style-access", default "false",
        aliases ["camunda.data.primary-storage.backup.s3.force-path-style-access",
                 "zeebe.broker.data.backup.s3.force-path-style-access"],
        "true: the bucket is part of the path, as services other than Amazon's often want it.";
    BackupBasePath = "backup.s3.base-path", default "",
        aliases ["camunda.data.primary-storage.backup.s3.base-path",
                 "zeebe.broker.data.backup.s3.base-path"],
        "In front of all names in the bucket, so that clusters may share one.";
    BackupCallTimeout = "backup.s3.api-call-timeout", default "180s",
        aliases ["camunda.data.primary-storage.backup.s3.api-call-timeout",
                 "zeebe.broker.data.backup.s3.api-call-timeout"],
        "How long one call may take, 1s to 1h.";
    BackupCompression = "backup.s3.compression", default "none",
        aliases ["camunda.data.primary-storage.backup.s3.compression",
                 "zeebe.broker.data.backup.s3.compression"],
        "none: files are stored as they are; their tables are compressed already.";
    BackupContinuous = "backup.continuous", default "false",
        aliases ["camunda.data.primary-storage.backup.continuous",
                 "zeebe.broker.data.backup.continuous"],
        "true: backups follow each other without gaps (the log is kept for that), and have numbers of their own.";
    BackupSchedule = "backup.schedule", default "none",
        aliases ["camunda.data.primary-storage.backup.schedule",
                 "zeebe.broker.data.backup.schedule"],
        "Time between backups, 10s to 30d, or none: they are taken by request only.";
    BackupRetention = "backup.retention.window", default "none",
        aliases ["camunda.data.primary-storage.backup.retention.window",
                 "zeebe.broker.data.backup.retention.window"],
        "Age of backups that are deleted, 1m to 3650d, or none; the newest whole one always stays.";
    LogLevel = "log.level", default "info",
        aliases ["camunda.log.level", "zeebe.log.level"],
        "error, warn, info, debug, trace, or a filter such as info,ringflow_io=debug.";
    LogFormat = "log.format", default "text",
        aliases [],
        "text or json.";
}

/// The settings as text, each with its origin.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<Id, (String, Origin)>,
    /// What stands below the prefixes of [`INITIALIZATION`].
    pub initialization: Tree,
    /// What stands below the prefixes of [`LISTENERS`].
    pub global_listeners: Tree,
    /// Arguments of the exporter beside the secondary storage.
    pub exporter: Arguments,
}

impl Settings {
    /// The text of a setting and where it came from.
    #[must_use]
    pub(crate) fn get(&self, id: Id) -> (&str, Origin) {
        match self.values.get(&id) {
            Some((value, origin)) => (value, origin.clone()),
            None => (id.row().default, Origin::Default),
        }
    }

    /// Sets one setting from the command line.
    pub(crate) fn set(&mut self, id: Id, value: impl Into<String>) {
        self.values.insert(id, (value.into(), Origin::CommandLine));
    }

    /// An error about the current value of `id`.
    pub(crate) fn invalid(&self, id: Id, expected: impl Into<String>) -> SettingError {
        let (value, origin) = self.get(id);
        let secret = matches!(
            id,
            Id::Users | Id::SecondaryStoragePassword | Id::DocumentsSecretKey | Id::BackupSecretKey
        );
        SettingError::Invalid {
            name: id.row().name,
            value: if secret {
                "***".to_owned()
            } else {
                value.to_owned()
            },
            origin,
            expected: expected.into(),
        }
    }

    /// Reads a TOML file, or a YAML file if the name ends in `.yaml` or `.yml`.
    ///
    /// # Errors
    /// If the file cannot be read or parsed, holds an unknown key, or contradicts itself.
    pub(crate) fn read_file(&mut self, path: &str) -> Result<(), SettingError> {
        let failed = |reason: String| SettingError::File {
            path: path.to_owned(),
            reason,
        };
        let size = std::fs::metadata(path)
            .map_err(|error| failed(error.to_string()))?
            .len();
        if size > CONFIG_FILE_BYTES_MAX {
            return Err(failed(format!("larger than {CONFIG_FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let tree: serde_json::Value = if path.ends_with(".yaml") || path.ends_with(".yml") {
            serde_saphyr::from_str(&text).map_err(|error| failed(error.to_string()))?
        } else {
            toml::from_str(&text).map_err(|error| failed(error.to_string()))?
        };
        let below = |path: &[&str]| path.iter().try_fold(&tree, |tree, name| tree.get(name));
        for found in INITIALIZATION.iter().filter_map(|tree| below(tree.0)) {
            self.initialization.put_json(found);
        }
        for found in LISTENERS.iter().filter_map(|tree| below(tree.0)) {
            self.global_listeners.put_json(found);
        }
        let mut pairs = Vec::new();
        flatten(&tree, String::new(), &mut pairs);
        let trees = ["security.initialization", "cluster.global-listeners"];
        pairs.retain(|(key, _)| !trees.iter().any(|tree| key.starts_with(tree)));
        self.merge(pairs, &Origin::File(path.to_owned()), |key| {
            !FOREIGN_FILE_SECTIONS
                .iter()
                .any(|section| key.starts_with(section))
        })
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// If a `RINGFLOW_` variable is unknown, or two names of one setting disagree.
    pub(crate) fn read_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), SettingError> {
        let mut pairs = Vec::new();
        for (name, value) in variables {
            let below = |trees: &[(&[&str], &str)]| {
                let rest = trees.iter().find_map(|tree| name.strip_prefix(tree.1))?;
                Some(rest.split('_').collect::<Vec<&str>>())
            };
            if let Some(path) = below(&INITIALIZATION) {
                self.initialization.put(&path, &value);
            } else if let Some(path) = below(&LISTENERS) {
                self.global_listeners.put(&path, &value);
            } else if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                pairs.push((name, value));
            }
        }
        self.merge(pairs, &Origin::Environment, |key| {
            key.starts_with("RINGFLOW_")
        })
    }

    fn merge(
        &mut self,
        pairs: Vec<(String, String)>,
        origin: &Origin,
        must_be_known: impl Fn(&str) -> bool,
    ) -> Result<(), SettingError> {
        let mut seen: BTreeMap<Id, (String, String)> = BTreeMap::new();
        for (key, value) in joined(pairs) {
            if self.exporter.take(&key, &value, origin)? {
                continue;
            }
            let Some(id) = find(&key) else {
                if must_be_known(&key) {
                    return Err(SettingError::Unknown {
                        origin: origin.clone(),
                        key,
                    });
                }
                continue;
            };
            if let Some((first, other)) = seen.get(&id)
                && *other != value
            {
                return Err(SettingError::Conflict {
                    origin: origin.clone(),
                    first: first.clone(),
                    second: key,
                    name: id.row().name,
                });
            }
            self.values.insert(id, (value.clone(), origin.clone()));
            seen.insert(id, (key, value));
        }
        Ok(())
    }
}

/// Items of lists (`NAME_0`, `NAME_1`) as one text under the name of the list.
fn joined(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut items: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (key, value) in pairs {
        let item = key.rsplit_once('_').and_then(|(list, number)| {
            let number: u32 = number.parse().ok()?;
            (find(list) == Some(Id::OidcAudiences)).then(|| (list.to_owned(), number))
        });
        match item {
            Some((list, number)) => {
                items.entry(list).or_default().insert(number, value);
            }
            None => rest.push((key, value)),
        }
    }
    rest.extend(items.into_iter().map(|(list, items)| {
        let items: Vec<String> = items.into_values().collect();
        (list, items.join(" "))
    }));
    rest
}

/// The setting that `key` names, without regard to case and separators.
fn find(key: &str) -> Option<Id> {
    let wanted = bare(key);
    let wanted = wanted.strip_prefix("ringflow").unwrap_or(&wanted);
    Id::ALL.iter().copied().find(|id| {
        let row = id.row();
        bare(row.name) == wanted || row.aliases.iter().any(|alias| bare(alias) == wanted)
    })
}

fn bare(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn flatten(tree: &serde_json::Value, path: String, pairs: &mut Vec<(String, String)>) {
    match tree {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(member, path, pairs);
            }
        }
        serde_json::Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(scalar).collect();
            pairs.push((path, texts.join(" ")));
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => pairs.push((path, scalar(tree))),
    }
}

fn scalar(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
