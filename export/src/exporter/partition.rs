//! One partition: feed -> window -> database -> acknowledgement.
//!
//! One window is in flight, the next one folds; when both are full, the feed is not read. A window
//! that does not get through is sent again, unchanged, with growing pauses. A cursor that stands
//! elsewhere than expected makes the task begin again there.
//!
//! Owned by the exporter's thread; every await can be dropped without losing a record.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
use ringflow_core::record::{Record, Text, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{PAUSES, Shared, stopped, wall_clock};
use crate::batch::{Operation, Sealed, Window};
use crate::error::ExportError;
use crate::feed::RecordFeed;
use crate::metrics::PartitionMetrics;
use crate::names::Definition;
use crate::phase::Phase;
use crate::row::audit_log::Trail;
use crate::row::{self, Context};
use crate::schema::Table;
use crate::sink::{FlushFailure, Sink};

/// How often it is looked whether exporting is still paused.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a window ended.
enum Outcome {
    Committed {
        /// The log may forget it.
        acknowledge: bool,
    },
    Fenced {
        /// Where the cursor stands.
        at: Position,
        /// The log may forget what is in front of it.
        acknowledge: bool,
    },
    /// Exporting is paused, and the exporter stops.
    Left,
}

type Flight = Pin<Box<dyn Future<Output = (Sink, Sealed, Outcome)>>>;

/// One partition's state between two waits.
struct Task {
    shared: Rc<Shared>,
    metrics: Arc<PartitionMetrics>,
    stopping: watch::Receiver<bool>,
    /// Who is behind the records that come.
    trail: Trail,
    window: Window,
    /// When the window got its first record.
    since: Option<Instant>,
    /// Time of that record.
    oldest: Timestamp,
    /// Received and not yet folded.
    pending: Option<(Arc<Vec<Record>>, usize)>,
    sink: Option<Sink>,
    flight: Option<Flight>,
}

/// Exports one partition until its feed ends or the exporter stops.
pub(super) async fn partition(
    shared: Rc<Shared>,
    mut feed: Box<dyn RecordFeed>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), ExportError> {
    let id = feed.partition();
    let metrics = shared.metrics.partition(id);
    let mut sink = Sink::new(
        shared.options.database.clone(),
        shared.options.prefix.clone(),
        shared.options.flush_timeout,
    );
    let (cursor, phase) = tokio::select! {
        cursor = cursor(&mut sink, id) => cursor,
        _ = stopped(&mut stopping) => return Ok(()),
    };
    start(feed.as_mut(), cursor, phase == Phase::Exporting)?;
    metrics.cursor(cursor);
    metrics.received(cursor);
    tracing::info!(partition = id.0, after = cursor.0, "exporting");
    shared.partitions.borrow_mut().insert(id.0);
    let mut task = Task {
        stopping: stopping.clone(),
        trail: Trail::default(),
        window: Window::new(id, cursor),
        since: None,
        oldest: Timestamp::NONE,
        pending: None,
        sink: Some(sink),
        flight: None,
        metrics,
        shared,
    };
    let result = drive(&mut task, feed.as_mut(), stopping).await;
    task.shared.partitions.borrow_mut().remove(&id.0);
    if let Some(sink) = &mut task.sink {
        sink.close().await;
    }
    result
}

fn start(feed: &mut dyn RecordFeed, after: Position, acknowledge: bool) -> Result<(), ExportError> {
    feed.start(after).map_err(|error| ExportError::Feed {
        partition: feed.partition().0,
        reason: error.reason,
    })?;
    if acknowledge {
        feed.acknowledge(after);
    }
    Ok(())
}

async fn cursor(sink: &mut Sink, partition: PartitionId) -> (Position, Phase) {
    let mut pause = PAUSES.0;
    loop {
        match sink.cursor(partition).await {
            Ok(found) => return found,
            Err(failure) => {
                tracing::warn!(partition = partition.0, ?failure, "cannot read the cursor");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

async fn drive(
    task: &mut Task,
    feed: &mut dyn RecordFeed,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), ExportError> {
    let mut ended = false;
    let mut give_up: Option<Instant> = None;
    loop {
        let patience = task.shared.options.stop_timeout;
        let too_late = async {
            stopped(&mut stopping).await;
            sleep(patience).await;
        };
        tokio::select! {
            biased;
            () = task.fold() => {}
            () = too_late => return Ok(()),
        }
        let draining = ended || give_up.is_some();
        if task.flight.is_none() && task.is_due(draining) {
            task.launch();
        }
        if draining && task.flight.is_none() && task.pending.is_none() && task.window.records() == 0
        {
            return Ok(());
        }
        let deadline = match (&task.flight, task.due_at()) {
            (None, Some(due)) => due,
            _ => Instant::now() + Duration::from_secs(3600),
        };
        let flying = task.flight.is_some();
        tokio::select! {
            batch = feed.next(), if !draining && task.pending.is_none() => match batch {
                Some(batch) => {
                    task.metrics.received(batch.last);
                    task.pending = Some((batch.records, 0));
                }
                None => ended = true,
            },
            (sink, sealed, outcome) = poll_flight(&mut task.flight), if flying => {
                task.flight = None;
                task.sink = Some(sink);
                task.landed(feed, &sealed, &outcome)?;
            }
            _ = sleep_until(deadline), if !flying => {}
            _ = stopped(&mut stopping), if give_up.is_none() => {
                give_up = Some(Instant::now() + task.shared.options.stop_timeout);
            }
            _ = sleep_until(give_up.unwrap_or(deadline)), if give_up.is_some() => {
                tracing::warn!(
                    after = task.window.last().0,
                    "stopped without a final flush; the rest is exported after the next start"
                );
                return Ok(());
            }
        }
    }
}

async fn poll_flight(flight: &mut Option<Flight>) -> (Sink, Sealed, Outcome) {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}

impl Task {
    fn is_full(&self) -> bool {
        let options = &self.shared.options;
        self.window.rows() >= options.window_rows || self.window.bytes() >= options.window_bytes
    }

    /// When the window has to go, if it holds anything.
    fn due_at(&self) -> Option<Instant> {
        let since = self.since?;
        let options = &self.shared.options;
        Some(if self.window.rows() > 0 {
            since + options.window_age
        } else {
            since + options.idle_advance
        })
    }

    fn is_due(&self, draining: bool) -> bool {
        if self.window.records() == 0 {
            return false;
        }
        (draining && self.pending.is_none())
            || self.is_full()
            || self.due_at().is_some_and(|due| due <= Instant::now())
    }

    /// Folds what was received until the window is full. Only ends between records.
    async fn fold(&mut self) {
        let Some((records, from)) = self.pending.clone() else {
            return;
        };
        // Up to here nothing has changed: the future may be dropped while it waits.
        self.learn_names(&records[from..]).await;
        self.pending = None;
        let mut names = self.shared.names.borrow_mut();
        let mut context = Context {
            names: &mut names,
            trail: &mut self.trail,
            retain: self.shared.options.retain.as_ref(),
            audit: self.shared.options.audit,
        };
        for (at, record) in records.iter().enumerate().skip(from) {
            let options = &self.shared.options;
            if self.window.rows() >= options.window_rows
                || self.window.bytes() >= options.window_bytes
            {
                self.pending = Some((Arc::clone(&records), at));
                return;
            }
            let last = self.window.last();
            if record.position <= last {
                continue;
            }
            if record.position != last.next() {
                self.metrics.gap();
                tracing::error!(
                    partition = record.partition.0,
                    expected = last.next().0,
                    found = record.position.0,
                    "records are missing from the log; their history is lost"
                );
            }
            if self.since.is_none() {
                self.since = Some(Instant::now());
                self.oldest = record.timestamp;
                if self.flight.is_none() {
                    self.metrics.waiting_since(record.timestamp);
                }
            }
            row::write(&mut self.window, &mut context, record);
        }
    }

    /// Reads definitions that the records refer to and that are not cached.
    async fn learn_names(&mut self, records: &[Record]) {
        let mut missing: BTreeSet<Key> = BTreeSet::new();
        {
            let names = self.shared.names.borrow();
            let called = records.iter().flat_map(row::callers_of).copied();
            for definition in records.iter().filter_map(row::definition_of).chain(called) {
                if definition.is_some() && !names.knows(definition) {
                    missing.insert(definition);
                }
            }
        }
        // Definitions that are recorded in these very records need no reading.
        for record in records {
            if let Value::Process(process) = &record.value {
                missing.remove(&process.process_definition_key);
            }
        }
        let batches = self.unknown_batches(records);
        if missing.is_empty() && batches.is_empty() {
            return;
        }
        let options = &self.shared.options;
        let (database, prefix) = (options.database.clone(), options.prefix.clone());
        let mut reader = Sink::new(database, prefix, options.flush_timeout);
        for key in missing {
            // Without the database names stay unknown for now: rows wait for it anyway, but a name
            // that is missing would stay missing, so this waits too.
            let mut pause = PAUSES.0;
            let found = loop {
                match reader.definition(key).await {
                    Ok(found) => break found,
                    Err(failure) => {
                        tracing::warn!(definition = key.0, ?failure, "cannot read a definition");
                        sleep(pause).await;
                        pause = (pause * 2).min(PAUSES.1);
                    }
                }
            };
            let mut names = self.shared.names.borrow_mut();
            match found {
                Some((id, xml)) => names.insert(key, Definition::read(&xml, &id)),
                None => names.unknown(key),
            }
        }
        for key in batches {
            let mut pause = PAUSES.0;
            let kind = loop {
                match reader.batch_kind(key).await {
                    Ok(kind) => break kind.unwrap_or_default(),
                    Err(failure) => {
                        tracing::warn!(batch = key.0, ?failure, "cannot read a batch operation");
                        sleep(pause).await;
                        pause = (pause * 2).min(PAUSES.1);
                    }
                }
            };
            let kind = Text::from(kind);
            self.shared.names.borrow_mut().note_batch(key, kind);
        }
        reader.close().await;
    }

    /// Batch operations that the records end and whose kind, by which they are kept, is not known.
    fn unknown_batches(&self, records: &[Record]) -> BTreeSet<Key> {
        let mut names = self.shared.names.borrow_mut();
        let mut unknown = BTreeSet::new();
        for record in records {
            if let Value::BatchOperationCreation(value) = &record.value {
                // Created in these very records, so noted before it is needed.
                let kind = Text::from(value.batch_operation_type.name());
                names.note_batch(value.batch_operation_key, kind);
            }
            if let Value::BatchOperationLifecycleManagement(value) = &record.value {
                let key = value.batch_operation_key;
                if record.partition == key.partition() && names.batch_kind(key).is_none() {
                    unknown.insert(key);
                }
            }
        }
        unknown
    }

    /// Seals the window and sends it on its way.
    fn launch(&mut self) {
        let Some(sink) = self.sink.take() else {
            return;
        };
        let (partition, last) = (self.window.partition(), self.window.last());
        let window = std::mem::replace(&mut self.window, Window::new(partition, last));
        self.metrics.waiting_since(self.oldest);
        self.since = None;
        self.flight = Some(Box::pin(deliver(
            Rc::clone(&self.shared),
            Arc::clone(&self.metrics),
            sink,
            window.seal(),
            self.stopping.clone(),
        )));
    }

    fn landed(
        &mut self,
        feed: &mut dyn RecordFeed,
        sealed: &Sealed,
        outcome: &Outcome,
    ) -> Result<(), ExportError> {
        match outcome {
            Outcome::Committed { acknowledge } => {
                if *acknowledge {
                    feed.acknowledge(sealed.last);
                }
                self.metrics.cursor(sealed.last);
                let of_deletions = |it: &Operation| it.table == Table::HistoryDeletion;
                if sealed.operations.iter().any(of_deletions) {
                    self.shared.deletions.notify_one();
                }
                self.metrics.waiting_since(match self.since {
                    Some(_) => self.oldest,
                    None => Timestamp::NONE,
                });
                Ok(())
            }
            Outcome::Fenced { at, acknowledge } => {
                tracing::warn!(
                    partition = sealed.partition.0,
                    expected = sealed.from.0,
                    found = at.0,
                    "the cursor in the database stands elsewhere; continuing from there"
                );
                self.metrics.fenced();
                self.shared.names.borrow_mut().forget_variables();
                self.pending = None;
                self.since = None;
                self.window = Window::new(sealed.partition, *at);
                self.metrics.cursor(*at);
                start(feed, *at, *acknowledge)
            }
            Outcome::Left => {
                self.pending = None;
                self.since = None;
                self.window = Window::new(sealed.partition, sealed.from);
                Ok(())
            }
        }
    }
}

/// Sends a window until it is in the database, or until it turns out to be out of place.
async fn deliver(
    shared: Rc<Shared>,
    metrics: Arc<PartitionMetrics>,
    mut sink: Sink,
    sealed: Sealed,
    mut stopping: watch::Receiver<bool>,
) -> (Sink, Sealed, Outcome) {
    let partition = sealed.partition.0;
    let mut pause = PAUSES.0;
    let mut isolate = false;
    let mut attempts = 0_u32;
    let mut paused = false;
    loop {
        // The semaphore is never closed; without a permit the transaction would only wait longer.
        let permit = shared.writers.acquire().await;
        let began = Instant::now();
        let result = sink.flush(&sealed, isolate, wall_clock()).await;
        drop(permit);
        if matches!(result, Err(FlushFailure::Paused)) {
            if !paused {
                tracing::info!(partition, "exporting is paused");
            }
            paused = true;
            tokio::select! {
                () = sleep(LOOK_AGAIN) => continue,
                _ = stopped(&mut stopping) => return (sink, sealed, Outcome::Left),
            }
        }
        if paused {
            tracing::info!(partition, "exporting goes on");
            paused = false;
        }
        if attempts > 0 {
            metrics.retried();
        }
        attempts = attempts.saturating_add(1);
        match result {
            Ok(flushed) => {
                metrics.flushed(sealed.records, sealed.rows as u64, began.elapsed());
                metrics.poisoned(flushed.poisoned.len() as u64);
                for poison in &flushed.poisoned {
                    tracing::error!(
                        partition,
                        position = poison.position.0,
                        table = poison.table,
                        key = poison.row_key,
                        reason = poison.reason,
                        "a row cannot be stored and was set aside in exporter_error"
                    );
                }
                let acknowledge = !flushed.keep_log;
                return (sink, sealed, Outcome::Committed { acknowledge });
            }
            // An earlier attempt did commit, only its answer was lost.
            Err(FlushFailure::Fenced { at, keep_log }) if at == sealed.last => {
                metrics.flushed(sealed.records, sealed.rows as u64, began.elapsed());
                let acknowledge = !keep_log;
                return (sink, sealed, Outcome::Committed { acknowledge });
            }
            Err(FlushFailure::Paused) => continue,
            Err(FlushFailure::Fenced { at, keep_log }) => {
                let acknowledge = !keep_log;
                return (sink, sealed, Outcome::Fenced { at, acknowledge });
            }
            Err(FlushFailure::Data(reason)) => {
                metrics.failed();
                tracing::warn!(partition, reason, "a row was refused; finding it");
                if !isolate {
                    isolate = true;
                    continue;
                }
            }
            Err(FlushFailure::Down(reason)) => {
                metrics.failed();
                tracing::warn!(
                    partition,
                    reason,
                    attempts,
                    "secondary storage is not available"
                );
            }
            Err(FlushFailure::Statement(reason)) => {
                metrics.failed();
                tracing::error!(
                    partition,
                    reason,
                    attempts,
                    "secondary storage refuses what the exporter asks; check schema and permissions"
                );
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
