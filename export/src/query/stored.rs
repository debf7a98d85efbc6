//! Filters as text, for batch operations: the engine keeps them, nobody but this file reads them.
//!
//! JSON, one object a node; the forms are listed at `BatchOperationCreationRecord` of the core. Field
//! names are checked when the filter is used, as those of any search.

use serde_json::{Value as Json, json};

use super::{FILTER_DEPTH_MAX, Filter, Literal, Op};
use crate::error::QueryError;

const OPS: [(&str, Op); 10] = [
    ("eq", Op::Eq),
    ("neq", Op::Neq),
    ("exists", Op::Exists),
    ("gt", Op::Gt),
    ("gte", Op::Gte),
    ("lt", Op::Lt),
    ("lte", Op::Lte),
    ("in", Op::In),
    ("notIn", Op::NotIn),
    ("like", Op::Like),
];

impl Filter {
    /// The filter as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(self).to_string()
    }

    /// The filter that [`Filter::to_text`] gave.
    ///
    /// # Errors
    /// [`QueryError::InvalidValue`] if the text is no filter.
    pub fn from_text(text: &str) -> Result<Self, QueryError> {
        let json: Json = serde_json::from_str(text).map_err(|_| malformed())?;
        from_json(&json, 0)
    }
}

fn to_json(filter: &Filter) -> Json {
    let values = |values: &[Literal]| values.iter().map(literal).collect::<Vec<_>>();
    match filter {
        Filter::All(parts) => json!({"all": parts.iter().map(to_json).collect::<Vec<_>>()}),
        Filter::Any(parts) => json!({"any": parts.iter().map(to_json).collect::<Vec<_>>()}),
        Filter::Field {
            field,
            op,
            values: given,
        } => json!({"field": field, "op": name(*op), "values": values(given)}),
        Filter::Variable {
            name: variable,
            op,
            values: given,
            local,
        } => json!({
            "variable": variable,
            "op": name(*op),
            "values": values(given),
            "local": local,
        }),
        Filter::Effective { scopes } => json!({"effective": scopes}),
    }
}

fn from_json(json: &Json, depth: usize) -> Result<Filter, QueryError> {
    if depth > FILTER_DEPTH_MAX {
        return Err(malformed());
    }
    let parts = |json: &Json| -> Result<Vec<Filter>, QueryError> {
        let parts = json.as_array().ok_or_else(malformed)?;
        parts
            .iter()
            .map(|part| from_json(part, depth + 1))
            .collect()
    };
    if let Some(all) = json.get("all") {
        return Ok(Filter::All(parts(all)?));
    }
    if let Some(any) = json.get("any") {
        return Ok(Filter::Any(parts(any)?));
    }
    if let Some(scopes) = json.get("effective").and_then(Json::as_array) {
        let keys: Option<Vec<i64>> = scopes.iter().map(Json::as_i64).collect();
        let scopes = keys.ok_or_else(malformed)?;
        return Ok(Filter::Effective { scopes });
    }
    let op = json
        .get("op")
        .and_then(Json::as_str)
        .and_then(|given| OPS.iter().find(|(name, _)| *name == given))
        .map(|(_, op)| *op)
        .ok_or_else(malformed)?;
    let values = json
        .get("values")
        .and_then(Json::as_array)
        .ok_or_else(malformed)?
        .iter()
        .map(from_literal)
        .collect::<Result<Vec<_>, _>>()?;
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    match (text("field"), text("variable")) {
        (Some(field), None) => Ok(Filter::Field { field, op, values }),
        (None, Some(name)) => Ok(Filter::Variable {
            name,
            op,
            values,
            local: json.get("local").and_then(Json::as_bool).unwrap_or(false),
        }),
        (Some(_), Some(_)) | (None, None) => Err(malformed()),
    }
}

fn literal(literal: &Literal) -> Json {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Int(number) => json!(number),
        Literal::Bool(flag) => json!(flag),
        Literal::Time(millis) => json!({"time": millis}),
        Literal::Null => Json::Null,
    }
}

fn from_literal(json: &Json) -> Result<Literal, QueryError> {
    match json {
        Json::Null => Ok(Literal::Null),
        Json::Bool(flag) => Ok(Literal::Bool(*flag)),
        Json::String(text) => Ok(Literal::Text(text.clone())),
        Json::Number(number) => number.as_i64().map(Literal::Int).ok_or_else(malformed),
        Json::Object(object) => object
            .get("time")
            .and_then(Json::as_i64)
            .map(Literal::Time)
            .ok_or_else(malformed),
        Json::Array(_) => Err(malformed()),
    }
}

fn name(op: Op) -> &'static str {
    OPS.iter()
        .find(|(_, known)| *known == op)
        .map_or("eq", |(name, _)| name)
}

fn malformed() -> QueryError {
    QueryError::InvalidValue {
        field: "filter".into(),
        reason: "it is no stored filter".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_comes_back_from_its_text() {
        let values = vec![
            Literal::Text("a\"b".into()),
            Literal::Int(-7),
            Literal::Bool(true),
            Literal::Time(1_767_225_600_000),
            Literal::Null,
        ];
        let mut parts: Vec<Filter> = OPS
            .iter()
            .map(|(_, op)| Filter::Field {
                field: "state".into(),
                op: *op,
                values: values.clone(),
            })
            .collect();
        parts.push(Filter::Variable {
            name: "x".into(),
            op: Op::Like,
            values: vec![Literal::Text("*".into())],
            local: true,
        });
        let filter = Filter::All(vec![Filter::Any(parts), Filter::Any(vec![])]);
        assert_eq!(Filter::from_text(&filter.to_text()), Ok(filter));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let deep = "{\"all\":[".repeat(40) + &"]}".repeat(40);
        for text in [
            "",
            "{}",
            "[]",
            r#"{"all":1}"#,
            r#"{"field":"a","op":"is","values":[]}"#,
            r#"{"field":"a","op":"eq","values":[1.5]}"#,
            r#"{"op":"eq","values":[]}"#,
            deep.as_str(),
        ] {
            assert!(Filter::from_text(text).is_err(), "{text}");
        }
    }
}
