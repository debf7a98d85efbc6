//! Publishing messages (buffered, asynchronous) and correlating them (at once, with an answer).
//!
//! Both go to the partition of the correlation key's hash.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{MessageCorrelationRecord, MessageRecord};
use ringflow_core::record::{Document, Text};

use super::shape::{Members, ObjectWriter};
use super::{Caller, answered, tenant};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

pub(crate) const PUBLISH: OperationName = OperationName {
    rpc: "PublishMessage",
    human: "Publish Message",
};
pub(crate) const CORRELATE: OperationName = OperationName {
    rpc: "CorrelateMessage",
    human: "Correlate Message",
};

/// Publish a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publish {
    pub(crate) name: String,
    pub(crate) correlation_key: String,
    /// Milliseconds; at most 0 = not buffered.
    pub(crate) time_to_live: i64,
    /// Empty = no uniqueness.
    pub(crate) message_id: String,
    pub(crate) variables: Document,
    pub(crate) tenant_id: Option<String>,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) key: Key,
    pub(crate) tenant_id: Text,
}

impl Publish {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Published, Problem> {
        let tenant_id = tenant(front, PUBLISH, self.tenant_id.as_deref())?;
        let command = caller.command(
            Key::NONE,
            of::Message::Publish,
            MessageRecord {
                name: Text::from(self.name),
                correlation_key: Text::from(self.correlation_key.as_str()),
                message_id: Text::from(self.message_id),
                time_to_live: self.time_to_live,
                variables: self.variables,
                tenant_id: tenant_id.clone(),
                ..MessageRecord::default()
            },
            None,
        );
        let target = Target::Correlation(self.correlation_key);
        let response = front.call(&target, command, None).await?;
        Ok(Published {
            key: response.key,
            tenant_id,
        })
    }
}

/// `publishMessage`.
pub(crate) async fn publish(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    refuse_business_id(body)?;
    let request = Publish {
        name: body.str("name").unwrap_or_default().to_owned(),
        correlation_key: body.str("correlationKey").unwrap_or_default().to_owned(),
        time_to_live: body.int("timeToLive").unwrap_or(0),
        message_id: body.str("messageId").unwrap_or_default().to_owned(),
        variables: body.document("variables"),
        tenant_id: body.str("tenantId").map(str::to_owned),
    };
    let published = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.str("tenantId", &published.tenant_id)
        .key("messageKey", published.key);
    Ok(Answer::Json(out.finish()))
}

/// `correlateMessage`: only REST has it.
pub(crate) async fn correlate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    refuse_business_id(body)?;
    let tenant_id = tenant(&call.front, CORRELATE, body.str("tenantId"))?;
    let correlation_key = body.str("correlationKey").unwrap_or_default();
    let command = call.caller.command(
        Key::NONE,
        of::MessageCorrelation::Correlate,
        MessageCorrelationRecord {
            name: body.text("name"),
            correlation_key: Text::from(correlation_key),
            variables: body.document("variables"),
            tenant_id,
            ..MessageCorrelationRecord::default()
        },
        None,
    );
    let target = Target::Correlation(correlation_key.to_owned());
    let response = call.front.call(&target, command, None).await?;
    let correlated = answered!(response, MessageCorrelation)?;
    let mut out = ObjectWriter::new();
    out.str("tenantId", &correlated.tenant_id)
        .key("messageKey", correlated.message_key)
        .key("processInstanceKey", correlated.process_instance_key);
    Ok(Answer::Json(out.finish()))
}

fn refuse_business_id(body: Members<'_>) -> Result<(), Problem> {
    match body.get("businessId") {
        None => Ok(()),
        Some(_) => Err(Problem::Unimplemented(
            "The businessId of messages is not implemented yet.".into(),
        )),
    }
}
