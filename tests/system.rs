//! The product as its users meet it: the real binary, real files, real sockets, real signals.
//!
//! Nothing is linked from the product; a test knows what a script would know. Every process listens
//! on free loopback ports, keeps its data in a temporary directory and is ended by its own id; every
//! wait has a bound. The children get an empty environment, so that what is set outside changes
//! nothing.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SYSTEM_TEST_ROUNDS` | rounds of the kill test | 12 |
//! | `SYSTEM_TEST_KILLS` | kills of each cluster test | 5 |
//! | `SYSTEM_TEST_FAULTS` | rounds of the faults of networks and processes | 1 |
//! | `SYSTEM_TEST_BINARY` | the binary to test, e.g. a release build | the one built with the tests |
//! | `SYSTEM_TEST_SEED` | its seed | from the clock, printed |
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a panic is the failure, and numbers should be seen"
)]

#[path = "system/backup.rs"]
mod backup;
#[path = "system/bad_files.rs"]
mod bad_files;
#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "system/bad_models.rs"]
mod bad_models;
#[path = "system/bad_requests.rs"]
mod bad_requests;
#[path = "system/bad_settings.rs"]
mod bad_settings;
#[path = "system/broker.rs"]
mod broker;
#[path = "system/client.rs"]
mod client;
#[path = "system/cluster.rs"]
mod cluster;
#[path = "system/damaged_replica.rs"]
mod damaged_replica;
#[path = "system/deploy.rs"]
mod deploy;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/history.rs"]
mod history;
#[path = "system/kill.rs"]
mod kill;
#[path = "system/load.rs"]
mod load;
#[path = "system/management.rs"]
mod management;
#[path = "system/models.rs"]
mod models;
#[path = "system/moving.rs"]
mod moving;
#[path = "system/network.rs"]
mod network;
#[path = "system/outage.rs"]
mod outage;
#[path = "../export/tests/it/postgres.rs"]
mod postgres;
#[path = "system/s3.rs"]
mod s3;
#[path = "system/smoke.rs"]
mod smoke;
