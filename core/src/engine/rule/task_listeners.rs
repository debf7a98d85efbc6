//! Task listeners: jobs that see a user task change before it has changed, and may correct or refuse
//! the change.
//!
//! One job at a time, in the order of the model. The job's headers tell the task as the transition
//! will leave it; what a worker corrects is seen by the listeners after it. Listeners of all user
//! tasks (global ones) are called before those of the model, or behind them if they ask for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::command::global_listener::ALL;
use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::jobs::{self, Properties};
use crate::engine::rule::{expressions, user_tasks};
use crate::json::write_string;
use crate::model::{Behavior, Listener, TaskListenerEvent, UserTask};
use crate::msgpack::{self, Reader, Token};
use crate::record::field::Headers;
use crate::record::value::{
    GlobalListenerRecord, JobKind, JobRecord, JobResult, ListenerEventType, UserTaskRecord,
};
use crate::record::{Document, RawValue, Text};
use crate::state::variable::document;

/// What a worker may correct, sorted; the names by which records list what changed.
pub(crate) const CORRECTABLE: [&str; 6] = [
    user_tasks::ASSIGNEE,
    user_tasks::CANDIDATE_GROUPS,
    user_tasks::CANDIDATE_USERS,
    user_tasks::DUE_DATE,
    user_tasks::FOLLOW_UP_DATE,
    user_tasks::PRIORITY,
];

/// Creates the job of the next listener of `event`, `done` of them being done. False if there is
/// none. An expression of the listener that fails is an incident of the task's element.
pub(crate) fn call(
    p: &mut Processing<'_>,
    at: &At,
    event: TaskListenerEvent,
    done: i32,
    task: &UserTaskRecord,
    changed: &[Text],
) -> Outcome<bool> {
    let Behavior::UserTask(model) = &at.element().behavior else {
        return Err(Stop::fault("listeners of what is no user task"));
    };
    let row = p.state().user_tasks.get(&task.user_task_key)?;
    let global = row.as_ref().map_or(&[][..], |row| &row.global_listeners);
    let Some(next) = next(model, global, event, done) else {
        return Ok(false);
    };
    let created = create(p, at, event, &next, &model.headers, task, changed);
    lifecycle::raise_incident(p, at, created)?;
    Ok(true)
}

/// Who is called next.
enum Called<'m> {
    /// A listener of the model.
    Own(&'m Listener),
    /// A listener of all user tasks.
    Global(&'m GlobalListenerRecord),
}

/// The listener behind those that are done: global ones, those of the model, global ones that asked
/// to come last.
fn next<'m>(
    model: &'m UserTask,
    global: &'m [Arc<GlobalListenerRecord>],
    event: TaskListenerEvent,
    done: i32,
) -> Option<Called<'m>> {
    let of_all = |last: bool| {
        let global = global
            .iter()
            .filter(move |listener| listener.after_non_global == last && hears(listener, event));
        global.map(|listener| Called::Global(listener))
    };
    let own = model.listeners.iter();
    let own = own
        .filter(|listener| listener.event == event)
        .map(|listener| Called::Own(&listener.listener));
    of_all(false)
        .chain(own)
        .chain(of_all(true))
        .nth(usize::try_from(done).unwrap_or_default())
}

fn hears(listener: &GlobalListenerRecord, event: TaskListenerEvent) -> bool {
    let name = match event {
        TaskListenerEvent::Creating => "creating",
        TaskListenerEvent::Assigning => "assigning",
        TaskListenerEvent::Updating => "updating",
        TaskListenerEvent::Completing => "completing",
        TaskListenerEvent::Canceling => "canceling",
    };
    let mut types = listener.event_types.iter();
    types.any(|known| known.as_str() == ALL || known.as_str() == name)
}

fn create(
    p: &mut Processing<'_>,
    at: &At,
    event: TaskListenerEvent,
    called: &Called<'_>,
    task_headers: &[(Text, Text)],
    task: &UserTaskRecord,
    changed: &[Text],
) -> Outcome {
    let (job_type, retries, own) = match called {
        Called::Own(listener) => (
            jobs::job_type(p, &listener.job_type, at.key)?,
            jobs::clamp(expressions::number(p, &listener.retries, at.key)?),
            &listener.headers[..],
        ),
        Called::Global(listener) => (listener.job_type.clone(), listener.retries, task_headers),
    };
    let properties = Properties {
        job_type,
        retries,
        headers: headers(own, task, changed),
        kind: JobKind::TaskListener,
        listener: match event {
            TaskListenerEvent::Creating => ListenerEventType::Creating,
            TaskListenerEvent::Assigning => ListenerEventType::Assigning,
            TaskListenerEvent::Updating => ListenerEventType::Updating,
            TaskListenerEvent::Completing => ListenerEventType::Completing,
            TaskListenerEvent::Canceling => ListenerEventType::Canceling,
        },
        priority: jobs::NO_PRIORITY,
    };
    jobs::create(p, at, properties)
}

