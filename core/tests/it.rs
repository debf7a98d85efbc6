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

#[path = "it/agent.rs"]
mod agent;
#[path = "it/batch.rs"]
mod batch;
#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/business_id.rs"]
mod business_id;
#[path = "it/checkpoint.rs"]
mod checkpoint;
#[path = "it/clock.rs"]
mod clock;
#[path = "it/cluster_variable.rs"]
mod cluster_variable;
#[path = "it/command.rs"]
mod command;
#[path = "it/corpus.rs"]
mod corpus;
#[path = "it/decimal.rs"]
mod decimal;
#[path = "it/decision.rs"]
mod decision;
#[path = "it/detail.rs"]
mod detail;
#[path = "it/dmn.rs"]
mod dmn;
#[path = "it/dmn_tck.rs"]
mod dmn_tck;
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
#[path = "it/file.rs"]
mod file;
#[path = "it/fixture.rs"]
mod fixture;
#[path = "it/fuzz_corpus.rs"]
mod fuzz_corpus;
#[path = "it/global_listener.rs"]
mod global_listener;
#[path = "it/harness.rs"]
mod harness;
#[path = "it/history_deletion.rs"]
mod history_deletion;
#[path = "it/identity.rs"]
mod identity;
#[path = "it/job_priority.rs"]
mod job_priority;
#[path = "it/length.rs"]
mod length;
#[path = "it/migrate.rs"]
mod migrate;
#[path = "it/migrate_event.rs"]
mod migrate_event;
#[path = "it/model.rs"]
mod model;
#[path = "it/modify.rs"]
mod modify;
#[path = "it/permission.rs"]
mod permission;
#[path = "it/permission_row.rs"]
mod permission_row;
#[path = "it/random.rs"]
mod random;
#[path = "it/random_change.rs"]
mod random_change;
#[path = "it/random_end.rs"]
mod random_end;
#[path = "it/random_event.rs"]
mod random_event;
#[path = "it/random_model.rs"]
mod random_model;
#[path = "it/schedule.rs"]
mod schedule;
#[path = "it/scope.rs"]
mod scope;
#[path = "it/script.rs"]
mod script;
#[path = "it/sketch.rs"]
mod sketch;
#[path = "it/sketch_node.rs"]
mod sketch_node;
#[path = "it/task.rs"]
mod task;
#[path = "it/task_listener.rs"]
mod task_listener;
