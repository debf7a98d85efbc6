//! A cursor over MessagePack bytes: one token at a time, or one whole value at a time.
//!
//! The reader owns nothing. `next` descends (an array header yields the header only); `skip` passes
//! over a value with everything below it by counting what is still open, without a stack.
//! Errors leave the cursor where the failing token began.

use super::{Error, ErrorKind};

/// One MessagePack token. Containers carry only their length; their items follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// An integer above `i64::MAX`; smaller ones are always [`Token::Int`].
    Uint(u64),
    Float(f64),
    Str(&'a str),
    Bin(&'a [u8]),
    Array(u32),
    /// Number of entries; each is a key token and a value.
    Map(u32),
    Ext(i8, &'a [u8]),
}

/// Cursor over a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Offset of the next token.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The bytes from `start` up to the cursor.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    fn error<T>(&self, offset: usize, kind: ErrorKind) -> Result<T, Error> {
        Err(Error { offset, kind })
    }

    #[inline]
    fn take(&mut self, from: usize, len: usize) -> Result<&'a [u8], Error> {
        match from
            .checked_add(len)
            .and_then(|end| self.bytes.get(from..end))
        {
            Some(slice) => {
                self.at = from + len;
                Ok(slice)
            }
            None => self.error(self.bytes.len(), ErrorKind::Truncated),
        }
    }

    #[inline]
    fn number<const N: usize>(&self, from: usize) -> Result<[u8; N], Error> {
        match self
            .bytes
            .get(from..)
            .and_then(|rest| rest.first_chunk::<N>())
        {
            Some(chunk) => Ok(*chunk),
            None => self.error(self.bytes.len(), ErrorKind::Truncated),
        }
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let chunk = self.number::<N>(self.at + 1)?;
        self.at += 1 + N;
        Ok(chunk)
    }

    /// Length of a header whose width in bytes is `1 << shift`.
    #[inline]
    fn length(&self, shift: u8) -> Result<(u32, usize), Error> {
        let from = self.at + 1;
        Ok(match shift {
            0 => (u32::from(self.number::<1>(from)?[0]), from + 1),
            1 => (u32::from(u16::from_be_bytes(self.number(from)?)), from + 2),
            _ => (u32::from_be_bytes(self.number(from)?), from + 4),
        })
    }

    fn string(&mut self, from: usize, len: u32) -> Result<Token<'a>, Error> {
        let begin = self.at;
        let raw = self.take(from, len as usize)?;
        match std::str::from_utf8(raw) {
            Ok(text) => Ok(Token::Str(text)),
            Err(e) => {
                self.at = begin;
                self.error(from + e.valid_up_to(), ErrorKind::NotUtf8)
            }
        }
    }

    fn ext(&mut self, from: usize, len: u32) -> Result<Token<'a>, Error> {
        let kind = self.number::<1>(from)?[0];
        let data = self.take(from + 1, len as usize)?;
        Ok(Token::Ext(kind as i8, data))
    }

    fn unsigned(value: u64) -> Token<'a> {
        match i64::try_from(value) {
            Ok(small) => Token::Int(small),
            Err(_) => Token::Uint(value),
        }
    }

    /// Reads the next token.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible cursor, not an iterator"
    )]
    pub fn next(&mut self) -> Result<Token<'a>, Error> {
        let at = self.at;
        let marker = self.number::<1>(at)?[0];
        Ok(match marker {
            0x00..=0x7f => {
                self.at = at + 1;
                Token::Int(i64::from(marker))
            }
            0xe0..=0xff => {
                self.at = at + 1;
                Token::Int(i64::from(marker as i8))
            }
            0x80..=0x8f => {
                self.at = at + 1;
                Token::Map(u32::from(marker & 0x0f))
            }
            0x90..=0x9f => {
                self.at = at + 1;
                Token::Array(u32::from(marker & 0x0f))
            }
            0xa0..=0xbf => self.string(at + 1, u32::from(marker & 0x1f))?,
            0xc0 => {
                self.at = at + 1;
                Token::Nil
            }
            0xc1 => return self.error(at, ErrorKind::InvalidMarker),
            0xc2 | 0xc3 => {
                self.at = at + 1;
                Token::Bool(marker == 0xc3)
            }
            0xc4..=0xc6 => {
                let (len, from) = self.length(marker - 0xc4)?;
                Token::Bin(self.take(from, len as usize)?)
            }
            0xc7..=0xc9 => {
                let (len, from) = self.length(marker - 0xc7)?;
                self.ext(from, len)?
            }
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Token::Int(i64::from(self.fixed::<1>()?[0])),
            0xcd => Token::Int(i64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Token::Int(i64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => Self::unsigned(u64::from_be_bytes(self.fixed()?)),
            0xd0 => Token::Int(i64::from(self.fixed::<1>()?[0] as i8)),
            0xd1 => Token::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Token::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Token::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.ext(at + 1, 1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let (len, from) = self.length(marker - 0xd9)?;
                self.string(from, len)?
            }
            0xdc | 0xdd => {
                let (len, from) = self.length(marker - 0xdc + 1)?;
                self.at = from;
                Token::Array(len)
            }
            0xde | 0xdf => {
                let (len, from) = self.length(marker - 0xde + 1)?;
                self.at = from;
                Token::Map(len)
            }
        })
    }

    /// Passes over one whole value and returns its bytes. Text inside is not checked for UTF-8:
    /// skipping is for bytes that were validated when they entered.
    #[inline]
    pub fn skip(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        let mut open = 1u64;
        while open > 0 {
            open = open - 1 + self.pass()?;
        }
        Ok(self.since(start))
    }

    /// Passes over one token and returns how many values it opens.
    #[inline]
    fn pass(&mut self) -> Result<u64, Error> {
        let at = self.at;
        let marker = self.number::<1>(at)?[0];
        let (from, len, opens) = match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (at + 1, 0, 0),
            0x80..=0x8f => (at + 1, 0, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => (at + 1, 0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (at + 1, u32::from(marker & 0x1f), 0),
            0xc1 => return self.error(at, ErrorKind::InvalidMarker),
            0xc4..=0xc6 => {
                let (len, from) = self.length(marker - 0xc4)?;
                (from, len, 0)
            }
            0xc7..=0xc9 => {
                let (len, from) = self.length(marker - 0xc7)?;
                (from + 1, len, 0)
            }
            0xca => (at + 1, 4, 0),
            0xcb => (at + 1, 8, 0),
            0xcc..=0xcf => (at + 1, 1 << (marker - 0xcc), 0),
            0xd0..=0xd3 => (at + 1, 1 << (marker - 0xd0), 0),
            0xd4..=0xd8 => (at + 2, 1 << (marker - 0xd4), 0),
            0xd9..=0xdb => {
                let (len, from) = self.length(marker - 0xd9)?;
                (from, len, 0)
            }
            0xdc | 0xdd => {
                let (len, from) = self.length(marker - 0xdc + 1)?;
                (from, 0, u64::from(len))
            }
            0xde | 0xdf => {
                let (len, from) = self.length(marker - 0xde + 1)?;
                (from, 0, 2 * u64::from(len))
            }
        };
        self.take(from, len as usize)?;
        Ok(opens)
    }

    /// Reads a map header, or refuses a value of another kind.
    #[inline]
    pub fn map(&mut self) -> Result<u32, Error> {
        let offset = self.at;
        if let Token::Map(len) = self.next()? {
            Ok(len)
        } else {
            self.unexpected(offset)
        }
    }

    /// Reads an array header, or refuses a value of another kind.
    pub fn array(&mut self) -> Result<u32, Error> {
        let offset = self.at;
        if let Token::Array(len) = self.next()? {
            Ok(len)
        } else {
            self.unexpected(offset)
        }
    }

    /// Reads a string, or refuses a value of another kind.
    pub fn string_value(&mut self) -> Result<&'a str, Error> {
        let offset = self.at;
        if let Token::Str(text) = self.next()? {
            Ok(text)
        } else {
            self.unexpected(offset)
        }
    }

    /// Reads a map key, which has to be a string.
    pub fn key(&mut self) -> Result<&'a str, Error> {
        let offset = self.at;
        match self.next()? {
            Token::Str(text) => Ok(text),
            Token::Nil
            | Token::Bool(_)
            | Token::Int(_)
            | Token::Uint(_)
            | Token::Float(_)
            | Token::Bin(_)
            | Token::Array(_)
            | Token::Map(_)
            | Token::Ext(..) => {
                self.at = offset;
                self.error(offset, ErrorKind::KeyNotString)
            }
        }
    }

    /// Reads a map key as bytes, without the cost of checking them for UTF-8.
    #[inline]
    pub fn raw_key(&mut self) -> Result<&'a [u8], Error> {
        let at = self.at;
        let marker = self.number::<1>(at)?[0];
        let (len, from) = match marker {
            0xa0..=0xbf => (u32::from(marker & 0x1f), at + 1),
            0xd9..=0xdb => self.length(marker - 0xd9)?,
            _ => return self.error(at, ErrorKind::KeyNotString),
        };
        self.take(from, len as usize)
    }

    fn unexpected<T>(&mut self, offset: usize) -> Result<T, Error> {
        self.at = offset;
        self.error(offset, ErrorKind::UnexpectedKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_width() {
        let cases: &[(&[u8], Token<'_>)] = &[
            (&[0x7f], Token::Int(127)),
            (&[0xe0], Token::Int(-32)),
            (&[0xcc, 0xff], Token::Int(255)),
            (&[0xcd, 0x01, 0x00], Token::Int(256)),
            (
                &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                Token::Uint(u64::MAX),
            ),
            (&[0xd0, 0x80], Token::Int(-128)),
            (&[0xd1, 0x80, 0x00], Token::Int(-32768)),
            (&[0xca, 0x3f, 0x80, 0, 0], Token::Float(1.0)),
            (&[0xa2, b'h', b'i'], Token::Str("hi")),
            (&[0xd9, 0x02, b'h', b'i'], Token::Str("hi")),
            (&[0xc4, 0x01, 0x09], Token::Bin(&[9])),
            (&[0xd4, 0x05, 0x01], Token::Ext(5, &[1])),
            (&[0xdc, 0x00, 0x01, 0xc0], Token::Array(1)),
            (&[0xdf, 0, 0, 0, 0], Token::Map(0)),
        ];
        for (bytes, token) in cases {
            assert_eq!(Reader::new(bytes).next(), Ok(*token), "{bytes:?}");
            assert_eq!(Reader::new(bytes).skip(), Ok(*bytes));
        }
    }

    #[test]
    fn truncation_is_an_error_at_every_cut() {
        let mut bytes = vec![0x82, 0xa1, b'a', 0x92, 0xcb];
        bytes.extend_from_slice(&1.5f64.to_be_bytes());
        bytes.extend_from_slice(&[0xd9, 1, b'x', 0xa1, b'b', 0xc0]);
        assert_eq!(Reader::new(&bytes).skip().unwrap().len(), bytes.len());
        for cut in 0..bytes.len() {
            let error = Reader::new(&bytes[..cut]).skip().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Truncated, "cut at {cut}");
        }
    }

    #[test]
    fn huge_length_headers_are_only_numbers() {
        let error = Reader::new(&[0xdd, 0xff, 0xff, 0xff, 0xff])
            .skip()
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated);
        let error = Reader::new(&[0xdb, 0xff, 0xff, 0xff, 0xff])
            .next()
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated);
    }
}
