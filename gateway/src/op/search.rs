//! Everything that is read from the secondary storage: searches, single entities, the BPMN text.
//!
//! Filters, sorts and pages were checked against the contract, and are translated by it: the schema
//! of a filter says which texts are dates, the schema of an item says which fields an answer has.
//! There is therefore no mapping per entity here; an entity is a row in the table of
//! [`crate::rest`].

pub(crate) mod agent;
mod around;
mod filter;
pub(crate) mod statistics;
pub(crate) mod wait_state;

use super::shape::{Members, ObjectWriter, date_time};
use crate::backend::{
    Cell, Entity, Filter, KeyLiteral, Literal, Op, Page, PageSpec, PageStart, Query, QueryError,
    Row, Sort,
};
use crate::contract::schema::{Library, SchemaId, Shape};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::problem::Problem;
use crate::rest::{Answer, Call};

pub(crate) use around::{
    call_hierarchy, search_effective_variables, search_task_variables, start_form, task_form,
};

/// Levels of scopes, or of calls, that are followed; the engine allows fewer.
const SCOPES_MAX: usize = 1000;

/// A search of `entity`.
pub(crate) async fn search(call: Call, entity: Entity) -> Result<Answer, Problem> {
    search_where(call, entity, Vec::new()).await
}

/// `searchProcessInstanceIncidents`: those of the instances called from it as well.
pub(crate) async fn search_incidents_of_instance(call: Call) -> Result<Answer, Problem> {
    let name = "processInstanceKey";
    entity(&call, Entity::ProcessInstance, name, "Process Instance").await?;
    let key = call.path_key(name).0;
    let below = Filter::Any(vec![
        on_tree_path(format!("PI_{key}/*")),
        on_tree_path(format!("*/PI_{key}/*")),
    ]);
    search_where(call, Entity::Incident, vec![below]).await
}

/// `searchElementInstanceIncidents`: of a call activity those of what it called as well.
pub(crate) async fn search_incidents_of_element(call: Call) -> Result<Answer, Problem> {
    let name = "elementInstanceKey";
    entity(&call, Entity::ElementInstance, name, "Element Instance").await?;
    let key = call.path_key(name).0;
    let below = Filter::Any(vec![
        equals("elementInstanceKey", Literal::Int(key)),
        on_tree_path(format!("*/FNI_{key}/*")),
    ]);
    search_where(call, Entity::Incident, vec![below]).await
}

fn on_tree_path(pattern: String) -> Filter {
    Filter::Field {
        field: "treePath".into(),
        op: Op::Like,
        values: vec![Literal::Text(pattern)],
    }
}

/// A search of `entity` among those whose `field` is the key in the path under the same name.
pub(crate) async fn search_within(
    call: Call,
    entity: Entity,
    field: &'static str,
) -> Result<Answer, Problem> {
    let condition = equals(field, Literal::Int(call.path_key(field).0));
    search_where(call, entity, vec![condition]).await
}

/// The entity whose key is in the path under `parameter`.
async fn entity(call: &Call, entity: Entity, parameter: &str, human: &str) -> Result<Row, Problem> {
    let key = call.path_key(parameter).0;
    let found = call.front.reads()?.get(entity, KeyLiteral(key)).await;
    let row = found.map_err(refused)?.ok_or_else(|| missing(human, key))?;
    (call.access).check(entity, &row, || missing(human, key))?;
    Ok(row)
}

/// A key in a row, if it is there.
fn key_in(row: &Row, name: &str) -> Option<i64> {
    match row.get(name) {
        Some(Cell::Key(key)) => Some(*key),
        Some(_) | None => None,
    }
}

/// The newest match of an entity with versions, or 204.
async fn first(call: &Call, filter: Filter, entity: Entity) -> Result<Answer, Problem> {
    let query = Query {
        filter,
        sort: vec![Sort {
            field: "version".into(),
            descending: true,
        }],
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        ..Query::of(entity)
    };
    let page = call.front.reads()?.search(query).await.map_err(refused)?;
    let Some(row) = page.items.first() else {
        return Ok(Answer::NoContent);
    };
    let mut text = String::new();
    put_row(
        &call.rest.contract.library,
        call.result_schema()?,
        row,
        &mut text,
    )?;
    Ok(Answer::Json(text))
}

