//! A user task done by a job worker becomes one that the engine manages.
//!
//! The task takes over what the headers of its job say; assignee and priority are those of the new
//! model. The job goes without a trace of work. Camunda: `ProcessInstanceMigrationUserTaskBehavior`.

use std::sync::Arc;

use crate::engine::command::migrate_instance::{Migration, check};
use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::user_tasks::{self, Properties};
use crate::engine::rule::{event_expressions, expressions, jobs};
use crate::ids::Key;
use crate::json;
use crate::model::{Behavior, Expr, Form, UserTask};
use crate::msgpack::{Reader, Token};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{JobRecord, UserTaskRecord};

/// How the names of headers begin that tell of the task.
const TOLD: &str = "io.camunda.zeebe:";

/// Whether a job stands for the task now, and the engine will manage it.
pub(super) fn changes_hands(at: &At, after: &At) -> bool {
    matches!(at.element().behavior, Behavior::Job(_))
        && matches!(after.element().behavior, Behavior::UserTask(_))
}

/// Creates the task in the place of the job.
pub(super) fn take_over(
    p: &mut Processing<'_>,
    migration: &Migration,
    at: &At,
    after: &At,
) -> Outcome {
    let Behavior::UserTask(task) = &after.element().behavior else {
        return Ok(());
    };
    let key = element::row(p, at)?.job_key;
    let Some(job) = p.state().jobs.get(&key)? else {
        return Err(check::no_job(migration, at, key));
    };
    let job = job.record.clone();
    let properties = properties(p, at, after, task, &job)?;
    let assignee = properties.assignee.clone();
    let own: Vec<(Text, Text)> = (job.custom_headers.0.iter())
        .filter(|(name, _)| !name.starts_with(TOLD))
        .cloned()
        .collect();
    let unassigned = Properties {
        assignee: Text::EMPTY,
        ..properties
    };
    let creating = user_tasks::create(p, after, &own, unassigned)?;
    let created = user_tasks::created(p, creating)?;
    let assigning = Arc::new(UserTaskRecord {
        assignee,
        changed_attributes: vec![Text::from(user_tasks::ASSIGNEE)],
        ..UserTaskRecord::clone(&created)
    });
    let task = assigning.user_task_key;
    p.event(task, of::UserTask::Assigning, assigning.clone())?;
    p.event(task, of::UserTask::Assigned, assigning)?;
    jobs::cancel(p, at)
}

/// What the job and the new model say about the task. What cannot be evaluated is left out, but for
/// the form: the job's would be lost.
fn properties(
    p: &Processing<'_>,
    at: &At,
    after: &At,
    task: &UserTask,
    job: &JobRecord,
) -> Outcome<Properties> {
    let header = |name: &str| {
        let name = user_tasks::header_name(name);
        let headers = &job.custom_headers.0;
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let scope = after.record.flow_scope_key;
    let assignee = task.assignee.as_ref();
    let assignee = assignee.map(|expr| event_expressions::optional_text(p, expr, scope));
    let priority = expressions::number(p, &task.priority, scope).ok();
    let priority = priority.filter(|priority| user_tasks::PRIORITIES.contains(priority));
    let mut properties = Properties {
        assignee: assignee.and_then(Result::ok).flatten().unwrap_or_default(),
        candidate_groups: list(&header("candidateGroups")),
        candidate_users: list(&header("candidateUsers")),
        due_date: header("dueDate"),
        follow_up_date: header("followUpDate"),
        priority: jobs::clamp(priority.unwrap_or(user_tasks::PRIORITY_UNSAID)),
        ..Properties::default()
    };
    let form = header("formKey");
    if form.to_lowercase().contains("bpmn:usertaskform") {
        // The engine serves no embedded forms: the new model has to name another one.
        match &task.form {
            Some(Form::External(reference)) => {
                let found = expressions::text(p, reference, scope);
                properties.external_form_reference =
                    found.map_err(|stop| no_form(at, after, ("external", reference), stop))?;
            }
            Some(Form::Linked { form_id, binding }) => {
                let key = user_tasks::linked_form(p, after, form_id, binding);
                properties.form_key =
                    key.map_err(|stop| no_form(at, after, ("internal", form_id), stop))?;
            }
            Some(Form::Key(_)) | None => {}
        }
    } else if let Ok(key) = form.parse() {
        properties.form_key = Key(key);
    } else {
        properties.external_form_reference = form;
    }
    Ok(properties)
}

/// The form that the new model names, of a kind and by an expression, is not there.
fn no_form(at: &At, after: &At, (kind, named): (&str, &Expr), stop: Stop) -> Stop {
    match stop {
        Stop::Incident(failure) => Stop::invalid_state(format!(
            "Expected to migrate form of user task with id '{}' to {kind} form with reference '{}' defined in target element '{}', but reference evaluation failed with message: {}",
            at.record.element_id, named.source, after.record.element_id, failure.message
        )),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    }
}

/// The texts of a JSON list; none if it is something else.
fn list(text: &str) -> Vec<Text> {
    let Ok(bytes) = json::to_msgpack(text) else {
        return Vec::new();
    };
    let mut reader = Reader::new(&bytes);
    let Ok(Token::Array(count)) = reader.next() else {
        return Vec::new();
    };
    (0..count)
        .map_while(|_| match reader.next() {
            Ok(Token::Str(text)) => Some(Text::from(text)),
            Ok(_) | Err(_) => None,
        })
        .collect()
}
