//! Cluster variables: by tenant and name, the empty tenant being the whole cluster.
//!
//! Expressions read them as `camunda.vars.cluster.x`, `.tenant.x`, and `.env.x` (the tenant's, else
//! the cluster's). The document they read is made when an expression asks for it: they are few, and
//! almost no expression does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::msgpack::{write_map_header, write_str};
use crate::record::value::ClusterVariableRecord;
use crate::record::{RawValue, Text};
use crate::record_value;
use crate::state::{State, StateError};

/// Name under which expressions find what is not a variable of the process.
pub(crate) const NAMESPACE: &str = "camunda";

record_value! {
    /// A cluster variable.
    pub struct ClusterVariableRow {
        /// Its record.
        record "": Arc<ClusterVariableRecord>,
    }
}

impl State {
    /// What `camunda` means to processes of `tenant`, as MessagePack.
    pub(crate) fn cluster_namespace(&self, tenant: &Text) -> Result<Vec<u8>, StateError> {
        let of = |group: &Text| {
            self.cluster_variables.with(group, |rows| {
                rows.iter()
                    .map(|(name, row)| (name.clone(), row.record.value.clone()))
                    .collect::<BTreeMap<Text, RawValue>>()
            })
        };
        let cluster = of(&Text::EMPTY)?;
        let tenant = if tenant.is_empty() {
            BTreeMap::new()
        } else {
            of(tenant)?
        };
        let mut env = cluster.clone();
        env.extend(tenant.clone());
        let mut out = Vec::new();
        write_map_header(&mut out, 1);
        write_str(&mut out, "vars");
        write_map_header(&mut out, 3);
        for (name, variables) in [("cluster", cluster), ("tenant", tenant), ("env", env)] {
            write_str(&mut out, name);
            write_map_header(&mut out, variables.len());
            for (name, value) in variables {
                write_str(&mut out, &name);
                out.extend_from_slice(value.as_bytes());
            }
        }
        Ok(out)
    }
}
