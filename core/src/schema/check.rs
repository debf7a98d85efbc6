//! The walk through a tree, in the order in which the reference finds violations.
//!
//! At the start of an element: may it stand here, is it declared, is its type concrete, are its
//! attributes allowed, well formed and complete. Then its children. At its end: text where none may
//! be, the value of its text, missing children. At the end of the file: names that are referred to
//! and not there. A violation is located where the parser has read to: behind the start tag, or
//! behind the element.

use std::fmt::Write;

use roxmltree::{Document, Node};
use rustc_hash::FxHashSet;

use super::content::{Mismatch, State, What};
use super::value::{Simple, Wrong};
use super::{Complex, Kind, Schema, TypeId, Violation};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

type Xml<'a> = Node<'a, 'a>;

/// The first violation of a file.
pub(super) fn check<'a>(schema: &'a Schema, document: &'a Document<'a>) -> Result<(), Violation> {
    let mut walk = Walk {
        schema,
        text: document.input_text(),
        ids: FxHashSet::default(),
        references: Vec::new(),
    };
    let root = document.root_element();
    let declared = walk.declared(root)?;
    let Some(type_id) = declared else {
        let reason = format!(
            "cvc-elt.1.a: Cannot find the declaration of element '{}'.",
            walk.raw_name(root)
        );
        return Err(walk.at_start(root, reason));
    };
    walk.element(root, Some(type_id))?;
    match walk.references.iter().find(|id| !walk.ids.contains(*id)) {
        None => Ok(()),
        Some(id) => Err(walk.at_end(
            root,
            format!("cvc-id.1: There is no ID/IDREF binding for IDREF '{id}'."),
        )),
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    text: &'a str,
    ids: FxHashSet<&'a str>,
    /// Names that are referred to, in the order of the file.
    references: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    /// The declared type of an element that may be any.
    fn declared(&self, node: Xml<'a>) -> Result<Option<TypeId>, Violation> {
        let tag = node.tag_name();
        let global = self.schema.global(tag.namespace(), tag.name());
        let declared = global.map(|global| global.type_id);
        self.instance_type(node, declared)
            .map(|own| own.or(declared))
    }

    /// The type an element names for itself.
    fn instance_type(
        &self,
        node: Xml<'a>,
        declared: Option<TypeId>,
    ) -> Result<Option<TypeId>, Violation> {
        let Some(text) = node.attribute((XSI, "type")) else {
            return Ok(None);
        };
        self.value(&Simple::QName, node, text, true)?;
        let name = text.trim();
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, name),
        };
        let namespace = node
            .lookup_namespace_uri(prefix)
            .and_then(|address| self.schema.namespace(address));
        let found = namespace.and_then(|of| self.schema.type_ids.get(&(of, local)).copied());
        let Some(found) = found else {
            let reason = format!(
                "cvc-elt.4.2: Cannot resolve '{name}' to a type definition for element '{}'.",
                self.raw_name(node)
            );
            return Err(self.at_start(node, reason));
        };
        match declared {
            Some(declared) if !self.schema.derives(found, declared) => {
                let reason = format!(
                    "cvc-elt.4.3: Type '{name}' is not validly derived from the type definition, \
                     '{}', of element '{}'.",
                    self.schema.type_of(declared).name,
                    self.raw_name(node)
                );
                Err(self.at_start(node, reason))
            }
            Some(_) | None => Ok(Some(found)),
        }
    }

    /// Checks an element of a type; without one it may be anything.
    fn element(&mut self, node: Xml<'a>, type_id: Option<TypeId>) -> Result<(), Violation> {
        let schema = self.schema;
        let Some(found) = type_id.map(|id| schema.type_of(id)) else {
            return self.anything(node);
        };
        if node.attribute((XSI, "nil")).is_some() {
            let name = self.raw_name(node);
            let reason = format!(
                "cvc-elt.3.1: Attribute '{XSI},nil' must not appear on element '{name}', because \
                 the {{nillable}} property of '{name}' is false."
            );
            return Err(self.at_start(node, reason));
        }
        match &found.kind {
            Kind::Any => self.anything(node),
            Kind::Simple(form) => self.simple(node, form),
            Kind::Complex(complex) => {
                if found.is_abstract {
                    let reason = format!(
                        "cvc-type.2: The type definition cannot be abstract for element {}.",
                        self.raw_name(node)
                    );
                    return Err(self.at_start(node, reason));
                }
                self.attributes(node, complex)?;
                self.children(node, complex)
            }
        }
    }

    fn anything(&mut self, node: Xml<'a>) -> Result<(), Violation> {
        for child in node.children().filter(Node::is_element) {
            let declared = self.declared(child)?;
            self.element(child, declared)?;
        }
        Ok(())
    }

    fn simple(&mut self, node: Xml<'a>, form: &Simple) -> Result<(), Violation> {
        let foreign = node
            .attributes()
            .find(|attribute| attribute.namespace() != Some(XSI));
        if let Some(attribute) = foreign {
            let reason = format!(
                "cvc-type.3.1.1: Element '{}' is a simple type, so it cannot have attributes, \
                 excepting those whose namespace name is identical to '{XSI}' and whose [local \
                 name] is one of 'type', 'nil', 'schemaLocation' or 'noNamespaceSchemaLocation'. \
                 However, the attribute, '{}' was found.",
                self.raw_name(node),
                &self.text[attribute.range_qname()]
            );
            return Err(self.at_start(node, reason));
        }
        self.anything(node)?;
        if node.children().any(|child| child.is_element()) {
            let reason = format!(
                "cvc-type.3.1.2: Element '{}' is a simple type, so it must have no element \
                 information item [children].",
                self.raw_name(node)
            );
            return Err(self.at_end(node, reason));
        }
        let mut texts = node
            .children()
            .filter(Node::is_text)
            .filter_map(|n| n.text());
        let (first, more) = (texts.next().unwrap_or(""), texts.next());
        if let Some(more) = more {
            let all: String = [first, more].into_iter().chain(texts).collect();
            return self.value(form, node, &all, false);
        }
        self.value(form, node, first, false)?;
        self.remember(form, node, first, false)
    }

    fn attributes(&mut self, node: Xml<'a>, complex: &'a Complex) -> Result<(), Violation> {
        for attribute in node.attributes() {
            if attribute.namespace() == Some(XSI) {
                continue;
            }
            let declared = complex
                .attributes
                .iter()
                .find(|known| attribute.namespace().is_none() && known.name == attribute.name());
            let Some(known) = declared else {
                let let_in = complex.others.is_some_and(|namespace| {
                    attribute
                        .namespace()
                        .is_some_and(|found| found != self.schema.address(namespace))
                });
                if let_in {
                    continue;
                }
                let reason = format!(
                    "cvc-complex-type.3.2.2: Attribute '{}' is not allowed to appear in element \
                     '{}'.",
                    &self.text[attribute.range_qname()],
                    self.raw_name(node)
                );
                return Err(self.at_start(node, reason));
            };
            if let Kind::Simple(form) = &self.schema.type_of(known.type_id).kind {
                let name = self.schema.type_of(known.type_id).name;
                self.named_value(form, name, node, attribute.value(), true)?;
                self.remember(form, node, attribute.value(), true)?;
            }
        }
        let missing = complex
            .attributes
            .iter()
            .find(|known| known.required && node.attribute(known.name).is_none());
        match missing {
            None => Ok(()),
            Some(missing) => {
                let reason = format!(
                    "cvc-complex-type.4: Attribute '{}' must appear on element '{}'.",
                    missing.name,
                    self.raw_name(node)
                );
                Err(self.at_start(node, reason))
            }
        }
    }

    fn children(&mut self, node: Xml<'a>, complex: &'a Complex) -> Result<(), Violation> {
        let mut state = State::default();
        let (mut any_text, mut real_text) = (false, false);
        for child in node.children() {
            if let Some(text) = child.text().filter(|_| child.is_text()) {
                any_text |= !text.is_empty();
                real_text |= !text.trim_matches([' ', '\t', '\n', '\r']).is_empty();
            }
            if child.is_element() {
                self.child(child, complex, &mut state)?;
            }
        }
        if complex.content.is_empty() && !complex.mixed {
            if any_text {
                let reason = format!(
                    "cvc-complex-type.2.1: Element '{}' must have no character or element \
                     information item [children], because the type's content type is empty.",
                    self.raw_name(node)
                );
                return Err(self.at_end(node, reason));
            }
        } else if real_text && !complex.mixed {
            let reason = format!(
                "cvc-complex-type.2.3: Element '{}' cannot have character [children], because the \
                 type's content type is element-only.",
                self.raw_name(node)
            );
            return Err(self.at_end(node, reason));
        }
        complex.content.end(state).map_err(|mismatch| {
            let name = self.raw_name(node);
            let front = format!("The content of element '{name}' is not complete.");
            let reason = match mismatch {
                Mismatch::Expected(places) | Mismatch::TooMany { next: places, .. } => format!(
                    "cvc-complex-type.2.4.b: {front} One of '{}' is expected.",
                    self.places(&places)
                ),
                Mismatch::TooFew { what, min, missing } => format!(
                    "cvc-complex-type.2.4.{}: {front} '{}' is expected to occur a minimum of \
                     '{min}' times. {}",
                    if missing == 1 { "i" } else { "j" },
                    self.place(what),
                    instances(missing)
                ),
            };
            self.at_end(node, reason)
        })
    }

    fn child(
        &mut self,
        child: Xml<'a>,
        complex: &'a Complex,
        state: &mut State,
    ) -> Result<(), Violation> {
        let tag = child.tag_name();
        let taken = complex
            .content
            .take(self.schema, state, tag.namespace(), tag.name())
            .map_err(|mismatch| self.misplaced(child, &mismatch))?;
        let declared = match taken {
            What::Local { type_id, .. } => {
                let own = self.instance_type(child, Some(type_id))?;
                own.or(Some(type_id))
            }
            What::Global(_) => self.declared(child)?,
            What::Wildcard { strict, .. } => {
                let declared = self.declared(child)?;
                if strict && declared.is_none() {
                    let reason = format!(
                        "cvc-complex-type.2.4.c: The matching wildcard is strict, but no \
                         declaration can be found for element '{}'.",
                        self.raw_name(child)
                    );
                    return Err(self.at_start(child, reason));
                }
                declared
            }
        };
        self.element(child, declared)
    }

    fn misplaced(&self, child: Xml<'a>, mismatch: &Mismatch) -> Violation {
        let name = self.raw_name(child);
        let found =
            |name: &str| format!("Invalid content was found starting with element '{name}'.");
        let reason = match mismatch {
            Mismatch::Expected(places) if places.is_empty() => format!(
                "cvc-complex-type.2.4.d: {} No child element is expected at this point.",
                found(name)
            ),
            Mismatch::Expected(places) => {
                let tag = child.tag_name();
                let name = match tag.namespace() {
                    Some(namespace) => format!("{{\"{namespace}\":{}}}", tag.name()),
                    None => tag.name().to_owned(),
                };
                format!(
                    "cvc-complex-type.2.4.a: {} One of '{}' is expected.",
                    found(&name),
                    self.places(places)
                )
            }
            Mismatch::TooFew { what, min, missing } => format!(
                "cvc-complex-type.2.4.{}: {} '{}' is expected to occur a minimum of '{min}' times \
                 in the current sequence. {}",
                if *missing == 1 { "g" } else { "h" },
                found(name),
                self.place(*what),
                instances(*missing)
            ),
            Mismatch::TooMany { what, max, next } => {
                let limit = format!(
                    "'{}' can occur a maximum of '{max}' times in the current sequence. This limit \
                     was exceeded.",
                    self.place(*what)
                );
                if next.is_empty() {
                    format!(
                        "cvc-complex-type.2.4.f: {limit} No child element is expected at this \
                         point."
                    )
                } else {
                    format!(
                        "cvc-complex-type.2.4.e: {limit} At this point one of '{}' is expected.",
                        self.places(next)
                    )
                }
            }
        };
        self.at_start(child, reason)
    }

    fn place(&self, what: What) -> String {
        match what {
            What::Global((namespace, name))
            | What::Local {
                name: (namespace, name),
                ..
            } => format!("\"{}\":{name}", self.schema.address(namespace)),
            What::Wildcard { other_than, .. } => match other_than {
                Some(namespace) => {
                    format!("WC[##other:\"{}\"]", self.schema.address(namespace))
                }
                None => "WC[##any]".to_owned(),
            },
        }
    }

    fn places(&self, places: &[What]) -> String {
        let mut text = String::from("{");
        for (at, what) in places.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{}", self.place(*what));
        }
        text + "}"
    }

    fn value(
        &self,
        form: &Simple,
        node: Xml<'a>,
        text: &str,
        start: bool,
    ) -> Result<(), Violation> {
        self.named_value(form, "", node, text, start)
    }

    /// Checks a text against a form of this name.
    fn named_value(
        &self,
        form: &Simple,
        type_name: &str,
        node: Xml<'a>,
        text: &str,
        start: bool,
    ) -> Result<(), Violation> {
        let declared = |prefix: &str| node.lookup_namespace_uri(Some(prefix)).is_some();
        let Err(wrong) = form.check(text, &declared) else {
            return Ok(());
        };
        let as_written = matches!(form, Simple::Text | Simple::Uri | Simple::OneOf(_));
        let value = if as_written {
            text
        } else {
            text.trim_matches([' ', '\t', '\n', '\r'])
        };
        let reason = match wrong {
            Wrong::NotA(name) => {
                format!("cvc-datatype-valid.1.2.1: '{value}' is not a valid value for '{name}'.")
            }
            Wrong::NoneOf(values) => format!(
                "cvc-enumeration-valid: Value '{value}' is not facet-valid with respect to \
                 enumeration '[{}]'. It must be a value from the enumeration.",
                values.join(", ")
            ),
            Wrong::OfNoForm => format!(
                "cvc-datatype-valid.1.2.3: '{value}' is not a valid value of union type \
                 '{type_name}'."
            ),
            Wrong::Undeclared(prefix) => format!(
                "UndeclaredPrefix: Cannot resolve '{value}' as a QName: the prefix '{prefix}' is \
                 not declared."
            ),
        };
        Err(if start {
            self.at_start(node, reason)
        } else {
            self.at_end(node, reason)
        })
    }

    /// Keeps names that are given and names that are referred to.
    fn remember(
        &mut self,
        form: &Simple,
        node: Xml<'a>,
        text: &'a str,
        start: bool,
    ) -> Result<(), Violation> {
        let name = text.trim_matches([' ', '\t', '\n', '\r']);
        if matches!(form, Simple::IdRef) {
            self.references.push(name);
        } else if matches!(form, Simple::Id) && !self.ids.insert(name) {
            let reason = format!("cvc-id.2: There are multiple occurrences of ID value '{name}'.");
            return Err(if start {
                self.at_start(node, reason)
            } else {
                self.at_end(node, reason)
            });
        }
        Ok(())
    }

    /// The name of an element as it is written.
    fn raw_name(&self, node: Xml<'a>) -> &'a str {
        let tag = self.text[node.range()]
            .strip_prefix('<')
            .unwrap_or_default();
        let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>');
        &tag[..end.unwrap_or(tag.len())]
    }

    fn at_start(&self, node: Xml<'a>, reason: String) -> Violation {
        let range = node.range();
        let mut quote = None;
        let end = self.text[range.clone()].bytes().position(|b| {
            match quote {
                Some(open) if open == b => quote = None,
                Some(_) => {}
                None if b == b'"' || b == b'\'' => quote = Some(b),
                None => return b == b'>',
            }
            false
        });
        Violation {
            offset: range.start + end.unwrap_or(0),
            reason,
        }
    }

    fn at_end(&self, node: Xml<'a>, reason: String) -> Violation {
        Violation {
            offset: node.range().end.saturating_sub(1),
            reason,
        }
    }
}

fn instances(missing: u32) -> String {
    if missing == 1 {
        "One more instance is required to satisfy this constraint.".to_owned()
    } else {
        format!("'{missing}' more instances are required to satisfy this constraint.")
    }
}
