//! Asking all partitions for a checkpoint, and what their answers together mean.
//!
//! Every partition is sent the same command. Some may have created the checkpoint already, because a
//! partition that was asked before them sent them something: so one that is created and none that is
//! newer means that the backup is taken (Camunda's rule).

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::Value;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{CheckpointRecord, CheckpointType};

/// A backup of this number cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "Requested backup has ID {wanted}. The latest backup has ID {latest}. The backup ID must be \
     greater than the ID of previous backups that are completed, failed, or deleted."
)]
pub struct AlreadyExists {
    /// The number asked for.
    pub wanted: i64,
    /// The newest there is.
    pub latest: i64,
}

/// The command that creates checkpoint `id` on a partition; number 0 only asks for the newest.
#[must_use]
pub fn command(id: i64, kind: CheckpointType) -> Command {
    let record = CheckpointRecord {
        checkpoint_id: id,
        checkpoint_type: kind,
        ..CheckpointRecord::default()
    };
    Command::internal(Key::NONE, of::Checkpoint::Create, record)
}

/// The newest checkpoint of a partition that was sent [`command`], and whether it was created now.
#[must_use]
pub fn answered(response: &Response) -> Option<(bool, CheckpointRecord)> {
    let Value::Checkpoint(value) = &response.value else {
        return None;
    };
    let created = response.intent == of::Checkpoint::Created.into();
    let accepted = response.rejection.is_none();
    accepted.then(|| (created, (**value).clone()))
}

/// What the answers of all partitions mean for backup `wanted`.
///
/// # Errors
/// [`AlreadyExists`], if nobody created it or somebody has a newer one.
pub fn outcome(wanted: i64, answers: &[(bool, CheckpointRecord)]) -> Result<(), AlreadyExists> {
    let created = answers.iter().any(|(created, _)| *created);
    let ids = answers.iter().map(|(_, newest)| newest.checkpoint_id);
    let latest = ids.max().unwrap_or_default();
    if created && latest == wanted {
        return Ok(());
    }
    Err(AlreadyExists { wanted, latest })
}

/// A number for a backup of which nobody chose one: later ones are larger.
#[must_use]
pub fn next_id() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(created: bool, id: i64) -> (bool, CheckpointRecord) {
        let record = CheckpointRecord {
            checkpoint_id: id,
            ..CheckpointRecord::default()
        };
        (created, record)
    }

    #[test]
    fn one_that_created_it_and_none_that_is_newer_is_enough() {
        outcome(5, &[answer(true, 5), answer(true, 5)]).unwrap();
        outcome(5, &[answer(false, 5), answer(true, 5)]).unwrap();
        for refused in [
            [answer(false, 5), answer(false, 5)],
            [answer(true, 5), answer(false, 7)],
            [answer(false, 7), answer(false, 7)],
        ] {
            let error = outcome(5, &refused).unwrap_err();
            assert!(error.to_string().starts_with("Requested backup has ID 5."));
        }
    }
}
