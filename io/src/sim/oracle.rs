//! What must be true of a cluster, whatever happened to it, seen from outside.
//!
//! Clients note what they asked for and what they were told; the exported records are the truth. Each
//! command carries a number of its own that comes back in its records.
//!
//! | promise | broken if |
//! |---|---|
//! | acknowledged commands survive | a number that was answered is not in the records, at the end |
//! | none is applied twice | a number is there more than once |
//! | what was refused did not happen | a number whose command was not taken is there |
//! | keys are unique | two records create something under one key |
//! | the sequence has no gap | a record does not continue the position before it |
//! | replicas are equal | two states at one position have different hashes |
//!
//! What had no answer may have happened or not. Not asserted: the order of two commands of different
//! clients, and that answers hold what the records say.

use std::collections::BTreeMap;

use ringflow_core::record::intent::of;
use ringflow_core::record::{Intent, Record, RecordType};

/// What a client was told about a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// It was accepted or rejected: it is in the log for good.
    Answered,
    /// It was not taken.
    NotTaken,
    /// Nothing certain.
    Unknown,
}

/// The exported records of one partition, as far as it matters.
#[derive(Default, Debug)]
pub(crate) struct Exported {
    position: u64,
    /// Numbers of commands of clients, with how often they are there.
    commands: BTreeMap<i64, u32>,
    /// Where, by the number of the intent in [`creates`] and key.
    created: BTreeMap<(usize, i64), u64>,
}

/// Intents that create something under a key of its own.
fn creates() -> [Intent; 6] {
    [
        of::ProcessInstance::ElementActivating.into(),
        of::ProcessInstanceCreation::Created.into(),
        of::Job::Created.into(),
        of::Job::Completed.into(),
        of::Message::Published.into(),
        of::Process::Created.into(),
    ]
}

impl Exported {
    /// Last position there.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn count(&self) -> usize {
        self.commands.len()
    }

    /// Takes the next records; a sentence if they cannot be.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), String> {
        for record in records {
            if record.position.0 != self.position + 1 {
                return Err(format!(
                    "gap: record {} comes after {}",
                    record.position, self.position
                ));
            }
            self.position += 1;
            if record.record_type == RecordType::Command
                && record.source_position.is_none()
                && record.operation_reference > 0
            {
                let times = self.commands.entry(record.operation_reference).or_default();
                *times += 1;
                if *times > 1 {
                    return Err(format!(
                        "twice: command {} at {}",
                        record.operation_reference, record.position
                    ));
                }
            }
            let creates = creates().iter().position(|it| *it == record.intent);
            if record.record_type == RecordType::Event
                && let Some(kind) = creates
                && let Some(before) = self.created.insert((kind, record.key.0), record.position.0)
            {
                return Err(format!(
                    "keys: {:?} of {} at {before} and again at {}",
                    record.intent, record.key, record.position
                ));
            }
        }
        Ok(())
    }
}

/// What clients were told.
#[derive(Default, Debug)]
pub(crate) struct Book {
    told: BTreeMap<i64, Told>,
}

impl Book {
    pub(crate) fn note(&mut self, number: i64, told: Told) {
        self.told.insert(number, told);
    }

    pub(crate) fn answered(&self) -> usize {
        let answered = self.told.values().filter(|told| **told == Told::Answered);
        answered.count()
    }

    /// Compares with everything that was exported; to be asked when nothing is on its way any more.
    pub(crate) fn compare(&self, exported: &[Exported]) -> Result<(), String> {
        for (number, told) in &self.told {
            let times: u32 = exported
                .iter()
                .filter_map(|exported| exported.commands.get(number))
                .sum();
            match (told, times) {
                (Told::Answered, 1) | (Told::NotTaken, 0) | (Told::Unknown, 0 | 1) => {}
                (Told::Answered, 0) => return Err(format!("lost: command {number}")),
                (Told::NotTaken, _) => return Err(format!("refused and done: command {number}")),
                (Told::Answered | Told::Unknown, _) => {
                    return Err(format!("twice: command {number}"));
                }
            }
        }
        Ok(())
    }
}

/// Compares the states of replicas: position, index and hash of each.
pub(crate) fn compare_states(states: &[(u64, u64, [u8; 16])]) -> Result<(), String> {
    for pair in states.windows(2) {
        if pair[0].0 == pair[1].0 && pair[0].2 != pair[1].2 {
            return Err(format!("states: replicas differ at position {}", pair[0].0));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
    use ringflow_core::record::value::JobRecord;
    use ringflow_core::record::{Document, Value};

    use super::*;

    fn record(position: u64, record_type: RecordType, intent: Intent, key: i64) -> Record {
        Record {
            position: Position(position),
            source_position: None,
            key: Key(key),
            timestamp: Timestamp(0),
            record_type,
            intent,
            rejection: None,
            partition: PartitionId(1),
            record_version: 1,
            operation_reference: -1,
            batch_operation_reference: Key::NONE,
            authorization: Document::EMPTY,
            value: Value::from(JobRecord::default()),
        }
    }

    fn command(position: u64, number: i64) -> Record {
        let intent = of::Job::Complete.into();
        Record {
            operation_reference: number,
            ..record(position, RecordType::Command, intent, 1)
        }
    }

    #[test]
    fn a_gap_a_repetition_and_a_used_key_are_seen() {
        let mut exported = Exported::default();
        exported.append(&[command(1, 7), command(2, 8)]).unwrap();
        assert!(
            exported
                .append(&[command(4, 9)])
                .unwrap_err()
                .contains("gap")
        );
        let again = exported.append(&[command(3, 7)]).unwrap_err();
        assert!(again.contains("twice"), "{again}");
        let mut exported = Exported::default();
        let created = |position| record(position, RecordType::Event, of::Job::Created.into(), 5);
        exported.append(&[created(1)]).unwrap();
        let again = exported.append(&[created(2)]).unwrap_err();
        assert!(again.contains("keys"), "{again}");
    }

    #[test]
    fn lost_and_invented_commands_are_seen() {
        let mut exported = Exported::default();
        exported.append(&[command(1, 7)]).unwrap();
        let exported = [exported];
        let compare = |number, told| {
            let mut book = Book::default();
            book.note(number, told);
            book.compare(&exported)
        };
        assert_eq!(compare(7, Told::Answered), Ok(()));
        assert_eq!(compare(7, Told::Unknown), Ok(()));
        assert_eq!(compare(8, Told::Unknown), Ok(()));
        assert_eq!(compare(8, Told::NotTaken), Ok(()));
        assert!(compare(8, Told::Answered).unwrap_err().contains("lost"));
        assert!(compare(7, Told::NotTaken).unwrap_err().contains("refused"));
    }

    #[test]
    fn different_states_are_seen() {
        let at = |position, hash| (position, position, [hash; 16]);
        assert_eq!(compare_states(&[at(1, 1), at(1, 1), at(2, 5)]), Ok(()));
        assert!(compare_states(&[at(1, 1), at(1, 2)]).is_err());
    }
}
