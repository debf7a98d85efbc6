//! Broadcasting signals.
//!
//! Any partition takes the broadcast; the engine distributes it to the others. A signal that nobody
//! waits for succeeds.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::SignalRecord;
use ringflow_core::record::{Document, Text};

use super::shape::{Members, ObjectWriter};
use super::{Caller, tenant};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

pub(crate) const BROADCAST: OperationName = OperationName {
    rpc: "BroadcastSignal",
    human: "Broadcast Signal",
};

/// Broadcast a signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broadcast {
    pub(crate) name: String,
    pub(crate) variables: Document,
    pub(crate) tenant_id: Option<String>,
}

/// A signal that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Broadcasted {
    pub(crate) key: Key,
    pub(crate) tenant_id: Text,
}

impl Broadcast {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Broadcasted, Problem> {
        let tenant_id = tenant(front, BROADCAST, self.tenant_id.as_deref())?;
        let command = caller.command(
            Key::NONE,
            of::Signal::Broadcast,
            SignalRecord {
                signal_name: Text::from(self.name),
                variables: self.variables,
                tenant_id: tenant_id.clone(),
            },
            None,
        );
        let response = front.call(&Target::Any, command, None).await?;
        Ok(Broadcasted {
            key: response.key,
            tenant_id,
        })
    }
}

/// `broadcastSignal`.
pub(crate) async fn broadcast(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Broadcast {
        name: body.str("signalName").unwrap_or_default().to_owned(),
        variables: body.document("variables"),
        tenant_id: body.str("tenantId").map(str::to_owned),
    };
    let broadcasted = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.str("tenantId", &broadcasted.tenant_id)
        .key("signalKey", broadcasted.key);
    Ok(Answer::Json(out.finish()))
}
