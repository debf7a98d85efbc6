//! Variables: one row per scope and name; scopes nest as element instances do.
//!
//! Values are MessagePack and opaque here. Reading walks from a scope up to its process instance;
//! the nearest scope that has a name wins.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::ids::Key;
use crate::msgpack;
use crate::record::{Document, RawValue, Text};
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// One variable.
    pub struct VariableRow {
        /// Its key.
        key "": Key,
        /// Its value.
        value "": RawValue,
    }
}

impl State {
    /// The scope around `scope`; `None` for a process instance and for what is not there (yet).
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn parent_scope(&self, scope: Key) -> Result<Option<Key>, StateError> {
        let row = self.elements.get(&scope)?;
        Ok(row
            .map(|row| row.record.flow_scope_key)
            .filter(|parent| parent.is_some()))
    }

    /// The variable `name` as seen from `scope`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn visible_variable(
        &self,
        scope: Key,
        name: &str,
    ) -> Result<Option<Rc<VariableRow>>, StateError> {
        let mut at = Some(scope);
        while let Some(scope) = at {
            let row = self
                .variables
                .with(&scope, |rows| rows.get(name).cloned())?;
            if let Some(row) = row {
                return Ok(Some(row));
            }
            at = self.parent_scope(scope)?;
        }
        Ok(None)
    }

    /// All variables as seen from `scope`, or those among `names` if there are any; in name order.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn visible_variables(&self, scope: Key, names: &[Text]) -> Result<Document, StateError> {
        let mut found: BTreeMap<Text, RawValue> = BTreeMap::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            self.variables.with(&scope, |rows| {
                if names.is_empty() {
                    for (name, row) in rows {
                        if !found.contains_key(name) {
                            found.insert(name.clone(), row.value.clone());
                        }
                    }
                } else {
                    for name in names {
                        if let Some(row) = rows.get(name)
                            && !found.contains_key(name)
                        {
                            found.insert(name.clone(), row.value.clone());
                        }
                    }
                }
            })?;
            at = self.parent_scope(scope)?;
        }
        Ok(document(found.iter()))
    }

    /// The variables of `scope` itself, in name order.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn local_variables(&self, scope: Key) -> Result<Document, StateError> {
        self.variables.with(&scope, |rows| {
            document(rows.iter().map(|(name, row)| (name, &row.value)))
        })
    }
}

/// A document of names and values.
pub(crate) fn document<'a>(
    entries: impl ExactSizeIterator<Item = (&'a Text, &'a RawValue)>,
) -> Document {
    if entries.len() == 0 {
        return Document::EMPTY;
    }
    Document::from(msgpack::build_document(
        entries.map(|(name, value)| (name.as_str(), value.as_bytes())),
    ))
}
