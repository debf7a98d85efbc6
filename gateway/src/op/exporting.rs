//! Exporting: told, paused, resumed, for all partitions at once.
//!
//! Both ports serve it: REST v2 to those with the permission, the management port to everybody who
//! reaches it, as it does with everything. The phase is kept in the secondary storage, so what is
//! told here is true for all brokers, and a restart changes nothing.

use super::search::refused;
use super::shape::ObjectWriter;
use crate::backend::Phase;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::submit::Front;

/// `getExportingStatus`.
pub(crate) async fn status(call: Call) -> Result<Answer, Problem> {
    let mut out = ObjectWriter::new();
    out.str("status", standing(&call.front).await?);
    Ok(Answer::Json(out.finish()))
}

/// `pauseExporting`.
pub(crate) async fn pause(call: Call) -> Result<Answer, Problem> {
    let soft = call.query_flag("soft").unwrap_or(false);
    set(&call.front, paused(soft)).await?;
    Ok(Answer::NoContent)
}

/// `resumeExporting`.
pub(crate) async fn resume(call: Call) -> Result<Answer, Problem> {
    set(&call.front, Phase::Exporting).await?;
    Ok(Answer::NoContent)
}

/// The phase that a pause brings.
pub(crate) const fn paused(soft: bool) -> Phase {
    if soft {
        Phase::SoftPaused
    } else {
        Phase::Paused
    }
}

/// Brings all partitions into a phase.
///
/// # Errors
/// There is no secondary storage, or it does not answer.
pub(crate) async fn set(front: &Front, phase: Phase) -> Result<(), Problem> {
    let partitions = partitions(front)?;
    let reads = front.reads()?;
    reads.set_phase(partitions, phase).await.map_err(refused)
}

/// The word for the phase of all partitions.
pub(crate) async fn standing(front: &Front) -> Result<&'static str, Problem> {
    let partitions = partitions(front)?;
    let phases = front.reads()?.phases(partitions).await.map_err(refused)?;
    Ok(match phases.as_slice() {
        [] | [Phase::Exporting] => "EXPORTING",
        [Phase::Paused] => "PAUSED",
        [Phase::SoftPaused] => "SOFT_PAUSED",
        [_, ..] => "MIXED",
    })
}

fn partitions(front: &Front) -> Result<u16, Problem> {
    match front.backend.commands.partition_count() {
        0 => Err(Problem::StorageUnavailable(
            "the partitions of the cluster are not known yet".into(),
        )),
        count => Ok(count),
    }
}
