//! Lists and contexts: MessagePack slices, or what an expression built.
//!
//! A slice is decoded item by item while it is walked; nothing is kept. Bytes are expected to have
//! been validated when they entered the engine; defects end an iteration or give null.
//!
//! A context built by an expression may hold functions. They can be called by path but are no
//! entries: iteration, size and output leave them out, as the reference keeps them apart.

use std::ops::Range;
use std::rc::Rc;

use crate::feel::number::Dec;
use crate::msgpack::{self, Reader, Token};

use super::{Text, Value};

/// MessagePack bytes of one value.
#[derive(Clone, Debug)]
pub enum Raw<'e> {
    Borrowed(&'e [u8]),
    /// A part, from and to, of bytes that live only as long as the values that refer to them.
    Shared(Rc<Vec<u8>>, u32, u32),
}

impl<'e> Raw<'e> {
    pub fn shared(bytes: Vec<u8>) -> Raw<'e> {
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        Raw::Shared(Rc::new(bytes), 0, len)
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Raw::Borrowed(bytes) => bytes,
            Raw::Shared(bytes, start, end) => &bytes[*start as usize..*end as usize],
        }
    }

    #[inline]
    fn part(&self, range: Range<usize>) -> Raw<'e> {
        match self {
            Raw::Borrowed(bytes) => Raw::Borrowed(&bytes[range]),
            Raw::Shared(bytes, start, _) => Raw::Shared(
                Rc::clone(bytes),
                start + range.start as u32,
                start + range.end as u32,
            ),
        }
    }

    #[inline]
    pub fn decode(self) -> Value<'e> {
        let token = match &self {
            Raw::Borrowed(bytes) => match Reader::new(bytes).next() {
                Ok(Token::Str(text)) => return Value::String(Text::Borrowed(text)),
                Ok(token) => token,
                Err(_) => return Value::Null,
            },
            Raw::Shared(..) => match Reader::new(self.bytes()).next() {
                Ok(token) => token,
                Err(_) => return Value::Null,
            },
        };
        match token {
            Token::Nil | Token::Bin(_) | Token::Ext(..) => Value::Null,
            Token::Bool(value) => Value::Bool(value),
            Token::Int(value) => Value::Number(Dec::from(value)),
            Token::Uint(value) => Value::Number(Dec::from(value)),
            Token::Float(value) => Value::number(Dec::from_f64(value)),
            Token::Str(text) => Value::text(text),
            Token::Array(_) => Value::List(List::Raw(self)),
            Token::Map(_) => Value::Context(Context::Raw(self)),
        }
    }

    /// Number of items or entries of a container.
    fn len(&self) -> usize {
        match Reader::new(self.bytes()).next() {
            Ok(Token::Array(len) | Token::Map(len)) => len as usize,
            _ => 0,
        }
    }

    fn walk(&self) -> RawIter<'e> {
        let mut reader = Reader::new(self.bytes());
        let (left, keyed) = match reader.next() {
            Ok(Token::Array(len)) => (len, false),
            Ok(Token::Map(len)) => (len, true),
            _ => (0, false),
        };
        let at = reader.position();
        RawIter {
            raw: self.clone(),
            at,
            left,
            keyed,
        }
    }
}

/// Walks over a raw container; yields where keys and values stand.
struct RawIter<'e> {
    raw: Raw<'e>,
    at: usize,
    left: u32,
    keyed: bool,
}

impl RawIter<'_> {
    fn advance(&mut self) -> Option<(Range<usize>, Range<usize>)> {
        self.left = self.left.checked_sub(1)?;
        let start = self.at;
        let mut reader = Reader::new(self.raw.bytes().get(start..)?);
        if self.keyed {
            reader.skip().ok()?;
        }
        let middle = start + reader.position();
        reader.skip().ok()?;
        self.at = start + reader.position();
        Some((start..middle, middle..self.at))
    }
}

/// How much a container stands for if everything in it were written out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Levels of containers built by the expression.
    pub depth: u32,
    /// Values below, counting shared ones as often as they occur.
    pub weight: u32,
}

