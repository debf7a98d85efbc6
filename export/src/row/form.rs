//! FORM -> `form`, RESOURCE -> `deployed_resource`.
//!
//! As with process definitions every partition writes the row, with the same columns; deletion only
//! sets a flag. A form stays readable for tasks that show it; the content of resources is not kept
//! here.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::{FormRecord, ResourceRecord};
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::{Table, deployed_resource, form};

/// Writes a FORM event.
pub fn write(window: &mut Window, record: &Record, value: &FormRecord) {
    let Intent::Form(intent) = record.intent else {
        return;
    };
    let key = RowKey::of(value.key);
    match intent {
        of::Form::Created => {
            let schema = String::from_utf8_lossy(value.resource.as_bytes());
            let columns = vec![
                (form::FORM_ID, Datum::from(&value.id)),
                (form::TENANT_ID, Datum::from(&value.tenant_id)),
                (form::SCHEMA_XML, Datum::Text(Text::from(schema.as_ref()))),
                (form::VERSION, Datum::from(value.version)),
                (form::IS_DELETED, Datum::Bool(false)),
            ];
            window.upsert(Table::Form, key, record.position, columns);
        }
        of::Form::Deleted => {
            let columns = vec![(form::IS_DELETED, Datum::Bool(true))];
            window.update(Table::Form, key, record.position, columns);
        }
    }
}

/// Writes a RESOURCE event.
pub fn write_resource(window: &mut Window, record: &Record, value: &ResourceRecord) {
    use deployed_resource as column;

    let Intent::Resource(intent) = record.intent else {
        return;
    };
    let key = RowKey::of(value.key);
    match intent {
        of::Resource::Created => {
            let columns = vec![
                (column::RESOURCE_ID, Datum::from(&value.id)),
                (column::RESOURCE_NAME, Datum::from(&value.resource_name)),
                (column::VERSION, Datum::from(value.version)),
                (column::VERSION_TAG, Datum::present(&value.version_tag)),
                (column::DEPLOYMENT_KEY, value.deployment_key.into()),
                (column::TENANT_ID, Datum::from(&value.tenant_id)),
                (column::IS_DELETED, Datum::Bool(false)),
            ];
            window.upsert(Table::DeployedResource, key, record.position, columns);
        }
        of::Resource::Deleted => {
            let columns = vec![(column::IS_DELETED, Datum::Bool(true))];
            window.update(Table::DeployedResource, key, record.position, columns);
        }
        of::Resource::Fetch | of::Resource::Fetched => {}
    }
}
