//! Asking for a change of the cluster, at whichever broker.
//!
//! Whoever changes the cluster (`cluster/coordinator.rs`) answers when the change has begun, here or
//! over the link to its broker. Nothing is asked twice: who hears nothing looks at the configuration.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Submitter;
use crate::cluster::coordinator::{self, PlannedChange};
use crate::cluster::plan::{ChangeError, ChangeRequest};
use crate::peer::change;
use crate::peer::link::ToPeer;

/// Longest wait for a change to be begun elsewhere.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);

impl Submitter {
    /// Changes the cluster, or with `dry_run` says what would be done. Answers when the change has
    /// begun; how it goes on is seen in the configuration. Any broker can be asked.
    ///
    /// # Errors
    /// See [`ChangeError`]; only after [`ChangeError::Timeout`] it may have begun.
    pub async fn change(
        &self,
        request: ChangeRequest,
        dry_run: bool,
    ) -> Result<PlannedChange, ChangeError> {
        let shared = &self.shared;
        let configuration = shared.cluster.configuration();
        let leads = coordinator::leads(&configuration, &request);
        if !shared.is_many() || leads == Some(shared.options.node_id) {
            return coordinator::begin(shared, &request, dry_run);
        }
        let unreached = || {
            let who = leads.map_or("nobody".to_owned(), |node| format!("broker {node}"));
            ChangeError::Unreachable(format!("{who} changes the cluster, and is not reached"))
        };
        let link = leads.and_then(|node| shared.cluster.links.get(node as usize));
        let link = link.filter(|link| link.carries_configuration());
        let link = link.ok_or_else(unreached)?;
        let number = shared.next_request.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let change = ToPeer::Change {
            request: number,
            frame: change::change(number, &request, dry_run),
            answer,
        };
        link.try_send(change).map_err(|_| unreached())?;
        match tokio::time::timeout(CHANGE_WITHIN, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(ChangeError::Timeout(
                "who changes the cluster gave no answer".to_owned(),
            )),
        }
    }
}