impl Size {
    fn of<'v, 'e: 'v>(values: impl Iterator<Item = &'v Value<'e>>) -> Size {
        let mut size = Size {
            depth: 0,
            weight: 1,
        };
        for value in values {
            let inner = value.size();
            size.depth = size.depth.max(inner.depth);
            size.weight = size.weight.saturating_add(inner.weight);
        }
        size.depth += 1;
        size
    }
}

impl Value<'_> {
    pub(crate) fn size(&self) -> Size {
        let flat = |bytes: usize| Size {
            depth: 0,
            weight: 1 + u32::try_from(bytes / 8).unwrap_or(u32::MAX - 1),
        };
        match self {
            Value::String(text) => flat(text.len()),
            Value::List(List::Raw(raw)) | Value::Context(Context::Raw(raw)) => {
                flat(raw.bytes().len())
            }
            Value::List(List::Built(built)) => built.size,
            Value::Context(Context::Built(built)) => built.size,
            Value::Function(function) => function.size(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Date(_)
            | Value::LocalTime(_)
            | Value::Time(_)
            | Value::LocalDateTime(_)
            | Value::DateTime(_)
            | Value::YearMonths(_)
            | Value::DayTime(_)
            | Value::Range(_) => flat(0),
        }
    }
}

/// A list.
#[derive(Clone, Debug)]
pub enum List<'e> {
    Raw(Raw<'e>),
    Built(Rc<BuiltList<'e>>),
}

#[derive(Clone, Debug)]
pub struct BuiltList<'e> {
    items: Vec<Value<'e>>,
    size: Size,
}

impl<'e> List<'e> {
    pub fn new(items: Vec<Value<'e>>) -> List<'e> {
        let size = Size::of(items.iter());
        List::Built(Rc::new(BuiltList { items, size }))
    }

    pub fn len(&self) -> usize {
        match self {
            List::Raw(raw) => raw.len(),
            List::Built(built) => built.items.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that may have to be passed to reach an item.
    pub(crate) fn walked(&self) -> usize {
        if let List::Raw(raw) = self {
            raw.bytes().len()
        } else {
            0
        }
    }

    /// The item at an index counted from 0.
    pub fn get(&self, index: usize) -> Option<Value<'e>> {
        match self {
            List::Raw(_) => self.iter().nth(index),
            List::Built(built) => built.items.get(index).cloned(),
        }
    }

    pub fn iter(&self) -> ListIter<'e> {
        match self {
            List::Raw(raw) => ListIter::Raw(raw.walk()),
            List::Built(built) => ListIter::Built(Rc::clone(built), 0),
        }
    }

    pub fn to_vec(&self) -> Vec<Value<'e>> {
        match self {
            List::Raw(_) => self.iter().collect(),
            List::Built(built) => built.items.clone(),
        }
    }

    /// Appends in place if nobody else holds the list, else copies it first; returns how many
    /// values were copied.
    pub(crate) fn push(&mut self, item: Value<'e>) -> usize {
        let mut copied = 0;
        if let List::Raw(_) = self {
            *self = List::new(self.to_vec());
            copied = self.len();
        }
        if let List::Built(built) = self {
            if Rc::strong_count(built) > 1 {
                copied = built.items.len();
            }
            let inner = item.size();
            let built = Rc::make_mut(built);
            built.size.depth = built.size.depth.max(inner.depth + 1);
            built.size.weight = built.size.weight.saturating_add(inner.weight);
            built.items.push(item);
        }
        copied
    }
}

/// Iterator over the items of a list.
pub enum ListIter<'e> {
    #[expect(
        private_interfaces,
        reason = "the walk over raw bytes stays an inner matter"
    )]
    Raw(RawIter<'e>),
    Built(Rc<BuiltList<'e>>, usize),
}

impl<'e> Iterator for ListIter<'e> {
    type Item = Value<'e>;

    fn next(&mut self) -> Option<Value<'e>> {
        match self {
            ListIter::Raw(walk) => {
                let (_, value) = walk.advance()?;
                Some(walk.raw.part(value).decode())
            }
            ListIter::Built(built, at) => {
                let item = built.items.get(*at)?;
                *at += 1;
                Some(item.clone())
            }
        }
    }
}

