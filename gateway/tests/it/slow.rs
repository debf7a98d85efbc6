//! Clients that take their time: none of them holds a connection, or memory, for ever.
//!
//! All bounds are [`Limits::slow_client`], set to a moment here. How a connection ends (closed or
//! reset) is the kernel's business; that it ends is what counts.

use std::time::Duration;

use ringflow_gateway::backend::{Cell, Page, Row};
use ringflow_gateway::{Auth, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::fake::{self, Fake, Running, start_with};

/// Bytes of an answer that no pair of socket buffers holds.
const MUCH: usize = 64 << 20;

async fn impatient() -> Running {
    let limits = Limits {
        slow_client: Duration::from_secs(1),
        ..Limits::default()
    };
    start_with(Fake::new(1, fake::echo), Auth::Unprotected, limits).await
}

/// Reads until the other side ends the connection, which it has to do soon.
async fn end_of(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let ended = timeout(Duration::from_secs(20), socket.read_to_end(&mut all)).await;
    // A reset is an end as well.
    let _ = ended.expect("the connection is still there");
    all
}

#[tokio::test]
async fn who_says_nothing_is_cut_on_every_port() {
    let running = impatient().await;
    let gateway = &running.gateway;
    for address in [gateway.rest, gateway.grpc, gateway.management] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        assert!(end_of(&mut socket).await.is_empty(), "{address}");
        // Half a preface is not much more.
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"PRI * HT").await.unwrap();
        end_of(&mut socket).await;
    }
}

#[tokio::test]
async fn headers_that_trickle_have_a_time_as_a_whole() {
    let running = impatient().await;
    let mut socket = TcpStream::connect(running.gateway.rest).await.unwrap();
    socket
        .write_all(b"GET /v2/topology HTTP/1.1\r\nhost: a\r\n")
        .await
        .unwrap();
    let trickle = async {
        while socket.write_all(b"x-a: b\r\n").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(10), trickle)
        .await
        .expect("it trickles still");
}

#[tokio::test]
async fn who_does_not_read_gets_no_more() {
    let running = impatient().await;
    let much = Cell::Text("x".repeat(MUCH));
    running.reads.page.lock().unwrap().clone_from(&Page {
        items: vec![Row(vec![("value", much)])],
        total: 1,
        ..Page::default()
    });
    let mut socket = TcpStream::connect(running.gateway.rest).await.unwrap();
    let request = "POST /v2/variables/search HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                   content-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    let read = end_of(&mut socket).await;
    assert!(read.starts_with(b"HTTP/1.1 200"));
    assert!(read.len() < MUCH, "{} bytes came", read.len());
    // Others are served.
    assert_eq!(running.rest("GET", "/topology", "").await.status, 200);
}
