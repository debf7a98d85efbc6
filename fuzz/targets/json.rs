//! Made-up JSON texts; [`subject::json`] says what must hold.
//!
//! Seeds are in `corpus/json`, words that are worth a try in `dictionary/json.dict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::json(bytes));
