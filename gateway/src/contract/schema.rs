//! Schemas in the form that is checked: references resolved, `allOf` merged into one object.
//!
//! Nodes live in one arena and name each other by number, so that schemas may refer to themselves.
//! Built once at start. The dialect is that of OpenAPI 3.0 as far as the contract uses it; anything
//! else in the contract is refused at start rather than ignored.

use std::collections::HashMap;

use regex::Regex;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::ContractError;

/// Number of a node in the [`Library`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SchemaId(usize);

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    Boolean,
    Integer(IntegerShape),
    Number,
    Text(TextShape),
    Array(ArrayShape),
    Object(ObjectShape),
    /// One of several schemas.
    Choice(Choice),
}

#[derive(Debug)]
pub(crate) struct IntegerShape {
    /// 64 bits instead of 32.
    pub(crate) wide: bool,
    pub(crate) minimum: Option<i64>,
    pub(crate) maximum: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct TextShape {
    /// A 64-bit key in decimal digits.
    pub(crate) key: bool,
    /// RFC 3339.
    pub(crate) date_time: bool,
    /// Allowed values, in canonical casing.
    pub(crate) members: Vec<String>,
    pub(crate) min_length: usize,
    pub(crate) max_length: Option<usize>,
    pub(crate) pattern: Option<Regex>,
}

#[derive(Debug)]
pub(crate) struct ArrayShape {
    pub(crate) items: SchemaId,
    pub(crate) min_items: usize,
    pub(crate) max_items: Option<usize>,
    pub(crate) unique: bool,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectShape {
    pub(crate) properties: Vec<Property>,
    by_name: FxHashMap<String, usize>,
    /// Members without a property of their own are allowed.
    pub(crate) open: bool,
    pub(crate) max_properties: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) schema: SchemaId,
    pub(crate) required: bool,
    /// Null is a value here.
    pub(crate) nullable: bool,
}

/// How the one schema of several is found that a value has to fit.
#[derive(Debug)]
pub(crate) enum Choice {
    /// An object takes one schema, anything else another (filter properties).
    Kind { scalar: SchemaId, object: SchemaId },
    /// A member of the object names the schema; without it the first one applies.
    Member {
        member: String,
        branches: Vec<(String, SchemaId)>,
    },
    /// Each schema has a member of its own that must be given; exactly one of them is.
    Presence { branches: Vec<(String, SchemaId)> },
    /// As `Presence`, but none of the members need be given: then `otherwise` applies.
    OptionalPresence {
        branches: Vec<(String, SchemaId)>,
        otherwise: SchemaId,
    },
}

impl ObjectShape {
    /// The property `name`.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.by_name.get(name).map(|&at| &self.properties[at])
    }
}

/// All schemas.
#[derive(Debug, Default)]
pub(crate) struct Library {
    nodes: Vec<Shape>,
    /// Node of each named schema.
    named: HashMap<String, SchemaId>,
    raw: HashMap<String, Value>,
}

/// The members of an object schema with its `allOf` parts merged.
#[derive(Default)]
struct Merged<'v> {
    members: Map<String, Value>,
    properties: Vec<(String, &'v Value)>,
    required: Vec<String>,
    open: Option<bool>,
}

impl Library {
    /// The schema under `id`.
    pub(crate) fn shape(&self, id: SchemaId) -> &Shape {
        &self.nodes[id.0]
    }

    /// The schema named `name`.
    pub(crate) fn named(&self, name: &str) -> Option<SchemaId> {
        self.named.get(name).copied()
    }

    /// Makes the named schemas of a file known.
    pub(crate) fn declare(&mut self, schemas: &Value) -> Result<(), ContractError> {
        let Value::Object(schemas) = schemas else {
            return Err(ContractError("schemas are no object".into()));
        };
        for (name, schema) in schemas {
            self.raw.insert(name.clone(), schema.clone());
        }
        Ok(())
    }

    /// Compiles what was declared, in the order of names.
    pub(crate) fn compile_declared(&mut self) -> Result<(), ContractError> {
        let mut names: Vec<String> = self.raw.keys().cloned().collect();
        names.sort_unstable();
        // Numbers are given out before anything is compiled: schemas refer to each other.
        for name in &names {
            let id = self.reserve();
            self.named.insert(name.clone(), id);
        }
        let raw = std::mem::take(&mut self.raw);
        for name in &names {
            let id = self.named[name];
            let node = self.node_of(&raw[name], &raw)?;
            self.nodes[id.0] = node;
        }
        self.raw = raw;
        Ok(())
    }

    /// Compiles one schema; all named schemas are known.
    pub(crate) fn compile(&mut self, schema: &Value) -> Result<SchemaId, ContractError> {
        let raw = std::mem::take(&mut self.raw);
        let id = self.id_of(schema, &raw);
        self.raw = raw;
        id
    }

