//! The database of the history dies under load: processing goes on, reads say why they cannot be
//! answered, and when it is back everything is there once, whatever the broker did meanwhile.
//!
//! Three outages in a row on one PostgreSQL server, which is killed as by power loss: the broker goes
//! on; the broker is killed, too; the broker ends in order and comes back with it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::broker::{Broker, Place, Start, until};
use crate::load::{self, Book, Round};
use crate::postgres::Server;

/// Load before an outage, and load during it.
const PHASE: Duration = Duration::from_millis(1500);
/// Until reads notice that the database is gone, or that it is back.
const NOTICED: Duration = Duration::from_secs(30);

/// What the broker does while its database is away.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    GoesOn,
    IsKilled,
    Ends,
}

#[test]
fn nothing_is_lost_or_doubled_when_the_database_dies_under_load() {
    let begun = Instant::now();
    let mut server = Server::start();
    let place = Place::new();
    let start = Start::with(&["--partitions", "2", "--secondary-storage", &server.url()]);
    let book = Mutex::new(Book::default());
    let mut broker = place.start(&start);
    load::deploy(&mut broker.client());
    let outages = [Meanwhile::GoesOn, Meanwhile::IsKilled, Meanwhile::Ends];
    for (number, meanwhile) in (0..).zip(outages) {
        let acknowledged = || book.lock().unwrap().acknowledged();
        let left = Round::new(number, broker.rest, &book).run(|| {
            std::thread::sleep(PHASE);
            server.kill();
            refused(&broker);
            let before = acknowledged();
            std::thread::sleep(PHASE);
            let worked = acknowledged() - before;
            assert!(worked > 0, "nothing was acknowledged without the database");
            match meanwhile {
                Meanwhile::GoesOn => Some(broker),
                Meanwhile::IsKilled => {
                    broker.kill();
                    None
                }
                Meanwhile::Ends => {
                    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
                    None
                }
            }
        });
        book.lock().unwrap().assert_right(number);
        server.resume();
        broker = left.unwrap_or_else(|| place.start(&start));
        answered(&broker);
        let keys = book.lock().unwrap().keys_of(number);
        load::all_visible(&mut broker.client(), &keys);
    }
    let settled = load::settle(&broker, outages.len() as u64, book, 0);
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
    place.assert_no_panic();
    eprintln!(
        "outage: {} outages in {:.0?}; {settled}",
        outages.len(),
        begun.elapsed()
    );
}

/// Reads come to say that the database is away.
fn refused(broker: &Broker) {
    let mut client = broker.client();
    let refusal = until("reads are refused", NOTICED, || {
        let answer = client.try_post("/v2/process-instances/search", &json!({}));
        answer.ok().filter(|answer| answer.status >= 300)
    });
    assert_eq!(refusal.status, 503, "{refusal:?}");
    let problem = refusal.json();
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| !detail.is_empty()),
        "{refusal:?}"
    );
}

/// Reads come to be answered again.
fn answered(broker: &Broker) {
    let mut client = broker.client();
    until("reads are answered", NOTICED, || {
        let answer = client.try_post("/v2/process-instances/search", &json!({}));
        answer.ok().filter(|answer| answer.status == 200)
    });
}
