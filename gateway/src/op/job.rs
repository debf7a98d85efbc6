//! What clients do with a job they hold: complete, fail, throw an error, change it.
//!
//! Taking jobs is in [`activate`]. Every command goes to the partition of the job's key; the engine
//! knows whether the job is in a state that allows it.

pub(crate) mod activate;

use ringflow_core::ids::Key;
use ringflow_core::msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ActivateElement, JobRecord, JobResult};
use ringflow_core::record::{Document, Intent, Text};

use super::Caller;
use super::shape::Members;
use crate::problem::{Problem, Violations};
use crate::rest::{Answer, Call, Given};
use crate::route::Target;
use crate::submit::Front;

/// Something done with one job.
#[derive(Clone, Debug)]
pub(crate) struct OnJob {
    pub(crate) key: Key,
    pub(crate) action: Action,
    pub(crate) operation_reference: Option<i64>,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// It is done.
    Complete {
        variables: Document,
        result: Option<Outcome>,
    },
    /// It could not be done.
    Fail {
        retries: i32,
        message: String,
        /// Milliseconds until it is offered again.
        back_off: i64,
        variables: Document,
    },
    /// A business error.
    ThrowError {
        code: String,
        message: String,
        variables: Document,
    },
    /// New retries.
    UpdateRetries(i32),
    /// Milliseconds from now on.
    UpdateTimeout(i64),
    /// Several attributes at once.
    Update(Change),
}

/// New values of a job's attributes, at least one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) retries: Option<i32>,
    /// Milliseconds from now on.
    pub(crate) timeout: Option<i64>,
    pub(crate) priority: Option<i32>,
}

/// What a listener job says about the user task it listens to, or the job of an ad-hoc sub-process
/// about that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) denied: bool,
    pub(crate) denied_reason: String,
    pub(crate) corrections: Corrections,
    /// Present = it is about an ad-hoc sub-process, and nothing of the above counts.
    pub(crate) ad_hoc: Option<Decision>,
}

/// What the job of an ad-hoc sub-process decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    /// Activities to run.
    pub(crate) activate: Vec<ActivateElement>,
    /// The sub-process is done.
    pub(crate) fulfilled: bool,
    /// What still runs is terminated.
    pub(crate) cancel: bool,
}

/// Attributes of a user task that a listener changes; `None` = leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Corrections {
    pub(crate) assignee: Option<String>,
    pub(crate) due_date: Option<String>,
    pub(crate) follow_up_date: Option<String>,
    pub(crate) candidate_users: Option<Vec<String>>,
    pub(crate) candidate_groups: Option<Vec<String>>,
    pub(crate) priority: Option<i32>,
}

impl OnJob {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let (intent, value) = record_of(self.action);
        let command = caller.command(self.key, intent, value, self.operation_reference);
        front.call(&Target::Key(self.key), command, None).await?;
        Ok(())
    }
}

fn record_of(action: Action) -> (Intent, JobRecord) {
    let record = JobRecord::default();
    match action {
        Action::Complete { variables, result } => (
            of::Job::Complete.into(),
            JobRecord {
                variables,
                result: result.into_iter().map(Outcome::record).collect(),
                ..record
            },
        ),
        Action::Fail {
            retries,
            message,
            back_off,
            variables,
        } => (
            of::Job::Fail.into(),
            JobRecord {
                retries,
                error_message: Text::from(message),
                retry_backoff: back_off,
                variables,
                ..record
            },
        ),
        Action::ThrowError {
            code,
            message,
            variables,
        } => (
            of::Job::ThrowError.into(),
            JobRecord {
                error_code: Text::from(code),
                error_message: Text::from(message),
                variables,
                ..record
            },
        ),
        Action::UpdateRetries(retries) => (
            of::Job::UpdateRetries.into(),
            JobRecord { retries, ..record },
        ),
        Action::UpdateTimeout(timeout) => (
            of::Job::UpdateTimeout.into(),
            JobRecord { timeout, ..record },
        ),
        Action::Update(change) => (
            of::Job::Update.into(),
            JobRecord {
                retries: change.retries.unwrap_or(record.retries),
                timeout: change.timeout.unwrap_or(record.timeout),
                priority: change.priority.unwrap_or(record.priority),
                changed_attributes: change.attributes(),
                ..record
            },
        ),
    }
}

