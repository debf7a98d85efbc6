//! Result files that other tools read: the HdrHistogram interval log and percentile distributions.
//! Written by the ticker of a run while it runs, so that an aborted run leaves a readable log.
//!
//! Format of `.hlog` (log format 1.3): comment lines, StartTime, BaseTime, a legend, then one line
//! per interval and operation: `Tag=<op>,<start s since BaseTime>,<length s>,<max ms>,<base64>`;
//! the histogram itself is in nanoseconds, compressed V2.
//! Format of `.hgrm`: value in milliseconds, percentile as a fraction, running count and
//! 1/(1-percentile) in fixed columns, with the three summary lines plotters look for.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use crate::measure::Interval;

const NS_PER_MS: f64 = 1e6;
/// Points per halving of the distance to 100 %; 5 is what the plotters' examples use.
const TICKS_PER_HALF: u32 = 5;

pub(crate) type Target = Box<dyn Write + Send>;

/// An interval log that is being written.
pub(crate) struct Hlog<'a> {
    log: IntervalLogWriter<'a, 'a, Target, V2DeflateSerializer>,
}

/// The file at `path`, or a target that swallows everything.
pub(crate) fn target(path: Option<&Path>) -> io::Result<Target> {
    Ok(match path {
        Some(path) => Box::new(BufWriter::new(std::fs::File::create(path)?)),
        None => Box::new(io::sink()),
    })
}

impl<'a> Hlog<'a> {
    /// Writes the head; `base` is the wall clock at the beginning of the measured time.
    pub(crate) fn begin(
        target: &'a mut Target,
        serializer: &'a mut V2DeflateSerializer,
        base: SystemTime,
        comment: &str,
    ) -> io::Result<Self> {
        let seconds = base
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        for line in comment.lines() {
            writeln!(target, "#[{line}]")?;
        }
        writeln!(target, "#[Histogram log format version 1.3]")?;
        writeln!(target, "#[StartTime: {seconds:.3} (seconds since epoch)]")?;
        writeln!(target, "#[BaseTime: {seconds:.3} (seconds since epoch)]")?;
        writeln!(
            target,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
             \"Interval_Compressed_Histogram\""
        )?;
        let log = IntervalLogWriterBuilder::new()
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(target, serializer)?;
        Ok(Self { log })
    }

    /// One line per operation of the interval that began `start` after the base.
    pub(crate) fn write(
        &mut self,
        interval: &Interval,
        start: Duration,
        length: Duration,
    ) -> io::Result<()> {
        for (op, histogram) in &interval.histograms {
            self.log
                .write_histogram(histogram, start, length, Tag::new(op.name()))
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
                })?;
        }
        Ok(())
    }
}

/// Writes the percentile distribution of `histogram` (nanoseconds) in milliseconds.
pub(crate) fn write_hgrm(target: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
    writeln!(
        target,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut seen = 0u64;
    for point in histogram.iter_quantiles(TICKS_PER_HALF) {
        seen += point.count_since_last_iteration();
        let value = point.value_iterated_to() as f64 / NS_PER_MS;
        let quantile = point.quantile_iterated_to();
        if quantile < 1.0 {
            let odds = 1.0 / (1.0 - quantile);
            writeln!(target, "{value:12.3} {quantile:2.12} {seen:10} {odds:14.2}")?;
        } else {
            writeln!(target, "{value:12.3} {quantile:2.12} {seen:10}")?;
        }
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_MS, histogram.stdev() / NS_PER_MS);
    writeln!(
        target,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]"
    )?;
    let max = histogram.max() as f64 / NS_PER_MS;
    writeln!(
        target,
        "#[Max     = {max:12.3}, Total count    = {:12}]",
        histogram.len()
    )?;
    let (buckets, width) = (histogram.buckets(), sub_buckets(histogram));
    writeln!(
        target,
        "#[Buckets = {buckets:12}, SubBuckets     = {width:12}]"
    )
}

/// The smallest power of two that resolves the significant digits twice over.
fn sub_buckets(histogram: &Histogram<u64>) -> u64 {
    (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::measure::{Op, Recorder, histogram};

    /// A target that can be read after the box is gone.
    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn decode(base64: &str) -> Histogram<u64> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digits: Vec<u8> = base64.bytes().filter(|byte| *byte != b'=').collect();
        let mut bytes = Vec::new();
        for group in digits.chunks(4) {
            let value = |byte| alphabet.iter().position(|letter| *letter == byte).unwrap();
            let word = group
                .iter()
                .fold(0usize, |word, byte| word << 6 | value(*byte));
            let word = (word << (6 * (4 - group.len()))) as u32;
            bytes.extend_from_slice(&word.to_be_bytes()[1..group.len()]);
        }
        Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .unwrap()
    }

    #[test]
    fn an_interval_log_parses_back_with_tags_and_values() {
        let shared = Shared::default();
        let mut target: Target = Box::new(shared.clone());
        let mut serializer = V2DeflateSerializer::new();
        let base = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let mut log = Hlog::begin(&mut target, &mut serializer, base, "one\ntwo").unwrap();
        let recorder = Recorder::new(1);
        for n in 1..=100u64 {
            recorder.record(0, Op::Create, Duration::from_millis(n));
            recorder.record(0, Op::Lag, Duration::from_micros(n));
        }
        let second = Duration::from_secs(1);
        log.write(&recorder.drain(), second, second).unwrap();
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();

        assert!(text.starts_with("#[one]\n#[two]\n#[Histogram log format version 1.3]\n"));
        assert!(text.contains("#[StartTime: 1700000000.250 (seconds since epoch)]"));
        let mut tags = Vec::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            let LogEntry::Interval(line) = entry.unwrap() else {
                continue;
            };
            tags.push(line.tag().unwrap().as_str().to_owned());
            assert_eq!((line.start_timestamp(), line.duration()), (second, second));
            let histogram = decode(line.encoded_histogram());
            assert_eq!(histogram.len(), 100);
            if line.tag() == Tag::new("create") {
                assert!((line.max() - 100.0).abs() < 0.2, "{}", line.max());
                assert!(histogram.equivalent(histogram.value_at_quantile(0.5), 50_000_000));
            }
        }
        assert_eq!(tags, ["create", "lag"]);
    }

    #[test]
    fn a_percentile_distribution_has_the_columns_plotters_read() {
        let mut values = histogram();
        for n in 1..=4u64 {
            values.record(n * 1_000_000).unwrap();
        }
        let mut bytes = Vec::new();
        write_hgrm(&mut bytes, &values).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "       Value     Percentile TotalCount 1/(1-Percentile)"
        );
        assert_eq!(lines[1], "");
        assert_eq!(
            lines[2],
            "       1.000 0.000000000000          1           1.00"
        );
        let rows: Vec<Vec<f64>> = lines[2..]
            .iter()
            .take_while(|line| !line.starts_with('#'))
            .map(|line| {
                line.split_whitespace()
                    .map(|cell| cell.parse().unwrap())
                    .collect()
            })
            .collect();
        assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]));
        let last = rows.last().unwrap();
        assert_eq!((last.len(), last[1], last[2]), (3, 1.0, 4.0));
        assert!(
            text.contains("#[Mean    =        2.500, StdDeviation   =        1.118]"),
            "{text}"
        );
        assert!(text.contains("Total count    =            4]"));
        assert!(text.contains("SubBuckets     =         2048]"));
    }
}
