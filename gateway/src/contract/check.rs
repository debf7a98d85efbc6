//! Checks a request against its schema, as strictly as the reference and in its words.
//!
//! Two classes, as in Camunda: a value of the wrong *shape* (type, unknown member, enum, choice)
//! ends the check at once with `Bad Request`; broken *rules* (missing, length, range, pattern,
//! date) are collected and answered together with `INVALID_ARGUMENT`. Enum values are taken in any
//! casing and rewritten to the canonical one, keys are taken as text or number and rewritten to
//! text: what comes out is canonical, and nothing behind this module checks a shape again.
//!
//! Limits: [`crate::limits::VIOLATIONS`]; recursion is bounded by the depth the body parser takes.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::schema::{
    ArrayShape, Choice, IntegerShape, Library, ObjectShape, Property, SchemaId, Shape, TextShape,
};
use crate::limits::VIOLATIONS;
use crate::problem::Problem;

/// Checks `value` against `schema` and makes it canonical.
///
/// # Errors
/// [`Problem::Malformed`] for the first wrong shape, [`Problem::Invalid`] for broken rules.
pub(crate) fn check(library: &Library, schema: SchemaId, value: &mut Value) -> Result<(), Problem> {
    let mut check = Check {
        library,
        violations: Vec::new(),
        path: Vec::new(),
    };
    check.value(schema, value).map_err(Problem::Malformed)?;
    if check.violations.is_empty() {
        Ok(())
    } else {
        Err(Problem::Invalid(check.violations))
    }
}

/// Checks the value of a path or query parameter, which is always text.
///
/// # Errors
/// As [`check`]; a value of another type is named with its parameter.
pub(crate) fn check_param(
    library: &Library,
    schema: SchemaId,
    name: &str,
    text: &str,
) -> Result<Value, Problem> {
    let unconvertible =
        || Problem::Malformed(format!("Failed to convert '{name}' with value: '{text}'"));
    let mut value = match &library.shape(schema) {
        Shape::Boolean => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(unconvertible()),
        },
        Shape::Integer(_) => Value::from(text.parse::<i64>().map_err(|_| unconvertible())?),
        Shape::Number => Value::from(text.parse::<f64>().map_err(|_| unconvertible())?),
        Shape::Text(shape) if shape.key => {
            text.parse::<i64>().map_err(|_| unconvertible())?;
            Value::from(text)
        }
        Shape::Text(shape) if shape.date_time => {
            text.parse::<Timestamp>().map_err(|_| unconvertible())?;
            Value::from(text)
        }
        Shape::Choice(Choice::Kind { scalar, .. }) => {
            return check_param(library, *scalar, name, text);
        }
        Shape::Any | Shape::Text(_) | Shape::Array(_) | Shape::Object(_) | Shape::Choice(_) => {
            Value::from(text)
        }
    };
    let mut check = Check {
        library,
        violations: Vec::new(),
        path: vec![name.to_owned()],
    };
    check
        .value(schema, &mut value)
        .map_err(|_| unconvertible())?;
    if check.violations.is_empty() {
        Ok(value)
    } else {
        Err(Problem::Invalid(check.violations))
    }
}