/// The headers of the model, and the task; what is empty is left out.
fn headers(own: &[(Text, Text)], task: &UserTaskRecord, changed: &[Text]) -> Headers {
    let mut sorted = changed.to_vec();
    sorted.sort_unstable();
    let number = |number: i64| {
        if number > 0 {
            Text::from(number.to_string())
        } else {
            Text::EMPTY
        }
    };
    let told = [
        ("action", task.action.clone()),
        (user_tasks::ASSIGNEE, task.assignee.clone()),
        ("candidateGroups", json_list(&task.candidate_groups)),
        ("candidateUsers", json_list(&task.candidate_users)),
        ("changedAttributes", json_list(&sorted)),
        (user_tasks::DUE_DATE, task.due_date.clone()),
        (user_tasks::FOLLOW_UP_DATE, task.follow_up_date.clone()),
        ("formKey", number(task.form_key.0)),
        (user_tasks::PRIORITY, number(i64::from(task.priority))),
        ("userTaskKey", number(task.user_task_key.0)),
    ];
    let mut all = own.to_vec();
    for (name, value) in told {
        if !value.trim().is_empty() {
            all.push((user_tasks::header_name(name), value));
        }
    }
    Headers(Arc::new(all))
}

/// Texts as a JSON list; empty if there is none.
pub(crate) fn json_list(texts: &[Text]) -> Text {
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

/// What the worker of a listener sees: the variables of the transition over those in scope.
pub(crate) fn variables(
    p: &Processing<'_>,
    job: &JobRecord,
    visible: &Document,
    names: &[Text],
) -> Outcome<Document> {
    let element = p.state().elements.get(&job.element_instance_key)?;
    let task = match element {
        Some(element) => p.state().user_tasks.get(&element.user_task_key)?,
        None => None,
    };
    let given = task.and_then(|task| task.pending.first().map(|task| task.variables.clone()));
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(visible.clone());
    };
    let malformed = |error: msgpack::Error| Stop::fault(format!("variables: {error}"));
    let mut merged: BTreeMap<Text, RawValue> = BTreeMap::new();
    for entry in msgpack::entries(visible.as_bytes()).map_err(malformed)? {
        let (name, value) = entry.map_err(malformed)?;
        merged.insert(Text::from(name), RawValue::from(value));
    }
    for entry in msgpack::entries(given.as_bytes()).map_err(malformed)? {
        let (name, value) = entry.map_err(malformed)?;
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            merged.insert(Text::from(name), RawValue::from(value));
        }
    }
    Ok(document(merged.iter()))
}

/// Checks what a worker answers for a listener; texts are Camunda's.
pub(crate) fn check(
    p: &Processing<'_>,
    command: crate::ids::Key,
    job: &JobRecord,
    answer: &JobRecord,
) -> Outcome {
    let named = format!(
        "(job key '{command}', type '{}', processInstanceKey '{}')",
        job.job_type, job.process_instance_key
    );
    if !answer.variables.is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Task Listener job completion with variables payload provided is not yet supported {named}. Support will be enabled with the resolution of issue #23702.\n"
        )));
    }
    let Some(result) = answer.result.first() else {
        return Ok(());
    };
    let may_deny = match job.listener_event_type {
        ListenerEventType::Assigning
        | ListenerEventType::Updating
        | ListenerEventType::Completing => true,
        ListenerEventType::Unspecified
        | ListenerEventType::Start
        | ListenerEventType::End
        | ListenerEventType::Creating
        | ListenerEventType::Canceling => false,
    };
    if result.denied && !may_deny {
        return Err(Stop::invalid_argument(format!(
            "Denying result is not supported for '{}' task listener jobs {named}. Only the following listener event types support denying: [ASSIGNING, COMPLETING, UPDATING].\n",
            job.listener_event_type.name()
        )));
    }
    let corrected = &result.corrected_attributes;
    if result.denied && !corrected.is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Expected to complete task listener job with corrections, but the job result is denied {named}. The corrections would be reverted by the denial. Either complete the job with corrections without setting denied, or complete the job with a denied result but no corrections.\n"
        )));
    }
    let assigns = corrected.iter().any(|name| *name == user_tasks::ASSIGNEE);
    if assigns && job.listener_event_type == ListenerEventType::Creating {
        let element = p.state().elements.get(&job.element_instance_key)?;
        let key = element.map_or(crate::ids::Key::NONE, |row| row.user_task_key);
        let task = p.state().user_tasks.get(&key)?;
        if task.is_some_and(|task| !task.first_assignee.is_empty()) {
            return Err(Stop::invalid_argument(format!(
                "Expected to complete task listener job, but correcting the assignee on 'CREATING' event is not supported when the user task has an assignee defined in the model {named}. Use the 'CREATING' event to set an assignee only if it was not defined. Use the 'ASSIGNING' event to correct an assignee that is already defined.\n"
            )));
        }
    }
    let unknown = (corrected.iter()).find(|name| !CORRECTABLE.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        return Err(Stop::invalid_argument(format!(
            "Expected to complete task listener job with a corrections result, but property '{unknown}' cannot be corrected {named}. Only the following properties can be corrected: [{}].\n",
            CORRECTABLE.join(", ")
        )));
    }
    correct(&UserTaskRecord::default(), result).map(|_corrected| ())
}

