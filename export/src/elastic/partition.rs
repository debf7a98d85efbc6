//! One partition: feed -> window -> bulk -> cursor -> acknowledgement.
//!
//! The window is sent when it is full or old enough; while it is on its way the feed waits in its
//! lane, and behind that in the log. A window that does not get through is sent again, what is left
//! of it, with growing pauses. Only what was taken moves the cursor, and only the cursor is
//! acknowledged. A cursor that cannot be written is tried again with the next window.
//!
//! Owned by the exporter's thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::{PartitionId, Timestamp};
use ringflow_core::record::Record;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::client::{Cursor, Refused};
use super::document::Document;
use super::{Shared, stopped};
use crate::error::ExportError;
use crate::feed::RecordFeed;
use crate::metrics::PartitionMetrics;
use crate::phase::Phase;

/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How often it is looked whether exporting is still paused.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What was received and is not there yet.
#[derive(Default)]
struct Window {
    documents: Vec<Document>,
    bytes: usize,
    records: u64,
    /// When it got its first record, and that record's time.
    since: Option<(Instant, Timestamp)>,
}

/// One partition's state between two waits.
struct Task {
    shared: Rc<Shared>,
    metrics: Arc<PartitionMetrics>,
    partition: PartitionId,
    /// Behind the last record of the window.
    cursor: Cursor,
    window: Window,
    /// Received and not yet in the window.
    pending: Option<(Arc<Vec<Record>>, usize)>,
}

/// Exports one partition until its feed ends or the exporter stops.
pub(super) async fn partition(
    shared: Rc<Shared>,
    mut feed: Box<dyn RecordFeed>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), ExportError> {
    let id = feed.partition();
    let metrics = shared.metrics.partition(id);
    let (cursor, phase) = tokio::select! {
        ready = ready(&shared, &metrics, id) => ready,
        () = stopped(&mut stopping) => return Ok(()),
    };
    feed.start(cursor.position)
        .map_err(|error| ExportError::Feed {
            partition: id.0,
            reason: error.reason,
        })?;
    if phase == Phase::Exporting {
        feed.acknowledge(cursor.position);
    }
    metrics.cursor(cursor.position);
    metrics.received(cursor.position);
    tracing::info!(
        partition = id.0,
        after = cursor.position.0,
        "exporting to Elasticsearch"
    );
    let mut task = Task {
        shared,
        metrics,
        partition: id,
        cursor,
        window: Window::default(),
        pending: None,
    };
    drive(&mut task, feed.as_mut(), stopping).await;
    Ok(())
}

