//! Documents: MessagePack maps with string keys, the form in which all variables travel.
//!
//! Only top-level names mean anything to the engine; the value bytes below are opaque and are
//! copied, never rebuilt. Bytes are validated once when they enter ([`validate_document`]); the
//! other functions still check what they touch, because the state on disk is not trusted either.

use std::ops::Range;

use super::{Error, ErrorKind, MAX_DEPTH, Reader, Token, write_map_header, write_str};

/// Iterator over the top-level entries of a document: name and value bytes.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a str, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = self
            .reader
            .key()
            .and_then(|key| Ok((key, self.reader.skip()?)));
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}

impl Entries<'_> {
    /// Number of entries still to come, if the bytes keep what their header promises.
    pub fn remaining(&self) -> usize {
        self.left as usize
    }
}

/// The top-level entries of a document in their order.
///
/// # Errors
/// The root is not a map. Later defects are items of the iterator, which then ends.
pub fn entries(document: &[u8]) -> Result<Entries<'_>, Error> {
    let mut reader = Reader::new(document);
    let left = root(&mut reader)?;
    Ok(Entries { reader, left })
}

/// The value bytes of a top-level name; the last entry wins if a name occurs twice.
///
/// # Errors
/// The bytes are not a map with string keys.
pub fn get<'a>(document: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Error> {
    let mut found = None;
    for entry in entries(document)? {
        let (key, value) = entry?;
        if key == name {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Where the value of a top-level name stands in a document that was validated and holds each name
/// once: stops at the first match and checks no more than it needs.
#[inline]
pub fn find(document: &[u8], name: &str) -> Option<Range<usize>> {
    let mut reader = Reader::new(document);
    for _ in 0..reader.map().ok()? {
        let matches = reader.raw_key().ok()? == name.as_bytes();
        let start = reader.position();
        reader.skip().ok()?;
        if matches {
            return Some(start..reader.position());
        }
    }
    None
}

/// Builds a document from names and value bytes, in the order given.
pub fn build_document<'a>(
    entries: impl IntoIterator<Item = (&'a str, &'a [u8]), IntoIter: ExactSizeIterator>,
) -> Vec<u8> {
    let entries = entries.into_iter();
    let mut out = Vec::new();
    write_map_header(&mut out, entries.len());
    for (name, value) in entries {
        write_str(&mut out, name);
        out.extend_from_slice(value);
    }
    out
}

/// Checks that the bytes are exactly one map with string keys at every level, valid UTF-8 text and
/// acceptable nesting.
pub fn validate_document(document: &[u8]) -> Result<(), Error> {
    root(&mut Reader::new(document))?;
    validate(document)
}

/// Checks that the bytes are exactly one value of any kind, by the rules of [`validate_document`].
pub fn validate(value: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(value);
    // What is open: values still to come, and whether keys stand before them.
    let mut open: Vec<(u32, bool)> = Vec::new();
    loop {
        let offset = reader.position();
        match reader.next()? {
            Token::Array(len) => enter(&mut open, (len, false), offset)?,
            Token::Map(len) => enter(&mut open, (len, true), offset)?,
            Token::Nil
            | Token::Bool(_)
            | Token::Int(_)
            | Token::Uint(_)
            | Token::Float(_)
            | Token::Str(_)
            | Token::Bin(_)
            | Token::Ext(..) => {}
        }
        while let Some((0, _)) = open.last() {
            open.pop();
        }
        match open.last_mut() {
            Some((left, keyed)) => {
                *left -= 1;
                if *keyed {
                    reader.key()?;
                }
            }
            None if reader.at_end() => return Ok(()),
            None => {
                return Err(Error {
                    offset: reader.position(),
                    kind: ErrorKind::TrailingBytes,
                });
            }
        }
    }
}

fn enter(open: &mut Vec<(u32, bool)>, level: (u32, bool), offset: usize) -> Result<(), Error> {
    if open.len() == MAX_DEPTH {
        return Err(Error {
            offset,
            kind: ErrorKind::TooDeep,
        });
    }
    open.push(level);
    Ok(())
}

fn root(reader: &mut Reader<'_>) -> Result<u32, Error> {
    match reader.map() {
        Ok(len) => Ok(len),
        Err(Error {
            offset,
            kind: ErrorKind::UnexpectedKind,
        }) => Err(Error {
            offset,
            kind: ErrorKind::RootNotMap,
        }),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{write_int, write_nil};
    use super::*;

    #[test]
    fn build_iterate_get() {
        let document = build_document([("a", &[0x01][..]), ("b", &[0x91, 0xc0][..])]);
        assert_eq!(document, [0x82, 0xa1, b'a', 0x01, 0xa1, b'b', 0x91, 0xc0]);
        let found: Vec<_> = entries(&document).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, [("a", &[0x01][..]), ("b", &[0x91, 0xc0][..])]);
        assert_eq!(get(&document, "b"), Ok(Some(&[0x91, 0xc0][..])));
        assert_eq!(get(&document, "c"), Ok(None));
        assert_eq!(find(&document, "b"), Some(6..8));
        assert_eq!(find(&document, "c"), None);
        assert_eq!(validate_document(&document), Ok(()));
    }

    #[test]
    fn refusals_name_offset_and_reason() {
        let cases: &[(&[u8], usize, ErrorKind)] = &[
            (&[0xc0], 0, ErrorKind::RootNotMap),
            (&[], 0, ErrorKind::Truncated),
            (&[0x81, 0x01, 0xc0], 1, ErrorKind::KeyNotString),
            (
                &[0x81, 0xa1, b'a', 0x81, 0xc0, 0xc0],
                4,
                ErrorKind::KeyNotString,
            ),
            (&[0x81, 0xa1, b'a', 0xa1, 0xff], 4, ErrorKind::NotUtf8),
            (&[0x80, 0xc0], 1, ErrorKind::TrailingBytes),
            (&[0x81, 0xa1, b'a', 0xc1], 3, ErrorKind::InvalidMarker),
            (&[0x82, 0xa1, b'a', 0xc0], 4, ErrorKind::Truncated),
        ];
        for (bytes, offset, kind) in cases {
            let error = validate_document(bytes).unwrap_err();
            assert_eq!((error.offset, error.kind), (*offset, *kind), "{bytes:?}");
        }
        let text = validate_document(&[0xc0]).unwrap_err().to_string();
        assert_eq!(text, "document root is not a map at offset 0");
    }

    #[test]
    fn depth_is_accepted_up_to_the_limit() {
        let nested = |levels: usize| {
            let mut bytes = vec![0x91; levels];
            write_nil(&mut bytes);
            bytes
        };
        assert_eq!(validate(&nested(MAX_DEPTH)), Ok(()));
        let error = validate(&nested(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!((error.offset, error.kind), (MAX_DEPTH, ErrorKind::TooDeep));
        assert!(Reader::new(&nested(1_000_000)).skip().is_ok());
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..(seed % 24) {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                bytes.push((seed >> 32) as u8);
            }
            write_int(&mut bytes, seed as i64);
            seed = seed.wrapping_add(0x1234_5678_9abc_def1);
            let valid = validate(&bytes).is_ok();
            let skipped = Reader::new(&bytes)
                .skip()
                .is_ok_and(|value| value.len() == bytes.len());
            assert!(
                skipped || !valid,
                "validate accepts what skip does not: {bytes:?}"
            );
        }
    }
}
