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
//! nothing behind it can be trusted to begin where it seems to. What arrives goes through one small
//! buffer of the connection; a frame that does not fit in it is read into memory of its own. Either
//! way a body holds no more memory than it has bytes, because entries of the log stay in it for long.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use bytes::{Buf as _, Bytes};
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Most bytes of kind and body: the largest entry of a log, and its surroundings.
pub(crate) const FRAME_MAX: usize = 24 << 20;
/// Bytes before the kind.
const HEADER_LEN: usize = 8;
/// Where the body begins.
const BODY_AT: usize = HEADER_LEN + 1;
/// Bytes of the buffer of a connection: most bytes asked for at once, but for a larger frame.
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
    begin_for(kind, 256 - BODY_AT)
}

/// Begins a frame of `kind` with a body of about `body` bytes.
pub(crate) fn begin_for(kind: u8, body: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(BODY_AT + body);
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
    /// Zeroed once; what was read and not yet taken is in `start..end`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    large: Option<Large>,
    limit: usize,
}

/// A frame that does not fit in the buffer, as far as it has arrived.
#[derive(Debug)]
struct Large {
    crc: u32,
    /// Bytes of kind and body.
    len: usize,
    /// The first `filled` of them; zeros behind.
    bytes: Vec<u8>,
    filled: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            large: None,
            limit: FRAME_MAX,
        }
    }

    /// Most bytes of the next frames; small until it is known who speaks.
    pub(crate) fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Gives back what it read from; an error if more was read than frames were taken.
    pub(crate) fn into_inner(self) -> Result<R, FrameError> {
        if self.start == self.end && self.large.is_none() {
            Ok(self.from)
        } else {
            Err(FrameError::Body(
                "more was sent than was asked for".to_owned(),
            ))
        }
    }

    /// The next frame. Cancel safe: what was read stays in the buffer.
    pub(crate) async fn next(&mut self) -> Result<Frame, FrameError> {
        while self.large.is_none() {
            let held = &self.buffer[self.start..self.end];
            if let Some((header, held)) = held.split_first_chunk::<HEADER_LEN>() {
                let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
                let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
                let crc = u32::from_le_bytes([c0, c1, c2, c3]);
                if len == 0 || len > self.limit {
                    return Err(FrameError::Length(len));
                }
                if let Some(whole) = held.get(..len) {
                    check(crc, whole)?;
                    let (kind, body) = (whole[0], Bytes::copy_from_slice(&whole[1..]));
                    self.start += HEADER_LEN + len;
                    return Ok(Frame { kind, body });
                }
                if HEADER_LEN + len > self.buffer.len() {
                    self.large = Some(Large {
                        crc,
                        len,
                        bytes: held.to_vec(),
                        filled: held.len(),
                    });
                    (self.start, self.end) = (0, 0);
                    continue;
                }
            }
            self.fill().await?;
        }
        self.fill_large().await?;
        let Some(Large { crc, bytes, .. }) = self.large.take() else {
            return Err(FrameError::Closed);
        };
        check(crc, &bytes)?;
        let (kind, mut body) = (bytes[0], Bytes::from(bytes));
        body.advance(1);
        Ok(Frame { kind, body })
    }

    /// Reads once into the buffer; what a dropped call read is not lost.
    async fn fill(&mut self) -> Result<(), FrameError> {
        if self.start > 0 {
            // Less than a frame, and once for everything that a read brought.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let Self { from, buffer, .. } = self;
        let room = &mut buffer[self.end..];
        match poll_fn(|cx| Pin::new(&mut *from).poll_read(cx, room)).await? {
            0 if self.end == 0 => Err(FrameError::Closed),
            0 => Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    /// Reads the rest of a frame that does not fit in the buffer, and nothing behind it.
    async fn fill_large(&mut self) -> Result<(), FrameError> {
        let Self { from, large, .. } = self;
        let Some(large) = large else {
            return Ok(());
        };
        while large.filled < large.len {
            if large.filled == large.bytes.len() {
                // Grows with what arrives, not with what a length promises.
                let more = READ_BYTES.max(4 * large.filled);
                let more = more.min(large.len - large.filled);
                large.bytes.reserve_exact(more);
                large.bytes.resize(large.filled + more, 0);
            }
            let room = &mut large.bytes[large.filled..];
            match poll_fn(|cx| Pin::new(&mut *from).poll_read(cx, room)).await? {
                0 => return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
                read => large.filled += read,
            }
        }
        Ok(())
    }
}

/// Checks the bytes of kind and body.
fn check(crc: u32, bytes: &[u8]) -> Result<(), FrameError> {
    if crc32c::crc32c(bytes) == crc {
        Ok(())
    } else {
        Err(FrameError::Checksum)
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

    /// Hands out what it has in pieces of the sizes it is given, and waits once before each.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
        waited: bool,
        /// Most bytes it was ever offered room for.
        widest: usize,
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            into: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            self.widest = self.widest.max(into.len());
            self.waited = !self.waited;
            if self.waited {
                // Whatever stands there is not what was read.
                into.fill(0xaa);
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            let size = self.sizes.next().unwrap_or(1);
            let size = size.min(into.len()).min(self.bytes.len() - self.at);
            into[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
            self.at += size;
            std::task::Poll::Ready(Ok(size))
        }
    }

    #[test]
    fn frames_come_in_any_pieces_also_when_a_call_is_dropped() {
        let lens = [
            0,
            1,
            300,
            READ_BYTES - 10,
            READ_BYTES - 9,
            READ_BYTES - 8,
            100_000,
            5,
            1 << 20,
        ];
        let bodies: Vec<Vec<u8>> = lens
            .iter()
            .map(|len| (0..*len).map(|at| (at % 253) as u8).collect())
            .collect();
        let bytes = bodies.iter().map(|body| frame(9, body)).collect::<Vec<_>>();
        let bytes = bytes.concat();
        for sizes in [
            vec![1 << 20],
            vec![7, 16_000, 3],
            vec![1_000, 8, 1, 1 << 14],
        ] {
            let mut reader = Reader::new(Pieces {
                bytes: bytes.clone(),
                at: 0,
                sizes: sizes.into_iter().cycle(),
                waited: false,
                widest: 0,
            });
            for body in &bodies {
                // Each call is polled once and dropped, as by a select that another branch wins.
                let frame = loop {
                    let polled = futures::FutureExt::now_or_never(reader.next());
                    if let Some(frame) = polled {
                        break frame.unwrap();
                    }
                };
                assert!(frame.kind == 9 && frame.body == body[..], "{}", body.len());
            }
            let ended = block_on(reader.next());
            assert!(matches!(ended, Err(FrameError::Closed)), "{ended:?}");
        }
    }

    /// An entry of the log is a part of the body it came in, and stays for long.
    #[test]
    fn a_body_holds_no_more_memory_than_it_has_bytes() {
        let bytes = [
            frame(1, &[1; 300]),
            frame(2, &[2; 200_000]),
            frame(3, &[3; 40]),
        ]
        .concat();
        let mut reader = Reader::new(Cursor::new(bytes));
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(block_on(reader.next()).unwrap().body);
        }
        for body in taken {
            let len = body.len();
            let own = body.try_into_mut();
            let own = own.expect("nothing else is in the memory of a body");
            assert!(own.capacity() <= len + 1, "{} for {len}", own.capacity());
        }
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let mut promise = (FRAME_MAX as u32).to_le_bytes().to_vec();
        promise.extend_from_slice(&[0; 100]);
        let mut reader = Reader::new(Pieces {
            bytes: promise,
            at: 0,
            sizes: vec![50].into_iter().cycle(),
            waited: false,
            widest: 0,
        });
        assert!(matches!(block_on(reader.next()), Err(FrameError::Io(_))));
        assert!(reader.from.widest <= READ_BYTES, "{}", reader.from.widest);
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
