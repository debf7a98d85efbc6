//! Made-up BPMN files; [`subject::bpmn`] says what must hold.
//!
//! Seeds are in `corpus/bpmn`, words that are worth a try in `dictionary/bpmn.dict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::bpmn(bytes));