/// A context.
#[derive(Clone, Debug)]
pub enum Context<'e> {
    Raw(Raw<'e>),
    Built(Rc<BuiltContext<'e>>),
}

#[derive(Clone, Debug)]
pub struct BuiltContext<'e> {
    entries: Vec<(Text<'e>, Value<'e>)>,
    size: Size,
}

impl<'e> Context<'e> {
    /// A context of entries; a later entry replaces an earlier one of the same name in its place.
    pub fn new(entries: Vec<(Text<'e>, Value<'e>)>) -> Context<'e> {
        let mut unique: Vec<(Text<'e>, Value<'e>)> = Vec::with_capacity(entries.len());
        let mut places = rustc_hash::FxHashMap::default();
        for (key, value) in entries {
            match places.entry(key.to_string()) {
                std::collections::hash_map::Entry::Occupied(place) => {
                    let place: usize = *place.get();
                    unique[place].1 = value;
                }
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(unique.len());
                    unique.push((key, value));
                }
            }
        }
        Self::of_unique(unique)
    }

    /// A context of entries whose names are known to differ.
    pub(crate) fn of_unique(entries: Vec<(Text<'e>, Value<'e>)>) -> Context<'e> {
        let size = Size::of(entries.iter().map(|(_, value)| value));
        Context::Built(Rc::new(BuiltContext { entries, size }))
    }

    /// The value of an entry, functions included.
    #[inline]
    fn lookup(&self, name: &str) -> Option<Value<'e>> {
        match self {
            Context::Raw(raw) => {
                let found = msgpack::find(raw.bytes(), name)?;
                Some(raw.part(found).decode())
            }
            Context::Built(built) => built
                .entries
                .iter()
                .find_map(|(key, value)| (**key == *name).then(|| value.clone())),
        }
    }

    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<Value<'e>> {
        self.lookup(name)
            .filter(|value| !matches!(value, Value::Function(_)))
    }

    /// A function the context holds.
    pub(crate) fn function(&self, name: &str) -> Option<Value<'e>> {
        if let Context::Raw(_) = self {
            return None;
        }
        self.lookup(name)
            .filter(|value| matches!(value, Value::Function(_)))
    }

    /// The entries in their order, without functions.
    pub fn iter(&self) -> ContextIter<'e> {
        match self {
            Context::Raw(raw) => ContextIter::Raw(raw.walk()),
            Context::Built(built) => ContextIter::Built(Rc::clone(built), 0),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Context::Raw(raw) => raw.len(),
            Context::Built(_) => self.iter().count(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that may have to be passed to reach an entry.
    pub(crate) fn walked(&self) -> usize {
        if let Context::Raw(raw) = self {
            raw.bytes().len()
        } else {
            0
        }
    }

    /// A context with one entry added or replaced.
    #[must_use]
    pub(crate) fn with(&self, key: Text<'e>, value: Value<'e>) -> Context<'e> {
        let mut entries: Vec<_> = self.iter().collect();
        match entries.iter_mut().find(|(known, _)| **known == *key) {
            Some((_, place)) => *place = value,
            None => entries.push((key, value)),
        }
        Self::of_unique(entries)
    }
}

/// Iterator over the entries of a context.
pub enum ContextIter<'e> {
    #[expect(
        private_interfaces,
        reason = "the walk over raw bytes stays an inner matter"
    )]
    Raw(RawIter<'e>),
    Built(Rc<BuiltContext<'e>>, usize),
}

impl<'e> Iterator for ContextIter<'e> {
    type Item = (Text<'e>, Value<'e>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            ContextIter::Raw(walk) => {
                let (key, value) = walk.advance()?;
                let Value::String(key) = walk.raw.part(key).decode() else {
                    return None;
                };
                Some((key, walk.raw.part(value).decode()))
            }
            ContextIter::Built(built, at) => loop {
                let (key, value) = built.entries.get(*at)?;
                *at += 1;
                if !matches!(value, Value::Function(_)) {
                    return Some((key.clone(), value.clone()));
                }
            },
        }
    }
}
