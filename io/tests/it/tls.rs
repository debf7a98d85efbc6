//! Encrypted peers: three brokers of one authority replicate, and nobody else is let in.
//!
//! Certificates are made by the test; a broker without one, or with one of another authority, moves
//! nothing and hears nothing.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use ringflow_io::{Broker, DriverChoice, PeerTls};
use tempfile::TempDir;

use crate::cluster::Three;
use crate::world::{client, deploy, run_one};

/// How long it is watched that nothing happens.
const WATCH: Duration = Duration::from_secs(2);

/// Files of an authority and of brokers it signed.
struct Authority {
    directory: TempDir,
}

impl Authority {
    fn new(brokers: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        std::fs::write(path("authority.pem"), own.pem()).unwrap();
        for number in 0..brokers {
            let of_broker = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![format!("broker-{number}")]).unwrap();
            let signed = params.signed_by(&of_broker, &own, &key).unwrap();
            std::fs::write(path(&format!("{number}.pem")), signed.pem()).unwrap();
            std::fs::write(path(&format!("{number}.key")), of_broker.serialize_pem()).unwrap();
        }
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn broker(&self, number: usize) -> PeerTls {
        let file = |name: String| self.path().join(name);
        PeerTls::load(
            &file(format!("{number}.pem")),
            &file(format!("{number}.key")),
            &file("authority.pem".to_owned()),
        )
        .unwrap()
    }
}

#[test]
fn encrypted_brokers_replicate_and_let_nobody_else_in() {
    crate::world::on_both_drivers(|options| {
        let authority = Authority::new(3);
        let mut three = Three::new(1, options().driver);
        for (node, (_, options)) in three.places.iter_mut().enumerate() {
            options.cluster.tls = Some(authority.broker(node));
        }
        (0..2).for_each(|node| three.start(node));
        three.wait("two of three begin", Three::is_ready);
        let submitter = three.brokers[0].as_ref().unwrap().submitter();
        client(async {
            deploy(&submitter).await;
            run_one(&submitter, 1).await;
        });
        // The third comes without encryption, then with somebody else's, then as it should.
        for tls in [None, Some(Authority::new(3).broker(2))] {
            three.places[2].1.cluster.tls = tls;
            three.start(2);
            std::thread::sleep(WATCH);
            let stranger: &Broker = three.brokers[2].as_ref().unwrap();
            let committed = stranger
                .committed(ringflow_core::ids::PartitionId(1))
                .unwrap();
            assert_eq!(committed.0, 0, "a stranger has records");
            client(run_one(&submitter, 1));
            three.kill(2);
        }
        three.places[2].1.cluster.tls = Some(authority.broker(2));
        three.start(2);
        three.wait_equal();
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new(2);
    let file = |name: &str| authority.path().join(name);
    let load = |chain: &str, key: &str, by: &str| {
        PeerTls::load(&file(chain), &file(key), &file(by)).unwrap_err()
    };
    assert!(load("none.pem", "0.key", "authority.pem").contains("none.pem"));
    assert!(load("0.pem", "0.pem", "authority.pem").contains("0.pem"));
    assert!(load("0.pem", "1.key", "authority.pem").contains("1.key"));
    assert!(load("0.pem", "0.key", "0.key").contains("0.key"));
}

#[test]
fn the_plain_driver_alone_carries_it_too() {
    let authority = Authority::new(3);
    let mut three = Three::new(3, DriverChoice::Plain);
    for (node, (_, options)) in three.places.iter_mut().enumerate() {
        options.cluster.tls = Some(authority.broker(node));
    }
    (0..3).for_each(|node| three.start(node));
    three.wait("every partition has a leader", Three::is_ready);
    client(crate::messages::correlate_everywhere(
        &three.brokers[0].as_ref().unwrap().submitter(),
    ));
    three.wait_equal();
}
