//! What is MariaDB's and MySQL's own: TLS, packets, collations, schemas that commit as they go.
//!
//! Everything that all databases do is tested where the others are; here is what only these can get
//! wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use ringflow_core::ids::{PartitionId, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_export::migrate::{MigrateFailure, ddl, migrate};
use ringflow_export::sink::Sink;
use ringflow_export::{Database, Exporter, ExporterState, Prefix};
use tempfile::TempDir;

use super::database::{Db, block_on};
use super::export::{check, export, feed, options, wait};
use super::mariadb::Server;
use super::records::{Scenario, text_value};

struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Authority { certificate, key }
}

/// Writes certificate and key of `host` as `NAME.pem` and `NAME.key`.
fn issue(authority: &Authority, dir: &Path, name: &str, host: &str) {
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    // A certificate whose subject is its issuer's counts as self-signed.
    parameters.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters
        .signed_by(&key, &authority.certificate, &authority.key)
        .unwrap();
    std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[test]
fn both_ends_can_insist_on_certificates() {
    let dir = TempDir::new().unwrap();
    let path = dir.path();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (ours, other) = (authority(), authority());
    std::fs::write(path.join("ca.pem"), ours.certificate.pem()).unwrap();
    std::fs::write(path.join("other.pem"), other.certificate.pem()).unwrap();
    issue(&ours, path, "server", "127.0.0.1");
    issue(&ours, path, "client", "client");
    let at = |name: &str| path.join(name).display().to_string();
    let db = Db::Mariadb(Server::start_with(&[
        &format!("--ssl-ca={}", at("ca.pem")),
        &format!("--ssl-cert={}", at("server.pem")),
        &format!("--ssl-key={}", at("server.key")),
    ]));
    db.run(
        "CREATE USER tls@'127.0.0.1' IDENTIFIED BY 'a@b:c' REQUIRE X509; \
         GRANT ALL ON ringflow.* TO tls@'127.0.0.1'",
    );
    let Db::Mariadb(server) = &db else {
        unreachable!("started as MariaDB")
    };
    let reach = |query: &str| {
        let url = format!("jdbc:mariadb://127.0.0.1:{}/ringflow?{query}", server.port);
        let database = Database::parse(&url, Some("tls"), Some("a@b:c"))
            .unwrap()
            .unwrap();
        block_on(migrate(&database))
    };
    let client = format!("ssl-cert={}&ssl-key={}", at("client.pem"), at("client.key"));
    let ca = format!("serverSslCert={}", at("ca.pem"));
    reach(&format!("sslMode=verify-full&{ca}&{client}")).unwrap();
    reach(&format!("useSSL=true&{ca}&{client}")).unwrap();
    reach(&format!("sslMode=trust&{client}")).unwrap();
    let stranger = format!("serverSslCert={}", at("other.pem"));
    assert!(reach(&format!("sslMode=verify-full&{stranger}&{client}")).is_err());
    assert!(reach(&format!("sslMode=verify-ca&{stranger}&{client}")).is_err());
    assert!(reach(&format!("sslMode=verify-full&{ca}")).is_err());
    assert!(reach("useSSL=false").is_err());
}

#[test]
fn a_row_that_no_packet_holds_is_set_aside_alone() {
    let db = Db::Mariadb(Server::start_with(&["--max-allowed-packet=1M"]));
    let mut scenario = Scenario::new(1);
    for number in 0..20 {
        scenario.instance(number);
    }
    let instance = scenario.key();
    let mut keys = Vec::new();
    for size in [200_000, 2_000_000, 400_000, 300_000] {
        let key = scenario.key();
        let value = text_value(&"x".repeat(size));
        let value = scenario.variable(instance, instance, "big", value);
        scenario.event(key, of::Variable::Created, value);
        keys.push(key);
    }
    export(&db, &[&scenario]);
    assert_eq!(db.number("SELECT COUNT(*) FROM exporter_error"), 1);
    let too_large = format!(
        "SELECT COUNT(*) FROM exporter_error WHERE table_name = 'variable' \
         AND row_key = '{}' AND reason LIKE '%max_allowed_packet%'",
        keys[1]
    );
    assert_eq!(db.number(&too_large), 1);
    assert_eq!(
        db.number("SELECT COUNT(*) FROM variable WHERE var_name = 'big' AND is_preview"),
        3
    );
    assert_eq!(
        db.number("SELECT COUNT(*) FROM process_instance"),
        scenario.expected.instances
    );
}

#[test]
fn texts_differ_by_case_and_by_trailing_blanks() {
    let db = Db::mariadb();
    export(&db, &[&Scenario::new(1)]);
    db.run("INSERT INTO process_instance_tag VALUES (1, 'a'), (1, 'A'), (1, 'a '), (1, '\u{e4}')");
    let count = |condition: &str| {
        db.number(&format!(
            "SELECT COUNT(*) FROM process_instance_tag WHERE tag_value {condition}"
        ))
    };
    assert_eq!(count("= 'a'"), 1);
    assert_eq!(count("IN ('A', 'a ')"), 2);
    assert_eq!(count("LIKE 'a%'"), 2);
}

#[test]
fn a_migration_that_was_cut_short_runs_again() {
    let db = Db::mariadb();
    let database = db.database();
    assert!(block_on(migrate(&database)).is_ok());
    // As left by a broker that died between two statements.
    db.run(
        "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 15; \
         DROP TABLE cluster_variable",
    );
    assert!(block_on(migrate(&database)).is_ok());
    assert_eq!(db.number("SELECT COUNT(*) FROM cluster_variable"), 0);
    db.run("INSERT INTO _sqlx_migrations VALUES (9999, 'later', NOW(), TRUE, 'x', 1)");
    assert!(matches!(
        block_on(migrate(&database)),
        Err(MigrateFailure::Refused(_))
    ));
}

#[test]
fn a_schema_made_by_hand_is_looked_at_and_not_changed() {
    for (db, product) in Db::all()
        .into_iter()
        .zip(["sqlite", "postgresql", "mariadb"])
    {
        let mut scenario = Scenario::new(1);
        scenario.instance(1);
        let start = || {
            let (feed, acknowledged) = feed(&scenario, 50);
            let mut options = options(&db);
            options.auto_ddl = false;
            (Exporter::start(options, vec![feed]).unwrap(), acknowledged)
        };
        let (exporter, _) = start();
        let metrics = exporter.metrics();
        let mut reason = String::new();
        wait("the refusal", || {
            if let ExporterState::Failed(error) = metrics.snapshot(Timestamp(0)).state {
                reason = error.to_string();
            }
            !reason.is_empty()
        });
        assert!(reason.contains("exporter_position"), "{reason}");
        exporter.stop();
        db.run(&ddl(product, &Prefix::NONE).unwrap());
        let (exporter, acknowledged) = start();
        wait("the end", || {
            acknowledged.load(Ordering::Acquire) >= scenario.last()
        });
        exporter.stop();
        check(&db, &[&scenario]);
        // And later by itself: every statement can run again.
        let database = db.database();
        assert!(block_on(migrate(&database)).is_ok());
    }
    assert!(ddl("h2", &Prefix::NONE).is_none());
    assert!(
        ddl("mysql", &Prefix::NONE)
            .unwrap()
            .contains("utf8mb4_0900_bin")
    );
}

#[test]
fn an_idle_connection_that_the_server_ended_is_not_begun_with() {
    let db = Db::Mariadb(Server::start_with(&["--wait-timeout=6"]));
    export(&db, &[&Scenario::new(1)]);
    block_on(async {
        let mut sink = Sink::new(db.database(), Prefix::NONE, Duration::from_secs(10));
        let before = sink.cursor(PartitionId(1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(sink.cursor(PartitionId(1)).await.unwrap(), before);
    });
}
