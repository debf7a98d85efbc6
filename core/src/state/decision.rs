//! Decisions and the graphs they belong to, the same on every partition.
//!
//! The row of a graph keeps the deployed file; the engine compiles it when it is first needed. The
//! latest version of an id is the newest that lives: after a deletion the version before counts
//! again, and its next deployment takes the number that became free.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{DecisionRecord, DecisionRequirementsRecord};
use crate::record_value;
use crate::state::{State, StateError, VersionsRow};

record_value! {
    /// A decision.
    pub struct DecisionRow {
        /// Its record.
        record "": Arc<DecisionRecord>,
    }
}

record_value! {
    /// A decision requirements graph.
    pub struct DecisionRequirementsRow {
        /// Its record, file included.
        record "": Arc<DecisionRequirementsRecord>,
    }
}

fn latest(versions: Option<&VersionsRow>) -> Option<Key> {
    Some(versions?.living.last()?.key)
}

impl State {
    /// The decision under `key`, if it belongs to `tenant`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn decision(&self, key: Key, tenant: &Text) -> Result<Option<Rc<DecisionRow>>, StateError> {
        let found = self.decisions.get(&key)?;
        Ok(found.filter(|row| row.record.tenant_id == *tenant))
    }

    /// The newest version of a decision.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn latest_decision(
        &self,
        tenant: &Text,
        id: &Text,
    ) -> Result<Option<Rc<DecisionRow>>, StateError> {
        let versions = self.decision_versions.get(&(tenant.clone(), id.clone()))?;
        match latest(versions.as_deref()) {
            Some(key) => self.decisions.get(&key),
            None => Ok(None),
        }
    }

    /// The newest version of a graph.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn latest_decision_requirements(
        &self,
        tenant: &Text,
        id: &Text,
    ) -> Result<Option<Rc<DecisionRequirementsRow>>, StateError> {
        let id = (tenant.clone(), id.clone());
        let versions = self.decision_requirements_versions.get(&id)?;
        match latest(versions.as_deref()) {
            Some(key) => self.decision_requirements.get(&key),
            None => Ok(None),
        }
    }
}
