//! The exporter and the searches against real databases.
//!
//! SQLite runs in a temporary directory. PostgreSQL and MariaDB are started by the tests themselves
//! on a free loopback port; without their programs the tests fail and say how to get them.
//!
//! Every scenario runs through the crate's front door: records in a feed, rows and pages out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod it {
    mod agents;
    mod audit;
    mod batch;
    mod chaos;
    mod database;
    mod elastic;
    mod export;
    mod hostile;
    mod identity;
    mod mariadb;
    mod mysql;
    mod paging;
    mod phase;
    mod postgres;
    mod prefix;
    mod records;
    mod retention;
    mod search;
    mod statistics;
    mod usage;
    mod waits;
}
