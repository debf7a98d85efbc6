//! How the fields of a record value become bytes and JSON; [`declare`](super::declare) has the macros.
//!
//! A value is a fixed block (integers, flags, keys), then an end-offset table, then sections (texts,
//! documents, lists). The reader uses the *stored* block length and section count: a field or
//! section that an older writer did not know takes its default, one that a newer writer added is
//! skipped. Fields are therefore only ever appended, and never change their kind.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 2 | block length in bytes, little endian |
//! | 2 | 2 | section count |
//! | 4 | block length | fixed block, fields in declaration order, little endian |
//! | ... | 4 x count | end offset of each section, from the start of the section bytes |
//! | ... | last end | section bytes |

use std::sync::Arc;

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::json::{from_msgpack, write_string};
use crate::record::{Blob, Document, RawValue, Text};

mod headers;
mod shape;

pub use headers::Headers;
pub use shape::Shape;

/// Deepest nesting of values in values (a decision in a decision evaluation in ...).
pub const VALUE_DEPTH_MAX: u8 = 8;

/// Bytes that are not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed record value: {what}")]
pub struct DecodeError {
    /// What did not fit.
    pub what: &'static str,
}

impl DecodeError {
    /// An error that names `what` did not fit.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what }
    }
}

/// Collects the fields of one value. Reusable: [`ValueWriter::finish`] leaves it empty.
#[derive(Debug, Default)]
pub struct ValueWriter {
    block: Vec<u8>,
    ends: Vec<u8>,
    sections: Vec<u8>,
}

impl ValueWriter {
    /// Appends to the fixed block.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    /// Appends one section.
    pub fn section(&mut self, bytes: &[u8]) {
        self.sections.extend_from_slice(bytes);
        self.close_section();
    }

    /// Appends one section that `fill` writes.
    pub fn section_with(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.sections);
        self.close_section();
    }

    fn close_section(&mut self) {
        self.ends
            .extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
    }

    /// Writes the value to `out` and empties the writer, keeping its memory.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.block.len() as u16).to_le_bytes());
        out.extend_from_slice(&((self.ends.len() / 4) as u16).to_le_bytes());
        out.extend_from_slice(&self.block);
        out.extend_from_slice(&self.ends);
        out.extend_from_slice(&self.sections);
        self.block.clear();
        self.ends.clear();
        self.sections.clear();
    }
}

/// Hands out the fields of one value in declaration order.
#[derive(Debug, Clone)]
pub struct ValueReader<'b> {
    block: &'b [u8],
    ends: &'b [u8],
    sections: &'b [u8],
    start: usize,
    depth: u8,
}

impl<'b> ValueReader<'b> {
    /// Reads `bytes`, which hold exactly one value.
    ///
    /// # Errors
    /// If the lengths stated in `bytes` do not fit `bytes`.
    pub fn new(bytes: &'b [u8], depth: u8) -> Result<Self, DecodeError> {
        if depth > VALUE_DEPTH_MAX {
            return Err(DecodeError::new("values nested too deep"));
        }
        let (head, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or(DecodeError::new("value shorter than 4 bytes"))?;
        let block_len = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let ends_len = usize::from(u16::from_le_bytes([head[2], head[3]])) * 4;
        let (block, rest) = rest
            .split_at_checked(block_len)
            .ok_or(DecodeError::new("block exceeds value"))?;
        let (ends, sections) = rest
            .split_at_checked(ends_len)
            .ok_or(DecodeError::new("section table exceeds value"))?;
        Ok(Self {
            block,
            ends,
            sections,
            start: 0,
            depth,
        })
    }

    /// The next `N` bytes of the block; `None` once the writer knew no more fields.
    pub fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.block.split_first_chunk::<N>()?;
        self.block = rest;
        Some(*field)
    }

    /// The next section; `None` once the writer knew no more.
    ///
    /// # Errors
    /// If the stored end lies before its start or beyond the value.
    pub fn section(&mut self) -> Result<Option<&'b [u8]>, DecodeError> {
        let Some((end, rest)) = self.ends.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let end = u32::from_le_bytes(*end) as usize;
        let section = self
            .sections
            .get(self.start..end)
            .ok_or(DecodeError::new("section out of bounds"))?;
        self.ends = rest;
        self.start = end;
        Ok(Some(section))
    }

    /// Depth of the value being read.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }
}

/// A type that can be a field of a record value.
pub trait Field: Sized {
    /// Appends the field.
    fn put(&self, writer: &mut ValueWriter);
    /// Takes the field; `None` if the writer did not know it.
    ///
    /// # Errors
    /// If the bytes are not such a field.
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError>;
    /// Appends the JSON form, as exporters show it.
    fn json(&self, out: &mut String);
    /// What its JSON form is.
    fn shape() -> Shape;
    /// About how many bytes [`Field::put`] appends; at least as many as the payload has.
    fn weight(&self) -> usize {
        8
    }
}

