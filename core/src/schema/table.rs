//! The text form of a vocabulary, and how it becomes a [`Schema`].
//!
//! ```text
//! namespace bpmn http://...                    prefix of the table, address
//! element bpmn:task bpmn:tTask < bpmn:flowElement      global element, its type, its head
//! enum bpmn:tItemKind Information Physical             text that is one of these
//! union bpmn:tImplementation anyURI = ##unspecified    text that is one of these, or of the type
//! type bpmn:tTask abstract mixed : bpmn:tActivity      complex type and its base; then indented:
//!   bpmn:documentation? ( bpmn:a=QName | bpmn:b* ) any? other!*
//!   @id:ID @name:string! @*other
//! ```
//!
//! Content goes from left to right after that of the base; `|` separates alternatives; `name=type`
//! is an element that only exists here. `any` and `other` (namespaces) are wildcards, with `!` the
//! element found must be declared. Occurrence: `?`, `*`, `+`, `{from,to}`. `@name:type` is an
//! attribute, with `!` required; `@*other` allows attributes of other namespaces.
//!
//! The tables are part of the program: what cannot be read in one is left out, and the tests of
//! this file see to it that nothing is.

use super::content::{self, Content, Leaf, Particle};
use super::value::Simple;
use super::{Attribute, Complex, Global, Kind, Name, Namespace, Schema, Type, TypeId};

/// Reads a table.
pub(super) fn read(text: &'static str) -> Schema {
    let mut schema = Schema::default();
    for name in Simple::BUILT_IN {
        schema.types.push(Type {
            name,
            base: None,
            is_abstract: false,
            kind: Simple::built_in(name).map_or(Kind::Any, Kind::Simple),
        });
    }
    // Names first: types refer to each other in any order.
    let mut blocks: Vec<(TypeId, Vec<&'static str>)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        if line.starts_with(' ') {
            if let Some((_, block)) = blocks.last_mut() {
                block.extend(words);
            }
            continue;
        }
        match words[..] {
            ["namespace", prefix, address] => schema.namespaces.push((prefix, address)),
            ["type" | "enum" | "union", name, ..] => {
                let id = TypeId(schema.types.len() as u16);
                let Some(key) = schema.name(name) else {
                    continue;
                };
                schema.types.push(Type {
                    name: key.1,
                    base: None,
                    is_abstract: false,
                    kind: Kind::Any,
                });
                schema.type_ids.insert(key, id);
                let mut block = vec![words[0]];
                block.extend(&words[2..]);
                blocks.push((id, block));
            }
            _ => {}
        }
    }
    for line in text.lines().filter(|line| line.starts_with("element ")) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        let head = match words[..] {
            [_, _, _, "<", head] => schema.name(head),
            _ => None,
        };
        if let (Some(name), Some(type_id)) = (schema.name(words[1]), schema.find(words[2])) {
            schema.elements.insert(
                name,
                Global {
                    name,
                    type_id,
                    head,
                },
            );
        }
    }
    let mut made: Vec<Option<Shape>> = vec![None; schema.types.len()];
    for at in 0..blocks.len() {
        shape(&mut schema, &blocks, at, &mut made);
    }
    schema
}

/// A complex type before its automaton is built.
#[derive(Clone, Default)]
struct Shape {
    particles: Vec<Particle>,
    attributes: Vec<Attribute>,
    others: Option<Namespace>,
    mixed: bool,
}

