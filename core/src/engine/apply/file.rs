//! FORM and RESOURCE events: deployed files come and go.
//!
//! Everything by which a file is found changes in one place, [`State`](crate::state::State).

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{FormRecord, ResourceRecord};
use crate::state::file::FileKind;

pub(super) fn form_created(a: &mut Applying<'_>, key: Key, value: &Arc<FormRecord>) -> Applied {
    let record = ResourceRecord::from(FormRecord::clone(value));
    Ok(a.state.put_file(FileKind::Form, key, Arc::new(record))?)
}

pub(super) fn form_deleted(a: &mut Applying<'_>, key: Key, _value: &Arc<FormRecord>) -> Applied {
    Ok(a.state.remove_file(FileKind::Form, key)?)
}

pub(super) fn resource_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<ResourceRecord>,
) -> Applied {
    Ok(a.state.put_file(FileKind::Resource, key, value.clone())?)
}

pub(super) fn resource_deleted(
    a: &mut Applying<'_>,
    key: Key,
    _value: &Arc<ResourceRecord>,
) -> Applied {
    Ok(a.state.remove_file(FileKind::Resource, key)?)
}
