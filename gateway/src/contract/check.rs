//! Checks a request against its schema, as strictly as the reference and in its words.
//!
//! Two classes, as in Camunda: a value of the wrong *shape* (type, unknown member, enum, choice)
//! ends the check at once with `Bad Request`; broken *rules* (missing, length, range, pattern,
//! date) are collected and answered together with `INVALID_ARGUMENT`. Enum values are taken in any
//! casing and rewritten to the canonical one: what comes out is canonical, and nothing behind this
//! module checks a shape again. Keys are texts of digits; a number is another shape.
//!
//! Filters are checked for shapes, keys and dates only, because any text may be searched for. Where
//! the reference has other words for a rule than the contract suggests, they are in [`words`].
//!
//! Broken rules go to the request's [`Violations`]; recursion is bounded by the depth the body parser
//! takes.

mod address;
mod words;

use jiff::Timestamp;
use ringflow_export::query::is_cursor;
use serde_json::{Map, Value};

use self::words::PathRule;
use super::schema::{
    ArrayShape, Choice, IntegerShape, Library, ObjectShape, Property, SchemaId, Shape, TextShape,
};
use crate::identity::names;
use crate::problem::{Problem, Violations};

/// Checks the body `value` of `operation` against `schema`, makes it canonical, and adds broken
/// rules to `found`.
///
/// # Errors
/// [`Problem::Malformed`] for the first wrong shape.
pub(crate) fn check(
    library: &Library,
    operation: &str,
    schema: SchemaId,
    value: &mut Value,
    found: &mut Violations,
) -> Result<(), Problem> {
    let mut check = Check::new(library, operation, found);
    check.value(schema, value).map_err(Problem::Malformed)
}

/// Whether a text is a date with time and offset, as RFC 3339 and the reference's parser have it.
pub(crate) fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    // The parser at hand is more generous: blanks, zones in brackets, offsets without colon.
    let separated = bytes
        .get(10)
        .is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'));
    let tail = text.get(11..).unwrap_or_default();
    let offset = tail.find(['Z', 'z', '+', '-']).map(|at| &tail[at..]);
    let offset = match offset.map(str::as_bytes) {
        Some([b'Z' | b'z']) => true,
        Some([_, _, _, b':', _, _]) | Some([_, _, _, b':', _, _, b':', _, _]) => true,
        Some(_) | None => false,
    };
    separated && offset && text.parse::<Timestamp>().is_ok()
}

/// Checks the value of a path or query parameter, which is always text.
///
/// # Errors
/// As [`check`]; a value of another type is named with its parameter.
pub(crate) fn check_param(
    library: &Library,
    operation: &str,
    schema: SchemaId,
    (name, text): (&str, &str),
    found: &mut Violations,
) -> Result<Value, Problem> {
    let unconvertible =
        || Problem::Malformed(format!("Failed to convert '{name}' with value: '{text}'"));
    let mut value = match &library.shape(schema) {
        Shape::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Value::Bool(true),
            "false" | "off" | "no" | "0" => Value::Bool(false),
            _ => return Err(unconvertible()),
        },
        Shape::Integer(_) => Value::from(text.parse::<i64>().map_err(|_| unconvertible())?),
        Shape::Number => Value::from(text.parse::<f64>().map_err(|_| unconvertible())?),
        Shape::Text(shape) if shape.key => {
            if words::is_key_text(operation) {
                return Ok(Value::from(text));
            }
            text.parse::<i64>().map_err(|_| unconvertible())?;
            Value::from(text)
        }
        Shape::Text(shape) if shape.date_time && !words::is_date_text(operation) => {
            if !is_date_time(text) {
                return Err(unconvertible());
            }
            Value::from(text)
        }
        Shape::Choice(Choice::Kind { scalar, .. }) => {
            return check_param(library, operation, *scalar, (name, text), found);
        }
        Shape::Any | Shape::Text(_) | Shape::Array(_) | Shape::Object(_) | Shape::Choice(_) => {
            Value::from(text)
        }
    };
    let mut check = Check::new(library, operation, found);
    check.is_param = true;
    check.path.push(Step::Member(name.to_owned()));
    check
        .value(schema, &mut value)
        .map_err(|_| unconvertible())?;
    Ok(value)
}

/// A step on the way to the value that is checked.
enum Step {
    Member(String),
    Item(usize),
}

struct Check<'l> {
    library: &'l Library,
    operation: &'l str,
    found: &'l mut Violations,
    /// The value is that of a parameter.
    is_param: bool,
    path: Vec<Step>,
}

