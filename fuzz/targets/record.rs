//! Made-up records as the log keeps them; [`subject::record`] says what must hold.
//!
//! Seeds are in `corpus/record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::record(bytes));
