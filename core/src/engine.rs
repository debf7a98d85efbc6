//! The engine of one partition: commands in; records, state changes and effects out.
//!
//! [`command`] is what enters, [`effect`] what must happen outside once the records are committed.

pub mod effect;
pub mod input;
