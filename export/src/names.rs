//! What records do not carry: the names of elements, the ids of call activities and of catch
//! events, per process definition; and which names of variables are stored already.
//!
//! Read from the BPMN text when a definition is recorded, and again from the database on a miss, so
//! the cache can be bounded: at most [`DEFINITIONS_MAX`] definitions, the one not used for longest
//! goes. Only attributes are looked at; the text was validated when it was deployed, and a text that
//! does not parse here gives no names instead of an error.

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use rustc_hash::{FxHashMap, FxHashSet};
use std::time::{Duration, Instant};

/// Definitions whose names are kept.
pub const DEFINITIONS_MAX: usize = 1000;

/// Names of variables that are remembered; then it begins anew.
const VARIABLE_NAMES_MAX: usize = 50_000;

/// Batch operations of which the kind is remembered.
const BATCHES_MAX: usize = 1000;

/// How long a definition that the database does not have is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

/// What a definition's text says.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// Name of the process; empty = none.
    pub name: Text,
    /// Form of the start event; empty = none.
    pub form_id: Text,
    elements: FxHashMap<Box<str>, Text>,
    /// Ids of the call activities of the file, sorted.
    calls: Vec<Text>,
    /// Ids of the intermediate catch events.
    catches: FxHashSet<Box<str>>,
}

impl Definition {
    /// Reads the names out of a BPMN text that holds the process `process_id`.
    #[must_use]
    pub fn read(xml: &str, process_id: &str) -> Self {
        let mut definition = Self::default();
        let Ok(document) = roxmltree::Document::parse(xml) else {
            return definition;
        };
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let Some(id) = node.attribute("id") else {
                continue;
            };
            match node.tag_name().name() {
                "callActivity" => definition.calls.push(Text::from(id)),
                "intermediateCatchEvent" => {
                    definition.catches.insert(id.into());
                }
                _ => {}
            }
            let name = node.attribute("name").unwrap_or_default();
            if node.tag_name().name() == "process" && id == process_id {
                definition.name = Text::from(name);
                definition.form_id = start_form(node);
            } else if !name.is_empty() {
                definition.elements.insert(id.into(), Text::from(name));
            }
        }
        definition.calls.sort_unstable();
        definition
    }
}

/// The form that the process's own start event links to.
fn start_form(process: roxmltree::Node<'_, '_>) -> Text {
    let form = process
        .children()
        .filter(|node| node.tag_name().name() == "startEvent")
        .flat_map(|event| event.children())
        .filter(|node| node.tag_name().name() == "extensionElements")
        .flat_map(|extensions| extensions.children())
        .find(|node| node.tag_name().name() == "formDefinition");
    let id = form.and_then(|form| {
        form.attribute("formId")
            .or_else(|| form.attribute("formKey"))
    });
    Text::from(id.unwrap_or_default())
}

/// The cache. Owned by the exporter's thread.
#[derive(Debug, Default)]
pub struct Names {
    definitions: FxHashMap<Key, (u64, Definition)>,
    unknown: FxHashMap<Key, Instant>,
    clock: u64,
    /// Variables whose names are known to be stored, per definition.
    variables: FxHashSet<(Key, Text)>,
    /// Kinds of batch operations.
    batches: FxHashMap<Key, Text>,
}

impl Names {
    /// True if nothing need be read from the database for `definition`.
    #[must_use]
    pub fn knows(&self, definition: Key) -> bool {
        let asked = self.unknown.get(&definition);
        self.definitions.contains_key(&definition)
            || asked.is_some_and(|asked| asked.elapsed() < UNKNOWN_FOR)
    }

    /// The database does not have this definition either; its elements go without names.
    pub fn unknown(&mut self, definition: Key) {
        if self.unknown.len() >= DEFINITIONS_MAX {
            self.unknown.clear();
        }
        self.unknown.insert(definition, Instant::now());
    }

