//! How a user task goes from one state to the next: an event that begins the transition, the
//! listeners that may hold it up, an event that ends it.
//!
//! Who asked for the transition is answered when it ends, perhaps steps later. The waiting request
//! is known to the leader's process only; after a change of leader its caller sees a time-out.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::await_result::Awaited;
use crate::engine::effect::Response;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::RequestId;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{task_listeners, triggers, user_tasks};
use crate::ids::Key;
use crate::model::TaskListenerEvent;
use crate::record::intent::of;
use crate::record::value::{UpdateSemantics, UserTaskRecord};
use crate::record::{Intent, Rejection, RejectionType, Text, Value};
use crate::state::{UserTaskRow, UserTaskState};

/// The event whose listeners a transition calls.
fn event_of(state: UserTaskState) -> Outcome<TaskListenerEvent> {
    Ok(match state {
        UserTaskState::Creating => TaskListenerEvent::Creating,
        UserTaskState::Assigning | UserTaskState::Claiming => TaskListenerEvent::Assigning,
        UserTaskState::Updating => TaskListenerEvent::Updating,
        UserTaskState::Completing => TaskListenerEvent::Completing,
        UserTaskState::Canceling => TaskListenerEvent::Canceling,
        UserTaskState::Created => {
            return Err(Stop::fault("a listener of a task without a transition"));
        }
    })
}

/// The row of a task that a record names.
fn row(p: &Processing<'_>, key: Key) -> Outcome<Rc<UserTaskRow>> {
    (p.state().user_tasks.get(&key)?)
        .ok_or_else(|| Stop::fault(format!("no user task with key '{key}'")))
}

/// The event that begins the transition is written: calls the first listener, or ends the
/// transition at once. False if a listener was called.
pub(crate) fn begin(
    p: &mut Processing<'_>,
    at: &At,
    record: Arc<UserTaskRecord>,
    request: Option<RequestId>,
) -> Outcome<bool> {
    let key = record.user_task_key;
    let event = event_of(row(p, key)?.state)?;
    if task_listeners::call(p, at, event, 0, &record, &record.changed_attributes)? {
        if let Some(request) = request {
            let fetch_variables = Vec::new();
            let awaited = Awaited {
                request,
                fetch_variables,
            };
            p.awaited.insert(key, awaited);
        }
        return Ok(false);
    }
    end(p, at, record, request)?;
    Ok(true)
}

/// A listener is done, or its failure was mended: calls the next one, or ends the transition.
pub(crate) fn go_on(p: &mut Processing<'_>, at: &At, pending: &UserTaskRecord) -> Outcome {
    let task = row(p, pending.user_task_key)?;
    let changed = user_tasks::difference(pending, &task.record);
    let event = event_of(task.state)?;
    if task_listeners::call(p, at, event, task.listeners_done, pending, &changed)? {
        return Ok(());
    }
    let record = Arc::new(UserTaskRecord {
        changed_attributes: changed,
        ..pending.clone()
    });
    end(p, at, record, None)
}

/// No listener is left.
fn end(
    p: &mut Processing<'_>,
    at: &At,
    record: Arc<UserTaskRecord>,
    request: Option<RequestId>,
) -> Outcome {
    let key = record.user_task_key;
    let task = row(p, key)?;
    match task.state {
        UserTaskState::Creating => created(p, at, &task, record),
        UserTaskState::Assigning | UserTaskState::Claiming => {
            p.event(key, of::UserTask::Assigned, record.clone())?;
            answer(p, key, request, key, of::UserTask::Assigned.into(), record);
            Ok(())
        }
        UserTaskState::Updating => updated(p, at, &task, record, request),
        UserTaskState::Completing => {
            p.event(key, of::UserTask::Completed, record.clone())?;
            if let Some(at) = user_tasks::waiting_element(p, &record)? {
                let target = at.record.element_id.clone();
                triggers::triggering(p, &at, &target, record.variables.clone())?;
                lifecycle::ask_complete(p, &at)?;
            }
            answer(p, key, request, key, of::UserTask::Completed.into(), record);
            Ok(())
        }
        UserTaskState::Canceling => {
            p.event(key, of::UserTask::Canceled, record)?;
            p.command(
                at.key,
                of::ProcessInstance::ContinueTerminatingElement,
                at.record.clone(),
            )
        }
        UserTaskState::Created => Err(Stop::fault("the end of no transition")),
    }
}

/// The task exists; whom the model names gets it by a transition of its own.
fn created(
    p: &mut Processing<'_>,
    at: &At,
    task: &UserTaskRow,
    record: Arc<UserTaskRecord>,
) -> Outcome {
    let key = record.user_task_key;
    if task.first_assignee.is_empty() {
        return p.event(key, of::UserTask::Created, record);
    }
    let mut unassigned = UserTaskRecord::clone(&record);
    unassigned.assignee = Text::EMPTY;
    (unassigned.changed_attributes).retain(|name| **name != *user_tasks::ASSIGNEE);
    p.event(key, of::UserTask::Created, unassigned.clone())?;
    assign_first(p, at, &unassigned, task.first_assignee.clone())
}

/// Gives a new task to the assignee of the model.
pub(crate) fn assign_first(
    p: &mut Processing<'_>,
    at: &At,
    created: &UserTaskRecord,
    assignee: Text,
) -> Outcome {
    let assigned = Arc::new(UserTaskRecord {
        assignee,
        changed_attributes: vec![Text::from(user_tasks::ASSIGNEE)],
        listeners_config_key: user_tasks::listeners_config(p),
        ..created.clone()
    });
    p.event(
        assigned.user_task_key,
        of::UserTask::Assigning,
        assigned.clone(),
    )?;
    begin(p, at, assigned, None).map(|_ended| ())
}

