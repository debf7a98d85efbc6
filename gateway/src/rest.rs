//! REST v2: every operation of the contract has a route, each served one has a row here.
//!
//! One function serves all of them, in the order in which the reference refuses: route and method
//! (404, 405), credentials (401), media types (415, 406), parameters and body (400), then the
//! operation. An operation without a row answers 501 with its name.
//!
//! | step | file |
//! |---|---|
//! | reading parameters, body, files | [`extract`], [`multipart`] |
//! | writing answers and problems | [`answer`], [`headers`] |
//! | what the contract cannot say is wrong | [`rules`] |
//! | which function serves which operation | [`served`] |
//! | what the server says about itself | [`openapi`] |
//! | the operation | [`crate::op`] |

pub(crate) mod answer;
mod extract;
pub(crate) mod headers;
mod multipart;
mod openapi;
mod rules;
mod served;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::value::{PermissionType, ResourceType};
use serde_json::Value;
use tokio::sync::Semaphore;

pub(crate) use answer::Answer;
pub(crate) use multipart::{File, Upload};
pub(crate) use rules::Given;

use crate::contract::schema::SchemaId;
use crate::contract::{Contract, ContractError, Operation};
use crate::identity::Identity;
use crate::identity::rights::Access;
use crate::op::Caller;
use crate::problem::{HttpFault, Problem, Violations};
use crate::submit::Front;
use headers::SecurityHeaders;
use rules::Rules;
use served::{Handler, SERVED};

/// A request that passed all checks of the contract.
pub(crate) struct Call {
    pub(crate) front: Arc<Front>,
    pub(crate) rest: Arc<Rest>,
    pub(crate) caller: Caller,
    operation: usize,
    /// Path parameters by name.
    path: HashMap<String, Value>,
    /// Query parameters by name.
    query: HashMap<String, Value>,
    /// Canonical; an empty object if none was sent.
    pub(crate) body: Value,
    pub(crate) upload: Upload,
    /// What of the secondary storage the caller may see.
    pub(crate) access: Access,
}

impl Call {
    fn operation(&self) -> &Operation {
        &self.rest.contract.operations[self.operation]
    }

    /// The key in the path under `name`; the contract has checked that it is one.
    pub(crate) fn path_key(&self, name: &str) -> Key {
        let digits = self.path.get(name).and_then(Value::as_str);
        Key(digits.and_then(|digits| digits.parse().ok()).unwrap_or(-1))
    }

    /// The text in the path under `name`.
    pub(crate) fn path_text(&self, name: &str) -> &str {
        let text = self.path.get(name).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// The id in the path under `name`; the contract has checked its form.
    pub(crate) fn path_id(&self, name: &str) -> Text {
        Text::from(self.path_text(name))
    }

    /// The number in the path under `name`; the contract has checked that it is one.
    pub(crate) fn path_int(&self, name: &str) -> i64 {
        let value = self.path.get(name);
        value.and_then(Value::as_i64).unwrap_or(-1)
    }

    /// The flag in the query under `name`.
    pub(crate) fn query_flag(&self, name: &str) -> Option<bool> {
        self.query.get(name).and_then(Value::as_bool)
    }

    /// The text in the query under `name`.
    pub(crate) fn query_text(&self, name: &str) -> Option<&str> {
        self.query.get(name).and_then(Value::as_str)
    }

    /// The schema of the body.
    pub(crate) fn body_schema(&self) -> Option<SchemaId> {
        self.operation().body.as_ref().map(|body| body.schema)
    }

    /// The schema of the answer.
    ///
    /// # Errors
    /// The contract has none, so the operation cannot have an answer with a body.
    pub(crate) fn result_schema(&self) -> Result<SchemaId, Problem> {
        match &self.operation().result {
            Some((_, schema)) => Ok(*schema),
            None => Err(Problem::Internal("an answer without schema".into())),
        }
    }
}

/// What REST requests are served from.
pub(crate) struct Rest {
    pub(crate) contract: Contract,
    pub(crate) front: Arc<Front>,
    pub(crate) identity: Arc<Identity>,
    handlers: Vec<Option<Handler>>,
    rules: Vec<Rules>,
    headers: Arc<SecurityHeaders>,
    places: Semaphore,
}

impl Rest {
    /// # Errors
    /// The contract is unusable, or a row above names an operation it does not have.
    pub(crate) fn new(
        front: Arc<Front>,
        identity: Arc<Identity>,
        headers: SecurityHeaders,
    ) -> Result<Arc<Self>, ContractError> {
        let contract = Contract::load()?;
        let mut handlers: Vec<Option<Handler>> = vec![None; contract.operations.len()];
        for &(id, handler) in SERVED {
            let at = contract
                .operations
                .iter()
                .position(|operation| &*operation.id == id)
                .ok_or_else(|| ContractError(format!("operation {id} does not exist")))?;
            handlers[at] = Some(handler);
        }
        Ok(Arc::new(Self {
            rules: Rules::of(&contract)?,
            headers: Arc::new(headers),
            contract,
            places: Semaphore::new(front.limits.concurrent_requests),
            front,
            identity,
            handlers,
        }))
    }

