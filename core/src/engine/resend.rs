//! Subscriptions that wait for the other partition: asked again until they are answered.
//!
//! What waits stands in two small indexes of the state. A look every 30 s sends again whatever was
//! waiting at the look before; what is newer may still be under way. The memory of the last look is
//! volatile: after a change of leader the first look sends nothing.
//!
//! | waits | sent again |
//! |---|---|
//! | message side, correlating | PROCESS_MESSAGE_SUBSCRIPTION CORRELATE |
//! | instance side, opening | MESSAGE_SUBSCRIPTION CREATE |
//! | instance side, closing | MESSAGE_SUBSCRIPTION DELETE |

use std::collections::BTreeSet;

use crate::engine::due::Due;
use crate::engine::effect::Effect;
use crate::engine::fault::Fault;
use crate::engine::input::Command;
use crate::engine::rule::messages;
use crate::ids::{Key, PartitionId, Timestamp};
use crate::record::Text;
use crate::record::intent::of;
use crate::state::{ProcessMessageSubscriptionState, State};

/// Time between two looks.
pub(crate) const SUBSCRIPTION_RESEND_MILLIS: i64 = 30_000;

/// What waited at the last look.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    next_look: Option<Timestamp>,
    correlating: BTreeSet<(Key, Text)>,
    pending: BTreeSet<(Key, Text)>,
}

impl Subscriptions {
    /// When to look next.
    pub(super) fn next(&self, state: &State) -> Option<Timestamp> {
        if state.correlating_subscriptions.is_empty()
            && state.pending_process_subscriptions.is_empty()
        {
            return None;
        }
        Some(self.next_look.unwrap_or(Timestamp(0)))
    }

    /// Sends again what waited at the last look already.
    pub(super) fn resend(
        &mut self,
        state: &State,
        here: PartitionId,
        now: Timestamp,
        out: &mut Due,
    ) -> Result<(), Fault> {
        if self.next(state).is_none_or(|next| now < next) {
            return Ok(());
        }
        self.next_look = Some(now.plus_millis(SUBSCRIPTION_RESEND_MILLIS));
        for id in state.correlating_subscriptions.iter() {
            if self.correlating.contains(id)
                && let Some(row) = state.message_subscriptions.get(id)?
            {
                let to = row.record.process_instance_key.partition();
                let command = Command::internal(
                    Key::NONE,
                    of::ProcessMessageSubscription::Correlate,
                    messages::correlate_command(here, &row.record),
                );
                send(here, to, command, out);
            }
        }
        for id in state.pending_process_subscriptions.iter() {
            if !self.pending.contains(id) {
                continue;
            }
            let Some(row) = state.process_message_subscriptions.get(&id.0, &id.1)? else {
                continue;
            };
            let (intent, value) = match row.state {
                ProcessMessageSubscriptionState::Opening => (
                    of::MessageSubscription::Create,
                    messages::open_command(&row.record),
                ),
                ProcessMessageSubscriptionState::Closing => (
                    of::MessageSubscription::Delete,
                    messages::close_command(&row.record),
                ),
                ProcessMessageSubscriptionState::Opened => continue,
            };
            let to = row.record.subscription_partition_id;
            let command = Command::internal(Key::NONE, intent, value);
            send(here, to, command, out);
        }
        self.correlating = state.correlating_subscriptions.iter().cloned().collect();
        self.pending = state
            .pending_process_subscriptions
            .iter()
            .cloned()
            .collect();
        Ok(())
    }
}

fn send(here: PartitionId, to: PartitionId, command: Command, out: &mut Due) {
    if to == here {
        out.commands.push(command);
        return;
    }
    out.effects.push(Effect::Send {
        to,
        command: Box::new(command),
    });
}
