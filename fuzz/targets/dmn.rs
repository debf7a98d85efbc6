//! Made-up DMN files; [`subject::dmn`] says what must hold.
//!
//! Seeds are in `corpus/dmn`, words that are worth a try in `dictionary/dmn.dict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::dmn(bytes));
