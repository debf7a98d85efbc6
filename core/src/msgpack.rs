//! MessagePack as the engine uses it: byte slices that are read in place, never trees.
//!
//! Variables stay MessagePack from the wire to the disk and back, so everything here borrows from
//! the bytes it is given. Nothing recurses; nesting is counted against [`MAX_DEPTH`].
//!
//! Invariants:
//! 1. No input makes a function of this module panic, recurse or allocate more than its own size.
//! 2. The writer always picks the shortest header and integer width, so equal values written by
//!    this module are equal bytes.
//!
//! | condition | [`ErrorKind`] | handled by |
//! |---|---|---|
//! | bytes end inside a value | `Truncated` | request is rejected |
//! | nesting deeper than [`MAX_DEPTH`] | `TooDeep` | request is rejected |
//! | root is no map, key is no string, text is no UTF-8 | `RootNotMap`, `KeyNotString`, `NotUtf8` | request is rejected |
//! | bytes follow the value | `TrailingBytes` | request is rejected |
//!
//! JSON text is translated in [`crate::json`].

mod document;
mod read;
mod write;

use std::fmt;

pub use document::{Entries, build_document, entries, find, get, validate, validate_document};
pub use read::{Reader, Token};
pub use write::{
    write_array_header, write_bin, write_bool, write_double, write_float, write_int,
    write_map_header, write_nil, write_str, write_uint,
};

/// Deepest nesting of arrays and maps that is accepted, as in the JSON parser the reference uses.
pub const MAX_DEPTH: usize = 1000;

/// A document without variables: the empty map.
pub const EMPTY_DOCUMENT: &[u8] = &[0x80];

/// Why bytes are not an acceptable value, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct Error {
    /// Offset of the offending byte from the start of the slice that was read.
    pub offset: usize,
    pub kind: ErrorKind,
}

/// The ways in which bytes fail to be an acceptable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Truncated,
    InvalidMarker,
    NotUtf8,
    KeyNotString,
    RootNotMap,
    TooDeep,
    TrailingBytes,
    /// A value of another kind was asked for than the bytes hold.
    UnexpectedKind,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::Truncated => "unexpected end of the bytes",
            ErrorKind::InvalidMarker => "invalid type marker",
            ErrorKind::NotUtf8 => "string is not valid UTF-8",
            ErrorKind::KeyNotString => "map key is not a string",
            ErrorKind::RootNotMap => "document root is not a map",
            ErrorKind::TooDeep => "nesting exceeds the limit of 1000 levels",
            ErrorKind::TrailingBytes => "unexpected bytes after the value",
            ErrorKind::UnexpectedKind => "value has an unexpected type",
        })
    }
}