    /// Keeps what a definition's text says.
    pub fn insert(&mut self, key: Key, definition: Definition) {
        self.clock += 1;
        self.unknown.remove(&key);
        self.definitions.insert(key, (self.clock, definition));
        if self.definitions.len() > DEFINITIONS_MAX {
            let oldest = self.definitions.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.definitions.remove(&oldest);
            }
        }
    }

    /// The name of an element, if the model gives one.
    pub fn element(&mut self, definition: Key, element_id: &str) -> Option<Text> {
        self.clock += 1;
        let (used, definition) = self.definitions.get_mut(&definition)?;
        *used = self.clock;
        definition.elements.get(element_id).cloned()
    }

    /// Whether an element is an intermediate catch event.
    pub fn catches(&mut self, definition: Key, element_id: &str) -> bool {
        self.clock += 1;
        let Some((used, definition)) = self.definitions.get_mut(&definition) else {
            return false;
        };
        *used = self.clock;
        definition.catches.contains(element_id)
    }

    /// Whether instances of a definition get a variable of this name for the first time, as far as
    /// is remembered. A window that was folded is in the database sooner or later, or another
    /// exporter has stored its records, so one mention per process is enough.
    pub fn is_new_variable(&mut self, definition: Key, name: &Text) -> bool {
        if self.variables.len() >= VARIABLE_NAMES_MAX {
            self.variables.clear();
        }
        self.variables.insert((definition, name.clone()))
    }

    /// Keeps the kind of a batch operation.
    pub fn note_batch(&mut self, key: Key, kind: Text) {
        if self.batches.len() >= BATCHES_MAX {
            self.batches.clear();
        }
        self.batches.insert(key, kind);
    }

    /// The kind of a batch operation; empty if there is none of that key.
    #[must_use]
    pub fn batch_kind(&self, key: Key) -> Option<Text> {
        self.batches.get(&key).cloned()
    }

    /// The database may have lost what was stored there.
    pub fn forget_variables(&mut self) {
        self.variables.clear();
    }

    /// The id of a call activity by its place among those of its file.
    pub fn call(&mut self, definition: Key, place: i64) -> Option<Text> {
        self.clock += 1;
        let (used, definition) = self.definitions.get_mut(&definition)?;
        *used = self.clock;
        definition.calls.get(usize::try_from(place).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_start_form_are_read() {
        let xml = r#"<b:definitions xmlns:b="x" xmlns:z="y"><b:process id="p" name="Order">
            <b:startEvent id="s"><b:extensionElements><z:formDefinition formId="f1"/>
            </b:extensionElements></b:startEvent><b:task id="t" name="Pack it"/>
            <b:intermediateCatchEvent id="e"/><b:boundaryEvent id="b"/>
            <b:callActivity id="z"/><b:callActivity id="c"/></b:process>
            <b:process id="q" name="Other"/></b:definitions>"#;
        let definition = Definition::read(xml, "p");
        assert_eq!(definition.name, "Order");
        assert_eq!(definition.form_id, "f1");
        let mut names = Names::default();
        names.insert(Key(7), definition);
        assert_eq!(names.element(Key(7), "t"), Some(Text::from("Pack it")));
        assert_eq!(names.element(Key(7), "s"), None);
        assert_eq!(names.call(Key(7), 1), Some(Text::from("z")));
        assert_eq!(names.call(Key(7), 2), None);
        assert!(names.catches(Key(7), "e"));
        assert!(!names.catches(Key(7), "b") && !names.catches(Key(8), "e"));
        assert_eq!(Definition::read("<broken", "p").name, "");
    }

    #[test]
    fn a_variable_is_new_once_per_definition() {
        let mut names = Names::default();
        let name = Text::from("x");
        assert!(names.is_new_variable(Key(1), &name) && names.is_new_variable(Key(2), &name));
        assert!(!names.is_new_variable(Key(1), &name));
    }

    #[test]
    fn the_cache_is_bounded_and_drops_what_is_not_used() {
        let mut names = Names::default();
        for key in 1..=DEFINITIONS_MAX as i64 {
            names.insert(Key(key), Definition::default());
        }
        names.element(Key(1), "x");
        names.insert(Key(5000), Definition::default());
        assert!(names.knows(Key(1)) && names.knows(Key(5000)) && !names.knows(Key(2)));
    }
}
