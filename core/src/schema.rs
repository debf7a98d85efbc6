//! XML Schema, as far as the vocabularies of models use it: is a file valid, and what is wrong first?
//!
//! Camunda refuses a file that its schema refuses, before any rule of the engine is looked at, with
//! the words of the JDK's parser. So this module keeps to that parser's order: the place of an
//! element among its siblings, its type, its attributes, then (at its end) its text and what is
//! missing in it. Only the first violation is told.
//!
//! A vocabulary is a table in a small text form ([`table`]), read once per process. What an element
//! may contain becomes an automaton ([`content`]), attribute values and texts are checked by
//! [`value`], and [`check`] walks the tree. Foreign elements are passed over where a wildcard lets
//! them in, but elements of the vocabulary inside of them are checked, as the parser does it.
//! `xsi:schemaLocation` is ignored: no file is ever fetched.

mod check;
mod content;
mod table;
mod value;

use std::sync::LazyLock;

use roxmltree::Document;
use rustc_hash::FxHashMap;

use content::Content;
use value::Simple;

/// BPMN 2.0 with its diagrams.
static BPMN: LazyLock<Schema> = LazyLock::new(|| table::read(include_str!("schema/bpmn.txt")));

/// What is wrong with a file, and the offset up to which it was fine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Violation {
    /// Byte offset in the text.
    pub offset: usize,
    /// The rule that is broken, in the parser's words.
    pub reason: String,
}

/// The first violation of the BPMN schema.
pub(crate) fn bpmn(document: &Document<'_>) -> Option<Violation> {
    check::check(&BPMN, document).err()
}

/// Index of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TypeId(u16);

/// Index of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Namespace(u8);

/// A name in a namespace of the vocabulary.
type Name = (Namespace, &'static str);

/// A vocabulary.
#[derive(Debug, Default)]
struct Schema {
    /// Prefix (in the table) and address of each namespace.
    namespaces: Vec<(&'static str, &'static str)>,
    types: Vec<Type>,
    type_ids: FxHashMap<Name, TypeId>,
    elements: FxHashMap<Name, Global>,
}

/// An element that may stand anywhere a wildcard allows, or where its head may stand.
#[derive(Clone, Copy, Debug)]
struct Global {
    name: Name,
    type_id: TypeId,
    /// The element it may stand for.
    head: Option<Name>,
}

/// A type of elements or attributes.
#[derive(Debug)]
struct Type {
    /// Without namespace.
    name: &'static str,
    base: Option<TypeId>,
    is_abstract: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Text of a certain form.
    Simple(Simple),
    /// Attributes and elements.
    Complex(Complex),
    /// Anything.
    Any,
}

#[derive(Debug, Default)]
struct Complex {
    /// Text may stand between the elements.
    mixed: bool,
    attributes: Vec<Attribute>,
    /// Attributes of namespaces other than this one are allowed.
    others: Option<Namespace>,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
struct Attribute {
    name: &'static str,
    type_id: TypeId,
    required: bool,
}

impl Schema {
    fn namespace(&self, address: &str) -> Option<Namespace> {
        let at = self
            .namespaces
            .iter()
            .position(|(_, uri)| *uri == address)?;
        u8::try_from(at).ok().map(Namespace)
    }

    fn address(&self, namespace: Namespace) -> &'static str {
        self.namespaces[usize::from(namespace.0)].1
    }

    fn type_of(&self, id: TypeId) -> &Type {
        &self.types[usize::from(id.0)]
    }

    /// The global element of this name.
    fn global(&self, address: Option<&str>, name: &str) -> Option<Global> {
        let namespace = self.namespace(address?)?;
        self.elements.get(&(namespace, name)).copied()
    }

    /// True if `name` is `head` or may stand for it.
    fn stands_for(&self, name: Name, head: Name) -> bool {
        let mut at = Some(name);
        while let Some(found) = at {
            if found == head {
                return true;
            }
            at = self.elements.get(&found).and_then(|global| global.head);
        }
        false
    }

    /// True if one type is the other or derived from it.
    fn derives(&self, id: TypeId, from: TypeId) -> bool {
        let mut at = Some(id);
        while let Some(found) = at {
            if found == from {
                return true;
            }
            at = self.type_of(found).base;
        }
        matches!(self.type_of(from).kind, Kind::Any)
    }
}