impl Change {
    /// The changes that a body asks for.
    pub(crate) fn of(body: Members<'_>) -> Self {
        let changeset = body.object("changeset").unwrap_or(body);
        Self {
            retries: changeset.int32("retries"),
            timeout: changeset.int("timeout"),
            priority: changeset.int32("priority"),
        }
    }

    /// Names of what changes.
    pub(crate) fn attributes(&self) -> Vec<Text> {
        let named = [
            ("retries", self.retries.is_some()),
            ("timeout", self.timeout.is_some()),
            ("priority", self.priority.is_some()),
        ];
        let changed = named.into_iter().filter(|(_, changes)| *changes);
        changed.map(|(name, _)| Text::from(name)).collect()
    }
}

impl Outcome {
    fn record(self) -> JobResult {
        if let Some(decision) = self.ad_hoc {
            return JobResult {
                kind: Text::from(AD_HOC),
                activate_elements: decision.activate,
                completion_condition_fulfilled: decision.fulfilled,
                cancel_remaining_instances: decision.cancel,
                ..JobResult::default()
            };
        }
        let Corrections {
            assignee,
            due_date,
            follow_up_date,
            candidate_users,
            candidate_groups,
            priority,
        } = self.corrections;
        let mut entries: Vec<(&str, Vec<u8>)> = Vec::new();
        let texts = [
            ("assignee", assignee),
            ("dueDate", due_date),
            ("followUpDate", follow_up_date),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                entries.push((name, packed(|out| msgpack::write_str(out, &value))));
            }
        }
        let lists = [
            ("candidateUsersList", candidate_users),
            ("candidateGroupsList", candidate_groups),
        ];
        for (name, values) in lists {
            if let Some(values) = values {
                entries.push((
                    name,
                    packed(|out| {
                        msgpack::write_array_header(out, values.len());
                        for value in &values {
                            msgpack::write_str(out, value);
                        }
                    }),
                ));
            }
        }
        if let Some(priority) = priority {
            let value = packed(|out| msgpack::write_int(out, i64::from(priority)));
            entries.push(("priority", value));
        }
        let mut corrections = Vec::new();
        msgpack::write_map_header(&mut corrections, entries.len());
        for (name, value) in &entries {
            msgpack::write_str(&mut corrections, name);
            corrections.extend_from_slice(value);
        }
        JobResult {
            kind: Text::from("userTask"),
            denied: self.denied,
            denied_reason: Text::from(self.denied_reason),
            corrected_attributes: entries.iter().map(|(name, _)| Text::from(*name)).collect(),
            corrections: Document::from(corrections),
            ..JobResult::default()
        }
    }
}

fn packed(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes);
    bytes
}

/// The type of a result that is about an ad-hoc sub-process.
pub(crate) const AD_HOC: &str = "adHocSubProcess";

/// Activities to run in an ad-hoc sub-process, as REST writes them.
pub(crate) fn activities(list: &[serde_json::Value]) -> Vec<ActivateElement> {
    let activity = |value| {
        let members = Members(value);
        ActivateElement {
            element_id: members.text("elementId"),
            variables: members.document("variables"),
        }
    };
    list.iter().map(activity).collect()
}

/// Refuses a lease token: no job is ever handed out with one.
fn refuse_lease(body: Members<'_>) -> Result<(), Problem> {
    match body.get("leaseToken") {
        None => Ok(()),
        Some(_) => Err(Problem::Unimplemented(
            "Job leases are not implemented yet; jobs are handed out without a lease token.".into(),
        )),
    }
}