    /// The routes of all operations.
    ///
    /// # Errors
    /// The contract has a method that HTTP does not have.
    pub(crate) fn router(self: &Arc<Self>) -> Result<Router, ContractError> {
        let mut router = Router::new();
        for (path, methods) in self.paths() {
            let mut routes = MethodRouter::new();
            for at in methods {
                let filter = match self.contract.operations[at].method.as_str() {
                    "GET" => MethodFilter::GET,
                    "POST" => MethodFilter::POST,
                    "PUT" => MethodFilter::PUT,
                    "PATCH" => MethodFilter::PATCH,
                    "DELETE" => MethodFilter::DELETE,
                    other => return Err(ContractError(format!("method {other}"))),
                };
                let rest = Arc::clone(self);
                routes = routes.merge(on(filter, move |request: Request| {
                    let rest = Arc::clone(&rest);
                    async move { rest.serve(at, request).await }
                }));
            }
            router = router.route(&path, routes);
        }
        let served = SERVED.iter().map(|(id, _)| *id).collect();
        let headers = Arc::clone(&self.headers);
        let described = openapi::routes(self.front.version.clone(), served).layer(
            axum::middleware::map_response(move |mut response: Response| {
                headers.put(response.headers_mut());
                std::future::ready(response)
            }),
        );
        let headers = Arc::clone(&self.headers);
        let refuse = move |fault: HttpFault, path: &str| {
            let mut response = answer::problem(&Problem::Http(fault), path);
            headers.put(response.headers_mut());
            response
        };
        let refuse_method = refuse.clone();
        Ok(router
            .merge(described)
            .fallback(|request: Request| async move {
                let path = request.uri().path();
                refuse(HttpFault::NoRoute(path.to_owned()), path)
            })
            .method_not_allowed_fallback(|request: Request| async move {
                let fault = HttpFault::Method(request.method().to_string());
                refuse_method(fault, request.uri().path())
            }))
    }

    /// Paths with the operations that answer there, one a method.
    ///
    /// Where a path is a case of another one with parameters (`/users/search`, `/users/{username}`),
    /// methods that it does not have are those of the other, as in the reference.
    fn paths(&self) -> Vec<(String, Vec<usize>)> {
        let operations = &self.contract.operations;
        let mut paths: Vec<(String, Vec<usize>)> = Vec::new();
        for (at, operation) in operations.iter().enumerate() {
            let path = by_position(&operation.path);
            match paths.iter_mut().find(|(known, _)| *known == path) {
                Some((_, methods)) => methods.push(at),
                None => paths.push((path, vec![at])),
            }
        }
        let all = paths.clone();
        for (path, methods) in &mut paths {
            let wider = all.iter().filter(|(other, _)| covers(other, path));
            for &at in wider.flat_map(|(_, methods)| methods) {
                let has = |&known: &usize| operations[known].method == operations[at].method;
                if !methods.iter().any(has) {
                    methods.push(at);
                }
            }
        }
        paths
    }

