//! Whether partitions are exported: an operator stops it for a while, mostly around backups.
//!
//! The phase stands in the database, in a row per partition, so that it is the same for every broker
//! and survives their restarts. Every window looks at it in its own transaction. Whoever changes it
//! then waits for the windows that are under way (they hold their cursor's row): when the change is
//! answered, nothing is written any more, or acknowledged any more.
//!
//! | phase | windows | acknowledged to the log |
//! |---|---|---|
//! | exporting | written | yes |
//! | paused | wait | no |
//! | softly paused | written | no |
//!
//! Row 0 is what was told last: partitions without a row of their own, which did not exist then, have
//! that phase. No row at all means that all are exported.
//!
//! Processing goes on in any of them; the log is kept from what was acknowledged last.

use ringflow_core::ids::{PartitionId, Position};

use crate::database::Dialect;
use crate::error::QueryError;
use crate::query::field::Kind;
use crate::query::statement::{Bind, Statement};
use crate::query::{Cell, Queries, fetch};

/// From where the phase of a partition is read; its number stands between these two.
pub(crate) const OF_PARTITION: &str = " FROM exporter_phase WHERE partition_id IN (0, ";
/// See [`OF_PARTITION`].
pub(crate) const OR_OF_ALL: &str = ") ORDER BY partition_id DESC LIMIT 1";

/// Whether a partition is exported.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Phase {
    /// It is.
    #[default]
    Exporting,
    /// It is not.
    Paused,
    /// It is, but the log is kept.
    SoftPaused,
}

impl Phase {
    /// The number in the database; any other means that it is exported.
    const fn code(self) -> i64 {
        match self {
            Self::Exporting => 0,
            Self::Paused => 1,
            Self::SoftPaused => 2,
        }
    }

    /// The phase of a number in the database.
    pub(crate) const fn of_code(code: i64) -> Self {
        match code {
            1 => Self::Paused,
            2 => Self::SoftPaused,
            _ => Self::Exporting,
        }
    }
}

impl Queries {
    /// The phases of partitions 1 to `partitions`, each once, in order.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn phases(&self, partitions: u16) -> Result<Vec<Phase>, QueryError> {
        let mut out = self.statement("SELECT ");
        out.push(&crate::link::readable(out.dialect, Kind::Int, "phase"));
        out.push(" FROM exporter_phase WHERE partition_id BETWEEN 1 AND ");
        out.bind(Bind::Int(partitions.into()));
        let rows = fetch::rows(self, out, &[Kind::Int]).await?;
        let mut phases: Vec<Phase> = read(rows).collect();
        if phases.len() < usize::from(partitions) {
            phases.push(self.phase(0).await?);
        }
        phases.sort_unstable();
        phases.dedup();
        Ok(phases)
    }

    /// The phase of one partition; 0 = of those that have none of their own.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn phase(&self, partition: u16) -> Result<Phase, QueryError> {
        let mut out = self.statement("SELECT ");
        out.push(&crate::link::readable(out.dialect, Kind::Int, "phase"));
        out.push(OF_PARTITION);
        out.bind(Bind::Int(partition.into()));
        out.push(OR_OF_ALL);
        let rows = fetch::rows(self, out, &[Kind::Int]).await?;
        Ok(read(rows).next().unwrap_or_default())
    }

    /// Up to where the log of a partition is in the database for good; `None` while its log shall be
    /// kept.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn exported(&self, partition: PartitionId) -> Result<Option<Position>, QueryError> {
        // Before the cursor: a pause that begins between the two came after what the cursor says.
        if self.phase(partition.0).await? != Phase::Exporting {
            return Ok(None);
        }
        let mut out = self.statement("SELECT ");
        out.push(&crate::link::readable(
            out.dialect,
            Kind::Int,
            "last_exported_position",
        ));
        out.push(" FROM exporter_position WHERE partition_id = ");
        out.bind(Bind::Int(partition.0.into()));
        let rows = fetch::rows(self, out, &[Kind::Int]).await?;
        Ok(rows.into_iter().flatten().find_map(|cell| match cell {
            Cell::Int(position) => u64::try_from(position).ok().map(Position),
            Cell::Null
            | Cell::Text(_)
            | Cell::Key(_)
            | Cell::Bool(_)
            | Cell::Time(_)
            | Cell::Float(_)
            | Cell::Json(_)
            | Cell::List(_) => None,
        }))
    }

    /// Sets the phase of partitions 1 to `partitions` and of those to come, and waits for the windows under way.
    ///
    /// # Errors
    /// See [`QueryError`]; then some partitions may have the new phase.
    pub async fn set_phase(&self, partitions: u16, phase: Phase) -> Result<(), QueryError> {
        let mut out = self.statement("INSERT INTO exporter_phase (partition_id, phase) VALUES ");
        for partition in 0..=partitions {
            out.push(if partition == 0 { "(" } else { ", (" });
            out.bind(Bind::Int(partition.into()));
            out.push(", ");
            out.bind(Bind::Int(phase.code()));
            out.push(")");
        }
        out.push(match out.dialect {
            Dialect::Sqlite | Dialect::Postgres => {
                " ON CONFLICT (partition_id) DO UPDATE SET phase = excluded.phase"
            }
            Dialect::Mysql => " ON DUPLICATE KEY UPDATE phase = VALUES(phase)",
        });
        fetch::rows(self, out, &[]).await?;
        // A file has one writer at a time: whoever was writing is done.
        if self.dialect() != Dialect::Sqlite {
            let under_way = self.statement("SELECT partition_id FROM exporter_position FOR UPDATE");
            fetch::rows(self, under_way, &[]).await?;
        }
        Ok(())
    }

    fn statement(&self, text: &str) -> Statement {
        let mut out = Statement::new(self.dialect());
        out.push(text);
        out
    }
}

fn read(rows: Vec<Vec<Cell>>) -> impl Iterator<Item = Phase> {
    rows.into_iter().flatten().filter_map(|cell| match cell {
        Cell::Int(code) => Some(Phase::of_code(code)),
        Cell::Null
        | Cell::Text(_)
        | Cell::Key(_)
        | Cell::Bool(_)
        | Cell::Time(_)
        | Cell::Float(_)
        | Cell::Json(_)
        | Cell::List(_) => None,
    })
}
