//! Which cores carry shards, and how many partitions and threads follow from it.
//!
//! Auto keeps core 0 for the kernel, the log thread, the exporter and the gateway, and gives every
//! other core a shard. On one core, under a CPU quota, or when told so, nothing is pinned and there
//! is one shard per spare core all the same.

use crate::config::Config;

/// What runs where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placement {
    /// Core of each shard; empty = not pinned.
    pub cores: Vec<usize>,
    /// Number of shards, at least 1.
    pub shards: usize,
    /// Number of partitions, at least 1.
    pub partitions: u16,
    /// Gateway threads, at least 1.
    pub gateway_threads: usize,
}

impl Placement {
    /// Places `config` on a host with `available` cores, which `quota` may limit to fewer in time.
    ///
    /// # Errors
    /// If a core is named that the host does not have.
    pub(crate) fn new(config: &Config, available: usize, quota: bool) -> Result<Self, String> {
        let available = available.max(1);
        let spare = available.saturating_sub(1).max(1);
        let cores = match &config.cores {
            Some(cores) => {
                if let Some(core) = cores.iter().find(|core| **core >= available) {
                    return Err(format!(
                        "core {core} is named for a shard but this host has cores 0 to {}",
                        available - 1
                    ));
                }
                cores.clone()
            }
            None if available == 1 || quota => Vec::new(),
            None => (1..available).collect(),
        };
        let shards = if cores.is_empty() { spare } else { cores.len() };
        // What brokers must agree on cannot depend on the cores of one of them.
        let auto = match config.cluster.size {
            1 => shards.min(usize::from(u16::MAX)) as u16,
            size => size as u16,
        };
        let partitions = config.partitions.unwrap_or(auto);
        // More shards than partitions would only idle. Which of them are kept here may change.
        let shards = shards.min(usize::from(partitions)).max(1);
        let cores = cores.into_iter().take(shards).collect();
        let gateway_threads = config
            .gateway_threads
            .unwrap_or_else(|| (available / 2).clamp(1, 16));
        Ok(Self {
            cores,
            shards,
            partitions,
            gateway_threads,
        })
    }
}

/// True if a control group gives this process less time than its cores have.
#[must_use]
pub(crate) fn has_cpu_quota() -> bool {
    std::fs::read_to_string("/sys/fs/cgroup/cpu.max").is_ok_and(|limit| !limit.starts_with("max"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Id, Settings};

    fn config(pairs: &[(Id, &str)]) -> Config {
        let mut settings = Settings::default();
        for (id, value) in pairs {
            settings.set(*id, *value);
        }
        Config::from_settings(&settings).expect("a valid configuration")
    }

    #[test]
    fn auto_leaves_core_0_alone() {
        let placed = Placement::new(&config(&[]), 4, false).expect("placed");
        assert_eq!((placed.cores, placed.partitions), (vec![1, 2, 3], 3));
    }

    #[test]
    fn small_and_limited_hosts_run_unpinned() {
        for (available, quota, partitions) in [(1, false, 1), (4, true, 3)] {
            let placed = Placement::new(&config(&[]), available, quota).expect("placed");
            assert_eq!((placed.cores, placed.partitions), (Vec::new(), partitions));
        }
    }

    #[test]
    fn no_shard_without_a_partition_and_no_core_that_is_not_there() {
        let one = config(&[(Id::Partitions, "1")]);
        assert_eq!(Placement::new(&one, 8, false).expect("placed").cores, [1]);
        let beyond = config(&[(Id::Cores, "7")]);
        let refusal = Placement::new(&beyond, 2, false).unwrap_err();
        assert_eq!(
            refusal,
            "core 7 is named for a shard but this host has cores 0 to 1"
        );
    }
}