    async fn serve(self: Arc<Self>, operation: usize, request: Request) -> Response {
        let instance = request.uri().path().to_owned();
        let mut response = match self.answer(operation, request).await {
            Ok(answer) => answer.into_response(),
            Err(problem) => {
                if let Problem::Internal(text) = &problem {
                    tracing::error!(
                        operation = %self.contract.operations[operation].id,
                        text,
                        "a request failed for a fault of this program"
                    );
                }
                answer::problem(&problem, &instance)
            }
        };
        self.headers.put(response.headers_mut());
        let id = &self.contract.operations[operation].id;
        self.front.metrics.rest(id, response.status().as_u16());
        response
    }

    async fn answer(self: &Arc<Self>, at: usize, request: Request) -> Result<Answer, Problem> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Problem::Overloaded);
        };
        let operation = &self.contract.operations[at];
        let caller = if operation.open {
            Caller(self.identity.anonymous())
        } else {
            let header = request.headers().get("authorization");
            let header = header.map(|value| value.as_bytes().to_vec());
            Caller(self.identity.check(header.as_deref()).await?)
        };
        let (limits, mut found) = (&self.front.limits, Violations::default());
        let parts =
            extract::extract(&self.contract, operation, limits, request, &mut found).await?;
        self.rules[at].end(&self.front, &parts.body, &parts.query, found)?;
        let Some(handler) = self.handlers[at] else {
            return Err(Problem::Unimplemented(format!(
                "The operation {} ({} {}) is not implemented yet.",
                operation.id, operation.method, operation.path
            )));
        };
        let access = self.access(operation, &caller).await?;
        let seen = access.clone();
        let answer = handler(Call {
            front: Arc::clone(&self.front),
            rest: Arc::clone(self),
            caller,
            operation: at,
            path: parts.path,
            query: parts.query,
            body: parts.body,
            upload: parts.upload,
            access,
        })
        .await?;
        if seen.settled() {
            Ok(answer)
        } else {
            Err(seen.refusal())
        }
    }

    /// What of `permission` a caller may read, apart from what its operation asks for.
    ///
    /// # Errors
    /// The secondary storage does not answer.
    pub(crate) async fn reading(
        &self,
        caller: &Caller,
        permission: (ResourceType, PermissionType),
    ) -> Result<Access, Problem> {
        let guards = self.identity.guards;
        let who = &caller.0.who;
        if who.anonymous || !(guards.authorizations || guards.tenancy) {
            return Ok(Access::open());
        }
        let rights = self.identity.rights(who).await?;
        let (permissions, tenancy) = ([permission], guards.tenancy);
        let on = guards.authorizations;
        Ok(Access::new(&rights, who, &permissions, on, tenancy))
    }

    /// What an operation may read for a caller. Commands are checked by the engine.
    async fn access(&self, operation: &Operation, caller: &Caller) -> Result<Access, Problem> {
        let guards = self.identity.guards;
        let on = guards.authorizations || guards.tenancy;
        let of_front = |(resource, _): &(ResourceType, _)| {
            matches!(
                resource,
                ResourceType::Document
                    | ResourceType::System
                    | ResourceType::Backup
                    | ResourceType::Exporter
                    | ResourceType::Secret
            )
        };
        let concerned = operation.reads
            || operation.method == "GET"
            || operation.permissions.iter().any(of_front);
        if !on || caller.0.who.anonymous || !concerned || operation.permissions.is_empty() {
            return Ok(Access::open());
        }
        let who = &caller.0.who;
        let rights = self.identity.rights(who).await?;
        let access = Access::new(
            &rights,
            who,
            &operation.permissions,
            guards.authorizations,
            guards.tenancy && !operation.permissions.iter().any(of_front),
        );
        // What is done here and not by a query needs the permission before it is done.
        if !operation.reads && !access.settled() && operation.permissions.iter().any(of_front) {
            return Err(access.refusal());
        }
        Ok(access)
    }
}

/// Whether `path` is a case of `wider`, which has parameters where they differ.
fn covers(wider: &str, path: &str) -> bool {
    let same = |(a, b): (&str, &str)| a == b || a.starts_with('{');
    wider != path
        && wider.split('/').count() == path.split('/').count()
        && wider.split('/').zip(path.split('/')).all(same)
}

/// The path with its parameters named by position: the router wants one name per place, the
/// contract has several.
fn by_position(path: &str) -> String {
    let segments = path.split('/').enumerate().map(|(at, segment)| {
        if segment.starts_with('{') {
            format!("{{p{at}}}")
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}
