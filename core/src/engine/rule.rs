//! Rules that two or more elements or commands share.
//!
//! A rule reads state and writes through the step like its callers; it keeps nothing of its own.

pub(crate) mod ad_hoc;
pub(crate) mod agents;
pub(crate) mod authorizations;
pub(crate) mod compensation;
pub(crate) mod conditions;
pub(crate) mod decisions;
pub(crate) mod errors;
pub(crate) mod event_expressions;
pub(crate) mod expressions;
pub(crate) mod incidents;
pub(crate) mod inclusive_join;
pub(crate) mod jobs;
pub(crate) mod listeners;
pub(crate) mod mapping_context;
pub(crate) mod messages;
pub(crate) mod permissions;
pub(crate) mod runtime_instructions;
pub(crate) mod starts;
pub(crate) mod subscriptions;
pub(crate) mod task_listeners;
pub(crate) mod task_transitions;
pub(crate) mod timers;
pub(crate) mod triggers;
pub(crate) mod user_tasks;
pub(crate) mod variable_mapping;
pub(crate) mod variables;