async fn answer(call: &Call, action: Action) -> Result<Answer, Problem> {
    refuse_lease(Members(&call.body))?;
    let request = OnJob {
        key: call.path_key("jobKey"),
        action,
        operation_reference: Members(&call.body).int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}

/// `completeJob`.
pub(crate) async fn complete(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    if body.get("businessId").is_some() {
        return Err(Problem::Unimplemented(
            "The businessId of a job completion is not implemented yet.".into(),
        ));
    }
    let result = match body.object("result") {
        None => None,
        Some(result) => {
            let ad_hoc = (result.str("type") == Some(AD_HOC)).then(|| Decision {
                activate: activities(result.list("activateElements")),
                fulfilled: result
                    .flag("isCompletionConditionFulfilled")
                    .unwrap_or(false),
                cancel: result.flag("isCancelRemainingInstances").unwrap_or(false),
            });
            let corrections = result.object("corrections");
            let text = |name| {
                corrections
                    .and_then(|members| members.str(name))
                    .map(str::to_owned)
            };
            let list = |name| {
                corrections
                    .filter(|members| members.get(name).is_some())
                    .map(|members| members.strings(name))
            };
            Some(Outcome {
                denied: result.flag("denied").unwrap_or(false),
                denied_reason: result.str("deniedReason").unwrap_or_default().to_owned(),
                corrections: Corrections {
                    assignee: text("assignee"),
                    due_date: text("dueDate"),
                    follow_up_date: text("followUpDate"),
                    candidate_users: list("candidateUsers"),
                    candidate_groups: list("candidateGroups"),
                    priority: corrections.and_then(|members| members.int32("priority")),
                },
                ad_hoc,
            })
        }
    };
    let action = Action::Complete {
        variables: body.document("variables"),
        result,
    };
    answer(&call, action).await
}

/// `failJob`.
pub(crate) async fn fail(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let action = Action::Fail {
        retries: body.int32("retries").unwrap_or(0),
        message: body.str("errorMessage").unwrap_or_default().to_owned(),
        back_off: body.int("retryBackOff").unwrap_or(0),
        variables: body.document("variables"),
    };
    answer(&call, action).await
}

/// `throwJobError`.
pub(crate) async fn throw_error(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let action = Action::ThrowError {
        code: body.str("errorCode").unwrap_or_default().to_owned(),
        message: body.str("errorMessage").unwrap_or_default().to_owned(),
        variables: body.document("variables"),
    };
    answer(&call, action).await
}

/// What else is wrong with a body that asks for changes: it names none.
pub(crate) fn update_rules(given: &Given<'_>, found: &mut Violations) -> Result<(), Problem> {
    let changeset = given.body.object("changeset");
    if changeset.is_some_and(|changeset| Change::of(changeset) == Change::default()) {
        found.add("At least one of [retries, timeout, priority] is required");
    }
    Ok(())
}

/// `updateJob`.
pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
    let change = Change::of(Members(&call.body));
    answer(&call, Action::Update(change)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_names_what_it_changes() {
        let (intent, record) = record_of(Action::Update(Change {
            retries: Some(2),
            timeout: None,
            priority: Some(-3),
        }));
        assert_eq!(intent, of::Job::Update.into());
        let names = ["retries", "priority"].map(Text::from);
        assert_eq!(record.changed_attributes, names);
        assert_eq!(
            (record.retries, record.timeout, record.priority),
            (2, -1, -3)
        );
    }

    #[test]
    fn corrections_are_a_document_of_what_was_given() {
        let outcome = Outcome {
            denied: true,
            denied_reason: "no".into(),
            corrections: Corrections {
                assignee: Some(String::new()),
                candidate_users: Some(vec!["a".into()]),
                priority: Some(7),
                ..Corrections::default()
            },
            ad_hoc: None,
        };
        let record = outcome.record();
        assert_eq!(
            crate::document::to_json(&record.corrections).unwrap(),
            r#"{"assignee":"","candidateUsersList":["a"],"priority":7}"#
        );
        let names = ["assignee", "candidateUsersList", "priority"];
        assert_eq!(record.corrected_attributes, names.map(Text::from));
    }
}
