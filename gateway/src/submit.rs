//! One command, one answer: routing, the deadline, the next partition if one refuses.
//!
//! [`Front`] is what every request of either protocol is served from: the backend, the turn of the
//! partitions, parked activations, limits. It is shared by all gateway threads and holds nothing
//! that outlives the process.
//!
//! A command is sent to another partition only if the first one said that nothing happened
//! (pressure, no leader). An answer that did not come in time is never tried again here: it may
//! have taken effect.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::PartitionId;
use tokio::sync::watch;

use crate::backend::{Backend, Reads, SubmitError};
use crate::documents::{DocumentError, DocumentOptions, Documents};
use crate::limits::Limits;
use crate::metrics::GatewayMetrics;
use crate::park::Parking;
use crate::problem::Problem;
use crate::route::{self, RoundRobin, Target};

/// What requests are served from.
pub(crate) struct Front {
    pub(crate) backend: Backend,
    pub(crate) limits: Limits,
    /// Version that clients see, `8.x.y`.
    pub(crate) version: String,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) parking: Arc<Parking>,
    pub(crate) documents: Documents,
    /// Who asks has to be of the tenant, and to name one.
    pub(crate) tenancy: bool,
    turn: RoundRobin,
    stopping: watch::Sender<bool>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    /// # Errors
    /// A document store cannot be used as it is described.
    pub(crate) fn new(
        backend: Backend,
        limits: Limits,
        version: String,
        documents: &DocumentOptions,
        tenancy: bool,
    ) -> Result<Self, DocumentError> {
        Ok(Self {
            tenancy,
            documents: Documents::new(documents)?,
            parking: Arc::new(Parking::new(&limits)),
            backend,
            limits,
            version,
            metrics: GatewayMetrics::default(),
            turn: RoundRobin::default(),
            stopping: watch::channel(false).0,
        })
    }

    /// Ends what waits for jobs; other requests finish.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// True from [`Front::stop`] on.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Returns when the gateway stops.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as `self`.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Number of partitions.
    ///
    /// # Errors
    /// The cluster is not known yet.
    pub(crate) fn partition_count(&self) -> Result<u16, Problem> {
        match self.backend.commands.partition_count() {
            0 => Err(Problem::NoTopology),
            count => Ok(count),
        }
    }

    /// The secondary storage.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn reads(&self) -> Result<&Arc<dyn Reads>, Problem> {
        self.backend
            .reads
            .as_ref()
            .ok_or(Problem::NoSecondaryStorage)
    }

    /// Sends `command` where it belongs and waits for its answer.
    ///
    /// # Errors
    /// The engine refused it, or no answer came.
    pub(crate) async fn call(
        &self,
        target: &Target,
        command: Command,
        timeout: Option<Duration>,
    ) -> Result<Response, Problem> {
        let timeout = timeout.unwrap_or(self.limits.request_timeout);
        let count = self.partition_count()?;
        match target {
            Target::Key(key) => match route::of_key(*key, count)? {
                Some(partition) => self.submit(partition, command, timeout).await,
                None => self.submit_to_any(count, &command, timeout).await,
            },
            Target::Correlation(key) => {
                let partition = PartitionId::of_correlation_key(key, count);
                self.submit(partition, command, timeout).await
            }
            Target::Deployment => self.submit(PartitionId::DEPLOYMENT, command, timeout).await,
            Target::Any => self.submit_to_any(count, &command, timeout).await,
        }
    }

    async fn submit_to_any(
        &self,
        count: u16,
        command: &Command,
        timeout: Duration,
    ) -> Result<Response, Problem> {
        let deadline = Instant::now() + timeout;
        let mut refusals = Vec::new();
        let mut turn: Vec<PartitionId> = self.turn.turn(count).collect();
        // Who has no leader is asked only if nobody has one: the way to it waits for one.
        let leads = |partition: &PartitionId| self.backend.commands.has_leader(*partition);
        if turn.iter().any(leads) {
            turn.retain(leads);
        }
        for partition in turn {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.submit(partition, command.clone(), left).await {
                Err(refusal @ (Problem::Overloaded | Problem::Inactive { .. })) => {
                    refusals.push(refusal);
                }
                settled => return settled,
            }
        }
        // One partition is no choice of partitions: its own refusal says more.
        match (refusals.pop(), refusals.is_empty()) {
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                refusals.push(last);
                if refusals.contains(&Problem::Overloaded) {
                    Err(Problem::AllRefused(refusals))
                } else {
                    // Nobody is under pressure, nobody serves: no reason to slow down clients.
                    Err(refusals.swap_remove(0))
                }
            }
            (None, _) => Err(Problem::NoTopology),
        }
    }

    /// Sends `command` to one partition.
    ///
    /// # Errors
    /// As [`Front::call`].
    pub(crate) async fn submit(
        &self,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> Result<Response, Problem> {
        let intent = command.intent;
        let started = Instant::now();
        let answer = self.backend.commands.submit(to, command, timeout).await;
        let settled = match answer {
            Ok(response) => match response.rejection {
                None => Ok(response),
                Some(rejection) => Err(Problem::Rejected { intent, rejection }),
            },
            Err(SubmitError::ResourceExhausted) => Err(Problem::Overloaded),
            Err(SubmitError::Unavailable { reason }) => Err(Problem::Inactive {
                partition: to,
                reason: reason.to_owned(),
            }),
            Err(SubmitError::UnknownOutcome) => Err(Problem::UnknownOutcome),
            Err(SubmitError::LeadershipLost) => Err(Problem::LeadershipLost(to)),
            Err(SubmitError::Timeout) => Err(Problem::Timeout),
            Err(SubmitError::NoSuchPartition) => Err(Problem::NoSuchPartition(to)),
        };
        self.metrics
            .command(to, intent, started.elapsed(), settled.as_ref().err());
        settled
    }
}
