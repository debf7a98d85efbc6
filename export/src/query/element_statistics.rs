//! How many elements of a model are active, stuck, canceled or done.
//!
//! A multi-instance body is no instance of its element beside those inside it; in the counts over a
//! definition, which are of process instances, that makes no difference.
//!
//! An element with an incident counts under incidents, not under active. For one instance element
//! instances are counted; for a definition process instances are, so that a loop counts once, as in
//! the reference. Only elements that were reached appear.
//!
//! Counts over a definition read all its element instances from one index: the dearest query here.

use std::collections::BTreeMap;

use super::field::Kind;
use super::filter::condition;
use super::process_instance::OF_ELEMENTS;
use super::statement::{Bind, Statement};
use super::{Cell, Filter, KeyLiteral, Queries, fetch};
use crate::error::QueryError;
use crate::link::readable;

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
    // One aggregate each and the state first: the index on elements then has the rows of every
    // group together, and nothing is sorted.
    let parts = [
        ("'COMPLETED'", String::new()),
        ("'TERMINATED'", String::new()),
        ("'ACTIVE'", format!(" AND NOT {STUCK}")),
        ("'ACTIVE'", format!(" AND {STUCK}")),
    ];
    for (number, (state, more)) in parts.into_iter().enumerate() {
        if number > 0 {
            out.push(" UNION ALL ");
        }
        let number = readable(out.dialect, Kind::Int, &number.to_string());
        out.push(&format!("SELECT f.flow_node_id, {number}, "));
        out.push(match of {
            StatisticsOf::Instance(_) => "COUNT(*)",
            StatisticsOf::Definition(..) => "COUNT(DISTINCT f.process_instance_key)",
        });
        out.push(" FROM ");
        members(&mut out, of)?;
        if matches!(of, StatisticsOf::Instance(_)) {
            out.push(" AND f.type <> 'MULTI_INSTANCE_BODY'");
        }
        out.push(&format!(
            " AND f.state = {state}{more} GROUP BY f.flow_node_id"
        ));
    }
    let rows = fetch::rows(queries, out, &[Kind::Text, Kind::Int, Kind::Int]).await?;
    let mut counts: BTreeMap<String, [i64; 4]> = BTreeMap::new();
    for row in rows {
        // Counts are never NULL; an element without an id is no element.
        if let [Cell::Text(element), Cell::Int(number), Cell::Int(count)] = row.as_slice()
            && let Some(cell) = usize::try_from(*number)
                .ok()
                .and_then(|number| counts.entry(element.clone()).or_default().get_mut(number))
        {
            *cell = *count;
        }
    }
    Ok(counts
        .into_iter()
        .map(
            |(element_id, [completed, canceled, active, incidents])| ElementStatistics {
                element_id,
                active,
                canceled,
                incidents,
                completed,
            },
        )
        .collect())
}

/// The element instances `f` that are looked at, up to their state.
fn members(out: &mut Statement, of: StatisticsOf<'_>) -> Result<(), QueryError> {
    match of {
        StatisticsOf::Instance(key) => {
            out.push("flow_node_instance f WHERE f.process_instance_key = ");
            out.bind(Bind::Int(key.0));
        }
        // Without a filter the index on elements has everything; instances are not looked at.
        StatisticsOf::Definition(key, Filter::All(parts)) if parts.is_empty() => {
            out.push("flow_node_instance f WHERE f.process_definition_key = ");
            out.bind(Bind::Int(key.0));
        }
        StatisticsOf::Definition(key, filter) => {
            out.push(OF_ELEMENTS.from);
            out.push(" WHERE t.process_definition_key = ");
            out.bind(Bind::Int(key.0));
            out.push(" AND (");
            condition(out, &OF_ELEMENTS, filter, 0)?;
            out.push(")");
        }
    }
    Ok(())
}
