//! Frames on a peer connection: length, checksum, kind, body.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 4 | length L of kind and body, 1 to [`FRAME_MAX`] |
//! | 4 | 4 | CRC32C of kind and body |
//! | 8 | 1 | kind |
//! | 9 | L - 1 | body |
//!
//! Little endian. A frame that is too long, or whose checksum does not fit, ends its connection:
//! nothing behind it can be trusted to begin where it seems to. Read into one buffer that never
//! holds more than one frame and what the last read brought with it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Most bytes of kind and body: the largest entry of a log, and its surroundings.
pub(crate) const FRAME_MAX: usize = 24 << 20;
/// Bytes before the kind.
const HEADER_LEN: usize = 8;
/// Bytes asked for at once.
const READ_BYTES: usize = 16 << 10;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// It ended between frames.
    #[error("the connection was closed")]
    Closed,
    /// The system says so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The length is none.
    #[error("a frame of {0} bytes, of which {FRAME_MAX} are allowed at most and 1 at least")]
    Length(usize),
    /// The bytes are not those that were sent.
    #[error("the checksum of a frame does not match")]
    Checksum,
    /// The body is not what its kind says.
    #[error("{0}")]
    Body(String),
}

/// What a frame holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Bytes,
}

/// Begins a frame of `kind`; the body is appended, then [`finish`] seals it.
pub(crate) fn begin(kind: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&[0; HEADER_LEN]);
    out.push(kind);
    out
}

/// Seals a frame that [`begin`] began.
pub(crate) fn finish(mut frame: Vec<u8>) -> Vec<u8> {
    let len = (frame.len() - HEADER_LEN) as u32;
    let crc = crc32c::crc32c(&frame[HEADER_LEN..]);
    frame[..4].copy_from_slice(&len.to_le_bytes());
    frame[4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    frame
}

/// The reading half of a connection.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    buffer: BytesMut,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            buffer: BytesMut::new(),
            limit: FRAME_MAX,
        }
    }

    /// Most bytes of the next frames; small until it is known who speaks.
    pub(crate) fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Gives back what it read from; an error if more was read than frames were taken.
    pub(crate) fn into_inner(self) -> Result<R, FrameError> {
        if self.buffer.is_empty() {
            Ok(self.from)
        } else {
            Err(FrameError::Body(
                "more was sent than was asked for".to_owned(),
            ))
        }
    }

    /// The next frame. Cancel safe: what was read stays in the buffer.
    pub(crate) async fn next(&mut self) -> Result<Frame, FrameError> {
        while self.buffer.len() < HEADER_LEN {
            self.fill(HEADER_LEN).await?;
        }
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&self.buffer[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let (len, crc) = (word(0) as usize, word(4));
        if len == 0 || len > self.limit {
            return Err(FrameError::Length(len));
        }
        let whole = HEADER_LEN + len;
        while self.buffer.len() < whole {
            self.fill(whole).await?;
        }
        let frame = self.buffer.split_to(whole).freeze().slice(HEADER_LEN..);
        if crc32c::crc32c(&frame) != crc {
            return Err(FrameError::Checksum);
        }
        Ok(Frame {
            kind: frame[0],
            body: frame.slice(1..),
        })
    }

    /// Reads once; what a dropped call read is not lost.
    async fn fill(&mut self, wanted: usize) -> Result<(), FrameError> {
        let held = self.buffer.len();
        // Grows with what arrives, not with what a length promises.
        let room = READ_BYTES.max((wanted - held).min(4 * held));
        let Self { from, buffer, .. } = self;
        let read = poll_fn(|cx| {
            buffer.resize(held + room, 0);
            let polled = Pin::new(&mut *from).poll_read(cx, &mut buffer[held..]);
            let kept = match &polled {
                Poll::Ready(Ok(read)) => *read,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            buffer.truncate(held + kept);
            polled
        });
        match read.await? {
            0 if held == 0 => Err(FrameError::Closed),
            0 => Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

/// Writes sealed frames.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    to: &mut W,
    frame: &[u8],
) -> Result<(), FrameError> {
    to.write_all(frame).await?;
    to.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = begin(kind);
        out.extend_from_slice(body);
        finish(out)
    }

    fn read(bytes: &[u8]) -> Result<Frame, FrameError> {
        block_on(Reader::new(Cursor::new(bytes)).next())
    }

    #[test]
    fn a_frame_has_these_bytes_and_comes_back() {
        let bytes = frame(3, b"ab");
        assert_eq!(bytes[..4], [3, 0, 0, 0]);
        assert_eq!(bytes[8..], [3, b'a', b'b']);
        let back = read(&bytes).unwrap();
        assert_eq!((back.kind, &back.body[..]), (3, &b"ab"[..]));
    }

    #[test]
    fn frames_follow_each_other_however_they_arrive() {
        let long = vec![7; 300_000];
        let bytes = [frame(1, b""), frame(2, &long), frame(3, b"x")].concat();
        let mut reader = Reader::new(Cursor::new(bytes));
        block_on(async {
            assert_eq!(reader.next().await.unwrap().kind, 1);
            assert_eq!(reader.next().await.unwrap().body.len(), long.len());
            assert_eq!(reader.next().await.unwrap().kind, 3);
            assert!(matches!(reader.next().await, Err(FrameError::Closed)));
        });
    }

    #[test]
    fn anything_else_ends_the_connection() {
        let good = frame(1, b"abc");
        for cut in 1..good.len() {
            assert!(matches!(read(&good[..cut]), Err(FrameError::Io(_))));
        }
        let mut flipped = good.clone();
        flipped[9] ^= 1;
        assert!(matches!(read(&flipped), Err(FrameError::Checksum)));
        assert!(matches!(read(&[0; 16]), Err(FrameError::Length(0))));
        assert!(matches!(read(&[0xff; 16]), Err(FrameError::Length(_))));
        assert!(matches!(
            read(b"GET / HTTP/1.1\r\n\r\n"),
            Err(FrameError::Length(_))
        ));
    }
}
