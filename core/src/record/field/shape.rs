//! What a field looks like in JSON, without a value at hand.
//!
//! Whoever has to declare fields before there are documents (index templates) asks the types, so
//! that a field is written down once. Names and forms are those of [`Field::json`](super::Field).

/// What the JSON form of a field is, for whoever has to declare it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A number of at most 32 bits.
    Integer,
    /// Any other number.
    Long,
    /// True or false.
    Flag,
    /// A text.
    Text,
    /// Anything: a document, or a file.
    Opaque,
    /// An object, or a list of such.
    Members(Vec<(&'static str, Shape)>),
}
