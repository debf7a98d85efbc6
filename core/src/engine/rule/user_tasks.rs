//! User tasks that the engine manages, from the element's side: what the model says about them,
//! evaluated, and the task made of it.
//!
//! A form is looked up once, when the task is created: later versions do not reach the task.

use std::sync::Arc;

use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::jobs;
use crate::engine::rule::{event_expressions, expressions, task_listeners};
use crate::ids::Key;
use crate::model::{Binding, Expr, Form, UserTask};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ErrorType, UserTaskRecord};
use crate::schedule;
use crate::state::file::FileKind;

/// Names of attributes, where a record lists what changed.
pub(crate) const ASSIGNEE: &str = "assignee";
pub(crate) const CANDIDATE_GROUPS: &str = "candidateGroupsList";
pub(crate) const CANDIDATE_USERS: &str = "candidateUsersList";
pub(crate) const DUE_DATE: &str = "dueDate";
pub(crate) const FOLLOW_UP_DATE: &str = "followUpDate";
pub(crate) const PRIORITY: &str = "priority";
pub(crate) const VARIABLES: &str = "variables";
/// Priorities a task may have.
pub(crate) const PRIORITIES: std::ops::RangeInclusive<i64> = 0..=100;
/// The priority where nobody says one.
pub(crate) const PRIORITY_UNSAID: i64 = 50;

/// What the model says about a task, evaluated.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) assignee: Text,
    pub(crate) candidate_groups: Vec<Text>,
    pub(crate) candidate_users: Vec<Text>,
    pub(crate) due_date: Text,
    pub(crate) follow_up_date: Text,
    pub(crate) form_key: Key,
    pub(crate) external_form_reference: Text,
    pub(crate) priority: i32,
}

