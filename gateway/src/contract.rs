//! The REST contract as data: every operation of the API and every schema it names.
//!
//! `contract/<tag>.json` holds the facts of Camunda 8.10's API, one file a tag, schemas used by
//! several tags in `shared*.json`. They are parsed once at start and never change. The router, the
//! checks of requests and the layout of answers all read this one source, so an operation that is
//! not served yet still refuses what it must refuse.
//!
//! | member of an operation | meaning |
//! |---|---|
//! | `id`, `method`, `path` | name; `path` is below `/v2` unless `fromRoot` |
//! | `since`, `deprecated` | first Camunda version; on its way out |
//! | `eventual` | reads the secondary storage, may lag |
//! | `open` | needs no credentials |
//! | `permissions` | `RESOURCE:PERMISSION`, once authorizations are checked |
//! | `params`, `body`, `responses` | schemas; `"problem"` = problem document, `null` = no body |
//!
//! [`schema`] has the schemas in the form that is checked, [`check`] checks.

pub(crate) mod check;
pub(crate) mod schema;

use std::sync::Arc;

use ringflow_core::record::value::{PermissionType, ResourceType};
use serde_json::Value;

use schema::{Library, SchemaId};

/// One file of the contract.
pub(crate) const FILES: &[&str] = &[
    include_str!("../contract/ad-hoc-sub-process.json"),
    include_str!("../contract/agent-definition.json"),
    include_str!("../contract/agent-instance.json"),
    include_str!("../contract/audit-log.json"),
    include_str!("../contract/authentication.json"),
    include_str!("../contract/authorization.json"),
    include_str!("../contract/backup.json"),
    include_str!("../contract/batch-operation.json"),
    include_str!("../contract/clock.json"),
    include_str!("../contract/cluster.json"),
    include_str!("../contract/cluster-variable.json"),
    include_str!("../contract/conditional.json"),
    include_str!("../contract/decision-definition.json"),
    include_str!("../contract/decision-instance.json"),
    include_str!("../contract/decision-requirements.json"),
    include_str!("../contract/document.json"),
    include_str!("../contract/element-instance.json"),
    include_str!("../contract/exporting.json"),
    include_str!("../contract/expression.json"),
    include_str!("../contract/form.json"),
    include_str!("../contract/global-listener.json"),
    include_str!("../contract/group.json"),
    include_str!("../contract/incident.json"),
    include_str!("../contract/job.json"),
    include_str!("../contract/license.json"),
    include_str!("../contract/mapping-rule.json"),
    include_str!("../contract/message.json"),
    include_str!("../contract/message-subscription.json"),
    include_str!("../contract/process-definition.json"),
    include_str!("../contract/process-instance.json"),
    include_str!("../contract/recovery.json"),
    include_str!("../contract/resource.json"),
    include_str!("../contract/role.json"),
    include_str!("../contract/secret.json"),
    include_str!("../contract/setup.json"),
    include_str!("../contract/shared.json"),
    include_str!("../contract/shared-filters.json"),
    include_str!("../contract/signal.json"),
    include_str!("../contract/system.json"),
    include_str!("../contract/tenant.json"),
    include_str!("../contract/user.json"),
    include_str!("../contract/user-task.json"),
    include_str!("../contract/variable.json"),
];

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A segment of the path.
    Path,
    /// The query string.
    Query,
    /// A header.
    Header,
}

/// A parameter of an operation.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    pub(crate) schema: SchemaId,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) multipart: bool,
    pub(crate) required: bool,
    pub(crate) schema: SchemaId,
}

/// One operation of the API.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: Arc<str>,
    pub(crate) method: String,
    /// From the server root, with `{name}` for parameters.
    pub(crate) path: String,
    pub(crate) open: bool,
    /// It reads from the secondary storage.
    pub(crate) reads: bool,
    /// One of them is needed; empty = none, or one that depends on the request.
    pub(crate) permissions: Vec<(ResourceType, PermissionType)>,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Option<Body>,
    /// Media type and schema of the first success answer that has a body.
    pub(crate) result: Option<(String, SchemaId)>,
}

/// All operations, and the schemas they name.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) operations: Vec<Operation>,
    pub(crate) library: Library,
}

