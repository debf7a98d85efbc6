//! Cluster variables: create, update and delete by command, get and search in the storage.
//!
//! Commands go to the first partition, which tells the others. A variable is named by its scope, its
//! tenant where the scope is one, and its name; there is no key on the wire.

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ClusterVariableRecord, ClusterVariableScope};

use super::answered;
use super::search::{get_where, is_text};
use super::shape::{Members, ObjectWriter};
use crate::backend::Entity;
use crate::document;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

/// `createGlobalClusterVariable`, `createTenantClusterVariable`.
pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    if body.str("kind") == Some("SECRET_REFERENCE") {
        return Err(Problem::Unimplemented(
            "Cluster variables that refer to secrets are not implemented yet.".into(),
        ));
    }
    let name = body.text("name");
    change(&call, of::ClusterVariable::Create, name).await
}

/// `updateGlobalClusterVariable`, `updateTenantClusterVariable`.
pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
    let name = Text::from(call.path_text("name"));
    change(&call, of::ClusterVariable::Update, name).await
}

/// `deleteGlobalClusterVariable`, `deleteTenantClusterVariable`.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
    let name = Text::from(call.path_text("name"));
    change(&call, of::ClusterVariable::Delete, name).await?;
    Ok(Answer::NoContent)
}

/// `getGlobalClusterVariable`, `getTenantClusterVariable`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let name = call.path_text("name").to_owned();
    let tenant = call.path_text("tenantId").to_owned();
    let mut conditions = vec![is_text("name", &name)];
    let scope = if tenant.is_empty() {
        conditions.push(is_text("scope", "GLOBAL"));
        "Global"
    } else {
        conditions.push(is_text("tenantId", &tenant));
        "Tenant"
    };
    let missing = format!("{scope}-scoped Cluster Variable with name '{name}' not found");
    get_where(call, Entity::ClusterVariable, conditions, missing).await
}

async fn change(call: &Call, intent: of::ClusterVariable, name: Text) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let tenant_id = Text::from(call.path_text("tenantId"));
    let scope = if tenant_id.is_empty() {
        ClusterVariableScope::Global
    } else {
        ClusterVariableScope::Tenant
    };
    let value = ClusterVariableRecord {
        name,
        value: body.raw_value("value"),
        tenant_id,
        scope,
        metadata: body.document("metadata"),
    };
    let command = call.caller.command(Key::NONE, intent, value, None);
    let response = call.front.call(&Target::Deployment, command, None).await?;
    let changed = answered!(response, ClusterVariable)?;
    let mut json = String::new();
    ringflow_core::json::from_msgpack(changed.value.as_bytes(), &mut json)
        .map_err(|error| Problem::Internal(format!("stored value is unreadable: {error}")))?;
    let mut out = ObjectWriter::new();
    out.str("name", &changed.name)
        .str("scope", changed.scope.name())
        .str_or_null("tenantId", &changed.tenant_id)
        .raw("metadata", &document::to_json(&changed.metadata)?)
        .str("kind", "JSON")
        .str("value", &json);
    Ok(Answer::Json(out.finish()))
}
