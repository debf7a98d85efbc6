//! `ringflow inspect`: what a stopped broker's files hold, one readable line each.
//!
//! A line of the log: entry, position, source position, record type, value type and intent, key, and
//! the value as JSON; rejections add kind and reason. A line of the state: family, row key in hex,
//! value as JSON. Lines go to standard output; a reader that stops early (`| head`) ends it quietly.

use std::io::{BufWriter, ErrorKind, Write};

use ringflow_core::record::Record;
use ringflow_core::state::describe_row;
use ringflow_io::inspect::{InspectError, Inspector, LogEntry};

use crate::arguments::{Failure, InspectOptions, InspectPlace, Inspected};

/// Prints what `options` ask for.
///
/// # Errors
/// If the directory is not a data directory, is in use, or holds damage.
pub(crate) fn run(options: &InspectOptions) -> Result<(), Failure> {
    let (Inspected::Log(place) | Inspected::State(place)) = &options.what;
    let inspector = Inspector::open(&place.dir)?;
    let mut out = Lines(BufWriter::new(std::io::stdout().lock()));
    let mut partitions = inspector.partitions()?;
    if let Some(wanted) = place.partition {
        partitions.retain(|partition| partition.0 == wanted);
        if partitions.is_empty() {
            return Err(Failure(format!(
                "{} has no partition {wanted}",
                place.dir.display()
            )));
        }
    }
    for partition in partitions {
        if place.digest {
            let digests = inspector.digests(partition)?;
            let replay = digests
                .replay
                .map_or_else(|| "compacted".to_owned(), |it| hex(&it));
            out.line(format_args!(
                "partition {partition} position {} state {} replay {replay}",
                digests.position,
                hex(&digests.state)
            ))?;
            continue;
        }
        match &options.what {
            Inspected::Log(InspectPlace { .. }) => {
                out.line(format_args!("# log of partition {partition}"))?;
                inspector.log(partition, &mut |entry| out.entry(&entry))?;
            }
            Inspected::State(InspectPlace { .. }) => {
                out.line(format_args!("# state of partition {partition}"))?;
                inspector.state(partition, &mut |key, value| out.row(key, value))?;
            }
        }
    }
    out.0.flush()?;
    Ok(())
}

struct Lines<W: Write>(W);

impl<W: Write> Lines<W> {
    fn line(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), InspectError> {
        writeln!(self.0, "{text}").map_err(|error| {
            if error.kind() == ErrorKind::BrokenPipe {
                std::process::exit(0);
            }
            InspectError::new(error.to_string())
        })
    }

    fn entry(&mut self, entry: &LogEntry) -> Result<(), InspectError> {
        let (index, term) = (entry.index, entry.term);
        let Some((_, records)) = &entry.batch else {
            return self.line(format_args!("entry {index} term {term}: of Raft itself"));
        };
        for record in records {
            self.record(index, record)?;
        }
        Ok(())
    }

    fn record(&mut self, index: u64, record: &Record) -> Result<(), InspectError> {
        let mut json = String::new();
        record.value.json(&mut json);
        let source = record.source_position.map_or(-1, |source| source.0 as i64);
        let kind = record.record_type.name();
        let (position, intent, key) = (record.position, record.intent, record.key);
        match &record.rejection {
            None => self.line(format_args!(
                "entry {index} position {position} source {source} {kind} {intent:?} {key:?} {json}"
            )),
            Some(rejection) => self.line(format_args!(
                "entry {index} position {position} source {source} {kind} {intent:?} {key:?} {}: {} \
                 {json}",
                rejection.kind.name(),
                // Reasons of refused deployments have several lines; a record has one.
                rejection.reason.replace('\n', "\\n")
            )),
        }
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), InspectError> {
        let (family, rest) = key.split_first().unwrap_or((&0, &[]));
        let mut json = String::new();
        let name = match describe_row(*family, value, &mut json) {
            Ok(name) => name.unwrap_or("store"),
            Err(error) => {
                json = format!("damaged: {error}");
                "?"
            }
        };
        if name == "store" {
            json = hex(value);
        }
        self.line(format_args!("{name} {} {json}", hex(rest)))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
