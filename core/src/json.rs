//! JSON text to MessagePack and back, streaming: no tree is built in either direction.
//!
//! Variables arrive as JSON and are stored as MessagePack; this is the only translation between the
//! two. Both directions are loops with an explicit stack, so hostile nesting costs memory in
//! proportion to the text and never the thread's stack.
//!
//! | JSON | MessagePack | back |
//! |---|---|---|
//! | integer within 64 bits | shortest integer | same digits |
//! | other number | float 64 | shortest digits, laid out as Java's `Double.toString` |
//! | NaN, infinity (not JSON) | float | `null` |
//! | (no JSON form) | binary | string in Base64 |
//! | duplicate key | last one stays | |
//!
//! Limits: nesting of [`crate::msgpack::MAX_DEPTH`]; a number beyond the range of a double is
//! refused, as is a lone surrogate escape.

mod decode;
mod encode;

pub use decode::to_msgpack;
pub use encode::{from_msgpack, write_double, write_string};

/// Why a text is not acceptable JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct JsonError {
    /// Byte offset from the start of the text.
    pub offset: usize,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in bytes, counted from 1.
    pub column: usize,
    pub reason: &'static str,
}
