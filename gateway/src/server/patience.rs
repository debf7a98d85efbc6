//! A socket with patience: who sends nothing at first, or never reads, is cut.
//!
//! The HTTP library bounds the time for headers and bodies, but only once it knows which protocol
//! is spoken, and it waits for ever to write. Here the bytes by which it knows have a time, and so
//! has every write that cannot go on. What a client may leave idle in between (a kept connection, a stream of
//! jobs without jobs) is not looked at.
//!
//! | condition | effect |
//! |---|---|
//! | fewer than [`PREFACE`] bytes within the time of a new connection | read error, the connection ends |
//! | a write makes no progress for that time | write error, the connection and its answers end |

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes by which the protocol is known at the latest: those that HTTP/2 begins with. No request of
/// HTTP/1.1 with a host is shorter.
const PREFACE: usize = 24;

/// A socket that loses its patience.
pub(super) struct Patient<S> {
    socket: S,
    time: Duration,
    /// Bytes that came, as long as they are fewer than [`PREFACE`].
    came: usize,
    /// Runs until the first bytes came.
    first: Option<Pin<Box<Sleep>>>,
    /// Runs while a write waits.
    write: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Gives the other side `time` for its first bytes and for each write.
    pub(super) fn new(socket: S, time: Duration) -> Self {
        Self {
            socket,
            time,
            came: 0,
            first: Some(Box::pin(sleep(time))),
            write: None,
        }
    }

    /// What `poll` says, or an error if it has said nothing for too long.
    fn within<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = poll(&mut self.socket, context) {
            self.write = None;
            return Poll::Ready(done);
        }
        let time = self.time;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(slow("the client does not read")))
    }
}

fn slow(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Poll::Ready(done) = Pin::new(&mut this.socket).poll_read(context, buffer) {
            this.came = this.came.saturating_add(buffer.filled().len() - before);
            if this.came >= PREFACE {
                this.first = None;
            }
            return Poll::Ready(done);
        }
        let Some(timer) = &mut this.first else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(slow("the client sends nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().within(context, |socket, context| {
            Pin::new(socket).poll_write(context, bytes)
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().within(context, |socket, context| {
            Pin::new(socket).poll_write_vectored(context, parts)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().within(context, |socket, context| {
            Pin::new(socket).poll_flush(context)
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().within(context, |socket, context| {
            Pin::new(socket).poll_shutdown(context)
        })
    }
}