    /// Gives the memory of the uncompiled schemas back; nothing more can be compiled.
    pub(crate) fn forget_sources(&mut self) {
        self.raw = HashMap::new();
        self.nodes.shrink_to_fit();
    }

    fn reserve(&mut self) -> SchemaId {
        self.nodes.push(Shape::Any);
        SchemaId(self.nodes.len() - 1)
    }

    fn id_of(
        &mut self,
        schema: &Value,
        raw: &HashMap<String, Value>,
    ) -> Result<SchemaId, ContractError> {
        if let Some(name) = reference(schema) {
            return self
                .named(name)
                .ok_or_else(|| ContractError(format!("schema {name} does not exist")));
        }
        let id = self.reserve();
        let node = self.node_of(schema, raw)?;
        self.nodes[id.0] = node;
        Ok(id)
    }

    fn node_of(
        &mut self,
        schema: &Value,
        raw: &HashMap<String, Value>,
    ) -> Result<Shape, ContractError> {
        let mut merged = Merged::default();
        merge(schema, raw, &mut merged, 0)?;
        let members = &merged.members;
        Ok(if let Some(choice) = members.get("oneOf") {
            self.choice_of(choice, members.get("discriminator"), raw)?
        } else {
            match members.get("type").and_then(Value::as_str) {
                Some("boolean") => Shape::Boolean,
                Some("number") => Shape::Number,
                Some("integer") => Shape::Integer(IntegerShape {
                    wide: members.get("format").and_then(Value::as_str) == Some("int64"),
                    minimum: members.get("minimum").and_then(Value::as_i64),
                    maximum: members.get("maximum").and_then(Value::as_i64),
                }),
                Some("string") => Shape::Text(text_of(members)?),
                Some("array") => Shape::Array(ArrayShape {
                    items: match members.get("items") {
                        Some(items) => self.id_of(items, raw)?,
                        None => self.reserve(),
                    },
                    min_items: size(members, "minItems").unwrap_or(0),
                    max_items: size(members, "maxItems"),
                    unique: flag(members, "uniqueItems"),
                }),
                Some("object") => self.object_of(&merged, raw)?,
                None if !merged.properties.is_empty() => self.object_of(&merged, raw)?,
                None => Shape::Any,
                Some(other) => return Err(ContractError(format!("type {other}"))),
            }
        })
    }

    fn object_of(
        &mut self,
        merged: &Merged<'_>,
        raw: &HashMap<String, Value>,
    ) -> Result<Shape, ContractError> {
        let mut shape = ObjectShape {
            // An object without any property of its own is a free document.
            open: merged.open.unwrap_or(merged.properties.is_empty()),
            max_properties: size(&merged.members, "maxProperties"),
            ..ObjectShape::default()
        };
        for (name, schema) in &merged.properties {
            let id = self.id_of(schema, raw)?;
            let mut own = Merged::default();
            merge(schema, raw, &mut own, 0)?;
            shape.by_name.insert(name.clone(), shape.properties.len());
            shape.properties.push(Property {
                name: name.clone(),
                schema: id,
                required: merged.required.contains(name),
                nullable: flag(&own.members, "nullable"),
            });
        }
        Ok(Shape::Object(shape))
    }

    fn choice_of(
        &mut self,
        branches: &Value,
        discriminator: Option<&Value>,
        raw: &HashMap<String, Value>,
    ) -> Result<Shape, ContractError> {
        let branches = branches
            .as_array()
            .ok_or_else(|| ContractError("oneOf is no list".into()))?;
        if let Some(discriminator) = discriminator {
            let mapping = discriminator
                .get("mapping")
                .and_then(Value::as_object)
                .ok_or_else(|| ContractError("discriminator without mapping".into()))?;
            let mut named = Vec::new();
            for (value, name) in mapping {
                let name = name.as_str().unwrap_or_default();
                let id = self
                    .named(name)
                    .ok_or_else(|| ContractError(format!("schema {name} does not exist")))?;
                named.push((value.clone(), id));
            }
            let member = discriminator
                .get("propertyName")
                .and_then(Value::as_str)
                .unwrap_or_default();
            return Ok(Shape::Choice(Choice::Member {
                member: member.to_owned(),
                branches: named,
            }));
        }
        let mut merged = Vec::new();
        for branch in branches {
            let mut parts = Merged::default();
            merge(branch, raw, &mut parts, 0)?;
            merged.push((parts, self.id_of(branch, raw)?));
        }
        let is_object = |parts: &Merged<'_>| {
            parts.members.get("type").and_then(Value::as_str) == Some("object")
        };
        let objects = merged.iter().filter(|(parts, _)| is_object(parts)).count();
        if objects == 0 {
            // Several names for one kind of text: the first says what is checked.
            let first = merged
                .first()
                .ok_or_else(|| ContractError("oneOf is empty".into()))?;
            return Ok(Shape::Choice(Choice::Kind {
                scalar: first.1,
                object: first.1,
            }));
        }
        if objects < merged.len() {
            let of = |wanted: bool| merged.iter().find(|(parts, _)| is_object(parts) == wanted);
            return match (of(false), of(true)) {
                (Some(scalar), Some(object)) if merged.len() == 2 => {
                    Ok(Shape::Choice(Choice::Kind {
                        scalar: scalar.1,
                        object: object.1,
                    }))
                }
                _ => Err(ContractError("oneOf mixes kinds".into())),
            };
        }
        by_presence(&merged)
    }
}

