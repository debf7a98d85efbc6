//! Which partition a request goes to.
//!
//! | target | partition |
//! |---|---|
//! | `Key` | the one that gave out the key; any if no partition can have given out such a key |
//! | `Correlation` | hash of the correlation key |
//! | `Deployment` | 1: everything that is distributed starts there |
//! | `Any` | round robin over those that have a leader, next one if it refuses without having taken the command |
//!
//! Counters are per gateway and start at a place that differs between gateways only by chance; they
//! carry no meaning but fairness.

use std::sync::atomic::{AtomicUsize, Ordering};

use ringflow_core::ids::{Key, PartitionId};

use crate::problem::Problem;

/// Where a command has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To the partition of a key.
    Key(Key),
    /// To the partition of a correlation key.
    Correlation(String),
    /// To the partition that accepts deployments.
    Deployment,
    /// To any partition.
    Any,
}

/// The partition of `key` in a cluster of `count` partitions; `None` if the key names none at all,
/// so that any may say that it does not know it.
///
/// # Errors
/// The partition that the key names is none of this cluster.
pub(crate) fn of_key(key: Key, count: u16) -> Result<Option<PartitionId>, Problem> {
    let partition = key.partition();
    if !key.is_some() || key.0 < 0 || partition.0 == 0 {
        return Ok(None);
    }
    if partition.0 <= count {
        Ok(Some(partition))
    } else {
        Err(Problem::NoSuchPartition(partition))
    }
}

/// Gives out start partitions in turn.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin(AtomicUsize);

impl RoundRobin {
    /// All partitions of `count`, each once, beginning with the next in turn.
    pub(crate) fn turn(&self, count: u16) -> impl Iterator<Item = PartitionId> + use<> {
        let start = self.0.fetch_add(1, Ordering::Relaxed);
        let total = usize::from(count);
        (0..total).map(move |step| {
            let number = (start % total + step) % total + 1;
            // At most `count`, which is 16 bits wide.
            PartitionId(number as u16)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_they_were_made() {
        let key = Key::new(PartitionId(2), 7);
        assert_eq!(of_key(key, 3), Ok(Some(PartitionId(2))));
        for key in [Key(0), Key::NONE, Key(17), Key(i64::MIN)] {
            assert_eq!(of_key(key, 3), Ok(None), "{key:?}");
        }
        let problem = of_key(key, 1).unwrap_err();
        assert_eq!(problem.row().http, 503);
        assert!(
            problem
                .grpc_text()
                .starts_with("Expected to execute command on partition "),
        );
    }

    #[test]
    fn turns_visit_every_partition_once() {
        let robin = RoundRobin::default();
        let turn = |robin: &RoundRobin| robin.turn(3).map(|p| p.0).collect::<Vec<_>>();
        assert_eq!(turn(&robin), [1, 2, 3]);
        assert_eq!(turn(&robin), [2, 3, 1]);
        assert_eq!(turn(&robin), [3, 1, 2]);
        assert_eq!(turn(&robin), [1, 2, 3]);
        assert_eq!(robin.turn(0).count(), 0);
    }
}
