//! Filters: a checked JSON object becomes a tree of conditions.
//!
//! The schema says which texts are dates; everything else says itself what it is.
//!
//! | filter member | becomes |
//! |---|---|
//! | plain value | `Eq` |
//! | object | one condition per operator, all of which hold |
//! | `$or` | at least one of the groups |
//! | `variables`, `processInstanceVariables`, `localVariables` | conditions on variables |
//! | `tags` | all of them are there |
//! | `eventTypes`, `elementInstanceKeys` | a list of plain values and operators, all of which hold |

use jiff::Timestamp;
use serde_json::Value;

use super::property;
use crate::backend::{Filter, Literal, Op};
use crate::contract::schema::{Choice, Library, SchemaId, Shape};
use crate::limits::FILTER_NODES;
use crate::op::shape::Members;
use crate::problem::Problem;

/// The condition that a checked filter states.
///
/// # Errors
/// It is larger than [`FILTER_NODES`].
pub(super) fn condition(
    library: &Library,
    schema: SchemaId,
    filter: &Value,
) -> Result<Filter, Problem> {
    let mut translation = Translation { library, nodes: 0 };
    translation.group(schema, filter)
}

/// What a checked property of a filter states.
///
/// # Errors
/// As [`condition`].
pub(super) fn comparisons(
    library: &Library,
    schema: SchemaId,
    value: &Value,
) -> Result<Vec<(Op, Vec<Literal>)>, Problem> {
    let mut translation = Translation { library, nodes: 0 };
    translation.comparisons(schema, value)
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
                    // No groups is no condition: the Java client sends empty lists.
                    if !any.is_empty() {
                        conditions.push(Filter::Any(any));
                    }
                }
                "variables" | "processInstanceVariables" => {
                    self.variables(value, false, &mut conditions)?;
                }
                "localVariables" => self.variables(value, true, &mut conditions)?,
                // Lists of alternatives under a name of their own.
                "resourceIds" | "resourcePropertyNames" => conditions.push(Filter::Field {
                    field: name.trim_end_matches('s').to_owned(),
                    op: Op::In,
                    values: self.literals(schema, value)?,
                }),
                "eventTypes" | "elementInstanceKeys" => {
                    self.each_of(name, schema, value, &mut conditions)?
                }
                "tags" => {
                    let values = self.literals(schema, value)?;
                    if !values.is_empty() {
                        conditions.push(Filter::Field {
                            field: name.clone(),
                            op: Op::Eq,
                            values,
                        });
                    }
                }
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

    /// A list of properties of one name, all of which hold.
    fn each_of(
        &mut self,
        name: &str,
        schema: SchemaId,
        value: &Value,
        conditions: &mut Vec<Filter>,
    ) -> Result<(), Problem> {
        let Shape::Array(list) = &self.library.shape(schema) else {
            return Err(Problem::Internal(format!("{name} is no list")));
        };
        for one in value.as_array().into_iter().flatten() {
            for (op, values) in self.comparisons(list.items, one)? {
                conditions.push(Filter::Field {
                    field: name.to_owned(),
                    op,
                    values,
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
            // The official Java client sends every list operator, empty where the caller named none.
            if operand.is_null() || operand.as_array().is_some_and(Vec::is_empty) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Entity;
    use crate::contract::Contract;
    use crate::contract::check::check;
    use crate::problem::Violations;

    fn translated(contract: &Contract, operation: &str, mut body: Value) -> Filter {
        let operation = contract.operation(operation).unwrap();
        let schema = operation.body.as_ref().unwrap().schema;
        let mut found = Violations::default();
        check(
            &contract.library,
            &operation.id,
            schema,
            &mut body,
            &mut found,
        )
        .unwrap();
        found.end().unwrap();
        let filter = property(&contract.library, schema, "filter").unwrap();
        condition(&contract.library, filter, &body["filter"]).unwrap()
    }

    fn field(field: &str, op: Op, values: Vec<Literal>) -> Filter {
        Filter::Field {
            field: field.into(),
            op,
            values,
        }
    }

    /// What the contract offers and the storage does not: each is a row of docs/compat.md.
    const ABSENT: &[(Entity, &str)] = &[(Entity::ClusterVariable, "metadata")];

    #[test]
    fn every_filter_and_sort_of_the_contract_is_offered_by_the_storage() {
        let contract = Contract::load().unwrap();
        let library = &contract.library;
        let cases = [
            ("searchProcessDefinitions", Entity::ProcessDefinition),
            ("searchProcessInstances", Entity::ProcessInstance),
            ("searchElementInstances", Entity::ElementInstance),
            ("searchVariables", Entity::Variable),
            ("searchJobs", Entity::Job),
            ("searchIncidents", Entity::Incident),
            ("searchUserTasks", Entity::UserTask),
            ("searchMessageSubscriptions", Entity::MessageSubscription),
            (
                "searchCorrelatedMessageSubscriptions",
                Entity::CorrelatedMessageSubscription,
            ),
            ("searchAuditLogs", Entity::AuditLog),
            ("searchClusterVariables", Entity::ClusterVariable),
            ("searchGlobalTaskListeners", Entity::GlobalListener),
            ("searchElementInstanceWaitStates", Entity::WaitState),
            ("searchAgentDefinitions", Entity::AgentDefinition),
            ("searchAgentInstances", Entity::AgentInstance),
            ("searchAgentInstanceHistory", Entity::AgentHistory),
        ];
        // Conditions of their own, not fields.
        let special = [
            "$or",
            "variables",
            "processInstanceVariables",
            "localVariables",
        ];
        for (operation, entity) in cases {
            let schema = contract
                .operation(operation)
                .unwrap()
                .body
                .as_ref()
                .unwrap();
            let filter = property(library, schema.schema, "filter").unwrap();
            let Shape::Object(filter) = library.shape(filter) else {
                panic!("{operation} has no filter");
            };
            let offered = entity.filter_fields();
            for member in &filter.properties {
                let name = member.name.as_str();
                let absent = ABSENT.contains(&(entity, name)) || special.contains(&name);
                assert!(offered.contains(&name) || absent, "{operation}: {name}");
            }
            let sort = property(library, schema.schema, "sort").unwrap();
            let Shape::Array(sort) = library.shape(sort) else {
                panic!("{operation} has no sort");
            };
            let field = property(library, sort.items, "field").unwrap();
            let Shape::Text(field) = library.shape(field) else {
                panic!("{operation} sorts by no names");
            };
            let offered = entity.sort_fields();
            for name in &field.members {
                assert!(offered.contains(&name.as_str()), "{operation}: {name}");
            }
        }
    }

    #[test]
    fn empty_lists_are_operators_nobody_named() {
        let contract = Contract::load().unwrap();
        let body = serde_json::json!({"filter": {
            "processInstanceKey": {"$eq": "5", "$in": [], "$notIn": []},
            "tags": [],
            "variables": [],
            "$or": [],
        }});
        assert_eq!(
            translated(&contract, "searchProcessInstances", body),
            Filter::All(vec![field(
                "processInstanceKey",
                Op::Eq,
                vec![Literal::Text("5".into())]
            )])
        );
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
}
