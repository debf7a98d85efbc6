//! What each command does, one entity a file.
//!
//! A processor checks first and writes afterwards: what it refuses has changed nothing.

pub(crate) mod acknowledge;
pub(crate) mod ad_hoc;
pub(crate) mod agent_history;
pub(crate) mod agent_instance;
pub(crate) mod assign_business_id;
pub(crate) mod batch_operation;
pub(crate) mod cancel_instance;
pub(crate) mod checkpoint;
pub(crate) mod clock;
pub(crate) mod cluster_variable;
pub(crate) mod conditional;
pub(crate) mod create_instance;
pub(crate) mod delete_resource;
pub(crate) mod deploy;
pub(crate) mod evaluate_decision;
pub(crate) mod evaluate_expression;
pub(crate) mod fetch_resource;
pub(crate) mod global_listener;
pub(crate) mod history_deletion;
pub(crate) mod identity;
pub(crate) mod instance_batch;
pub(crate) mod job;
pub(crate) mod message;
pub(crate) mod message_subscription;
pub(crate) mod migrate_instance;
pub(crate) mod modify_instance;
pub(crate) mod process_message_subscription;
pub(crate) mod resolve_incident;
pub(crate) mod signal;
pub(crate) mod timer;
pub(crate) mod update_variables;
pub(crate) mod user_task;
