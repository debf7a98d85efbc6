//! From `HOST:PORT` to an address, off the threads that must not wait for a name server.
//!
//! Names are looked up anew for every connection, because a broker that was moved keeps its name and
//! not its address. The look-up runs on a thread of its own that ends with it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread;

use tokio::sync::oneshot;

/// Looks `name` up; the sentence of an error says what was looked up.
pub(crate) async fn resolve(name: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let (done, found) = oneshot::channel();
    let wanted = name.to_owned();
    let started = thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            let found = wanted
                .to_socket_addrs()
                .map_err(|error| format!("{wanted} cannot be looked up: {error}"))
                .and_then(|mut found| {
                    found
                        .next()
                        .ok_or_else(|| format!("{wanted} has no address"))
                });
            // Whoever asked may have given up.
            let _ = done.send(found);
        });
    if let Err(error) = started {
        return Err(format!("{name} cannot be looked up: {error}"));
    }
    found
        .await
        .unwrap_or_else(|_| Err(format!("{name} cannot be looked up")))
}
