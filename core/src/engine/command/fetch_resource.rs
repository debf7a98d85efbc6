//! RESOURCE FETCH: a client reads a deployed resource.
//!
//! Every partition has all resources; the content is in the answer, not in the event. The
//! key says which resource is meant, and permissions have been asked in its tenant.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::Blob;
use crate::record::intent::of;
use crate::record::value::ResourceRecord;
use crate::state::file::FileKind;

/// Hands out a resource.
pub(crate) fn fetch(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<ResourceRecord>,
) -> Outcome {
    let key = value.key;
    let Some(row) = p.state().file(FileKind::Resource, key)? else {
        return Err(Stop::not_found(format!(
            "Expected to fetch resource but no resource found with key `{key}`"
        )));
    };
    let stated = ResourceRecord {
        resource: Blob::EMPTY,
        ..ResourceRecord::clone(&row.record)
    };
    p.event(key, of::Resource::Fetched, stated)?;
    p.respond(key, of::Resource::Fetched, row.record.clone());
    Ok(())
}
