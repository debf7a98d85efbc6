//! Everything that is read from the secondary storage: searches, single entities, the BPMN text.
//!
//! Filters, sorts and pages were checked against the contract, and are translated by it: the schema
//! of a filter says which texts are dates, the schema of an item says which fields an answer has.
//! There is therefore no mapping per entity here; an entity is a row in the table of
//! [`crate::rest`].
//!
//! | filter member | becomes |
//! |---|---|
//! | plain value | `Eq` |
//! | object | one condition per operator, all of which hold |
//! | `$or` | at least one of the groups |
//! | `variables`, `processInstanceVariables`, `localVariables` | conditions on variables |
//! | `tags` | all of them are there |

use jiff::Timestamp;
use serde_json::Value;

use super::shape::{Members, ObjectWriter, date_time};
use crate::backend::{
    Cell, Entity, Filter, KeyLiteral, Literal, Op, Page, PageSpec, PageStart, Query, QueryError,
    Row, Sort,
};
use crate::contract::schema::{Choice, Library, SchemaId, Shape};
use crate::limits::{FILTER_NODES, PAGE_DEFAULT, PAGE_MAX};
use crate::problem::Problem;
use crate::rest::{Answer, Call};

/// A search of `entity`.
pub(crate) async fn search(call: Call, entity: Entity) -> Result<Answer, Problem> {
    search_where(call, entity, Vec::new()).await
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

/// `searchUserTaskVariables`, `searchUserTaskEffectiveVariables`: of the task itself and of its
/// instance.
pub(crate) async fn search_task_variables(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("userTaskKey");
    let task = call
        .front
        .reads()?
        .get(Entity::UserTask, KeyLiteral(key.0))
        .await
        .map_err(refused)?
        .ok_or_else(|| missing("User Task", key.0))?;
    let scopes = ["elementInstanceKey", "processInstanceKey"]
        .iter()
        .filter_map(|name| match task.get(name) {
            Some(Cell::Key(key)) => Some(Literal::Int(*key)),
            Some(_) | None => None,
        })
        .collect();
    let condition = Filter::Field {
        field: "scopeKey".into(),
        op: Op::In,
        values: scopes,
    };
    search_where(call, Entity::Variable, vec![condition]).await
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
    let query = Query {
        filter: equals("processInstanceKey", Literal::Int(key.0)),
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

/// The entity whose key is in the path under `parameter`; `human` names it where it is missing.
pub(crate) async fn get(
    call: Call,
    entity: Entity,
    parameter: &'static str,
    human: &'static str,
) -> Result<Answer, Problem> {
    let key = call.path_key(parameter);
    let row = call
        .front
        .reads()?
        .get(entity, KeyLiteral(key.0))
        .await
        .map_err(refused)?
        .ok_or_else(|| missing(human, key.0))?;
    let schema = call.result_schema()?;
    let mut text = String::new();
    put_row(&call.rest.contract.library, schema, &row, &mut text)?;
    Ok(Answer::Json(text))
}

/// `getProcessDefinitionXML`.
pub(crate) async fn definition_xml(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processDefinitionKey");
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

async fn search_where(
    call: Call,
    entity: Entity,
    mut conditions: Vec<Filter>,
) -> Result<Answer, Problem> {
    let reads = call.front.reads()?;
    let body = Members(&call.body);
    if let Some(filter) = body.get("filter") {
        let schema = call
            .body_schema()
            .and_then(|schema| property(&call.rest.contract.library, schema, "filter"))
            .ok_or_else(|| Problem::Internal("a search without filter schema".into()))?;
        let mut translation = Translation {
            library: &call.rest.contract.library,
            nodes: 0,
        };
        conditions.push(translation.group(schema, filter)?);
    }
    let query = Query {
        entity,
        filter: Filter::All(conditions),
        sort: sort_of(body),
        page: page_of(body),
        full_values: call.query_flag("truncateValues") == Some(false),
    };
    let page = reads.search(query).await.map_err(refused)?;
    let mut out = ObjectWriter::new();
    put_items(&call, &page, &mut out)?;
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

fn equals(field: &str, value: Literal) -> Filter {
    Filter::Field {
        field: field.to_owned(),
        op: Op::Eq,
        values: vec![value],
    }
}

fn missing(human: &str, key: i64) -> Problem {
    Problem::Missing(format!("{human} with key '{key}' not found"))
}

fn refused(error: QueryError) -> Problem {
    let text = error.to_string();
    match error {
        QueryError::InvalidField { field, reason } => Problem::Unimplemented(format!(
            "Filtering or sorting by '{field}' is not implemented yet: {reason}."
        )),
        QueryError::InvalidValue { .. } | QueryError::TooLarge { .. } => Problem::invalid(text),
        QueryError::BadCursor => {
            Problem::invalid("Cannot decode pagination cursor: it does not fit this search")
        }
        QueryError::Unavailable { .. } => Problem::StorageUnavailable(text),
        QueryError::Failed { .. } => Problem::Internal(text),
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
    let start = match (page.str("after"), page.str("before"), page.int("from")) {
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

/// Turns a checked filter into conditions.
struct Translation<'l> {
    library: &'l Library,
    nodes: usize,
}

impl Translation<'_> {
    /// All members of a filter object.
    fn group(&mut self, schema: SchemaId, value: &Value) -> Result<Filter, Problem> {
        let mut conditions = Vec::new();
        for (name, value) in value.as_object().into_iter().flatten() {
            if value.is_null() {
                continue;
            }
            let schema = property(self.library, schema, name)
                .ok_or_else(|| Problem::Internal(format!("filter {name} has no schema")))?;
            match name.as_str() {
                "$or" => {
                    let Shape::Array(groups) = &self.library.shape(schema) else {
                        return Err(Problem::Internal("$or is no list".into()));
                    };
                    let mut any = Vec::new();
                    for group in value.as_array().into_iter().flatten() {
                        any.push(self.group(groups.items, group)?);
                    }
                    conditions.push(Filter::Any(any));
                }
                "variables" | "processInstanceVariables" => {
                    self.variables(value, false, &mut conditions)?;
                }
                "localVariables" => self.variables(value, true, &mut conditions)?,
                "tags" => conditions.push(Filter::Field {
                    field: name.clone(),
                    op: Op::Eq,
                    values: self.literals(schema, value)?,
                }),
                _ => {
                    for (op, values) in self.comparisons(schema, value)? {
                        conditions.push(Filter::Field {
                            field: name.clone(),
                            op,
                            values,
                        });
                    }
                }
            }
        }
        Ok(Filter::All(conditions))
    }

    fn variables(
        &mut self,
        value: &Value,
        local: bool,
        conditions: &mut Vec<Filter>,
    ) -> Result<(), Problem> {
        for condition in value.as_array().into_iter().flatten() {
            let members = Members(condition);
            let name = members.str("name").unwrap_or_default();
            let Some(value) = members.get("value") else {
                return Err(Problem::invalid("Variable value must not be null"));
            };
            // Values are JSON text in either form, so no schema is needed to read them.
            let mut comparisons = Vec::new();
            if let Value::Object(operators) = value {
                for (operator, operand) in operators {
                    let texts = self.plain(operand)?;
                    comparisons.push((operator_of(operator)?, texts));
                }
            } else {
                comparisons.push((Op::Eq, self.plain(value)?));
            }
            for (op, values) in comparisons {
                conditions.push(Filter::Variable {
                    name: name.to_owned(),
                    op,
                    values,
                    local,
                });
            }
        }
        Ok(())
    }

    /// A property of a filter: a plain value, or operators.
    fn comparisons(
        &mut self,
        schema: SchemaId,
        value: &Value,
    ) -> Result<Vec<(Op, Vec<Literal>)>, Problem> {
        let (Value::Object(operators), Shape::Choice(Choice::Kind { object, .. })) =
            (value, &self.library.shape(schema))
        else {
            return Ok(vec![(Op::Eq, self.literals(schema, value)?)]);
        };
        let mut comparisons = Vec::with_capacity(operators.len());
        for (name, operand) in operators {
            if operand.is_null() {
                continue;
            }
            let schema = property(self.library, *object, name)
                .ok_or_else(|| Problem::Internal(format!("operator {name} has no schema")))?;
            comparisons.push((operator_of(name)?, self.literals(schema, operand)?));
        }
        Ok(comparisons)
    }

    fn literals(&mut self, schema: SchemaId, value: &Value) -> Result<Vec<Literal>, Problem> {
        let schema = match &self.library.shape(schema) {
            Shape::Choice(Choice::Kind { scalar, .. }) => *scalar,
            Shape::Array(array) => array.items,
            Shape::Any
            | Shape::Boolean
            | Shape::Integer(_)
            | Shape::Number
            | Shape::Text(_)
            | Shape::Object(_)
            | Shape::Choice(_) => schema,
        };
        let dated = match &self.library.shape(schema) {
            Shape::Text(text) => text.date_time,
            Shape::Any
            | Shape::Boolean
            | Shape::Integer(_)
            | Shape::Number
            | Shape::Array(_)
            | Shape::Object(_)
            | Shape::Choice(_) => false,
        };
        let mut literals = self.plain(value)?;
        if dated {
            for literal in &mut literals {
                if let Literal::Text(text) = literal {
                    let time: Timestamp = text.parse().map_err(|_| {
                        Problem::invalid(format!(
                            "The provided date '{text}' cannot be parsed as a date according to \
                             RFC 3339, section 5.6"
                        ))
                    })?;
                    *literal = Literal::Time(time.as_millisecond());
                }
            }
        }
        Ok(literals)
    }

    fn plain(&mut self, value: &Value) -> Result<Vec<Literal>, Problem> {
        let single = std::slice::from_ref(value);
        let values = value.as_array().map_or(single, Vec::as_slice);
        self.nodes += values.len().max(1);
        if self.nodes > FILTER_NODES {
            return Err(Problem::invalid(format!(
                "The filter has more than {FILTER_NODES} values"
            )));
        }
        Ok(values
            .iter()
            .map(|value| match value {
                Value::Null => Literal::Null,
                Value::Bool(flag) => Literal::Bool(*flag),
                Value::Number(number) => match number.as_i64() {
                    Some(number) => Literal::Int(number),
                    None => Literal::Text(number.to_string()),
                },
                Value::String(text) => Literal::Text(text.clone()),
                Value::Array(_) | Value::Object(_) => Literal::Text(value.to_string()),
            })
            .collect())
    }
}

fn operator_of(name: &str) -> Result<Op, Problem> {
    Ok(match name {
        "$eq" => Op::Eq,
        "$neq" => Op::Neq,
        "$exists" => Op::Exists,
        "$gt" => Op::Gt,
        "$gte" => Op::Gte,
        "$lt" => Op::Lt,
        "$lte" => Op::Lte,
        "$in" => Op::In,
        "$notIn" => Op::NotIn,
        "$like" => Op::Like,
        other => {
            return Err(Problem::Unimplemented(format!(
                "The filter operator {other} is not implemented yet."
            )));
        }
    })
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
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::contract::check::check;

    fn translated(contract: &Contract, operation: &str, mut body: Value) -> Filter {
        let operation = contract.operation(operation).unwrap();
        let schema = operation.body.as_ref().unwrap().schema;
        check(&contract.library, schema, &mut body).unwrap();
        let filter = property(&contract.library, schema, "filter").unwrap();
        let mut translation = Translation {
            library: &contract.library,
            nodes: 0,
        };
        translation.group(filter, &body["filter"]).unwrap()
    }

    fn field(field: &str, op: Op, values: Vec<Literal>) -> Filter {
        Filter::Field {
            field: field.into(),
            op,
            values,
        }
    }

    #[test]
    fn filters_become_conditions() {
        let contract = Contract::load().unwrap();
        let body = serde_json::json!({"filter": {
            "state": {"$in": ["active", "COMPLETED"]},
            "processInstanceKey": "7",
            "startDate": {"$gte": "1970-01-01T00:00:01Z", "$exists": true},
            "hasIncident": false,
            "tags": ["a"],
            "variables": [{"name": "x", "value": {"$eq": "10"}}],
            "$or": [{"elementId": "e"}, {"processDefinitionVersion": {"$gt": 2}}],
        }});
        let text = |value: &str| Literal::Text(value.into());
        assert_eq!(
            translated(&contract, "searchProcessInstances", body),
            Filter::All(vec![
                field("state", Op::In, vec![text("ACTIVE"), text("COMPLETED")]),
                field("processInstanceKey", Op::Eq, vec![text("7")]),
                field("startDate", Op::Gte, vec![Literal::Time(1000)]),
                field("startDate", Op::Exists, vec![Literal::Bool(true)]),
                field("hasIncident", Op::Eq, vec![Literal::Bool(false)]),
                field("tags", Op::Eq, vec![text("a")]),
                Filter::Variable {
                    name: "x".into(),
                    op: Op::Eq,
                    values: vec![text("10")],
                    local: false,
                },
                Filter::Any(vec![
                    Filter::All(vec![field("elementId", Op::Eq, vec![text("e")])]),
                    Filter::All(vec![field(
                        "processDefinitionVersion",
                        Op::Gt,
                        vec![Literal::Int(2)]
                    )]),
                ]),
            ])
        );
    }

    #[test]
    fn rows_offer_every_field_that_the_contract_requires() {
        let contract = Contract::load().unwrap();
        let cases = [
            (Entity::ProcessDefinition, "ProcessDefinitionResult"),
            (Entity::ProcessInstance, "ProcessInstanceResult"),
            (Entity::ElementInstance, "ElementInstanceResult"),
            (Entity::Variable, "VariableSearchResult"),
            (Entity::Job, "JobSearchResult"),
            (Entity::Incident, "IncidentResult"),
            (Entity::UserTask, "UserTaskResult"),
            (Entity::MessageSubscription, "MessageSubscriptionResult"),
            (
                Entity::CorrelatedMessageSubscription,
                "CorrelatedMessageSubscriptionResult",
            ),
            (Entity::SequenceFlow, "ProcessInstanceSequenceFlowResult"),
        ];
        for (entity, name) in cases {
            let schema = contract.library.named(name).expect(name);
            let Shape::Object(object) = &contract.library.shape(schema) else {
                panic!("{name} is no object");
            };
            let offered = entity.result_fields();
            for property in object
                .properties
                .iter()
                .filter(|property| property.required)
            {
                assert!(
                    offered.contains(&property.name.as_str()),
                    "{name}.{} is not offered",
                    property.name
                );
            }
        }
    }
}