/// Evaluates what the model says about a task.
pub(crate) fn evaluate(p: &Processing<'_>, at: &At, task: &UserTask) -> Outcome<Properties> {
    let mut properties = assignment(p, at, task)?;
    match &task.form {
        Some(Form::Linked { form_id, binding }) => {
            properties.form_key = linked_form(p, at, form_id, binding)?;
        }
        Some(Form::External(reference)) => {
            properties.external_form_reference = expressions::text(p, reference, at.key)?;
        }
        // Only jobs carry the key of an embedded form.
        Some(Form::Key(_)) | None => {}
    }
    let priority = expressions::integer(p, &task.priority, at.key)?;
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

/// The key of the deployed form that the model means.
pub(crate) fn linked_form(
    p: &Processing<'_>,
    at: &At,
    form_id: &Expr,
    binding: &Binding,
) -> Outcome<Key> {
    let id = expressions::text(p, form_id, at.key)?;
    let deployment = at.definition.record.deployment_key;
    let tenant = &at.record.tenant_id;
    let form = (p.state()).bound_file(FileKind::Form, tenant, &id, binding, deployment)?;
    if let Some(form) = form {
        return Ok(form.record.key);
    }
    let message = match binding {
        Binding::Latest => format!(
            "Expected to find a form with id '{id}', but no form with this id is found, at least a form with this id should be available. To resolve the Incident please deploy a form with the same id"
        ),
        Binding::Deployment => format!(
            "Expected to use a form with id '{id}' with binding type 'deployment', but no such form found in the deployment with key {deployment} which contained the current process. To resolve this incident, migrate the process instance to a process definition that is deployed together with the intended form to use."
        ),
        Binding::VersionTag(tag) => format!(
            "Expected to use a form with id '{id}' and version tag '{tag}', but no such form found. To resolve the incident, deploy a form with the given id and version tag.\n"
        ),
    };
    Err(Failure::new(ErrorType::FormNotFound, message).into())
}

/// Who shall do the task, and when.
fn assignment(p: &Processing<'_>, at: &At, task: &UserTask) -> Outcome<Properties> {
    let texts = |expr: &Option<Expr>| match expr {
        Some(expr) => event_expressions::texts(p, expr, at.key),
        None => Ok(Vec::new()),
    };
    let assignee = match &task.assignee {
        Some(expr) => expressions::text(p, expr, at.key)?,
        None => Text::EMPTY,
    };
    Ok(Properties {
        assignee,
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
    let text = event_expressions::optional_date_text(p, expr, at.key)?;
    let text = text.unwrap_or_default();
    if text.is_empty() || schedule::date(&text).is_ok() {
        return Ok(text);
    }
    let source = expr.source.strip_prefix('=').unwrap_or(&expr.source);
    let message = format!("Invalid date-time format '{text}' for expression '{source}'.");
    Err(Failure::new(ErrorType::ExtractValueError, message).into())
}

/// The configuration of global listeners that a transition which begins now calls.
pub(crate) fn listeners_config(p: &Processing<'_>) -> Key {
    let config = p.state().global_listener_config.first();
    config.copied().unwrap_or(Key::NONE)
}

/// Begins the creation of the task; nobody is assigned yet.
pub(crate) fn create(
    p: &mut Processing<'_>,
    at: &At,
    headers: &[(Text, Text)],
    properties: Properties,
) -> Outcome<UserTaskRecord> {
    let key = p.next_key();
    let creating = UserTaskRecord {
        user_task_key: key,
        assignee: properties.assignee,
        candidate_groups: properties.candidate_groups,
        candidate_users: properties.candidate_users,
        due_date: properties.due_date,
        follow_up_date: properties.follow_up_date,
        form_key: properties.form_key,
        external_form_reference: properties.external_form_reference,
        custom_headers: jobs::headers(headers),
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
        listeners_config_key: listeners_config(p),
        ..UserTaskRecord::default()
    };
    p.event(key, of::UserTask::Creating, creating.clone())?;
    Ok(creating)
}

/// Ends the creation of a task that no listener holds up.
pub(crate) fn created(
    p: &mut Processing<'_>,
    creating: UserTaskRecord,
) -> Outcome<Arc<UserTaskRecord>> {
    let created = Arc::new(UserTaskRecord {
        assignee: Text::EMPTY,
        ..creating
    });
    p.event(
        created.user_task_key,
        of::UserTask::Created,
        created.clone(),
    )?;
    Ok(created)
}

/// Names of the attributes in which two forms of a task differ, sorted.
pub(crate) fn difference(new: &UserTaskRecord, old: &UserTaskRecord) -> Vec<Text> {
    let differs = [
        (ASSIGNEE, new.assignee != old.assignee),
        (
            CANDIDATE_GROUPS,
            new.candidate_groups != old.candidate_groups,
        ),
        (CANDIDATE_USERS, new.candidate_users != old.candidate_users),
        (DUE_DATE, new.due_date != old.due_date),
        (FOLLOW_UP_DATE, new.follow_up_date != old.follow_up_date),
        (PRIORITY, new.priority != old.priority),
        (VARIABLES, new.variables != old.variables),
    ];
    (differs.into_iter().filter(|(_, differs)| *differs))
        .map(|(name, _)| Text::from(name))
        .collect()
}

/// The header under which jobs tell an attribute of a user task.
pub(crate) fn header_name(attribute: &str) -> Text {
    Text::from(format!("io.camunda.zeebe:{attribute}"))
}

/// Headers that tell a job worker about the user task its job stands for, after those of the model.
pub(crate) fn job_headers(
    p: &Processing<'_>,
    at: &At,
    task: &UserTask,
    headers: &[(Text, Text)],
) -> Outcome<Vec<(Text, Text)>> {
    let properties = assignment(p, at, task)?;
    let form = match &task.form {
        Some(Form::Linked { form_id, binding }) => {
            Text::from(linked_form(p, at, form_id, binding)?.to_string())
        }
        Some(Form::Key(_) | Form::External(_)) | None => Text::EMPTY,
    };
    let mut all = headers.to_vec();
    let mut add = |name: &str, value: Text| {
        if !value.is_empty() {
            all.push((header_name(name), value));
        }
    };
    add("assignee", properties.assignee);
    add(
        "candidateGroups",
        task_listeners::json_list(&properties.candidate_groups),
    );
    add(
        "candidateUsers",
        task_listeners::json_list(&properties.candidate_users),
    );
    add("dueDate", properties.due_date);
    add("followUpDate", properties.follow_up_date);
    add("formKey", form);
    Ok(all)
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
