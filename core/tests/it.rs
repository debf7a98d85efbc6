//! Integration tests of the engine, in one binary.
//!
//! Each area has its file in `it/` and its data in `fixture/`; the data is read, never generated,
//! so that a change of behaviour shows as a change of a fixture. `harness` is a partition in memory.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on has failed, says why, and picks out what it looks for"
)]

#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/command.rs"]
mod command;
#[path = "it/decimal.rs"]
mod decimal;
#[path = "it/element.rs"]
mod element;
#[path = "it/event.rs"]
mod event;
#[path = "it/feel.rs"]
mod feel;
#[path = "it/feel_api.rs"]
mod feel_api;
#[path = "it/feel_limits.rs"]
mod feel_limits;
#[path = "it/fixture.rs"]
mod fixture;
#[path = "it/harness.rs"]
mod harness;
#[path = "it/identity.rs"]
mod identity;
#[path = "it/model.rs"]
mod model;
#[path = "it/permission.rs"]
mod permission;
#[path = "it/random.rs"]
mod random;
#[path = "it/random_event.rs"]
mod random_event;
#[path = "it/random_model.rs"]
mod random_model;
#[path = "it/schedule.rs"]
mod schedule;
#[path = "it/scope.rs"]
mod scope;
#[path = "it/sketch.rs"]
mod sketch;
#[path = "it/task.rs"]
mod task;
#[path = "it/task_listener.rs"]
mod task_listener;
