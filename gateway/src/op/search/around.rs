//! What stands around a user task or an instance: variables of enclosing scopes, forms, callers.
//!
//! Each follows keys from row to row, a bounded number of times; what is not exported yet ends the
//! walk where it is.

use super::super::shape::{ObjectWriter, put_list};
use super::{SCOPES_MAX, entity, equals, first, key_in, missing, put_cell, refused, search_where};
use crate::backend::{Cell, Entity, Filter, KeyLiteral, Literal, Op, Row};
use crate::identity::rights::Access;
use crate::problem::Problem;
use crate::rest::{Answer, Call};

/// `searchUserTaskVariables`: of the task and of all that encloses it.
pub(crate) async fn search_task_variables(mut call: Call) -> Result<Answer, Problem> {
    let scopes = task_scopes(&call).await?;
    // Who may see the task may see what it sees.
    call.access = Access::open();
    let condition = Filter::Field {
        field: "scopeKey".into(),
        op: Op::In,
        values: scopes.into_iter().map(Literal::Int).collect(),
    };
    search_where(call, Entity::Variable, vec![condition]).await
}

/// `searchUserTaskEffectiveVariables`: as the task sees them, inner scopes hiding outer ones.
pub(crate) async fn search_effective_variables(mut call: Call) -> Result<Answer, Problem> {
    let scopes = task_scopes(&call).await?;
    call.access = Access::open();
    search_where(call, Entity::Variable, vec![Filter::Effective { scopes }]).await
}

/// The element instance of the user task in the path and what encloses it, innermost first.
async fn task_scopes(call: &Call) -> Result<Vec<i64>, Problem> {
    let task = entity(call, Entity::UserTask, "userTaskKey", "User Task").await?;
    let reads = call.front.reads()?;
    let instance = key_in(&task, "processInstanceKey");
    let mut scopes = Vec::new();
    let mut next = key_in(&task, "elementInstanceKey");
    while let Some(scope) = next
        && Some(scope) != instance
        && scopes.len() < SCOPES_MAX
    {
        scopes.push(scope);
        let element = reads
            .get(Entity::ElementInstance, KeyLiteral(scope))
            .await
            .map_err(refused)?;
        next = element.and_then(|element| key_in(&element, "elementInstanceScopeKey"));
    }
    scopes.extend(instance);
    Ok(scopes)
}

/// `getUserTaskForm`: 204 if the task has none.
pub(crate) async fn task_form(call: Call) -> Result<Answer, Problem> {
    let task = entity(&call, Entity::UserTask, "userTaskKey", "User Task").await?;
    match key_in(&task, "formKey") {
        Some(key) => first(&call, equals("formKey", Literal::Int(key)), Entity::Form).await,
        None => Ok(Answer::NoContent),
    }
}

/// `getStartProcessForm`: the newest form that the start event names; 204 if there is none.
pub(crate) async fn start_form(call: Call) -> Result<Answer, Problem> {
    let name = "processDefinitionKey";
    entity(&call, Entity::ProcessDefinition, name, "Process Definition").await?;
    let named = equals(name, Literal::Int(call.path_key(name).0));
    let living = equals("isDeleted", Literal::Bool(false));
    let filter = Filter::All(vec![named, living]);
    first(&call, filter, Entity::Form).await
}

/// `getProcessInstanceCallHierarchy`: the instance and those that called it, root first; nothing if
/// nobody did.
pub(crate) async fn call_hierarchy(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey");
    let reads = call.front.reads()?;
    let mut levels: Vec<Row> = Vec::new();
    let mut next = Some(key.0);
    while let Some(key) = next
        && levels.len() < SCOPES_MAX
    {
        let found = reads
            .get(Entity::ProcessInstance, KeyLiteral(key))
            .await
            .map_err(refused)?;
        let row = match (found, levels.is_empty()) {
            (Some(row), first) => {
                // Whoever may see the instance may know what called it.
                if first {
                    let missing = || missing("Process Instance", key);
                    (call.access).check(Entity::ProcessInstance, &row, missing)?;
                }
                row
            }
            (None, true) => return Err(missing("Process Instance", key)),
            // The caller is of another partition, whose export may lag behind.
            (None, false) => break,
        };
        next = key_in(&row, "parentProcessInstanceKey");
        levels.push(row);
    }
    if levels.len() == 1 {
        // Nobody called it: there is no hierarchy.
        levels.clear();
    }
    levels.reverse();
    let mut text = String::new();
    put_list(&mut text, &levels, |row| {
        let mut out = ObjectWriter::new();
        for name in ["processInstanceKey", "processDefinitionKey"] {
            out.with(name, |out| {
                put_cell(row.get(name).unwrap_or(&Cell::Null), out)
            });
        }
        let name = match row.get("processDefinitionName") {
            Some(name @ Cell::Text(_)) => Some(name),
            Some(_) | None => row.get("processDefinitionId"),
        };
        out.with("processDefinitionName", |out| {
            put_cell(name.unwrap_or(&Cell::Null), out);
        });
        out.finish()
    });
    Ok(Answer::Json(text))
}
