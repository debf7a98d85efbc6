//! Made-up dates, durations, cycles and cron patterns; [`subject::schedule`] says what must hold.
//!
//! Seeds are in `corpus/schedule`, words that are worth a try in `dictionary/schedule.dict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subject::schedule(bytes));