struct Check<'l> {
    library: &'l Library,
    violations: Vec<String>,
    path: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: SchemaId, value: &mut Value) -> Result<(), String> {
        // The library is shared, not owned: its nodes outlive the mutable borrow of self.
        let library = self.library;
        match &library.shape(schema) {
            Shape::Any => Ok(()),
            Shape::Boolean if value.is_boolean() => Ok(()),
            Shape::Integer(shape) => self.integer(shape, value),
            Shape::Number if value.is_number() => Ok(()),
            Shape::Boolean | Shape::Number => Err(self.unparsable()),
            Shape::Text(shape) => self.text(shape, value),
            Shape::Array(shape) => self.array(shape, value),
            Shape::Object(shape) => self.object(shape, value),
            Shape::Choice(choice) => self.choice(choice, value),
        }
    }

    fn integer(&mut self, shape: &IntegerShape, value: &Value) -> Result<(), String> {
        let Some(number) = value.as_i64() else {
            return Err(self.unparsable());
        };
        if !shape.wide && i32::try_from(number).is_err() {
            return Err(self.unparsable());
        }
        let below = shape.minimum.is_some_and(|minimum| number < minimum);
        let above = shape.maximum.is_some_and(|maximum| number > maximum);
        if below || above {
            let rule = match (shape.minimum, shape.maximum) {
                (Some(minimum), Some(maximum)) => format!("within the [{minimum},{maximum}] range"),
                (Some(1), None) => "> 0".into(),
                (Some(minimum), None) => format!(">= {minimum}"),
                (None, Some(maximum)) => format!("<= {maximum}"),
                (None, None) => return Ok(()),
            };
            let field = self.field();
            self.violation(format!(
                "The value for {field} is '{number}' but must be {rule}"
            ));
        }
        Ok(())
    }

    fn text(&mut self, shape: &TextShape, value: &mut Value) -> Result<(), String> {
        if shape.key
            && let Value::Number(number) = value
            && number.is_i64()
        {
            *value = Value::String(number.to_string());
        }
        let Value::String(text) = value else {
            return Err(self.unparsable());
        };
        let field = self.field().to_owned();
        if !shape.members.is_empty() {
            let member = shape
                .members
                .iter()
                .find(|member| member.eq_ignore_ascii_case(text));
            return match member {
                Some(member) => {
                    text.clone_from(member);
                    Ok(())
                }
                None => Err(format!(
                    "Unexpected value '{text}' for enum field '{field}'. Use any of the \
                     following values: [{}]",
                    shape.members.join(", ")
                )),
            };
        }
        if shape.key {
            if text.parse::<i64>().is_err() {
                self.violation(format!(
                    "The provided {field} '{text}' is not a valid key. Expected a numeric \
                     value. Did you pass an entity id instead of an entity key?"
                ));
            }
            return Ok(());
        }
        if shape.date_time {
            // Empty text clears a date where a date may be cleared.
            if !text.is_empty() && text.parse::<Timestamp>().is_err() {
                let label = match field.as_str() {
                    "dueDate" => "due date",
                    "followUpDate" => "follow-up date",
                    other => other,
                };
                self.violation(format!(
                    "The provided {label} '{text}' cannot be parsed as a date according to \
                     RFC 3339, section 5.6"
                ));
            }
            return Ok(());
        }
        if text.chars().count() < shape.min_length {
            self.violation(format!("No {field} provided"));
        } else if let Some(limit) = shape.max_length
            && text.chars().count() > limit
        {
            if field == "tags" {
                self.violation(bad_tag(text));
            } else {
                self.violation(format!(
                    "The provided {field} exceeds the limit of {limit} characters"
                ));
            }
        } else if let Some(pattern) = &shape.pattern
            && !pattern.is_match(text)
        {
            match field.as_str() {
                "tags" => self.violation(bad_tag(text)),
                "after" | "before" => {
                    self.violation(format!("Cannot decode pagination cursor '{text}'"))
                }
                _ => self.violation(format!(
                    "The provided {field} contains illegal characters. It must match the \
                     pattern '{pattern}'"
                )),
            }
        }
        Ok(())
    }

    fn array(&mut self, shape: &ArrayShape, value: &mut Value) -> Result<(), String> {
        let Value::Array(items) = value else {
            return Err(self.unparsable());
        };
        let field = self.field().to_owned();
        if let Some(limit) = shape.max_items
            && items.len() > limit
        {
            let found = items.len();
            self.violation(if field == "tags" {
                format!(
                    "The provided number of tags '{found}' is not supported. Ensure to not add \
                     more than {limit} tags."
                )
            } else {
                format!("The value for {field} is '{found} items' but must be at most {limit}")
            });
        }
        if items.len() < shape.min_items {
            self.violation(format!("No {field} provided"));
        }
        for item in items.iter_mut() {
            if item.is_null() {
                return Err(self.unparsable());
            }
            self.value(shape.items, item)?;
        }
        if shape.unique {
            for (at, item) in items.iter().enumerate() {
                if items[..at].contains(item) {
                    self.violation(format!(
                        "The value for {field} contains {item} more than once but must be \
                         free of duplicates"
                    ));
                    break;
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, shape: &ObjectShape, value: &mut Value) -> Result<(), String> {
        let Value::Object(members) = value else {
            return Err(self.unparsable());
        };
        if !shape.open
            && let Some(unknown) = members.keys().find(|name| shape.property(name).is_none())
        {
            self.path.push(unknown.clone());
            return Err(self.unparsable());
        }
        if let Some(limit) = shape.max_properties
            && members.len() > limit
        {
            let field = self.field().to_owned();
            self.violation(format!(
                "The provided {field} has {} entries but must not exceed {limit} entries",
                members.len()
            ));
        }
        for property in &shape.properties {
            self.property(property, members)?;
        }
        Ok(())
    }

    fn property(
        &mut self,
        property: &Property,
        members: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let given = members.get_mut(&property.name);
        match given {
            Some(value) if !value.is_null() => {
                let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
                if property.required && blank {
                    self.violation(format!("No {} provided", property.name));
                    return Ok(());
                }
                self.path.push(property.name.clone());
                self.value(property.schema, value)?;
                self.path.pop();
            }
            Some(_) if property.nullable => {}
            Some(_) | None => {
                if property.required {
                    self.violation(format!("No {} provided", property.name));
                }
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice, value: &mut Value) -> Result<(), String> {
        match choice {
            Choice::Kind { scalar, object } => {
                let schema = if value.is_object() { *object } else { *scalar };
                self.value(schema, value)
            }
            Choice::Member { member, branches } => self.by_member(member, branches, value),
            Choice::Presence { branches } => self.by_presence(branches, None, value),
            Choice::OptionalPresence {
                branches,
                otherwise,
            } => self.by_presence(branches, Some(*otherwise), value),
        }
    }

    fn by_member(
        &mut self,
        member: &str,
        branches: &[(String, SchemaId)],
        value: &mut Value,
    ) -> Result<(), String> {
        let Value::Object(members) = &*value else {
            return Err(self.unparsable());
        };
        let schema = match members.get(member) {
            // The first schema is what the reference assumes without the member.
            None | Some(Value::Null) => branches.first().map(|(_, schema)| *schema),
            Some(Value::String(name)) => {
                let found = branches.iter().find(|(known, _)| known == name);
                match found {
                    Some((_, schema)) => Some(*schema),
                    None => {
                        let known: Vec<&str> =
                            branches.iter().map(|(known, _)| known.as_str()).collect();
                        return Err(format!(
                            "Cannot map value '{name}' for type '{member}'. Use any of the \
                             following values: [{}]",
                            known.join(", ")
                        ));
                    }
                }
            }
            Some(_) => {
                self.path.push(member.to_owned());
                return Err(self.unparsable());
            }
        };
        match schema {
            Some(schema) => self.value(schema, value),
            None => Err(self.unparsable()),
        }
    }

    fn by_presence(
        &mut self,
        branches: &[(String, SchemaId)],
        otherwise: Option<SchemaId>,
        value: &mut Value,
    ) -> Result<(), String> {
        let Value::Object(members) = &mut *value else {
            return Err(self.unparsable());
        };
        // Null says "not given", also to the schema that does not know the member.
        for (name, _) in branches {
            if members.get(name).is_some_and(Value::is_null) {
                members.remove(name);
            }
        }
        let given: Vec<SchemaId> = branches
            .iter()
            .filter(|(name, _)| members.get(name).is_some_and(|value| !value.is_null()))
            .map(|(_, schema)| *schema)
            .collect();
        let names = || {
            let names: Vec<&str> = branches.iter().map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        match (given.as_slice(), otherwise) {
            ([schema], _) => self.value(*schema, value),
            ([], Some(otherwise)) => self.value(otherwise, value),
            ([], None) => Err(format!("At least one of [{}] is required.", names())),
            (_, _) => Err(format!("Only one of [{}] is allowed.", names())),
        }
    }

    fn violation(&mut self, text: String) {
        if self.violations.len() < VIOLATIONS {
            self.violations.push(text);
        }
    }

    /// The member that is checked, as rules name it.
    fn field(&self) -> &str {
        self.path.last().map_or("request body", String::as_str)
    }

    fn unparsable(&self) -> String {
        if self.path.is_empty() {
            return "Failed to read request".into();
        }
        format!(
            "Request property [{}] cannot be parsed",
            self.path.join(".")
        )
    }
}

fn bad_tag(tag: &str) -> String {
    format!(
        "The provided tag '{tag}' is not valid. Tags must start with a letter (a-z, A-Z), followed \
         by alphanumerics, underscores, minuses, colons, or periods. It must not be blank and must \
         be 100 characters or less."
    )
}

#[cfg(test)]
mod tests;
