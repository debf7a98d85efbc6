//! What elements wait for: a search whose items say what about.
//!
//! The storage knows six kinds of waiting by a few columns each; what the contract calls their
//! details is put together here, one object per kind.

use super::statistics::ask;
use super::{filter_of, page_answer, put_items, query_of, require_instance};
use crate::backend::{Aggregate, Cell, Entity, Filter, Literal, Op, Row};
use crate::op::shape::{ObjectWriter, date_time};
use crate::problem::Problem;
use crate::rest::{Answer, Call};

/// `searchElementInstanceWaitStates`.
pub(crate) async fn search(call: Call) -> Result<Answer, Problem> {
    let mut conditions = call.access.conditions(Entity::WaitState);
    conditions.extend(filter_of(&call)?);
    let query = query_of(&call, Entity::WaitState, conditions);
    let mut page = super::run(&call, query).await?;
    for row in &mut page.items {
        let details = details(row);
        row.0.push(("details", Cell::Json(details)));
    }
    page_answer(&call, &page)
}

/// `getProcessInstanceWaitStateStatistics`: all elements of an instance that wait, without pages.
pub(crate) async fn by_element(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey").0;
    if !call.access.settled() {
        require_instance(&call, key).await?;
    }
    let filter = Filter::Field {
        field: "processInstanceKey".to_owned(),
        op: Op::Eq,
        values: vec![Literal::Int(key)],
    };
    let page = ask(&call, Aggregate::WaitStatesByElement(filter), true).await?;
    let mut out = ObjectWriter::new();
    put_items(&call, &page, &mut out)?;
    Ok(Answer::Json(out.finish()))
}

/// What an item waits for, as JSON.
fn details(row: &Row) -> String {
    let mut out = ObjectWriter::new();
    let kind = text(row, "waitStateType").unwrap_or_default();
    out.str("waitStateType", kind);
    let name = text(row, "name").unwrap_or_default();
    let key = match row.get("waitStateKey") {
        Some(Cell::Key(key)) => key.to_string(),
        Some(_) | None => String::new(),
    };
    match kind {
        "JOB" => {
            let job_kind = text(row, "kind").unwrap_or_default();
            let listener = job_kind.ends_with("LISTENER").then(|| text(row, "more"));
            out.str("jobKey", &key)
                .str("jobType", name)
                .str("jobKind", job_kind);
            or_null(&mut out, "listenerEventType", listener.flatten());
            number(&mut out, "retries", row.get("number"));
        }
        "USER_TASK" => {
            out.str("taskKey", &key);
            match row.get("due") {
                Some(Cell::Time(millis)) => out.str("dueDate", &date_time(*millis)),
                Some(_) | None => out.null("dueDate"),
            };
        }
        "MESSAGE" => {
            out.str("messageName", name);
            or_null(&mut out, "correlationKey", text(row, "more"));
        }
        "TIMER" => {
            match row.get("due") {
                Some(Cell::Time(millis)) => out.int("dueDate", *millis),
                Some(_) | None => out.null("dueDate"),
            };
            number(&mut out, "repetitions", row.get("number"));
        }
        "CONDITION" => {
            let events = text(row, "more").unwrap_or_default();
            // None named means all of them.
            let events = if events.is_empty() {
                "create,update"
            } else {
                events
            };
            out.str("expression", name)
                .strs("events", events.split(','));
        }
        _ => {
            out.str("signalName", name);
        }
    }
    out.finish()
}

fn text<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    match row.get(name) {
        Some(Cell::Text(text)) => Some(text),
        Some(_) | None => None,
    }
}

fn or_null(out: &mut ObjectWriter, name: &str, text: Option<&str>) {
    match text {
        Some(text) => out.str(name, text),
        None => out.null(name),
    };
}

fn number(out: &mut ObjectWriter, name: &str, cell: Option<&Cell>) {
    match cell {
        Some(Cell::Int(number)) => out.int(name, *number),
        Some(_) | None => out.null(name),
    };
}
