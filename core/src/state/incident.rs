//! Incidents: at most one per element instance or job.
//!
//! What failed is not stored: it is rebuilt from the element or job when the incident is resolved.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::value::IncidentRecord;
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// An incident.
    pub struct IncidentRow {
        /// Its record.
        record "": Arc<IncidentRecord>,
    }
}

impl State {
    /// The incident of an element instance that no job caused.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn incident_of_element(&self, element: Key) -> Result<Option<Key>, StateError> {
        Ok(self.element_incidents.get(&element)?.map(|row| row.key))
    }

    /// The incident of a job.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn incident_of_job(&self, job: Key) -> Result<Option<Key>, StateError> {
        Ok(self.job_incidents.get(&job)?.map(|row| row.key))
    }
}