/// Builds a type after its base.
fn shape(
    schema: &mut Schema,
    blocks: &[(TypeId, Vec<&'static str>)],
    at: usize,
    made: &mut Vec<Option<Shape>>,
) -> Shape {
    let (id, words) = &blocks[at];
    let index = usize::from(id.0);
    if let Some(shape) = &made[index] {
        return shape.clone();
    }
    let mut own = Shape::default();
    let mut words = words.iter().copied();
    match words.next() {
        Some("enum") => {
            schema.types[index].kind = Kind::Simple(Simple::OneOf(words.collect()));
        }
        Some("union") => {
            let other = words.next().and_then(Simple::built_in);
            let values = words.skip(1).collect();
            let other = Box::new(other.unwrap_or(Simple::Text));
            schema.types[index].kind = Kind::Simple(Simple::Either(other, values));
        }
        _ => {
            let mut words = words.peekable();
            while let Some(flag @ ("abstract" | "mixed")) = words.peek().copied() {
                schema.types[index].is_abstract |= flag == "abstract";
                own.mixed |= flag == "mixed";
                words.next();
            }
            if words.next_if_eq(&":").is_some()
                && let Some(base) = words.next().and_then(|name| schema.find(name))
            {
                schema.types[index].base = Some(base);
                if let Some(of) = blocks.iter().position(|(id, _)| *id == base) {
                    let from = shape(schema, blocks, of, made);
                    own.mixed |= from.mixed;
                    own.particles = from.particles;
                    own.attributes = from.attributes;
                    own.others = from.others;
                }
            }
            read_body(schema, *id, &words.collect::<Vec<_>>(), &mut own);
            schema.types[index].kind = Kind::Complex(Complex {
                mixed: own.mixed,
                attributes: own.attributes.clone(),
                others: own.others,
                content: Content::new(&own.particles),
            });
        }
    }
    made[index] = Some(own.clone());
    own
}

/// Reads the indented words of a type.
fn read_body(schema: &Schema, id: TypeId, words: &[&'static str], shape: &mut Shape) {
    let namespace = schema
        .type_ids
        .iter()
        .find(|(_, found)| **found == id)
        .map(|((namespace, _), _)| *namespace);
    let split = words.iter().position(|word| word.starts_with('@'));
    let (content, attributes) = words.split_at(split.unwrap_or(words.len()));
    for word in attributes {
        if *word == "@*other" {
            shape.others = namespace;
            continue;
        }
        let required = word.ends_with('!');
        let plain = word.trim_start_matches('@').trim_end_matches('!');
        if let Some((name, type_name)) = plain.split_once(':')
            && let Some(type_id) = schema.find(type_name)
        {
            shape.attributes.push(Attribute {
                name,
                type_id,
                required,
            });
        }
    }
    let mut rest = content;
    let mut read = alternatives(schema, namespace, &mut rest);
    if let Some(only) = read.pop().filter(|_| read.is_empty()) {
        shape.particles.extend(only);
    }
}

/// Sequences separated by `|`, up to a closing bracket.
fn alternatives(
    schema: &Schema,
    namespace: Option<Namespace>,
    rest: &mut &[&'static str],
) -> Vec<Vec<Particle>> {
    let mut all = vec![Vec::new()];
    while let [word, behind @ ..] = *rest {
        *rest = behind;
        if *word == "(" {
            let inner = alternatives(schema, namespace, rest);
            if let Some(last) = all.last_mut() {
                last.push(Particle::group(inner));
            }
        } else if word.starts_with(')') {
            break;
        } else if *word == "|" {
            all.push(Vec::new());
        } else if let Some(leaf) = leaf(schema, namespace, word)
            && let Some(last) = all.last_mut()
        {
            last.push(Particle::leaf(leaf));
        }
    }
    all
}

/// One element or wildcard with its occurrence.
fn leaf(schema: &Schema, namespace: Option<Namespace>, word: &'static str) -> Option<Leaf> {
    let (plain, min, max) = occurrence(word);
    let strict = plain.ends_with('!');
    let what = match plain.trim_end_matches('!') {
        "any" => content::What::Wildcard {
            other_than: None,
            strict,
        },
        "other" => content::What::Wildcard {
            other_than: namespace,
            strict,
        },
        element => match element.split_once('=') {
            Some((name, type_name)) => content::What::Local {
                name: schema.name(name)?,
                type_id: schema.find(type_name)?,
            },
            None => content::What::Global(schema.name(element)?),
        },
    };
    Some(Leaf { what, min, max })
}

/// The word without its occurrence, and the occurrence.
fn occurrence(word: &'static str) -> (&'static str, u32, Option<u32>) {
    if let Some(plain) = word.strip_suffix('?') {
        return (plain, 0, Some(1));
    }
    if let Some(plain) = word.strip_suffix('*') {
        return (plain, 0, None);
    }
    if let Some(plain) = word.strip_suffix('+') {
        return (plain, 1, None);
    }
    if let Some((plain, range)) = word.strip_suffix('}').and_then(|word| word.split_once('{'))
        && let Some((min, max)) = range.split_once(',')
    {
        return (plain, min.parse().unwrap_or(0), max.parse().ok());
    }
    (word, 1, Some(1))
}

impl Schema {
    /// `prefix:name` of the table.
    fn name(&self, text: &'static str) -> Option<Name> {
        let (prefix, name) = text.split_once(':')?;
        let at = self
            .namespaces
            .iter()
            .position(|(found, _)| *found == prefix)?;
        Some((Namespace(u8::try_from(at).ok()?), name))
    }

    /// A type by its name in the table.
    fn find(&self, text: &'static str) -> Option<TypeId> {
        if let Some(at) = Simple::BUILT_IN.iter().position(|name| *name == text) {
            return Some(TypeId(at as u16));
        }
        self.type_ids.get(&self.name(text)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_table_is_known() {
        let text = include_str!("bpmn.txt");
        let schema = read(text);
        for word in text
            .lines()
            .filter(|l| l.starts_with(' '))
            .flat_map(str::split_whitespace)
        {
            if matches!(word, "(" | ")" | "|" | "@*other") {
                continue;
            }
            let known = match word.strip_prefix('@') {
                Some(attribute) => {
                    let (_, name) = attribute.trim_end_matches('!').split_once(':').unwrap();
                    schema.find(name).is_some()
                }
                None => leaf(&schema, Some(Namespace(0)), word).is_some(),
            };
            assert!(known, "{word}");
        }
        let elements = text.lines().filter(|line| line.starts_with("element "));
        for line in elements {
            let words: Vec<&'static str> = line.split_whitespace().collect();
            let global = schema.elements[&schema.name(words[1]).unwrap()];
            assert_eq!(global.head.is_some(), words.len() == 5, "{line}");
        }
    }
}
