//! `ringflow restore`: an empty data directory becomes that of a broker at the time of a backup.
//!
//! Run on every broker, with the configuration it starts with, while none runs and after the database
//! was restored with its own tools. Everything is checked before anything is written: that the
//! directory is empty, that the backup is whole, of as many partitions, and neither behind the
//! database nor with a gap before it. What is written is deleted again if something of it turns out
//! to be damaged.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use ringflow_backup::restore::{self, Exported, Plan, Wanted};
use ringflow_backup::{Catalog, Store};
use ringflow_core::ids::{PartitionId, Position};
use ringflow_export::Database;
use ringflow_export::sink::{FlushFailure, Sink};
use ringflow_io::restore::{RestoreTarget, Restorer};
use ringflow_storage::log::EntryId;

use crate::arguments::{Failure, RestoreOptions};
use crate::boot;
use crate::config::Config;
use crate::logging;

/// How long the database has to say where it stands.
const DATABASE_WITHIN: Duration = Duration::from_secs(30);

/// Restores what `options` ask for.
///
/// # Errors
/// If nothing was restored; the sentence says why.
pub(crate) fn run(options: &RestoreOptions) -> Result<(), Failure> {
    let config = Config::from_settings(&options.start.settings()?)?;
    logging::begin(&config)?;
    let wanted = match (options.backup_id, &options.to) {
        (Some(id), _) => Wanted::Backup(id),
        (None, Some(to)) => Wanted::Nearest(
            to.parse()
                .map_err(|error| Failure(format!("--to {to} is no time: {error}")))?,
        ),
        (None, None) => Wanted::Newest,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let begun = Instant::now();
    let (backup, partitions, bytes) =
        runtime.block_on(restore(&config, &wanted, options.overwrite))?;
    let took = begun.elapsed().as_millis();
    tracing::info!(backup, partitions, bytes, took, "restored");
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "restored backup {backup}: {partitions} partitions, {bytes} bytes; the broker may start"
    )?;
    Ok(())
}

async fn restore(
    config: &Config,
    wanted: &Wanted,
    overwrite: bool,
) -> Result<(i64, usize, u64), Failure> {
    let Some(options) = &config.backups.store else {
        return Err(Failure(
            "no backup store is configured: set backup.store, as it was when the backup was taken"
                .to_owned(),
        ));
    };
    let store = Store::open(options)?;
    let placement = boot::place(config)?;
    let target = RestoreTarget::open(boot::broker_options(config, &placement), overwrite)?;
    let exported = match &config.secondary_storage {
        None => None,
        Some(database) => Some(positions(config, database, placement.partitions).await?),
    };
    let catalog = Catalog::new(store.clone());
    let plan = restore::plan(&catalog, wanted, placement.partitions, &exported).await?;
    tell(&plan, &exported);
    let restorer = target.clear()?;
    match fill(&store, &plan, &restorer).await {
        Ok((partitions, bytes)) => {
            restorer.finish()?;
            Ok((plan.backup, partitions, bytes))
        }
        Err(failure) => {
            if let Err(error) = restorer.give_up() {
                tracing::error!(%error, "what was restored so far cannot be deleted");
            }
            Err(failure)
        }
    }
}

async fn fill(store: &Store, plan: &Plan, restorer: &Restorer) -> Result<(usize, u64), Failure> {
    let mut bytes = 0;
    let partitions = restorer.partitions();
    for id in &partitions {
        let manifests = plan.partitions.get(&id.0).map_or(&[][..], Vec::as_slice);
        let base = manifests
            .first()
            .map_or(EntryId::default(), |first| EntryId::from(first.log_base));
        let into = restorer.begin(*id, base)?;
        let read = restore::partition(store, manifests, into)
            .await
            .map_err(|error| Failure(format!("partition {id}: {error}")))?;
        tracing::info!(partition = %id, bytes = read, "a partition is restored");
        bytes += read;
    }
    Ok((partitions.len(), bytes))
}

fn tell(plan: &Plan, exported: &Exported) {
    for (partition, manifests) in &plan.partitions {
        let backups: Vec<i64> = manifests.iter().map(|it| it.checkpoint_id).collect();
        let database = exported
            .as_ref()
            .and_then(|it| it.get(partition))
            .map_or_else(|| "none".to_owned(), Position::to_string);
        let last = manifests.last().map_or(0, |it| it.last_position);
        tracing::info!(partition, ?backups, last, database, "to be restored");
    }
}

/// Where the database stands, of every partition; 0 where it has nothing.
async fn positions(
    config: &Config,
    database: &Database,
    partitions: u16,
) -> Result<BTreeMap<u16, Position>, Failure> {
    let mut sink = Sink::new(
        database.clone(),
        config.table_prefix.clone(),
        DATABASE_WITHIN,
    );
    let mut found = BTreeMap::new();
    for partition in 1..=partitions {
        let stands = match sink.cursor(PartitionId(partition)).await {
            Ok((stands, _)) => stands,
            // Its tables are not there: it has nothing.
            Err(FlushFailure::Statement(reason)) => {
                tracing::warn!(partition, reason, "the database has no export cursors");
                Position(0)
            }
            Err(FlushFailure::Fenced { at, .. }) => at,
            // Said of windows only, and none is written here.
            Err(FlushFailure::Paused) => {
                return Err(Failure("the export is paused".to_owned()));
            }
            Err(FlushFailure::Down(reason) | FlushFailure::Data(reason)) => {
                return Err(Failure(format!(
                    "the secondary storage {} does not say where it stands: {reason}",
                    database.place()
                )));
            }
        };
        found.insert(partition, stands);
    }
    sink.close().await;
    Ok(found)
}