/// Finds the member by which each of several object schemas is told from the others.
fn by_presence(merged: &[(Merged<'_>, SchemaId)]) -> Result<Shape, ContractError> {
    let mut branches = Vec::new();
    let mut otherwise = None;
    let all_required = merged.iter().all(|(parts, _)| !parts.required.is_empty());
    for (parts, id) in merged {
        let own = parts
            .properties
            .iter()
            .map(|(name, _)| name)
            .find(|name| {
                (!all_required || parts.required.contains(name))
                    && merged
                        .iter()
                        .filter(|(other, _)| other.properties.iter().any(|(n, _)| n == *name))
                        .count()
                        == 1
            })
            .cloned();
        match own {
            Some(name) => branches.push((name, *id)),
            None => otherwise = Some(*id),
        }
    }
    // Alternatives are named in the order of the alphabet, kinds of pages in that of the contract.
    if otherwise.is_none() {
        branches.sort_by(|a, b| a.0.cmp(&b.0));
    }
    match otherwise {
        None => Ok(Shape::Choice(Choice::Presence { branches })),
        Some(otherwise) => Ok(Shape::Choice(Choice::OptionalPresence {
            branches,
            otherwise,
        })),
    }
}

/// Chains of references and `allOf` that are followed; the contract nests far less deep.
const MERGE_DEPTH: usize = 32;

fn merge<'v>(
    schema: &'v Value,
    raw: &'v HashMap<String, Value>,
    merged: &mut Merged<'v>,
    depth: usize,
) -> Result<(), ContractError> {
    if depth > MERGE_DEPTH {
        return Err(ContractError("schemas nest too deep".into()));
    }
    let Value::Object(members) = schema else {
        return Err(ContractError("a schema is no object".into()));
    };
    if let Some(name) = reference_name(members) {
        let target = raw
            .get(name)
            .ok_or_else(|| ContractError(format!("schema {name} does not exist")))?;
        merge(target, raw, merged, depth + 1)?;
    }
    for part in super::list(members.get("allOf")) {
        merge(part, raw, merged, depth + 1)?;
    }
    if let Some(Value::Object(properties)) = members.get("properties") {
        for (name, property) in properties {
            merged.properties.retain(|(known, _)| known != name);
            merged.properties.push((name.clone(), property));
        }
    }
    for name in super::list(members.get("required")) {
        if let Some(name) = name.as_str() {
            merged.required.push(name.to_owned());
        }
    }
    match members.get("additionalProperties") {
        None => {}
        Some(Value::Bool(open)) => merged.open = Some(*open),
        Some(_) => merged.open = Some(true),
    }
    for (name, value) in members {
        let structural = [
            "$ref",
            "allOf",
            "properties",
            "required",
            "additionalProperties",
        ];
        if !structural.contains(&name.as_str()) {
            merged.members.insert(name.clone(), value.clone());
        }
    }
    Ok(())
}

fn reference(schema: &Value) -> Option<&str> {
    let members = schema.as_object()?;
    // A reference with neighbours has its own node: the neighbours say more.
    (members.len() == 1).then(|| reference_name(members))?
}

fn reference_name(members: &Map<String, Value>) -> Option<&str> {
    members.get("$ref").and_then(Value::as_str)
}

fn text_of(members: &Map<String, Value>) -> Result<TextShape, ContractError> {
    /// How the contract writes a 64-bit key.
    const KEY_PATTERN: &str = "^-?[0-9]+$";
    let pattern = members.get("pattern").and_then(Value::as_str);
    let key = pattern == Some(KEY_PATTERN);
    Ok(TextShape {
        key,
        date_time: members.get("format").and_then(Value::as_str) == Some("date-time"),
        members: super::list(members.get("enum"))
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        min_length: size(members, "minLength").unwrap_or(0),
        max_length: size(members, "maxLength"),
        pattern: match pattern {
            Some(pattern) if !key => {
                Some(Regex::new(pattern).map_err(|error| ContractError(error.to_string()))?)
            }
            Some(_) | None => None,
        },
    })
}

fn flag(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn size(members: &Map<String, Value>, name: &str) -> Option<usize> {
    members
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|size| usize::try_from(size).ok())
}