/// The embedded files are not what this program expects; only a wrong build can cause it.
#[derive(Debug, thiserror::Error)]
#[error("the REST contract is unusable: {0}")]
pub struct ContractError(pub(crate) String);

impl Contract {
    /// Parses the embedded files.
    ///
    /// # Errors
    /// A file is not of the documented form or names a schema that does not exist.
    pub(crate) fn load() -> Result<Self, ContractError> {
        let mut files = Vec::with_capacity(FILES.len());
        for text in FILES {
            let file: Value =
                serde_json::from_str(text).map_err(|error| ContractError(error.to_string()))?;
            files.push(file);
        }
        let mut library = Library::default();
        for file in &files {
            library.declare(member(file, "schemas")?)?;
        }
        library.compile_declared()?;
        let mut operations = Vec::new();
        for file in &files {
            for operation in list(file.get("operations")) {
                operations.push(operation_of(operation, &mut library)?);
            }
        }
        library.forget_sources();
        Ok(Self {
            operations,
            library,
        })
    }

    /// The operation named `id`.
    #[cfg(test)]
    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .find(|operation| &*operation.id == id)
    }
}

/// The permissions of an operation, one of which suffices.
fn permissions_of(operation: &Value) -> Result<Vec<(ResourceType, PermissionType)>, ContractError> {
    let mut permissions = Vec::new();
    for permission in list(operation.get("permissions")) {
        let mut add = |resource: &str, permission: &str| {
            let pair = ResourceType::named(resource).zip(PermissionType::named(permission));
            let unknown = || ContractError(format!("permission {resource}:{permission}"));
            permissions.push(pair.ok_or_else(unknown)?);
            Ok::<(), ContractError>(())
        };
        if let Some((resource, permission)) =
            permission.as_str().and_then(|both| both.split_once(':'))
        {
            add(resource, permission)?;
        }
        for one in list(permission.get("anyOf")) {
            add(&text(one, "resourceType")?, &text(one, "permissionType")?)?;
        }
    }
    Ok(permissions)
}

fn operation_of(value: &Value, library: &mut Library) -> Result<Operation, ContractError> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    let path = text(value, "path")?;
    let mut params = Vec::new();
    for param in list(value.get("params")) {
        params.push(Param {
            name: text(param, "name")?,
            place: match text(param, "in")?.as_str() {
                "path" => Place::Path,
                "query" => Place::Query,
                "header" => Place::Header,
                other => return Err(ContractError(format!("parameter in {other}"))),
            },
            required: param
                .get("required")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            schema: library.compile(member(param, "schema")?)?,
        });
    }
    let body = match value.get("body") {
        None => None,
        Some(body) => Some(Body {
            multipart: text(body, "media")? == "multipart/form-data",
            required: body
                .get("required")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            schema: library.compile(member(body, "schema")?)?,
        }),
    };
    let mut result = None;
    if let Some(responses) = value.get("responses").and_then(Value::as_object) {
        for (code, response) in responses {
            if code.starts_with('2') && result.is_none() && response.is_object() {
                let schema = library.compile(member(response, "schema")?)?;
                result = Some((text(response, "media")?, schema));
            }
        }
    }
    Ok(Operation {
        id: Arc::from(text(value, "id")?),
        method: text(value, "method")?,
        path: if flag("fromRoot") {
            path
        } else {
            format!("/v2{path}")
        },
        open: flag("open"),
        reads: flag("eventual"),
        permissions: permissions_of(value)?,
        params,
        body,
        result,
    })
}

pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value, ContractError> {
    value
        .get(name)
        .ok_or_else(|| ContractError(format!("member {name} is missing")))
}

pub(crate) fn text(value: &Value, name: &str) -> Result<String, ContractError> {
    match member(value, name)?.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(ContractError(format!("{name} is no text"))),
    }
}

pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_api_is_known() {
        let contract = Contract::load().unwrap();
        assert_eq!(contract.operations.len(), 225);
        let open: Vec<&str> = contract
            .operations
            .iter()
            .filter(|operation| operation.open)
            .map(|operation| &*operation.id)
            .collect();
        assert_eq!(
            open,
            [
                "getClusterStatus",
                "getStatus",
                "getLicense",
                "createAdminUser"
            ]
        );
    }
}