/// Waits until the templates are there and the cursor is known.
async fn ready(
    shared: &Shared,
    metrics: &PartitionMetrics,
    partition: PartitionId,
) -> (Cursor, Phase) {
    let mut pause = PAUSES.0;
    loop {
        let prepared = shared
            .prepared
            .get_or_try_init(|| shared.client.prepare(&shared.options))
            .await;
        let found = match prepared {
            Ok(()) => shared.client.cursor(partition).await,
            Err(refused) => Err(refused),
        };
        match found {
            Ok(found) => {
                let phase = shared.phase(partition).await.unwrap_or_default();
                return (found.unwrap_or_default(), phase);
            }
            Err(refused) => {
                metrics.failed();
                tracing::warn!(partition = partition.0, %refused, "Elasticsearch is not ready");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

async fn drive(task: &mut Task, feed: &mut dyn RecordFeed, mut stopping: watch::Receiver<bool>) {
    let mut ended = false;
    loop {
        task.fill();
        let stops = ended || *stopping.borrow();
        if task.is_full() || task.is_due() || (stops && task.window.records > 0) {
            let patience = task.shared.options.stop_timeout;
            let too_late = async {
                stopped(&mut stopping).await;
                sleep(patience).await;
            };
            tokio::select! {
                biased;
                () = task.send(feed) => {}
                () = too_late => {
                    tracing::warn!(
                        partition = task.partition.0,
                        "stopped without a last window for Elasticsearch; it follows after the next start"
                    );
                    return;
                }
            }
            continue;
        }
        if stops {
            return;
        }
        let due = task.due_at();
        let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            batch = feed.next() => match batch {
                Some(batch) => {
                    task.metrics.received(batch.last);
                    task.pending = Some((batch.records, 0));
                }
                None => ended = true,
            },
            () = sleep_until(due) => {}
            () = stopped(&mut stopping) => {}
        }
    }
}

impl Shared {
    async fn phase(&self, partition: PartitionId) -> Option<Phase> {
        match &self.phase {
            Some(ask) => ask(partition.0).await,
            None => None,
        }
    }
}

impl Task {
    fn is_full(&self) -> bool {
        let options = &self.shared.options;
        self.window.documents.len() >= options.bulk_size || self.window.bytes >= options.bulk_bytes
    }

    fn due_at(&self) -> Option<Instant> {
        let (since, _) = self.window.since?;
        Some(since + self.shared.options.bulk_delay)
    }

    fn is_due(&self) -> bool {
        self.due_at().is_some_and(|due| due <= Instant::now())
    }

    /// Makes documents of what was received until the window is full.
    fn fill(&mut self) {
        while let Some((records, from)) = self.pending.take() {
            for (at, record) in records.iter().enumerate().skip(from) {
                if self.is_full() {
                    self.pending = Some((Arc::clone(&records), at));
                    return;
                }
                self.take(record);
            }
        }
    }

    fn take(&mut self, record: &Record) {
        let last = self.cursor.position;
        if record.position <= last {
            return;
        }
        if record.position != last.next() {
            self.metrics.gap();
            tracing::warn!(
                partition = self.partition.0,
                after = last.0,
                found = record.position.0,
                "the log begins later: what lies between is not in Elasticsearch"
            );
        }
        self.cursor.position = record.position;
        self.window.records += 1;
        if self.window.since.is_none() {
            self.window.since = Some((Instant::now(), record.timestamp));
            self.metrics.waiting_since(record.timestamp);
        }
        let options = &self.shared.options;
        if options
            .index
            .takes(record.record_type, record.intent.value_type())
        {
            let document = Document::of(record, options, &mut self.cursor.sequences);
            self.window.bytes += document.lines.len();
            self.window.documents.push(document);
        }
    }

    /// Sends the window until all of it was taken, then moves the cursor.
    async fn send(&mut self, feed: &dyn RecordFeed) {
        let phase = self.until_exporting().await;
        let began = Instant::now();
        let sent = self.window.documents.len() as u64;
        self.deliver().await;
        let window = std::mem::take(&mut self.window);
        self.metrics.flushed(window.records, sent, began.elapsed());
        self.metrics.waiting_since(Timestamp::NONE);
        if phase == Phase::SoftPaused {
            // The log is kept from where it was when that began.
            return;
        }
        let advanced = self.shared.client.advance(self.partition, &self.cursor);
        match advanced.await {
            Ok(()) => {
                self.metrics.cursor(self.cursor.position);
                feed.acknowledge(self.cursor.position);
            }
            Err(refused) => {
                self.metrics.failed();
                tracing::warn!(
                    partition = self.partition.0,
                    %refused,
                    "the cursor in Elasticsearch stays behind until the next window"
                );
            }
        }
    }

    /// Waits while exporting is paused.
    async fn until_exporting(&self) -> Phase {
        let mut told = false;
        loop {
            match self.shared.phase(self.partition).await.unwrap_or_default() {
                Phase::Paused => {
                    if !told {
                        tracing::info!(partition = self.partition.0, "exporting is paused");
                    }
                    told = true;
                    sleep(LOOK_AGAIN).await;
                }
                phase @ (Phase::Exporting | Phase::SoftPaused) => return phase,
            }
        }
    }

    async fn deliver(&self) {
        let mut waiting: Vec<&Document> = self.window.documents.iter().collect();
        let mut part = waiting.len();
        let mut pause = PAUSES.0;
        let mut first = true;
        while !waiting.is_empty() {
            if !first {
                self.metrics.retried();
            }
            first = false;
            part = part.clamp(1, waiting.len());
            let why = match self.shared.client.bulk(&waiting[..part]).await {
                Ok(sent) => {
                    self.metrics.poisoned(sent.poison.len() as u64);
                    for poison in &sent.poison {
                        self.left_out(waiting[poison.at], &poison.reason);
                    }
                    let again: Vec<&Document> = sent.again.iter().map(|at| waiting[*at]).collect();
                    waiting.splice(..part, again);
                    if sent.again.is_empty() {
                        pause = PAUSES.0;
                        continue;
                    }
                    sent.why
                }
                Err(Refused::TooLarge) if part > 1 => {
                    part /= 2;
                    continue;
                }
                Err(Refused::TooLarge) => {
                    self.metrics.poisoned(1);
                    let document = waiting.remove(0);
                    self.left_out(document, "larger than a request may be");
                    continue;
                }
                Err(Refused::Later(why)) => why,
            };
            self.metrics.failed();
            tracing::warn!(
                partition = self.partition.0,
                waiting = waiting.len(),
                why,
                "Elasticsearch did not take a window; it is sent again"
            );
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn left_out(&self, document: &Document, reason: &str) {
        tracing::error!(
            partition = self.partition.0,
            index = document.index,
            id = document.id,
            reason,
            "Elasticsearch refuses a document for good: it is left out"
        );
    }
}
