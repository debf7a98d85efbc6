//! Compiled process definitions and decisions, one compilation per definition and engine.
//!
//! A cache over the definition rows of the state: it can be dropped at any time and never outlives
//! the row it was made from. Holding a [`Definition`] keeps it alive over a deletion.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::dmn::{self, Graph};
use crate::engine::fault::Fault;
use crate::ids::Key;
use crate::model::{self, Process};
use crate::record::value::ProcessRecord;
use crate::state::State;

/// Definitions kept compiled; when there are more, all are dropped and compiled when needed.
pub(crate) const COMPILED_DEFINITIONS_MAX: usize = 1000;

/// A definition, ready to run.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) record: Arc<ProcessRecord>,
    pub(crate) process: Arc<Process>,
}

impl Definition {
    /// Key of the definition.
    pub(crate) fn key(&self) -> Key {
        self.record.process_definition_key
    }
}

/// The compiled definitions.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    compiled: RefCell<FxHashMap<Key, Rc<Definition>>>,
    graphs: RefCell<FxHashMap<Key, Rc<Graph>>>,
}

impl Definitions {
    /// The definition under `key`, also while it is being deleted.
    pub(crate) fn get(&self, state: &State, key: Key) -> Result<Option<Rc<Definition>>, Fault> {
        if let Some(found) = self.compiled.borrow().get(&key) {
            return Ok(Some(found.clone()));
        }
        let Some(row) = state.definitions.get(&key)? else {
            return Ok(None);
        };
        let id = &row.record.bpmn_process_id;
        let process = model::compile(row.record.resource.as_bytes())
            .map_err(|refused| Fault::Processing(format!("definition {key}: {refused}")))?
            .into_iter()
            .find(|process| process.id() == id)
            .ok_or_else(|| Fault::Processing(format!("definition {key} lacks process '{id}'")))?;
        let definition = Rc::new(Definition {
            record: row.record.clone(),
            process: Arc::new(process),
        });
        let mut compiled = self.compiled.borrow_mut();
        if compiled.len() >= COMPILED_DEFINITIONS_MAX {
            compiled.clear();
        }
        compiled.insert(key, definition.clone());
        Ok(Some(definition))
    }

    /// The definition under `key`, which a record names.
    pub(crate) fn expect(&self, state: &State, key: Key) -> Result<Rc<Definition>, Fault> {
        self.get(state, key)?
            .ok_or_else(|| Fault::Processing(format!("no process definition with key '{key}'")))
    }

    /// The decision requirements graph under `key`.
    pub(crate) fn graph(&self, state: &State, key: Key) -> Result<Option<Rc<Graph>>, Fault> {
        if let Some(found) = self.graphs.borrow().get(&key) {
            return Ok(Some(found.clone()));
        }
        let Some(row) = state.decision_requirements.get(&key)? else {
            return Ok(None);
        };
        let graph = dmn::compile(row.record.resource.as_bytes()).map_err(|refused| {
            Fault::Processing(format!("decision requirements {key}: {refused}"))
        })?;
        let graph = Rc::new(graph);
        let mut graphs = self.graphs.borrow_mut();
        if graphs.len() >= COMPILED_DEFINITIONS_MAX {
            graphs.clear();
        }
        graphs.insert(key, graph.clone());
        Ok(Some(graph))
    }

    /// Drops the decision requirements graph under `key`.
    pub(crate) fn forget_graph(&self, key: Key) {
        self.graphs.borrow_mut().remove(&key);
    }

    /// Drops the definition under `key`.
    pub(crate) fn forget(&self, key: Key) {
        self.compiled.borrow_mut().remove(&key);
    }

    /// Drops everything: keys of an undone step may be given out again.
    pub(crate) fn clear(&self) {
        self.compiled.borrow_mut().clear();
        self.graphs.borrow_mut().clear();
    }
}
