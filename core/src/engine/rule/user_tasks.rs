//! User tasks that the engine manages, from the element's side: evaluated, created, given to the
//! assignee of the model, cancelled with the element.
//!
//! Forms are not deployed to this engine, and task listeners are not run: a model that needs them
//! gets an incident that says so, never a task that lacks them silently.

use std::sync::Arc;

use crate::engine::element;
use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::jobs;
use crate::engine::rule::{event_expressions, expressions};
use crate::ids::Key;
use crate::json::write_string;
use crate::model::{Expr, Form, UserTask};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ErrorType, UserTaskRecord};
use crate::schedule;

/// Name of the attribute, where a record lists what changed.
pub(crate) const ASSIGNEE: &str = "assignee";
/// Priorities a task may have.
pub(crate) const PRIORITIES: std::ops::RangeInclusive<i64> = 0..=100;

/// What the model says about a task, evaluated.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) assignee: Text,
    candidate_groups: Vec<Text>,
    candidate_users: Vec<Text>,
    due_date: Text,
    follow_up_date: Text,
    external_form_reference: Text,
    priority: i32,
}

/// Evaluates what the model says about a task.
pub(crate) fn evaluate(p: &Processing<'_>, at: &At, task: &UserTask) -> Outcome<Properties> {
    if !task.listeners.is_empty() {
        let message = format!(
            "Expected to create the user task '{}', but task listeners are not supported by this version",
            at.record.element_id
        );
        return Err(Failure::new(ErrorType::Unknown, message).into());
    }
    let mut properties = assignment(p, at, task)?;
    match &task.form {
        Some(Form::Linked { form_id, .. }) => {
            let form_id = expressions::text(p, form_id, at.key)?;
            return Err(form_not_found(&form_id).into());
        }
        Some(Form::External(reference)) => {
            properties.external_form_reference = expressions::text(p, reference, at.key)?;
        }
        // Only jobs carry the key of an embedded form.
        Some(Form::Key(_)) | None => {}
    }
    let priority = expressions::number(p, &task.priority, at.key)?;
    if !PRIORITIES.contains(&priority) {
        let message = format!(
            "Expected priority to be in the range [{},{}] but was '{priority}'.",
            PRIORITIES.start(),
            PRIORITIES.end()
        );
        return Err(Failure::new(ErrorType::ExtractValueError, message).into());
    }
    properties.priority = jobs::clamp(priority);
    Ok(properties)
}

fn form_not_found(form_id: &str) -> Failure {
    let message = format!(
        "Expected to find a form with id '{form_id}', but no form with this id is found, at least a form with this id should be available. To resolve the Incident please deploy a form with the same id"
    );
    Failure::new(ErrorType::FormNotFound, message)
}

/// Who shall do the task, and when.
fn assignment(p: &Processing<'_>, at: &At, task: &UserTask) -> Outcome<Properties> {
    let texts = |expr: &Option<Expr>| match expr {
        Some(expr) => event_expressions::texts(p, expr, at.key),
        None => Ok(Vec::new()),
    };
    let assignee = match &task.assignee {
        Some(expr) => event_expressions::optional_text(p, expr, at.key)?,
        None => None,
    };
    Ok(Properties {
        assignee: assignee.unwrap_or_default(),
        candidate_groups: texts(&task.candidate_groups)?,
        candidate_users: texts(&task.candidate_users)?,
        due_date: date(p, at, task.due_date.as_ref())?,
        follow_up_date: date(p, at, task.follow_up_date.as_ref())?,
        ..Properties::default()
    })
}

/// A zoned date; null and blank text are none.
fn date(p: &Processing<'_>, at: &At, expr: Option<&Expr>) -> Outcome<Text> {
    let Some(expr) = expr else {
        return Ok(Text::EMPTY);
    };
    let expected = "one of '[DATE_TIME, STRING]'";
    let text = event_expressions::optional_time_text(p, expr, at.key, expected)?;
    let text = text.unwrap_or_default();
    if text.is_empty() || schedule::date(&text).is_ok() {
        return Ok(text);
    }
    let source = expr.source.strip_prefix('=').unwrap_or(&expr.source);
    let message = format!("Invalid date-time format '{text}' for expression '{source}'");
    Err(Failure::new(ErrorType::ExtractValueError, message).into())
}

