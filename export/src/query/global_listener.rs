//! Listeners of all user tasks.
//!
//! Found by their id, which is unique among those of user tasks, the only kind there is. Event types
//! are a list: a filter names some that must all be among them.

use super::field::{EntityFields, Field, ListField, Related};

const EVENT_TYPES: Related = Related {
    from: "global_listener_event_type r WHERE r.global_listener_key = t.global_listener_key",
    same_row: false,
};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "global_listener t",
    fields: &[
        Field::text("id", "t.id").present(),
        Field::text("type", "t.type").present(),
        Field::int("retries", "t.retries").present(),
        Field::flag("afterNonGlobal", "t.after_non_global").present(),
        Field::int("priority", "t.priority").present(),
        Field::text("source", "t.source").present(),
        Field::key("globalListenerKey", "t.global_listener_key")
            .present()
            .hidden()
            .unfiltered(),
        Field::text("eventTypes", "r.event_type").of(&EVENT_TYPES),
    ],
    lists: &[ListField {
        name: "eventTypes",
        table: "global_listener_event_type",
        owner: "global_listener_key",
        value: "event_type",
    }],
    key: &["globalListenerKey"],
    variables: None,
};
