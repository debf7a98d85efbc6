//! Agents and what they said: searches whose items have objects of several columns.
//!
//! The storage has a column for each metric and limit; what the contract calls definition, metrics
//! and limits is put together here.

use super::{entity, equals, filter_of, page_answer, put_row, query_of, run};
use crate::backend::{Cell, Entity, Literal, Row};
use crate::op::shape::ObjectWriter;
use crate::problem::Problem;
use crate::rest::{Answer, Call};

/// `searchAgentInstances`.
pub(crate) async fn search(call: Call) -> Result<Answer, Problem> {
    let mut conditions = call.access.conditions(Entity::AgentInstance);
    conditions.extend(filter_of(&call)?);
    let query = query_of(&call, Entity::AgentInstance, conditions);
    let mut page = run(&call, query).await?;
    page.items.iter_mut().for_each(complete_instance);
    page_answer(&call, &page)
}

/// `getAgentInstance`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let (name, human) = ("agentInstanceKey", "Agent Instance");
    let mut row = entity(&call, Entity::AgentInstance, name, human).await?;
    complete_instance(&mut row);
    let mut text = String::new();
    let schema = call.result_schema()?;
    put_row(&call.rest.contract.library, schema, &row, &mut text)?;
    Ok(Answer::Json(text))
}

/// `searchAgentInstanceHistory`: what nobody said of an agent that is not there is nothing.
pub(crate) async fn search_history(call: Call) -> Result<Answer, Problem> {
    let name = "agentInstanceKey";
    let mut conditions = call.access.conditions(Entity::AgentHistory);
    conditions.push(equals(name, Literal::Int(call.path_key(name).0)));
    conditions.extend(filter_of(&call)?);
    let query = query_of(&call, Entity::AgentHistory, conditions);
    let mut page = run(&call, query).await?;
    page.items.iter_mut().for_each(complete_item);
    page_answer(&call, &page)
}

fn complete_instance(row: &mut Row) {
    let mut definition = ObjectWriter::new();
    for name in ["model", "provider"] {
        match row.get(name) {
            Some(Cell::Text(text)) => definition.str(name, text),
            Some(_) | None => definition.str(name, ""),
        };
    }
    match row.get("systemPrompt") {
        Some(Cell::Json(json)) => definition.raw("systemPrompt", json),
        Some(_) | None => definition.raw("systemPrompt", "[]"),
    };
    let metrics = numbers(
        row,
        &["inputTokens", "outputTokens", "modelCalls", "toolCalls"],
        Some(0),
    );
    let objects = [
        ("definition", definition.finish()),
        ("metrics", metrics),
        ("limits", limits(row)),
    ];
    let objects = objects.map(|(name, json)| (name, Cell::Json(json)));
    row.0.splice(..0, objects);
}

fn complete_item(row: &mut Row) {
    let used = ["inputTokens", "outputTokens", "durationMs"];
    let given = used
        .iter()
        .any(|name| matches!(row.get(name), Some(Cell::Int(_))));
    let metrics = if given {
        Cell::Json(numbers(row, &used, None))
    } else {
        Cell::Null
    };
    let limits = Cell::Json(limits(row));
    row.0
        .splice(..0, [("metrics", metrics), ("limits", limits)]);
}

fn limits(row: &Row) -> String {
    numbers(
        row,
        &["maxTokens", "maxModelCalls", "maxToolCalls"],
        Some(-1),
    )
}

/// Members of a row as an object; where there is no number: `absent`, or null.
fn numbers(row: &Row, names: &[&str], absent: Option<i64>) -> String {
    let mut out = ObjectWriter::new();
    for name in names {
        let number = match row.get(name) {
            Some(Cell::Int(number)) => Some(*number),
            Some(_) | None => absent,
        };
        match number {
            Some(number) => out.int(name, number),
            None => out.null(name),
        };
    }
    out.finish()
}