/// A struct declared by [`record_value!`](crate::record_value).
pub trait ValueStruct: Sized + Default {
    /// Appends all fields.
    fn put_fields(&self, writer: &mut ValueWriter);
    /// Reads all fields.
    ///
    /// # Errors
    /// If the bytes are not such a value.
    fn take_fields(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError>;
    /// Appends the JSON object, members in declaration order.
    fn json_fields(&self, out: &mut String);
    /// The members of that object.
    fn shapes() -> Vec<(&'static str, Shape)>;
    /// About how many bytes [`ValueStruct::put_fields`] appends, without encoding anything: what a
    /// step's size limit is checked against.
    fn weight(&self) -> usize;
}

macro_rules! integer_field {
    ($($type:ty: $shape:ident),+) => {$(
        impl Field for $type {
            fn shape() -> Shape {
                Shape::$shape
            }
            fn put(&self, writer: &mut ValueWriter) {
                writer.fixed(&self.to_le_bytes());
            }
            fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
                Ok(reader.fixed().map(<$type>::from_le_bytes))
            }
            fn json(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
        }
    )+};
}
integer_field!(u8: Integer, u16: Integer, u32: Long, u64: Long, i32: Integer, i64: Long);

macro_rules! wrapped_field {
    ($($type:ident($inner:ty)),+) => {$(
        impl Field for $type {
            fn shape() -> Shape {
                <$inner>::shape()
            }
            fn put(&self, writer: &mut ValueWriter) {
                self.0.put(writer);
            }
            fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
                Ok(<$inner>::take(reader)?.map($type))
            }
            fn json(&self, out: &mut String) {
                self.0.json(out);
            }
        }
    )+};
}
wrapped_field!(Key(i64), Timestamp(i64), PartitionId(u16), Position(u64));

impl Field for bool {
    fn shape() -> Shape {
        Shape::Flag
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.fixed(&[u8::from(*self)]);
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(reader.fixed().map(|[byte]| byte != 0))
    }
    fn json(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Field for Text {
    fn shape() -> Shape {
        Shape::Text
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section(self.as_bytes());
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        reader.section()?.map(text_from).transpose()
    }
    fn json(&self, out: &mut String) {
        write_string(self, out);
    }
    fn weight(&self) -> usize {
        4 + self.len()
    }
}

impl Field for Document {
    fn shape() -> Shape {
        Shape::Opaque
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section(self.as_bytes());
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(reader.section()?.map(Self::from))
    }
    fn json(&self, out: &mut String) {
        msgpack_json(self.as_bytes(), out);
    }
    fn weight(&self) -> usize {
        4 + self.as_bytes().len()
    }
}

impl Field for RawValue {
    fn shape() -> Shape {
        Shape::Text
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section(self.as_bytes());
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(reader.section()?.map(Self::from))
    }
    fn json(&self, out: &mut String) {
        let mut inner = String::new();
        msgpack_json(self.as_bytes(), &mut inner);
        write_string(&inner, out);
    }
    fn weight(&self) -> usize {
        4 + self.as_bytes().len()
    }
}

impl Field for Blob {
    fn shape() -> Shape {
        Shape::Opaque
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section(self.as_bytes());
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(reader.section()?.map(Self::from))
    }
    fn json(&self, out: &mut String) {
        use base64::Engine as _;
        out.push('"');
        base64::engine::general_purpose::STANDARD.encode_string(self.as_bytes(), out);
        out.push('"');
    }
    fn weight(&self) -> usize {
        4 + self.as_bytes().len()
    }
}

/// An entry of a list section.
pub trait Item: Sized {
    /// Appends the entry's bytes.
    fn put_item(&self, out: &mut Vec<u8>);
    /// Reads an entry from exactly its bytes.
    ///
    /// # Errors
    /// If the bytes are not such an entry.
    fn take_item(bytes: &[u8], depth: u8) -> Result<Self, DecodeError>;
    /// Appends the JSON form.
    fn item_json(&self, out: &mut String);
    /// What that form is.
    fn item_shape() -> Shape;
    /// About how many bytes [`Item::put_item`] appends.
    fn item_weight(&self) -> usize {
        8
    }
}

impl Item for Text {
    fn item_shape() -> Shape {
        Shape::Text
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn take_item(bytes: &[u8], _depth: u8) -> Result<Self, DecodeError> {
        text_from(bytes)
    }
    fn item_json(&self, out: &mut String) {
        write_string(self, out);
    }
    fn item_weight(&self) -> usize {
        self.len()
    }
}

impl Item for RawValue {
    fn item_shape() -> Shape {
        Shape::Text
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn take_item(bytes: &[u8], _depth: u8) -> Result<Self, DecodeError> {
        Ok(Self::from(bytes))
    }
    fn item_json(&self, out: &mut String) {
        self.json(out);
    }
    fn item_weight(&self) -> usize {
        self.as_bytes().len()
    }
}

impl Item for Key {
    fn item_shape() -> Shape {
        Shape::Long
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
    fn take_item(bytes: &[u8], _depth: u8) -> Result<Self, DecodeError> {
        let bytes = bytes
            .try_into()
            .map_err(|_| DecodeError::new("key is not 8 bytes"))?;
        Ok(Self(i64::from_le_bytes(bytes)))
    }
    fn item_json(&self, out: &mut String) {
        self.json(out);
    }
}

impl Item for PartitionId {
    fn item_shape() -> Shape {
        Shape::Integer
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
    fn take_item(bytes: &[u8], _depth: u8) -> Result<Self, DecodeError> {
        let bytes = bytes
            .try_into()
            .map_err(|_| DecodeError::new("partition is not 2 bytes"))?;
        Ok(Self(u16::from_le_bytes(bytes)))
    }
    fn item_json(&self, out: &mut String) {
        self.json(out);
    }
}

impl<T: Item> Item for Vec<T> {
    fn item_shape() -> Shape {
        T::item_shape()
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }
    fn take_item(bytes: &[u8], depth: u8) -> Result<Self, DecodeError> {
        if depth >= VALUE_DEPTH_MAX {
            return Err(DecodeError::new("lists nested too deep"));
        }
        take_list(bytes, depth + 1)
    }
    fn item_json(&self, out: &mut String) {
        json_list(self, out);
    }
    fn item_weight(&self) -> usize {
        self.iter().map(|item| 4 + item.item_weight()).sum()
    }
}

impl<T: Item> Field for Vec<T> {
    fn shape() -> Shape {
        T::item_shape()
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section_with(|out| put_list(self, out));
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        let depth = reader.depth();
        reader
            .section()?
            .map(|bytes| take_list(bytes, depth + 1))
            .transpose()
    }
    fn json(&self, out: &mut String) {
        json_list(self, out);
    }
    fn weight(&self) -> usize {
        4 + self.item_weight()
    }
}

impl<T: ValueStruct> Item for T {
    fn item_shape() -> Shape {
        Shape::Members(T::shapes())
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        let mut writer = ValueWriter::default();
        self.put_fields(&mut writer);
        writer.finish(out);
    }
    fn take_item(bytes: &[u8], depth: u8) -> Result<Self, DecodeError> {
        T::take_fields(&mut ValueReader::new(bytes, depth)?)
    }
    fn item_json(&self, out: &mut String) {
        self.json_fields(out);
    }
    fn item_weight(&self) -> usize {
        self.weight()
    }
}

impl<T: ValueStruct> Item for Arc<T> {
    fn item_shape() -> Shape {
        Shape::Members(T::shapes())
    }
    fn put_item(&self, out: &mut Vec<u8>) {
        (**self).put_item(out);
    }
    fn take_item(bytes: &[u8], depth: u8) -> Result<Self, DecodeError> {
        T::take_item(bytes, depth).map(Self::new)
    }
    fn item_json(&self, out: &mut String) {
        self.json_fields(out);
    }
    fn item_weight(&self) -> usize {
        T::weight(self)
    }
}

impl<T: ValueStruct> Field for Arc<T> {
    fn shape() -> Shape {
        Shape::Members(T::shapes())
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section_with(|out| (**self).put_item(out));
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        let depth = reader.depth();
        reader
            .section()?
            .map(|bytes| T::take_item(bytes, depth + 1).map(Self::new))
            .transpose()
    }
    fn json(&self, out: &mut String) {
        self.json_fields(out);
    }
    fn weight(&self) -> usize {
        4 + T::weight(self)
    }
}

/// The JSON form of a payload; `null` for bytes that are none, which no validated record holds.
fn msgpack_json(bytes: &[u8], out: &mut String) {
    let start = out.len();
    if from_msgpack(bytes, out).is_err() {
        out.truncate(start);
        out.push_str("null");
    }
}

fn text_from(bytes: &[u8]) -> Result<Text, DecodeError> {
    std::str::from_utf8(bytes)
        .map(Text::from)
        .map_err(|_| DecodeError::new("text is not UTF-8"))
}

fn put_prefixed(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

fn take_prefixed<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], DecodeError> {
    let (len, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(DecodeError::new("list entry without length"))?;
    let (entry, rest) = rest
        .split_at_checked(u32::from_le_bytes(*len) as usize)
        .ok_or(DecodeError::new("list entry exceeds list"))?;
    *bytes = rest;
    Ok(entry)
}

fn put_list<T: Item>(items: &[T], out: &mut Vec<u8>) {
    for item in items {
        put_prefixed(out, |out| item.put_item(out));
    }
}

fn take_list<T: Item>(mut bytes: &[u8], depth: u8) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        items.push(T::take_item(take_prefixed(&mut bytes)?, depth)?);
    }
    Ok(items)
}

fn json_list<T: Item>(items: &[T], out: &mut String) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        item.item_json(out);
    }
    out.push(']');
}
