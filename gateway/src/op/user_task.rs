//! User tasks that the engine manages: who works on them, what they are, that they are done.
//!
//! Only REST has these operations. With task listeners the answer waits for them; a listener that
//! refuses makes the engine reject.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::UserTaskRecord;
use ringflow_core::record::{Intent, Text};

use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

async fn send(
    call: &Call,
    intent: impl Into<Intent>,
    record: UserTaskRecord,
) -> Result<Answer, Problem> {
    let key = call.path_key("userTaskKey");
    let record = UserTaskRecord {
        user_task_key: key,
        ..record
    };
    let command = call.caller.command(key, intent, record, None);
    call.front.call(&Target::Key(key), command, None).await?;
    Ok(Answer::NoContent)
}

/// The action a client names, or what the operation calls itself.
fn action(body: Members<'_>, default: &str) -> Text {
    Text::from(body.str("action").unwrap_or(default))
}

/// `assignUserTask`: an assignment, or a claim if another assignee must not be replaced.
pub(crate) async fn assign(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let assignee = body.str("assignee").unwrap_or_default();
    if assignee.trim().is_empty() {
        return Err(Problem::plain("No assignee provided"));
    }
    let (intent, default) = if body.flag("allowOverride").unwrap_or(true) {
        (of::UserTask::Assign, "assign")
    } else {
        (of::UserTask::Claim, "claim")
    };
    let record = UserTaskRecord {
        assignee: Text::from(assignee),
        action: action(body, default),
        ..UserTaskRecord::default()
    };
    send(&call, intent, record).await
}

/// `unassignUserTask`.
pub(crate) async fn unassign(call: Call) -> Result<Answer, Problem> {
    let record = UserTaskRecord {
        action: Text::from("unassign"),
        ..UserTaskRecord::default()
    };
    send(&call, of::UserTask::Assign, record).await
}

/// `completeUserTask`.
pub(crate) async fn complete(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let record = UserTaskRecord {
        variables: body.document("variables"),
        action: action(body, "complete"),
        ..UserTaskRecord::default()
    };
    send(&call, of::UserTask::Complete, record).await
}

/// `updateUserTask`: what the changeset names; empty text or list clears, null leaves.
pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let given = |name: &str| {
        body.object("changeset")
            .is_some_and(|changes| changes.get(name).is_some())
    };
    let names = [
        ("candidateGroups", "candidateGroupsList"),
        ("candidateUsers", "candidateUsersList"),
        ("dueDate", "dueDate"),
        ("followUpDate", "followUpDate"),
        ("priority", "priority"),
    ];
    let changed_attributes: Vec<Text> = names
        .iter()
        .filter(|(rest, _)| given(rest))
        .map(|(_, record)| Text::from(*record))
        .collect();
    if changed_attributes.is_empty() && body.str("action").is_none() {
        return Err(Problem::invalid(
            "No update data provided. Provide at least an \"action\" or a non-null value for a \
             supported attribute in the \"changeset\"",
        ));
    }
    let mut record = UserTaskRecord {
        action: action(body, "update"),
        changed_attributes,
        ..UserTaskRecord::default()
    };
    if let Some(changes) = body.object("changeset") {
        record.candidate_groups = changes.texts("candidateGroups");
        record.candidate_users = changes.texts("candidateUsers");
        record.due_date = changes.text("dueDate");
        record.follow_up_date = changes.text("followUpDate");
        if let Some(priority) = changes.int32("priority") {
            record.priority = priority;
        }
    }
    send(&call, of::UserTask::Update, record).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_the_clients_or_the_default() {
        let body = serde_json::json!({"action": "approve"});
        assert_eq!(action(Members(&body), "complete"), "approve");
        assert_eq!(
            action(Members(&serde_json::Value::Null), "complete"),
            "complete"
        );
    }
}