/// `searchProcessDefinitions`, with the rules of its `isLatestVersion`.
pub(crate) async fn search_definitions(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let latest = body
        .object("filter")
        .and_then(|filter| filter.flag("isLatestVersion"))
        .unwrap_or(false);
    if latest {
        let mut violations = Vec::new();
        for field in ["from", "before"] {
            if body
                .object("page")
                .is_some_and(|page| page.get(field).is_some())
            {
                violations.push(format!(
                    "When using isLatestVersion filter, pagination is limited to forward \
                     pagination using 'after' and 'limit'. The field '{field}' is not supported"
                ));
            }
        }
        for sort in body.list("sort") {
            let field = Members(sort).str("field").unwrap_or_default();
            if !["processDefinitionId", "tenantId"].contains(&field) {
                violations.push(format!(
                    "When using isLatestVersion filter, sorting is limited to \
                     'processDefinitionId' and 'tenantId' fields only. The field '{field}' is \
                     not supported"
                ));
            }
        }
        if !violations.is_empty() {
            return Err(Problem::Invalid(violations));
        }
    }
    search(call, Entity::ProcessDefinition).await
}

/// `getProcessInstanceSequenceFlows`: all of an instance, without pages.
pub(crate) async fn sequence_flows(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey");
    let filter = equals("processInstanceKey", Literal::Int(key.0));
    let query = Query {
        filter: call.access.narrow(Entity::SequenceFlow, filter),
        page: PageSpec {
            limit: PAGE_MAX,
            start: PageStart::From(0),
        },
        ..Query::of(Entity::SequenceFlow)
    };
    let page = call.front.reads()?.search(query).await.map_err(refused)?;
    let mut out = ObjectWriter::new();
    put_items(&call, &page, &mut out)?;
    Ok(Answer::Json(out.finish()))
}

/// The caller may see the instance.
pub(super) async fn require_instance(call: &Call, key: i64) -> Result<(), Problem> {
    let missing = || missing("Process Instance", key);
    let instance = call
        .front
        .reads()?
        .get(Entity::ProcessInstance, KeyLiteral(key))
        .await
        .map_err(refused)?
        .ok_or_else(missing)?;
    (call.access).check(Entity::ProcessInstance, &instance, missing)
}

/// The entity whose id is in the path under `parameter`.
pub(crate) async fn get_named(
    call: Call,
    entity: Entity,
    parameter: &'static str,
    human: &'static str,
) -> Result<Answer, Problem> {
    let id = call.path_text(parameter).to_string();
    let called = if parameter == "username" {
        parameter
    } else {
        "id"
    };
    let missing = || Problem::Missing(format!("{human} with {called} '{id}' not found"));
    let query = Query {
        filter: equals(parameter, Literal::Text(id.clone())),
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        ..Query::of(entity)
    };
    let page = call.front.reads()?.search(query).await.map_err(refused)?;
    let row = page.items.first().ok_or_else(missing)?;
    call.access.check(entity, row, missing)?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, row, &mut text)?;
    Ok(Answer::Json(text))
}

/// The entity whose key is in the path under `parameter`; `human` names it where it is missing.
pub(crate) async fn get(
    call: Call,
    entity: Entity,
    parameter: &'static str,
    human: &'static str,
) -> Result<Answer, Problem> {
    let row = self::entity(&call, entity, parameter, human).await?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, &row, &mut text)?;
    Ok(Answer::Json(text))
}

/// The entity whose key is in the path under `parameter` and is called an id where it is missing;
/// a text that is no key is missing.
pub(crate) async fn get_called_id(
    call: Call,
    entity: Entity,
    parameter: &'static str,
    human: &'static str,
) -> Result<Answer, Problem> {
    let id = call.path_text(parameter);
    let missing = || Problem::Missing(format!("{human} with id '{id}' not found"));
    let key = KeyLiteral(call.path_key(parameter).0);
    let found = call.front.reads()?.get(entity, key).await;
    let row = found.map_err(refused)?.ok_or_else(missing)?;
    call.access.check(entity, &row, missing)?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, &row, &mut text)?;
    Ok(Answer::Json(text))
}

/// The first entity that fits, whole; `absent` says that there is none.
pub(crate) async fn get_where(
    call: Call,
    entity: Entity,
    conditions: Vec<Filter>,
    absent: String,
) -> Result<Answer, Problem> {
    let query = Query {
        filter: Filter::All(conditions),
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        full_values: true,
        ..Query::of(entity)
    };
    let page = call.front.reads()?.search(query).await.map_err(refused)?;
    let missing = || Problem::Missing(absent.clone());
    let row = page.items.first().ok_or_else(missing)?;
    call.access.check(entity, row, missing)?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, row, &mut text)?;
    Ok(Answer::Json(text))
}

/// The condition that a field is a text.
pub(crate) fn is_text(field: &str, text: &str) -> Filter {
    equals(field, Literal::Text(text.to_owned()))
}

