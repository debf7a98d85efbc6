//! Process definitions, the same on every partition.
//!
//! The row keeps the deployed file; the engine compiles it when it is first needed. Version numbers
//! per id are never given out twice, also not after a deletion.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::ProcessRecord;
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// A reference to an entity.
    pub struct KeyRow {
        /// Its key.
        key "": Key,
    }
}

record_value! {
    /// A process definition.
    pub struct DefinitionRow {
        /// Its record, file included.
        record "": Arc<ProcessRecord>,
        /// Being deleted: nothing new starts.
        deleting "": bool,
    }
}

record_value! {
    /// The living version of a definition.
    pub struct LivingVersion {
        /// Version.
        version "": i32,
        /// Key.
        key "": Key,
    }
}

record_value! {
    /// The versions of one BPMN process id.
    pub struct VersionsRow {
        /// Highest version ever given out.
        highest "": i32,
        /// Versions that exist, ascending.
        living "": Vec<LivingVersion>,
    }
}

impl State {
    /// The definition under `key`, if it is not being deleted and belongs to `tenant`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn definition(
        &self,
        key: Key,
        tenant: &Text,
    ) -> Result<Option<Rc<DefinitionRow>>, StateError> {
        Ok(self
            .definitions
            .get(&key)?
            .filter(|row| !row.deleting && row.record.tenant_id == *tenant))
    }

    /// The newest definition of a BPMN process id.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn latest_definition(
        &self,
        tenant: &Text,
        id: &Text,
    ) -> Result<Option<Rc<DefinitionRow>>, StateError> {
        let versions = self.versions.get(&(tenant.clone(), id.clone()))?;
        match versions.as_ref().and_then(|row| row.living.last()) {
            Some(latest) => self.definitions.get(&latest.key),
            None => Ok(None),
        }
    }

    /// The definition of a BPMN process id with a version.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn definition_with_version(
        &self,
        tenant: &Text,
        id: &Text,
        version: i32,
    ) -> Result<Option<Rc<DefinitionRow>>, StateError> {
        let key = (tenant.clone(), id.clone(), version);
        match self.definition_by_version.get(&key)? {
            Some(row) => self.definition(row.key, tenant),
            None => Ok(None),
        }
    }
}