fn updated(
    p: &mut Processing<'_>,
    at: &At,
    task: &UserTaskRow,
    record: Arc<UserTaskRecord>,
    request: Option<RequestId>,
) -> Outcome {
    let key = record.user_task_key;
    let Some(update) = task.variable_update.first() else {
        p.event(key, of::UserTask::Updated, record.clone())?;
        answer(p, key, request, key, of::UserTask::Updated.into(), record);
        return Ok(());
    };
    let owner = Owner::of(&at.record);
    let document = &update.record.variables;
    match update.record.update_semantics {
        UpdateSemantics::Local => variables::merge_local(p, at.key, &owner, document)?,
        UpdateSemantics::Propagate => variables::merge(p, at.key, &owner, document)?,
    }
    p.event(key, of::UserTask::Updated, record)?;
    let done = of::VariableDocument::Updated;
    p.event(update.key, done, update.record.clone())?;
    let document = update.record.clone();
    answer(p, key, request, update.key, done.into(), document);
    Ok(())
}

/// Answers who asked for the transition of `task`: who asks now, or who was kept waiting.
fn answer(
    p: &mut Processing<'_>,
    task: Key,
    request: Option<RequestId>,
    key: Key,
    intent: Intent,
    value: impl Into<Value>,
) {
    let waiting = request.or_else(|| p.awaited.remove(task).map(|awaited| awaited.request));
    if let Some(request) = waiting {
        p.answer(Response {
            request,
            key,
            intent,
            value: value.into(),
            rejection: None,
        });
    }
}

fn refuse(
    p: &mut Processing<'_>,
    task: Key,
    key: Key,
    intent: Intent,
    value: impl Into<Value>,
    reason: String,
) {
    if let Some(awaited) = p.awaited.remove(task) {
        p.answer(Response {
            request: awaited.request,
            key,
            intent,
            value: value.into(),
            rejection: Some(Rejection::new(RejectionType::InvalidState, reason)),
        });
    }
}

/// A listener refuses the transition: the task stays as it was.
pub(crate) fn deny(p: &mut Processing<'_>, key: Key, record: &Arc<UserTaskRecord>) -> Outcome {
    let task = row(p, key)?;
    let (denied, asked, what) = match task.state {
        UserTaskState::Completing => (
            of::UserTask::CompletionDenied,
            of::UserTask::Complete,
            "Completion",
        ),
        UserTaskState::Assigning | UserTaskState::Claiming => (
            of::UserTask::AssignmentDenied,
            of::UserTask::Assign,
            "Assignment",
        ),
        UserTaskState::Updating => (of::UserTask::UpdateDenied, of::UserTask::Update, "Update"),
        UserTaskState::Creating | UserTaskState::Canceling | UserTaskState::Created => {
            return Err(Stop::fault(format!(
                "Expected to reject operation for user task: '{key}', but operation could not be determined from the task's current lifecycle state: '{}'",
                task.state.name()
            )));
        }
    };
    let reason = &record.denied_reason;
    let stated = UserTaskRecord {
        denied_reason: reason.clone(),
        ..UserTaskRecord::clone(&task.record)
    };
    p.event(key, denied, stated)?;
    let Some(update) = task.variable_update.first() else {
        let text = format!(
            "{what} of the User Task with key '{key}' was denied by Task Listener. Reason to deny: '{reason}'"
        );
        refuse(p, key, key, asked.into(), record.clone(), text);
        return Ok(());
    };
    let document = update.record.clone();
    p.event(
        update.key,
        of::VariableDocument::UpdateDenied,
        document.clone(),
    )?;
    let text = format!(
        "Variable update for user task instance with key '{}' was denied by Task Listener. Reason to deny: '{reason}'",
        task.record.element_instance_key
    );
    let asked = of::VariableDocument::Update.into();
    refuse(p, key, update.key, asked, document, text);
    Ok(())
}

/// Begins the cancellation of the task of an element instance. False if a listener holds it up.
pub(crate) fn cancel(p: &mut Processing<'_>, at: &At) -> Outcome<bool> {
    let key = crate::engine::element::row(p, at)?.user_task_key;
    let Some(task) = p.state().user_tasks.get(&key)? else {
        return Ok(true);
    };
    let record = task.record.clone();
    let asked = match task.state {
        UserTaskState::Assigning => of::UserTask::Assign,
        UserTaskState::Claiming => of::UserTask::Claim,
        UserTaskState::Updating => of::UserTask::Update,
        UserTaskState::Completing => of::UserTask::Complete,
        UserTaskState::Creating | UserTaskState::Created => of::UserTask::Create,
        UserTaskState::Canceling => return Ok(true),
    };
    match task.variable_update.first() {
        None => {
            let text = "user task was canceled during ongoing transition".to_owned();
            refuse(p, key, key, asked.into(), record.clone(), text);
        }
        Some(update) => {
            let text = "user task was canceled during handling task variables update".to_owned();
            let asked = of::VariableDocument::Update.into();
            refuse(p, key, update.key, asked, update.record.clone(), text);
        }
    }
    let record = Arc::new(UserTaskRecord {
        listeners_config_key: user_tasks::listeners_config(p),
        ..UserTaskRecord::clone(&record)
    });
    p.event(key, of::UserTask::Canceling, record.clone())?;
    if task_listeners::call(p, at, TaskListenerEvent::Canceling, 0, &record, &[])? {
        return Ok(false);
    }
    p.event(key, of::UserTask::Canceled, record)?;
    Ok(true)
}