/// `getProcessDefinitionXML`.
pub(crate) async fn definition_xml(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processDefinitionKey");
    if !call.access.settled() {
        let missing = || missing("Process Definition", key.0);
        let definition = call
            .front
            .reads()?
            .get(Entity::ProcessDefinition, KeyLiteral(key.0))
            .await
            .map_err(refused)?
            .ok_or_else(missing)?;
        (call.access).check(Entity::ProcessDefinition, &definition, missing)?;
    }
    let xml = call
        .front
        .reads()?
        .process_definition_xml(KeyLiteral(key.0))
        .await
        .map_err(refused)?;
    match xml {
        Some(text) => Ok(Answer::Xml(text)),
        None => Err(missing("Process Definition", key.0)),
    }
}

/// `getDecisionDefinitionXML`, `getDecisionRequirementsXML`: the text is that of the graph.
pub(crate) async fn decision_xml(call: Call, entity: Entity) -> Result<Answer, Problem> {
    let (parameter, human) = if entity == Entity::DecisionDefinition {
        ("decisionDefinitionKey", "Decision Definition")
    } else {
        ("decisionRequirementsKey", "Decision Requirements")
    };
    let key = call.path_key(parameter);
    if !call.access.settled() {
        self::entity(&call, entity, parameter, human).await?;
    }
    let xml = call
        .front
        .reads()?
        .decision_xml(entity, KeyLiteral(key.0))
        .await
        .map_err(refused)?;
    match xml {
        Some(text) => Ok(Answer::Xml(text)),
        None => Err(missing(human, key.0)),
    }
}

/// `getDecisionInstance`: its key is a text.
pub(crate) async fn decision_instance(call: Call) -> Result<Answer, Problem> {
    let id = call.path_text("decisionEvaluationInstanceKey");
    let query = Query {
        filter: equals(
            "decisionEvaluationInstanceKey",
            Literal::Text(id.to_owned()),
        ),
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        ..Query::of(Entity::DecisionInstance)
    };
    let page = call.front.reads()?.search(query).await.map_err(refused)?;
    let missing = || Problem::Missing(format!("Decision Instance with id '{id}' not found"));
    let row = page.items.first().ok_or_else(missing)?;
    call.access.check(Entity::DecisionInstance, row, missing)?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, row, &mut text)?;
    Ok(Answer::Json(text))
}

pub(crate) async fn search_where(
    call: Call,
    entity: Entity,
    mut conditions: Vec<Filter>,
) -> Result<Answer, Problem> {
    conditions.extend(call.access.conditions(entity));
    conditions.extend(filter_of(&call)?);
    let query = query_of(&call, entity, conditions);
    let page = run(&call, query).await?;
    page_answer(&call, &page)
}

/// The search that a call asks for, among what fits `conditions`.
fn query_of(call: &Call, entity: Entity, conditions: Vec<Filter>) -> Query {
    let body = Members(&call.body);
    Query {
        entity,
        filter: Filter::All(conditions),
        sort: sort_of(body),
        page: page_of(body),
        full_values: call.query_flag("truncateValues") == Some(false),
    }
}

async fn run(call: &Call, query: Query) -> Result<Page, Problem> {
    let cursor = cursor_of(&query.page.start).to_owned();
    match call.front.reads()?.search(query).await {
        Err(QueryError::BadCursor) => Err(Problem::BadCursor(cursor)),
        answer => answer.map_err(refused),
    }
}

/// A page of items and what is said about it.
fn page_answer(call: &Call, page: &Page) -> Result<Answer, Problem> {
    let mut out = ObjectWriter::new();
    put_items(call, page, &mut out)?;
    let mut about = ObjectWriter::new();
    about
        .int("totalItems", i64::try_from(page.total).unwrap_or(i64::MAX))
        .flag("hasMoreTotalItems", page.has_more);
    for (name, cursor) in [
        ("startCursor", &page.start_cursor),
        ("endCursor", &page.end_cursor),
    ] {
        match cursor {
            Some(cursor) => about.str(name, cursor),
            None => about.null(name),
        };
    }
    out.raw("page", &about.finish());
    Ok(Answer::Json(out.finish()))
}

/// The condition that the body's `filter` states, if it has one.
///
/// # Errors
/// The filter cannot be searched by.
pub(crate) fn filter_of(call: &Call) -> Result<Option<Filter>, Problem> {
    let Some(filter) = Members(&call.body).get("filter") else {
        return Ok(None);
    };
    let library = &call.rest.contract.library;
    let schema = call
        .body_schema()
        .and_then(|schema| property(library, schema, "filter"))
        .ok_or_else(|| Problem::Internal("a search without filter schema".into()))?;
    filter::condition(library, schema, filter).map(Some)
}

fn equals(field: &str, value: Literal) -> Filter {
    Filter::Field {
        field: field.to_owned(),
        op: Op::Eq,
        values: vec![value],
    }
}

pub(crate) fn missing(human: &str, key: i64) -> Problem {
    Problem::Missing(format!("{human} with key '{key}' not found"))
}

