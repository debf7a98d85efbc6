//! The network between simulated brokers: connections that break, stall and are cut, as TCP's do.
//!
//! Bytes of one connection arrive in order or not at all; what a network does to messages is done as
//! it shows above TCP. *Loss*: a connection breaks, and what was on its way is gone, although the
//! other side may have taken the request and only its answer is lost. *Reordering*: connections are
//! independent of each other and their delays differ. *Duplication*: a broken connection's bytes may
//! still arrive behind those of the connection that took its place, and a ghost of a connection
//! delivers everything once more, later, to nobody's benefit. *Cuts* are one-way: bytes wait until
//! the way is open again, and new connections find nobody.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};

use crate::driver;
use crate::sim::executor::{self, Alarm, below, once_in, owner, world_now};

/// Port of every simulated peer listener.
const PORT: u16 = 26502;
/// What is on its way and stops a writer.
const BUFFER_BYTES: usize = 4 << 20;

/// Address of a broker's peer listener.
pub(crate) fn address(node: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8], PORT))
}

fn node_at(address: SocketAddr) -> u32 {
    match address.ip() {
        std::net::IpAddr::V4(ip) => u32::from(ip.octets()[3]),
        std::net::IpAddr::V6(_) => u32::MAX,
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Way {
    from: u32,
    to: u32,
    /// When it arrives, and what.
    queue: VecDeque<(Duration, Vec<u8>)>,
    bytes: usize,
    /// The writer is gone: the end arrives behind everything.
    closed: bool,
    /// Nothing arrives any more, and both ends hear of it.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Way {
    fn wake(&mut self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

type Shared = Arc<Mutex<Way>>;

fn lock(way: &Shared) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of a connection.
pub(crate) struct Pipe {
    incoming: Shared,
    outgoing: Shared,
    alarm: Option<Alarm>,
    /// Repeats what is written, to a connection that nobody answers.
    ghost: Option<Shared>,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outgoing = lock(&self.outgoing);
        write!(f, "{} to {}", outgoing.from, outgoing.to)
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Network {
    /// Who listens, and where connections to it go.
    listeners: RefCell<BTreeMap<u32, VecDeque<Pipe>>>,
    accepting: RefCell<BTreeMap<u32, Waker>>,
    ways: RefCell<Vec<std::sync::Weak<Mutex<Way>>>>,
    cut: RefCell<BTreeSet<(u32, u32)>>,
    /// A connection breaks once in so many writes; 0 = never.
    break_once_in: Cell<u64>,
    /// A connection has a ghost once in so many; 0 = never.
    ghost_once_in: Cell<u64>,
    slowest: Cell<Duration>,
}

thread_local! {
    static NETWORK: RefCell<Rc<Network>> = RefCell::default();
}

pub(crate) fn network() -> Rc<Network> {
    NETWORK.with(|network| Rc::clone(&network.borrow()))
}

/// A new network without faults.
pub(crate) fn reset() -> Rc<Network> {
    let network = Rc::new(Network::default());
    network.slowest.set(Duration::from_millis(2));
    NETWORK.set(Rc::clone(&network));
    network
}

impl Network {
    /// How bad it is: how often connections break and have ghosts, and how slow it may be.
    pub(crate) fn trouble(&self, break_once_in: u64, ghost_once_in: u64, slowest: Duration) {
        self.break_once_in.set(break_once_in);
        self.ghost_once_in.set(ghost_once_in);
        self.slowest.set(slowest);
    }

    /// Cuts the way from one broker to another.
    pub(crate) fn cut(&self, from: u32, to: u32) {
        self.cut.borrow_mut().insert((from, to));
    }

    /// Opens every way.
    pub(crate) fn mend(&self) {
        self.cut.borrow_mut().clear();
        self.trouble(0, 0, Duration::from_millis(2));
        for way in self
            .ways
            .borrow()
            .iter()
            .filter_map(std::sync::Weak::upgrade)
        {
            let mut way = lock(&way);
            let mut at = world_now();
            for (arrives, _) in &mut way.queue {
                at = at.max((*arrives).min(world_now() + Duration::from_millis(5)));
                *arrives = at;
            }
            way.wake();
        }
    }

    pub(crate) fn is_troubled(&self) -> bool {
        self.break_once_in.get() > 0
    }

    pub(crate) fn is_cut(&self, from: u32, to: u32) -> bool {
        self.cut.borrow().contains(&(from, to))
    }

    /// Begins to listen for `node`.
    pub(crate) fn listen(&self, node: u32) {
        self.listeners.borrow_mut().insert(node, VecDeque::new());
    }

    /// Its process is gone: connections are refused, and those there were are reset.
    pub(crate) fn gone(&self, node: u32) {
        let waiting = self.listeners.borrow_mut().remove(&node);
        drop(waiting);
        self.accepting.borrow_mut().remove(&node);
        self.ways.borrow_mut().retain(|way| way.strong_count() > 0);
        for way in self
            .ways
            .borrow()
            .iter()
            .filter_map(std::sync::Weak::upgrade)
        {
            let mut way = lock(&way);
            if way.from == node || way.to == node {
                way.broken = true;
                way.wake();
            }
        }
    }

    /// The next connection to `node`.
    pub(crate) async fn accept(&self, node: u32) -> Pipe {
        std::future::poll_fn(|cx| {
            let mut listeners = self.listeners.borrow_mut();
            match listeners.get_mut(&node).and_then(VecDeque::pop_front) {
                Some(pipe) => Poll::Ready(pipe),
                None => {
                    self.accepting.borrow_mut().insert(node, cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn arrival(&self, from: u32, to: u32) -> Duration {
        let slowest = self.slowest.get().as_micros() as u64;
        let mut micros = 50 + below(200);
        if once_in(10) {
            micros += below(slowest.max(1));
        }
        let open = !self.is_cut(from, to);
        let delay = Duration::from_micros(micros);
        if open {
            world_now() + delay
        } else {
            Duration::MAX
        }
    }

    fn way(&self, from: u32, to: u32) -> Shared {
        let way = Arc::new(Mutex::new(Way {
            from,
            to,
            ..Way::default()
        }));
        self.ways.borrow_mut().push(Arc::downgrade(&way));
        way
    }

    fn offer(&self, to: u32, pipe: Pipe) -> bool {
        let mut listeners = self.listeners.borrow_mut();
        let Some(waiting) = listeners.get_mut(&to) else {
            return false;
        };
        waiting.push_back(pipe);
        if let Some(waker) = self.accepting.borrow_mut().remove(&to) {
            waker.wake();
        }
        true
    }
}

fn pipe(incoming: &Shared, outgoing: &Shared) -> Pipe {
    Pipe {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        alarm: None,
        ghost: None,
    }
}

/// Connects the broker whose task runs.
pub(crate) async fn connect(address: SocketAddr, within: Duration) -> io::Result<Pipe> {
    let (from, to) = (owner(), node_at(address));
    let network = network();
    driver::sleep(Duration::from_micros(100 + below(300))).await;
    if network.is_cut(from, to) || network.is_cut(to, from) {
        driver::sleep(within).await;
        return Err(io::ErrorKind::TimedOut.into());
    }
    let (there, back) = (network.way(from, to), network.way(to, from));
    let mut own = pipe(&back, &there);
    if !network.offer(to, pipe(&there, &back)) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let ghosts = network.ghost_once_in.get();
    if ghosts > 0 && once_in(ghosts) {
        let (there, back) = (network.way(from, to), network.way(to, from));
        // Its answers go nowhere, but they are taken.
        let mut nobody = pipe(&back, &there);
        if network.offer(to, pipe(&there, &back)) {
            own.ghost = Some(Arc::clone(&there));
            executor::spawn_on(executor::WORLD, async move {
                use futures::io::AsyncReadExt as _;
                let mut sink = [0; 4096];
                while nobody.read(&mut sink).await.is_ok_and(|read| read > 0) {}
            });
        }
    }
    Ok(own)
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut way = lock(&this.incoming);
        // Who is cut off hears of nothing, not even of an end.
        let open = !network().is_cut(way.from, way.to);
        if way.broken && open {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (now, closed) = (world_now(), way.closed);
        match way.queue.front_mut() {
            Some((arrives, bytes)) if *arrives <= now => {
                let count = bytes.len().min(into.len());
                into[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    way.queue.pop_front();
                }
                way.bytes -= count;
                if let Some(writer) = way.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(count));
            }
            Some((arrives, _)) if *arrives < Duration::MAX => {
                let arrives = *arrives;
                way.reader = Some(cx.waker().clone());
                drop(way);
                let mut alarm = Alarm::at(arrives);
                let polled = Future::poll(Pin::new(&mut alarm), cx);
                this.alarm = Some(alarm);
                if polled.is_ready() {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            Some(_) => {}
            None if closed && open => return Poll::Ready(Ok(0)),
            None => {}
        }
        way.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn put(way: &Shared, bytes: &[u8], later: Duration) {
    let network = network();
    let mut way = lock(way);
    let arrives = network.arrival(way.from, way.to).saturating_add(later);
    let arrives = match way.queue.back() {
        Some((before, _)) => arrives.max(*before),
        None => arrives,
    };
    way.queue.push_back((arrives, bytes.to_vec()));
    way.bytes += bytes.len();
    if let Some(reader) = way.reader.take() {
        reader.wake();
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let network = network();
        {
            let mut way = lock(&self.outgoing);
            if way.broken && !network.is_cut(way.to, way.from) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if way.bytes > BUFFER_BYTES {
                way.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        put(&self.outgoing, bytes, Duration::ZERO);
        if let Some(ghost) = &self.ghost {
            put(ghost, bytes, Duration::from_millis(below(3000)));
        }
        let breaks = network.break_once_in.get();
        if breaks > 0 && once_in(breaks) {
            // Half of the time what was written still arrives, and only the answer is lost.
            if once_in(2) {
                lock(&self.outgoing).broken = true;
                lock(&self.outgoing).wake();
            } else {
                lock(&self.outgoing).closed = true;
            }
            let mut back = lock(&self.incoming);
            back.broken = true;
            back.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = lock(&self.outgoing);
        way.closed = true;
        way.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for way in [Some(&self.outgoing), self.ghost.as_ref()]
            .into_iter()
            .flatten()
        {
            let mut way = lock(way);
            way.closed = true;
            way.wake();
        }
        let mut way = lock(&self.incoming);
        way.broken = true;
        way.wake();
    }
}
