//! Made-up FEEL expressions and unary tests; [`subject::feel`] says what must hold.
//!
//! Seeds are in `corpus/feel`, words that are worth a try in `dictionary/feel.dict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::feel(bytes));
