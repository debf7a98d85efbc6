//! How many elements of a model are active, stuck, canceled or done.
//!
//! An element with an incident counts under incidents, not under active. For one instance element
//! instances are counted; for a definition process instances are, so that a loop counts once, as in
//! the reference. Only elements that were reached appear.
//!
//! Counts over a definition read all its element instances: the dearest query here.

use super::field::{Kind, entity};
use super::filter::condition;
use super::statement::{Bind, Statement};
use super::{Cell, Entity, Filter, KeyLiteral, Queries, fetch};
use crate::error::QueryError;

/// Whose elements are counted.
#[derive(Clone, Copy, Debug)]
pub enum StatisticsOf<'f> {
    /// One process instance.
    Instance(KeyLiteral),
    /// The instances of a definition that fit a filter of process instances.
    Definition(KeyLiteral, &'f Filter),
}

/// Counts of one element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElementStatistics {
    /// Element in the model.
    pub element_id: String,
    /// Active without incident.
    pub active: i64,
    /// Terminated.
    pub canceled: i64,
    /// Active with an incident, of its own or inside.
    pub incidents: i64,
    /// Completed.
    pub completed: i64,
}

const STUCK: &str = "(f.incident_key IS NOT NULL OR f.num_subprocess_incidents > 0)";

/// The counts, by element id.
pub(super) async fn count(
    queries: &Queries,
    of: StatisticsOf<'_>,
) -> Result<Vec<ElementStatistics>, QueryError> {
    let mut out = Statement::new(queries.pool.dialect());
    let (distinct, column) = match of {
        StatisticsOf::Instance(_) => ("", "f.flow_node_instance_key"),
        StatisticsOf::Definition(..) => ("DISTINCT", "f.process_instance_key"),
    };
    out.push("SELECT f.flow_node_id");
    for which in [
        format!("f.state = 'ACTIVE' AND NOT {STUCK}"),
        "f.state = 'TERMINATED'".to_owned(),
        format!("f.state = 'ACTIVE' AND {STUCK}"),
        "f.state = 'COMPLETED'".to_owned(),
    ] {
        out.push(&format!(
            ", COUNT({distinct} CASE WHEN {which} THEN {column} END)"
        ));
    }
    out.push(" FROM flow_node_instance f WHERE ");
    match of {
        StatisticsOf::Instance(key) => {
            out.push("f.process_instance_key = ");
            out.bind(Bind::Int(key.0));
        }
        StatisticsOf::Definition(key, filter) => {
            let instances = entity(Entity::ProcessInstance);
            out.push("f.process_instance_key IN (SELECT t.process_instance_key FROM ");
            out.push(instances.from);
            out.push(" WHERE t.process_definition_key = ");
            out.bind(Bind::Int(key.0));
            out.push(" AND (");
            condition(&mut out, instances, filter, 0)?;
            out.push("))");
        }
    }
    out.push(" GROUP BY f.flow_node_id ORDER BY f.flow_node_id");
    let kinds = [Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Int];
    let rows = fetch::rows(queries, out, &kinds).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [
                Cell::Text(element_id),
                Cell::Int(active),
                Cell::Int(canceled),
                Cell::Int(incidents),
                Cell::Int(completed),
            ] => Some(ElementStatistics {
                element_id: element_id.clone(),
                active: *active,
                canceled: *canceled,
                incidents: *incidents,
                completed: *completed,
            }),
            // Counts are never NULL; an element without an id is no element.
            _ => None,
        })
        .collect())
}