/// The task with what a worker corrects; the names of the corrections are its changed attributes.
pub(crate) fn correct(task: &UserTaskRecord, result: &JobResult) -> Outcome<UserTaskRecord> {
    let mut task = UserTaskRecord {
        changed_attributes: result.corrected_attributes.clone(),
        ..task.clone()
    };
    for name in &result.corrected_attributes {
        let value = msgpack::get(result.corrections.as_bytes(), name)
            .map_err(|error| malformed(name, &error.to_string()))?;
        let value = Correction { name, value };
        match name.as_str() {
            user_tasks::ASSIGNEE => task.assignee = value.text()?,
            user_tasks::CANDIDATE_GROUPS => task.candidate_groups = value.texts()?,
            user_tasks::CANDIDATE_USERS => task.candidate_users = value.texts()?,
            user_tasks::DUE_DATE => task.due_date = value.text()?,
            user_tasks::FOLLOW_UP_DATE => task.follow_up_date = value.text()?,
            user_tasks::PRIORITY => task.priority = jobs::clamp(value.number()?),
            other => return Err(malformed(other, "it cannot be corrected")),
        }
    }
    Ok(task)
}

fn malformed(name: &str, why: &str) -> Stop {
    Stop::invalid_argument(format!(
        "Expected to complete task listener job with a corrections result, but the correction of '{name}' is malformed: {why}"
    ))
}

/// A corrected value as it came.
struct Correction<'v> {
    name: &'v str,
    value: Option<&'v [u8]>,
}

impl Correction<'_> {
    fn text(&self) -> Outcome<Text> {
        match self.value.map(|bytes| Reader::new(bytes).next()) {
            None => Ok(Text::EMPTY),
            Some(Ok(Token::Str(text))) => Ok(Text::from(text)),
            Some(_) => Err(malformed(self.name, "expected a text")),
        }
    }

    fn number(&self) -> Outcome<i64> {
        match self.value.map(|bytes| Reader::new(bytes).next()) {
            Some(Ok(Token::Int(number))) => Ok(number),
            Some(_) | None => Err(malformed(self.name, "expected a whole number")),
        }
    }

    fn texts(&self) -> Outcome<Vec<Text>> {
        let Some(bytes) = self.value else {
            return Ok(Vec::new());
        };
        let wrong = || malformed(self.name, "expected a list of texts");
        let mut reader = Reader::new(bytes);
        let Ok(Token::Array(count)) = reader.next() else {
            return Err(wrong());
        };
        let mut texts = Vec::new();
        for _ in 0..count {
            let Ok(Token::Str(text)) = reader.next() else {
                return Err(wrong());
            };
            texts.push(Text::from(text));
        }
        Ok(texts)
    }
}

/// The task of an element instance, as the transition under way will leave it.
pub(crate) fn pending(p: &Processing<'_>, at: &At) -> Outcome<Arc<UserTaskRecord>> {
    let key = element::row(p, at)?.user_task_key;
    let task = p.state().user_tasks.get(&key)?;
    (task.and_then(|task| task.pending.first().cloned()))
        .ok_or_else(|| Stop::fault(format!("no transition of user task '{key}' is under way")))
}