pub(crate) fn refused(error: QueryError) -> Problem {
    let text = error.to_string();
    match error {
        QueryError::InvalidField { field, reason } => Problem::Unimplemented(format!(
            "Filtering or sorting by '{field}' is not implemented yet: {reason}."
        )),
        QueryError::InvalidValue { .. } | QueryError::TooLarge { .. } => Problem::invalid(text),
        // Only searches with a cursor come here, and they say which one.
        QueryError::BadCursor => Problem::BadCursor(String::new()),
        QueryError::Unavailable { .. } => Problem::StorageUnavailable(text),
        QueryError::Failed { .. } => Problem::Internal(text),
    }
}

fn cursor_of(start: &PageStart) -> &str {
    match start {
        PageStart::After(cursor) | PageStart::Before(cursor) => cursor,
        PageStart::From(_) => "",
    }
}

fn sort_of(body: Members<'_>) -> Vec<Sort> {
    body.list("sort")
        .iter()
        .map(|sort| Sort {
            field: Members(sort).str("field").unwrap_or_default().to_owned(),
            descending: Members(sort).str("order") == Some("DESC"),
        })
        .collect()
}

fn page_of(body: Members<'_>) -> PageSpec {
    let Some(page) = body.object("page") else {
        return PageSpec {
            limit: PAGE_DEFAULT,
            start: PageStart::From(0),
        };
    };
    // An empty cursor is none.
    let cursor = |name| page.str(name).filter(|cursor| !cursor.is_empty());
    let start = match (cursor("after"), cursor("before"), page.int("from")) {
        (Some(cursor), _, _) => PageStart::After(cursor.to_owned()),
        (None, Some(cursor), _) => PageStart::Before(cursor.to_owned()),
        (None, None, from) => {
            PageStart::From(from.and_then(|from| u64::try_from(from).ok()).unwrap_or(0))
        }
    };
    PageSpec {
        // The offset form has no upper bound in the contract; more than a page is never sent.
        limit: page
            .int("limit")
            .and_then(|limit| u32::try_from(limit).ok())
            .map_or(PAGE_DEFAULT, |limit| limit.min(PAGE_MAX)),
        start,
    }
}

/// The schema of a property of an object schema.
fn property(library: &Library, schema: SchemaId, name: &str) -> Option<SchemaId> {
    match &library.shape(schema) {
        Shape::Object(object) => object.property(name).map(|property| property.schema),
        Shape::Any
        | Shape::Boolean
        | Shape::Integer(_)
        | Shape::Number
        | Shape::Text(_)
        | Shape::Array(_)
        | Shape::Choice(_) => None,
    }
}

/// Appends `items`, with the fields of the items' schema.
fn put_items(call: &Call, page: &Page, out: &mut ObjectWriter) -> Result<(), Problem> {
    let library = &call.rest.contract.library;
    let schema = call.result_schema()?;
    let items = property(library, schema, "items")
        .ok_or_else(|| Problem::Internal("a result without items".into()))?;
    let Shape::Array(array) = &library.shape(items) else {
        return Err(Problem::Internal("items are no list".into()));
    };
    let mut text = String::from("[");
    for (at, row) in page.items.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        put_row(library, array.items, row, &mut text)?;
    }
    text.push(']');
    out.raw("items", &text);
    Ok(())
}

/// Appends one entity with exactly the fields of its schema.
fn put_row(
    library: &Library,
    schema: SchemaId,
    row: &Row,
    text: &mut String,
) -> Result<(), Problem> {
    let Shape::Object(object) = &library.shape(schema) else {
        return Err(Problem::Internal("an item is no object".into()));
    };
    let mut out = ObjectWriter::in_text(std::mem::take(text));
    for property in &object.properties {
        let listed = matches!(library.shape(property.schema), Shape::Array(_));
        out.with(&property.name, |out| match row.get(&property.name) {
            None | Some(Cell::Null) if listed => out.push_str("[]"),
            Some(cell) => put_cell(cell, out),
            None => out.push_str("null"),
        });
    }
    *text = out.finish();
    Ok(())
}

fn put_cell(cell: &Cell, out: &mut String) {
    use ringflow_core::json::{write_double, write_string};
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Text(value) => write_string(value, out),
        Cell::Int(value) => out.push_str(&value.to_string()),
        Cell::Key(value) => write_string(&value.to_string(), out),
        Cell::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Cell::Time(millis) => write_string(&date_time(*millis), out),
        Cell::Float(value) => write_double(*value, out),
        Cell::Json(json) => out.push_str(json),
        Cell::List(cells) => {
            out.push('[');
            for (at, cell) in cells.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                put_cell(cell, out);
            }
            out.push(']');
        }
    }
}

#[cfg(test)]
mod tests;