/// Creates the task; nobody is assigned yet.
pub(crate) fn create(
    p: &mut Processing<'_>,
    at: &At,
    task: &UserTask,
    properties: Properties,
) -> Outcome<Arc<UserTaskRecord>> {
    let key = p.next_key();
    let creating = UserTaskRecord {
        user_task_key: key,
        assignee: properties.assignee,
        candidate_groups: properties.candidate_groups,
        candidate_users: properties.candidate_users,
        due_date: properties.due_date,
        follow_up_date: properties.follow_up_date,
        external_form_reference: properties.external_form_reference,
        custom_headers: jobs::headers(&task.headers),
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_version: at.record.version,
        process_definition_key: at.record.process_definition_key,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_id: at.record.element_id.clone(),
        element_instance_key: at.key,
        creation_timestamp: p.now,
        tenant_id: at.record.tenant_id.clone(),
        priority: properties.priority,
        tags: at.record.tags.clone(),
        ..UserTaskRecord::default()
    };
    p.event(key, of::UserTask::Creating, creating.clone())?;
    let created = Arc::new(UserTaskRecord {
        assignee: Text::EMPTY,
        ..creating
    });
    p.event(key, of::UserTask::Created, created.clone())?;
    Ok(created)
}

/// Gives a new task to the assignee of the model.
pub(crate) fn assign_first(
    p: &mut Processing<'_>,
    created: &Arc<UserTaskRecord>,
    assignee: Text,
) -> Outcome {
    let assigned = Arc::new(UserTaskRecord {
        assignee,
        changed_attributes: vec![Text::from(ASSIGNEE)],
        ..UserTaskRecord::clone(created)
    });
    let key = assigned.user_task_key;
    p.event(key, of::UserTask::Assigning, assigned.clone())?;
    p.event(key, of::UserTask::Assigned, assigned)
}

/// Cancels the task of an element instance, if it has one.
pub(crate) fn cancel(p: &mut Processing<'_>, at: &At) -> Outcome {
    let key = element::row(p, at)?.user_task_key;
    let Some(row) = p.state().user_tasks.get(&key)? else {
        return Ok(());
    };
    p.event(key, of::UserTask::Canceling, row.record.clone())?;
    p.event(key, of::UserTask::Canceled, row.record.clone())
}

/// Headers that tell a job worker about the user task its job stands for, after those of the model.
pub(crate) fn job_headers(
    p: &Processing<'_>,
    at: &At,
    task: &UserTask,
    headers: &[(Text, Text)],
) -> Outcome<Vec<(Text, Text)>> {
    let properties = assignment(p, at, task)?;
    if let Some(Form::Linked { form_id, .. }) = &task.form {
        let form_id = expressions::text(p, form_id, at.key)?;
        return Err(form_not_found(&form_id).into());
    }
    let mut all = headers.to_vec();
    let mut add = |name: &str, value: Text| {
        if !value.is_empty() {
            all.push((Text::from(format!("io.camunda.zeebe:{name}")), value));
        }
    };
    add("assignee", properties.assignee);
    add("candidateGroups", json_list(&properties.candidate_groups));
    add("candidateUsers", json_list(&properties.candidate_users));
    add("dueDate", properties.due_date);
    add("followUpDate", properties.follow_up_date);
    Ok(all)
}

fn json_list(texts: &[Text]) -> Text {
    if texts.is_empty() {
        return Text::EMPTY;
    }
    let mut out = String::from("[");
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(text, &mut out);
    }
    out.push(']');
    Text::from(out)
}

/// The task under `key`, which its element waits for.
pub(crate) fn waiting_element(p: &Processing<'_>, record: &UserTaskRecord) -> Outcome<Option<At>> {
    let Some(at) = At::find(p, record.element_instance_key)? else {
        return Ok(None);
    };
    let scope: Key = at.record.flow_scope_key;
    let scope = p.state().elements.get(&scope)?;
    Ok(Some(at).filter(|_| scope.is_some_and(|scope| scope.is_active())))
}
