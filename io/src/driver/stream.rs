//! A TCP connection on either driver, as one type that reads and writes.
//!
//! Owned by the thread that adopted or made it. Small frames must not wait for each other, so Nagle's
//! algorithm is off on every connection. Errors are the system's.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::driver::{self, Driver};
use crate::peer::tls::Session;

/// A connection.
pub(crate) enum Stream {
    Uring(glommio::net::TcpStream),
    Plain(tokio::net::TcpStream),
    Encrypted(Box<Encrypted>),
    #[cfg(test)]
    Simulated(crate::sim::network::Pipe),
}

/// An encrypted connection: what carries it, and the session.
pub(crate) struct Encrypted {
    carrier: Stream,
    session: Session,
}

/// A connection on its way from the thread that accepted it to the one that will own it.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream),
    Encrypted(Box<Accepted>, Session),
    #[cfg(test)]
    Simulated(crate::sim::network::Pipe),
}

impl Stream {
    /// Takes over a connection that another thread accepted.
    pub(crate) fn adopt(accepted: Accepted) -> io::Result<Self> {
        let accepted = match accepted {
            Accepted::Tcp(accepted) => accepted,
            Accepted::Encrypted(carrier, session) => {
                return Self::adopt(*carrier).map(|carrier| carrier.encrypted(session));
            }
            #[cfg(test)]
            Accepted::Simulated(pipe) => return Ok(Self::Simulated(pipe)),
        };
        accepted.set_nodelay(true)?;
        match driver::driver() {
            Driver::Uring => {
                // The ring itself waits for readiness; a socket that does not block would make it
                // return at once.
                accepted.set_nonblocking(false)?;
                // SAFETY: `into_raw_fd` gives up the only owner of the descriptor, which is open.
                let stream =
                    unsafe { glommio::net::TcpStream::from_raw_fd(accepted.into_raw_fd()) };
                Ok(Self::Uring(stream))
            }
            Driver::Plain => {
                accepted.set_nonblocking(true)?;
                tokio::net::TcpStream::from_std(accepted).map(Self::Plain)
            }
            #[cfg(test)]
            Driver::Simulated => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The same connection under a session.
    pub(crate) fn encrypted(self, session: Session) -> Self {
        let carrier = self;
        Self::Encrypted(Box::new(Encrypted { carrier, session }))
    }

    /// Connects to `address`, at most for `within`.
    pub(crate) async fn connect(address: SocketAddr, within: Duration) -> io::Result<Self> {
        match driver::driver() {
            Driver::Uring => {
                let stream = glommio::net::TcpStream::connect_timeout(address, within)
                    .await
                    .map_err(io::Error::from)?;
                stream.set_nodelay(true).map_err(io::Error::from)?;
                Ok(Self::Uring(stream))
            }
            Driver::Plain => {
                let connecting = tokio::net::TcpStream::connect(address);
                let stream = tokio::time::timeout(within, connecting)
                    .await
                    .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))??;
                stream.set_nodelay(true)?;
                Ok(Self::Plain(stream))
            }
            #[cfg(test)]
            Driver::Simulated => crate::sim::network::connect(address, within)
                .await
                .map(Self::Simulated),
        }
    }

    /// Gives up the connection to another thread; only the plain driver accepts connections.
    pub(crate) fn release(self) -> io::Result<Accepted> {
        match self {
            Self::Plain(stream) => stream.into_std().map(Accepted::Tcp),
            Self::Encrypted(encrypted) => {
                let Encrypted { carrier, session } = *encrypted;
                Ok(Accepted::Encrypted(Box::new(carrier.release()?), session))
            }
            Self::Uring(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
            #[cfg(test)]
            Self::Simulated(pipe) => Ok(Accepted::Simulated(pipe)),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Uring(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Plain(stream) => {
                let mut buffer = ReadBuf::new(into);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
            Self::Encrypted(encrypted) => {
                let Encrypted { carrier, session } = &mut **encrypted;
                session.poll_read(carrier, cx, into)
            }
            #[cfg(test)]
            Self::Simulated(pipe) => Pin::new(pipe).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Uring(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(encrypted) => {
                let Encrypted { carrier, session } = &mut **encrypted;
                session.poll_write(carrier, cx, bytes)
            }
            #[cfg(test)]
            Self::Simulated(pipe) => Pin::new(pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Uring(stream) => Pin::new(stream).poll_flush(cx),
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(encrypted) => {
                let Encrypted { carrier, session } = &mut **encrypted;
                session.poll_out(carrier, cx)
            }
            #[cfg(test)]
            Self::Simulated(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Uring(stream) => Pin::new(stream).poll_close(cx),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(encrypted) => {
                let Encrypted { carrier, session } = &mut **encrypted;
                session.end();
                ready!(session.poll_out(carrier, cx))?;
                Pin::new(carrier).poll_close(cx)
            }
            #[cfg(test)]
            Self::Simulated(pipe) => Pin::new(pipe).poll_close(cx),
        }
    }
}
