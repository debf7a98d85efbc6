//! Integration tests of the crate, one binary; each module covers one area.
//!
//! Fixtures lie under `tests/fixture/<area>`. With `UPDATE_FIXTURES=1` in the environment the
//! runners write what they got into the fixtures instead of failing.

#[path = "it/model.rs"]
mod model;
#[path = "it/schedule.rs"]
mod schedule;
