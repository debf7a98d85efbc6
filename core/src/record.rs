//! The record: what the log holds, replicas apply and exporters read.
//!
//! The model is Zeebe's: position, source position, key, type, value type, intent, rejection,
//! timestamp, value. [`value`] lists the value types; [`intent`] what can be said of each;
//! [`codec`] turns records into bytes and back; [`batch`] makes the records of one step one payload.

pub mod batch;
pub mod codec;
pub mod declare;
pub mod field;
pub mod header;
pub mod intent;
pub mod text;
pub mod value;

pub use header::{Record, RecordType, Rejection, RejectionType};
pub use intent::Intent;
pub use text::{Blob, Document, RawValue, Text};
pub use value::{Value, ValueType};
