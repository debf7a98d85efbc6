//! Made-up MessagePack values; [`subject::msgpack`] says what must hold.
//!
//! Seeds are in `corpus/msgpack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::msgpack(bytes));
