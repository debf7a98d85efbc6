//! What the server used, read from `/proc`: CPU by thread, resident memory, bytes sent to disk.
//! Two samples, one at each end of the measured time; the difference divided by the instances
//! completed in between is what capacity is planned with. Only for a server on this machine.
//!
//! Limits: the process total counts in ticks of 10 ms (fixed by the kernel's interface) and
//! includes threads that ended; the split by thread is exact to the nanosecond but knows only
//! threads that lived at both ends. Threads of equal name are one row.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// USER_HZ, which the kernel promises to programs whatever its own tick is.
const TICK_US: u64 = 10_000;

/// Counters of one process at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    total_us: u64,
    threads_us: BTreeMap<String, u64>,
    rss_kib: u64,
    /// Absent when the kernel does not let this user see it.
    write_bytes: Option<u64>,
}

/// Use between two samples, per completed instance where it says so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ServerUse {
    pub(crate) cpu_us_per_instance: f64,
    /// By thread name.
    pub(crate) threads_us_per_instance: BTreeMap<String, f64>,
    /// Cores busy on average.
    pub(crate) cores: f64,
    pub(crate) write_bytes_per_instance: Option<f64>,
    pub(crate) rss_mib_before: f64,
    pub(crate) rss_mib_after: f64,
}

impl Sample {
    pub(crate) fn take(pid: u32) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let total_us = ticks(&read("stat")?).ok_or_else(|| malformed("stat"))? * TICK_US;
        let status = read("status")?;
        let rss_kib = field(&status, "VmRSS:").unwrap_or(0);
        let write_bytes = read("io")
            .ok()
            .and_then(|text| field(&text, "write_bytes:"));
        let mut threads_us = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            // A thread may end between the listing and the reading.
            let Ok(name) = fs::read_to_string(path.join("comm")) else {
                continue;
            };
            let Some(us) = thread_us(&path) else { continue };
            *threads_us.entry(name.trim().to_owned()).or_insert(0) += us;
        }
        Ok(Self {
            total_us,
            threads_us,
            rss_kib,
            write_bytes,
        })
    }

    /// Use from this sample to `later`, `seconds` apart, for `instances` (at least 1 is assumed).
    pub(crate) fn until(&self, later: &Self, seconds: f64, instances: u64) -> ServerUse {
        let per = |value: u64| value as f64 / instances.max(1) as f64;
        let total_us = later.total_us.saturating_sub(self.total_us);
        let threads = later.threads_us.iter().map(|(name, us)| {
            let before = self.threads_us.get(name).copied().unwrap_or(0);
            (name.clone(), per(us.saturating_sub(before)))
        });
        let writes = self.write_bytes.zip(later.write_bytes);
        ServerUse {
            cpu_us_per_instance: per(total_us),
            threads_us_per_instance: threads.collect(),
            cores: total_us as f64 / 1e6 / seconds.max(1e-3),
            write_bytes_per_instance: writes.map(|(from, to)| per(to.saturating_sub(from))),
            rss_mib_before: self.rss_kib as f64 / 1024.0,
            rss_mib_after: later.rss_kib as f64 / 1024.0,
        }
    }
}

fn thread_us(task: &std::path::Path) -> Option<u64> {
    if let Ok(text) = fs::read_to_string(task.join("schedstat")) {
        let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
        return Some(nanos / 1000);
    }
    Some(ticks(&fs::read_to_string(task.join("stat")).ok()?)? * TICK_US)
}

/// utime + stime of a `stat` line. The command name may hold anything, so fields count from the
/// last closing parenthesis.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn malformed(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("cannot read /proc {name}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_survive_a_name_with_parentheses() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0";
        assert_eq!(ticks(stat), Some(150));
        assert_eq!(ticks("42 (a"), None);
    }

    #[test]
    fn this_process_can_be_sampled() {
        let pid = std::process::id();
        let before = Sample::take(pid).unwrap();
        let after = Sample::take(pid).unwrap();
        let used = before.until(&after, 1.0, 10);
        assert!(used.rss_mib_after > 0.0 && used.cpu_us_per_instance >= 0.0);
        assert!(!used.threads_us_per_instance.is_empty());
        assert!(Sample::take(u32::MAX).is_err());
    }

    #[test]
    fn use_is_the_difference_per_instance() {
        let sample = |us, written| Sample {
            total_us: us,
            threads_us: BTreeMap::from([("shard-0".to_owned(), us)]),
            rss_kib: 2048,
            write_bytes: Some(written),
        };
        let used = sample(1_000, 0).until(&sample(11_000, 500), 2.0, 100);
        assert_eq!(used.cpu_us_per_instance, 100.0);
        assert_eq!(used.threads_us_per_instance["shard-0"], 100.0);
        assert_eq!(used.write_bytes_per_instance, Some(5.0));
        assert_eq!((used.cores, used.rss_mib_after), (0.005, 2.0));
    }
}