impl<'l> Check<'l> {
    fn new(library: &'l Library, operation: &'l str, found: &'l mut Violations) -> Self {
        Self {
            library,
            operation,
            found,
            is_param: false,
            path: Vec::new(),
        }
    }

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
        let whole = value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX));
        let Some(number) = whole else {
            return Err(self.unparsable());
        };
        // Numbers that no integer holds are a matter of the parser there, which names no property.
        if value.as_i64().is_none() || (!shape.wide && i32::try_from(number).is_err()) {
            return Err("Failed to read request".into());
        }
        if words::is_free_number(self.operation, self.field()) {
            return Ok(());
        }
        let below = shape.minimum.is_some_and(|minimum| number < minimum);
        let above = shape.maximum.is_some_and(|maximum| number > maximum);
        if below || above {
            let paged = self.parent() == "page";
            let rule = match (shape.minimum, shape.maximum) {
                (Some(_), _) if paged && number < 0 => "a non-negative number".into(),
                (Some(minimum), Some(maximum)) => format!("within the [{minimum},{maximum}] range"),
                (Some(1), None) => "> 0".into(),
                (Some(minimum), None) => format!(">= {minimum}"),
                (None, Some(maximum)) => format!("<= {maximum}"),
                (None, None) => return Ok(()),
            };
            let page = if paged { "page." } else { "" };
            let field = self.named();
            self.found.add(format!(
                "The value for {page}{field} is '{number}' but must be {rule}"
            ));
        }
        Ok(())
    }

    fn text(&mut self, shape: &TextShape, value: &mut Value) -> Result<(), String> {
        if !shape.members.is_empty() && (value.is_number() || value.is_boolean()) {
            // The reference's parser takes any scalar for the name of an enum value.
            *value = Value::from(value.to_string());
        }
        let Value::String(text) = value else {
            return Err(self.unparsable());
        };
        let field = self.named();
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
                    "Unexpected value '{text}' for enum field '{}'. Use any of the following \
                     values: [{}]",
                    self.last(),
                    shape.members.join(", ")
                )),
            };
        }
        if shape.key {
            if text.parse::<i64>().is_err() {
                self.found.add(format!(
                    "The provided {field} '{text}' is not a valid key. Expected a numeric \
                     value. Did you pass an entity id instead of an entity key?"
                ));
            }
            return Ok(());
        }
        if shape.date_time {
            // Empty text clears a date where a date may be cleared.
            if !text.is_empty() && !is_date_time(text) {
                let label = match field.as_str() {
                    "dueDate" => "due date",
                    "followUpDate" => "follow-up date",
                    other => other,
                };
                self.found.add(format!(
                    "The provided {label} '{text}' cannot be parsed as a date according to \
                     RFC 3339, section 5.6"
                ));
            }
            return Ok(());
        }
        if words::is_number_text(self.operation, &field) && text.parse::<i64>().is_err() {
            return Err(format!("For input string: \"{text}\""));
        }
        if let Some(broken) = words::broken(self.operation, &field, text) {
            self.found.add(broken);
            return Ok(());
        }
        match self.looked_up(shape, &field, text) {
            Ok(false) => {}
            Ok(true) => return Ok(()),
            Err(violation) => {
                self.found.add(violation);
                return Ok(());
            }
        }
        if text.chars().count() < shape.min_length {
            self.found.absent(&field);
        } else if let Some(limit) = shape.max_length
            && text.chars().count() > limit
        {
            self.found.add(if field == "tags" {
                bad_tag(text)
            } else {
                names::too_long(&field, limit)
            });
        } else if let Some(pattern) = &shape.pattern
            && !pattern.is_match(text)
        {
            match field.as_str() {
                "tags" => self.found.add(bad_tag(text)),
                "after" | "before" => self.found.bad_cursor(text),
                _ => self.found.add(words::illegal(&field, pattern.as_str())),
            }
        } else if matches!(field.as_str(), "after" | "before") && !is_cursor(text) {
            self.found.bad_cursor(text);
        }
        Ok(())
    }

    /// Checks a text that is only looked up or searched for, of which less is asked than the contract
    /// says. False if it is none, or the contract's rules hold for it all the same.
    fn looked_up(&self, shape: &TextShape, field: &str, text: &str) -> Result<bool, String> {
        let pattern = shape.pattern.as_ref();
        if field == "decisionEvaluationInstanceKey" && !words::free(self.operation, true, field) {
            return match pattern.filter(|pattern| !pattern.is_match(text)) {
                None => Ok(true),
                Some(pattern) => Err(format!(
                    "The provided {field} '{text}' is not a valid decision evaluation instance \
                     key. Expected a value matching the pattern '{pattern}' (e.g. \
                     '2251799813684367-1')."
                )),
            };
        }
        if !self.is_param {
            return Ok(words::free(self.operation, self.in_filter(), field));
        }
        match words::path_rule(self.operation, field) {
            PathRule::All => Ok(false),
            PathRule::Free => Ok(true),
            PathRule::Characters if text.chars().all(words::is_of_id) => Ok(true),
            PathRule::Characters => {
                let pattern = pattern.map_or("", |pattern| pattern.as_str());
                Err(words::illegal(field, pattern))
            }
        }
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
            self.found.add(if field == "tags" {
                format!(
                    "The provided number of tags '{found}' is not supported. Ensure to not add \
                     more than {limit} tags."
                )
            } else {
                format!("The value for {field} is '{found} items' but must be at most {limit}")
            });
        }
        let needed = usize::from(words::needs_content(self.operation, &field));
        if items.len() < shape.min_items.max(needed) {
            self.found.absent(&field);
        }
        for (at, item) in items.iter_mut().enumerate() {
            self.path.push(Step::Item(at));
            if item.is_null() {
                return Err(self.unparsable());
            }
            self.value(shape.items, item)?;
            self.path.pop();
        }
        if shape.unique {
            for (at, item) in items.iter().enumerate() {
                if items[..at].contains(item) {
                    self.found.add(format!(
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
            self.path.push(Step::Member(unknown.clone()));
            return Err(self.unparsable());
        }
        if let Some(limit) = shape.max_properties
            && members.len() > limit
        {
            let field = self.field().to_owned();
            self.found.add(format!(
                "The provided {field} has {} entries but must not exceed {limit} entries",
                members.len()
            ));
        }
        let named = matches!(self.path.last(), Some(Step::Member(_)));
        if named && members.is_empty() && words::needs_content(self.operation, self.field()) {
            let field = self.field().to_owned();
            self.found.absent(&field);
        }
        if self.path.len() == 1
            && words::is_condition(self.operation, self.field())
            && members.values().all(Value::is_null)
        {
            self.found
                .add("At least one of filter criteria is required");
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
                if property.required && blank && !words::may_be_blank(self.operation) {
                    self.absent(&property.name);
                    return Ok(());
                }
                self.path.push(Step::Member(property.name.clone()));
                self.value(property.schema, value)?;
                self.path.pop();
            }
            Some(_) if property.nullable => {}
            Some(_) | None => {
                if property.required {
                    self.absent(&property.name);
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
                self.path.push(Step::Member(member.to_owned()));
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
        let library = self.library;
        // Members that no branch owns say that the schema without them is meant.
        let common: Vec<&str> = match otherwise.map(|schema| library.shape(schema)) {
            Some(Shape::Object(object)) => {
                let properties = object.properties.iter();
                properties.map(|property| property.name.as_str()).collect()
            }
            Some(_) | None => Vec::new(),
        };
        let names = |with: &[&str]| {
            let names = branches.iter().map(|(name, _)| name.as_str());
            let names: Vec<&str> = names.chain(with.iter().copied()).collect();
            names.join(", ")
        };
        let none = || format!("At least one of [{}] is required.", names(&common));
        let Value::Object(members) = &mut *value else {
            return Err(none());
        };
        // Null says "not given", also to the schema that does not know the member.
        for (name, _) in branches {
            if members.get(name).is_some_and(Value::is_null) {
                members.remove(name);
            }
        }
        let is_given = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
        let given: Vec<SchemaId> = branches
            .iter()
            .filter(|(name, _)| is_given(name))
            .map(|(_, schema)| *schema)
            .collect();
        let with_common = common.iter().any(|name| is_given(name));
        match (given.as_slice(), otherwise) {
            ([schema], _) => self.value(*schema, value),
            ([], Some(otherwise)) if with_common => self.value(otherwise, value),
            // The first one is meant, and does not know what is of the others.
            ([first, ..], Some(_)) if with_common => self.value(*first, value),
            ([], _) => Err(none()),
            (_, _) => Err(format!("Only one of [{}] is allowed.", names(&[]))),
        }
    }

    /// A required member is not there.
    fn absent(&mut self, name: &str) {
        let text = if words::names_paths(self.operation) {
            self.path.push(Step::Member(name.to_owned()));
            let text = format!("No {} provided", self.named());
            self.path.pop();
            text
        } else {
            words::absent(self.operation, self.field(), name)
        };
        self.found.add(text);
    }

    /// Names of the members on the way to the value, operators left out, the nearest first.
    fn members(&self) -> impl Iterator<Item = &str> {
        self.path.iter().rev().filter_map(|step| match step {
            Step::Member(name) if !name.starts_with('$') => Some(name.as_str()),
            Step::Member(_) | Step::Item(_) => None,
        })
    }

    /// The member that is checked, as rules name it.
    fn field(&self) -> &str {
        self.members().next().unwrap_or("request body")
    }

    /// What rules call the member that is checked: its name, or its path.
    fn named(&self) -> String {
        if words::names_paths(self.operation) {
            words::path(&self.path)
        } else {
            self.field().to_owned()
        }
    }

    /// The member around the one that is checked.
    fn parent(&self) -> &str {
        self.members().nth(1).unwrap_or_default()
    }

    fn in_filter(&self) -> bool {
        matches!(self.path.first(), Some(Step::Member(name)) if name == "filter")
    }

    /// The last step as the reference's parser names it: items have no name there.
    fn last(&self) -> &str {
        match self.path.last() {
            Some(Step::Member(name)) => name,
            Some(Step::Item(_)) | None => "null",
        }
    }

    fn unparsable(&self) -> String {
        let steps: Vec<&str> = self
            .path
            .iter()
            .map(|step| match step {
                Step::Member(name) => name.as_str(),
                Step::Item(_) => "null",
            })
            .collect();
        format!("Request property [{}] cannot be parsed", steps.join("."))
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
