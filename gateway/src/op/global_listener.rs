//! Listeners of all user tasks: create, update, delete, get.
//!
//! Commands go to the first partition, which tells the others. A listener is named by its id; what a
//! request leaves out has the default of a new listener, in an update as well.

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{GlobalListenerRecord, GlobalListenerSource};

use super::answered;
use super::search::{get_where, is_text};
use super::shape::{Members, ObjectWriter};
use crate::backend::Entity;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

/// `createGlobalTaskListener`.
pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
    let id = Members(&call.body).text("id");
    let created = change(&call, of::GlobalListener::Create, id).await?;
    Ok(Answer::Created(created))
}

/// `updateGlobalTaskListener`.
pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
    let id = Text::from(call.path_text("id"));
    let updated = change(&call, of::GlobalListener::Update, id).await?;
    Ok(Answer::Json(updated))
}

/// `deleteGlobalTaskListener`.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
    let id = Text::from(call.path_text("id"));
    change(&call, of::GlobalListener::Delete, id).await?;
    Ok(Answer::NoContent)
}

/// `getGlobalTaskListener`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let id = call.path_text("id").to_owned();
    let missing =
        format!("Global Listener with listenerId '{id}', listenerType 'USER_TASK' not found");
    get_where(
        call,
        Entity::GlobalListener,
        vec![is_text("id", &id)],
        missing,
    )
    .await
}

async fn change(call: &Call, intent: of::GlobalListener, id: Text) -> Result<String, Problem> {
    let body = Members(&call.body);
    let default = GlobalListenerRecord::default();
    let value = GlobalListenerRecord {
        id,
        job_type: body.text("type"),
        retries: body.int32("retries").unwrap_or(default.retries),
        event_types: body.texts("eventTypes"),
        after_non_global: body.flag("afterNonGlobal").unwrap_or_default(),
        priority: body.int32("priority").unwrap_or(default.priority),
        source: GlobalListenerSource::Api,
        ..default
    };
    let command = call.caller.command(Key::NONE, intent, value, None);
    let response = call.front.call(&Target::Deployment, command, None).await?;
    let changed = answered!(response, GlobalListener)?;
    let mut out = ObjectWriter::new();
    out.str("id", &changed.id)
        .str("type", &changed.job_type)
        .strs("eventTypes", changed.event_types.iter().map(Text::as_str))
        .int("retries", changed.retries.into())
        .flag("afterNonGlobal", changed.after_non_global)
        .int("priority", changed.priority.into())
        .str("source", changed.source.name());
    Ok(out.finish())
}
