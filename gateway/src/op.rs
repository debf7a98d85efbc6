//! What can be asked for, in the form of no protocol.
//!
//! An operation is a struct of checked fields; running it builds one command, routes it, and turns
//! the answer into a result. REST's shape of both lives here as well (it is JSON of the same
//! fields); gRPC maps its messages in [`crate::grpc`]. Rules that both protocols share (tenants,
//! time-outs, references) are stated once, below.
//!
//! | module | operations |
//! |---|---|
//! | [`process_instance`] | create, create and wait, cancel |
//! | [`instance_change`] | modify, migrate a process instance |
//! | [`job`] | activate, push, complete, fail, throw error, update |
//! | [`message`], [`signal`] | publish, correlate; broadcast |
//! | [`conditional`], [`ad_hoc`] | evaluate conditions; activate activities |
//! | [`user_task`] | assign, unassign, complete, update |
//! | [`incident`], [`variable`] | resolve; set |
//! | [`cluster_variable`] | create, update, delete, get |
//! | [`exporting`] | status, pause, resume |
//! | [`global_listener`] | create, update, delete listeners of all user tasks |
//! | [`document`] | create, read, delete files kept beside the engine |
//! | [`resource`] | deploy, delete |
//! | [`decision`] | evaluate |
//! | [`identity`] | users, groups, roles, tenants, mapping rules, authorizations |
//! | [`cluster`] | topology, status, licence, who am I |
//! | [`batch`] | create, cancel, suspend, resume batch operations; delete history |
//! | [`clock`], [`expression`] | pin, reset; evaluate |
//! | [`search`] | everything that is read from the secondary storage |

pub(crate) mod ad_hoc;
pub(crate) mod agent;
pub(crate) mod backup;
pub(crate) mod batch;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod cluster_variable;
pub(crate) mod conditional;
pub(crate) mod decision;
pub(crate) mod document;
pub(crate) mod exporting;
pub(crate) mod expression;
pub(crate) mod global_listener;
pub(crate) mod identity;
pub(crate) mod incident;
pub(crate) mod instance_change;
pub(crate) mod job;
pub(crate) mod message;
pub(crate) mod process_instance;
pub(crate) mod resource;
pub(crate) mod search;
pub(crate) mod shape;
pub(crate) mod signal;
pub(crate) mod user_task;
pub(crate) mod variable;

use std::sync::Arc;
use std::time::Duration;

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::value::default_tenant;
use ringflow_core::record::{Intent, Text, Value, ValueType};

use crate::identity::Principal;
use crate::limits::Limits;
use crate::problem::{OperationName, Problem, TenantFault};
use crate::submit::Front;

/// Longest tenant id.
const TENANT_CHARACTERS: usize = 31;

/// Who asks, and the number they gave to the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl Caller {
    /// A command in the name of this caller.
    pub(crate) fn command(
        &self,
        key: Key,
        intent: impl Into<Intent>,
        value: impl Into<Value>,
        operation_reference: Option<i64>,
    ) -> Command {
        Command {
            operation_reference: operation_reference.unwrap_or(-1),
            authorization: self.0.claims.clone(),
            ..Command::internal(key, intent, value)
        }
    }
}

/// The tenant that `given` names. While multi-tenancy is off that is the default one, or none; while
/// it is on, any, and whether the caller is of it is for the engine to say.
///
/// # Errors
/// It names another one or none, or is no tenant id at all.
pub(crate) fn tenant(
    front: &Front,
    operation: OperationName,
    given: Option<&str>,
) -> Result<Text, Problem> {
    tenant_if(front.tenancy, operation, given)
}

/// The tenants that `given` names, each as [`tenant`]; no names stand for none.
///
/// # Errors
/// As [`tenant`], with all names that cannot be used.
pub(crate) fn tenants(
    front: &Front,
    operation: OperationName,
    given: &[String],
) -> Result<Vec<Text>, Problem> {
    tenants_if(front.tenancy, operation, given)
}

fn tenants_if(
    tenancy: bool,
    operation: OperationName,
    given: &[String],
) -> Result<Vec<Text>, Problem> {
    let default = default_tenant();
    if given.iter().all(|id| id.trim().is_empty()) {
        return Ok(vec![tenant_if(tenancy, operation, None)?]);
    }
    if !tenancy {
        if given.iter().all(|id| default.as_str() == id) {
            return Ok(vec![default]);
        }
        let (ids, faults) = (given.to_vec(), vec![TenantFault::Disabled]);
        return Err(Problem::Tenant {
            operation,
            ids,
            faults,
        });
    }
    let faulty = given
        .iter()
        .filter_map(|id| Some((id.clone(), name_fault(id)?)));
    let (ids, faults): (Vec<String>, Vec<TenantFault>) = faulty.unzip();
    if ids.is_empty() {
        Ok(given.iter().map(|id| Text::from(id.as_str())).collect())
    } else {
        Err(Problem::Tenant {
            operation,
            ids,
            faults,
        })
    }
}

fn tenant_if(
    tenancy: bool,
    operation: OperationName,
    given: Option<&str>,
) -> Result<Text, Problem> {
    let default = default_tenant();
    let id = given.unwrap_or_default();
    let fault = if id.trim().is_empty() {
        if !tenancy {
            return Ok(default);
        }
        TenantFault::Missing
    } else if default == *id {
        return Ok(default);
    } else if !tenancy {
        TenantFault::Disabled
    } else {
        match name_fault(id) {
            None => return Ok(Text::from(id)),
            Some(fault) => fault,
        }
    };
    Err(Problem::Tenant {
        operation,
        ids: vec![id.to_owned()],
        faults: vec![fault],
    })
}

/// Why `id` cannot name a tenant.
fn name_fault(id: &str) -> Option<TenantFault> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.chars().count() > TENANT_CHARACTERS {
        Some(TenantFault::TooLong)
    } else if default_tenant() == *id || (!id.is_empty() && id.chars().all(legal)) {
        None
    } else {
        Some(TenantFault::IllegalCharacters)
    }
}

/// The time a caller wants to wait: `None` for the default, which zero asks for as well.
pub(crate) fn wanted_timeout(limits: &Limits, millis: i64) -> Option<Duration> {
    u64::try_from(millis)
        .ok()
        .filter(|millis| *millis > 0)
        .map(|millis| Duration::from_millis(millis).min(limits.longest_wait))
}

/// The reference a gRPC client gave; it has to be positive and fit the record.
///
/// # Errors
/// It does not.
pub(crate) fn operation_reference(given: Option<u64>) -> Result<Option<i64>, Problem> {
    match given {
        None => Ok(None),
        // What is no reference is -1 in the engine, which some clients send.
        Some(u64::MAX) => Ok(None),
        Some(number) => match i64::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            Ok(_) | Err(_) => Err(Problem::invalid(format!(
                "The value for operationReference is '{number}' but must be > 0"
            ))),
        },
    }
}

/// The answer is of another kind than the command asks for: a fault behind the backend.
pub(crate) fn unexpected(response: &Response, expected: ValueType) -> Problem {
    Problem::Internal(format!(
        "expected a {} to be answered, but got {:?}",
        expected.name(),
        response.intent
    ))
}

/// Takes the value of the answer as the record type an operation expects.
macro_rules! answered {
    ($response:expr, $variant:ident) => {
        match &$response.value {
            ringflow_core::record::Value::$variant(value) => Ok(std::sync::Arc::clone(value)),
            _ => Err($crate::op::unexpected(
                &$response,
                ringflow_core::record::ValueType::$variant,
            )),
        }
    };
}
pub(crate) use answered;

/// Texts of a record.
pub(crate) fn texts(from: Vec<String>) -> Vec<Text> {
    from.into_iter().map(Text::from).collect()
}

/// Texts of an answer.
pub(crate) fn strings(from: &[Text]) -> Vec<String> {
    from.iter().map(|text| text.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: OperationName = OperationName {
        rpc: "CreateProcessInstance",
        human: "Create Process Instance",
    };

    #[test]
    fn only_the_default_tenant_exists() {
        for given in [None, Some(""), Some("<default>")] {
            assert_eq!(tenant_if(false, NAME, given), Ok(default_tenant()));
        }
        let long = "x".repeat(32);
        for id in ["other", long.as_str(), "a b"] {
            let reason = "multi-tenancy is disabled";
            let problem = tenant_if(false, NAME, Some(id)).unwrap_err();
            assert_eq!(
                problem.grpc_text(),
                format!(
                    "Expected to handle gRPC request CreateProcessInstance with tenant \
                     identifier '{id}', but {reason}"
                )
            );
            assert_eq!(
                problem.detail(),
                format!(
                    "Expected to handle request Create Process Instance with tenant identifier \
                     '{id}', but {reason}"
                )
            );
        }
    }

    #[test]
    fn a_tenant_has_to_be_named_where_there_are_several() {
        for id in ["<default>", "red", "a_b-c.9"] {
            assert_eq!(tenant_if(true, NAME, Some(id)), Ok(Text::from(id)));
        }
        for given in [None, Some(""), Some("  ")] {
            let problem = tenant_if(true, NAME, given).unwrap_err();
            assert_eq!(
                problem.detail(),
                "Expected to handle request Create Process Instance with multi-tenancy enabled, \
                 but no tenant identifier was provided."
            );
            assert!(
                problem
                    .grpc_text()
                    .ends_with(", but no tenant identifier was provided")
            );
        }
        let long = "x".repeat(32);
        for (id, reason) in [
            (
                long.as_str(),
                "tenant identifier is longer than 31 characters",
            ),
            ("a b", "tenant identifier contains illegal characters"),
        ] {
            let problem = tenant_if(true, NAME, Some(id)).unwrap_err();
            assert_eq!(
                problem.detail(),
                format!(
                    "Expected to handle request Create Process Instance with tenant identifier \
                     '{id}', but {reason}."
                )
            );
        }
    }

    #[test]
    fn several_tenants_are_refused_together() {
        let given = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let handle = "Expected to handle request Create Process Instance with tenant identifier";
        assert_eq!(tenants_if(false, NAME, &[]), Ok(vec![default_tenant()]));
        assert_eq!(
            tenants_if(true, NAME, &given(&["a", "<default>"])),
            Ok(vec![Text::from("a"), default_tenant()])
        );
        let off = tenants_if(false, NAME, &given(&["a", "b"])).unwrap_err();
        assert_eq!(
            off.detail(),
            format!("{handle}s [a, b], but multi-tenancy is disabled")
        );
        let long = "x".repeat(32);
        let on = tenants_if(true, NAME, &given(&["a b", "a", &long])).unwrap_err();
        assert_eq!(
            on.detail(),
            format!(
                "{handle} 'a b', but tenant identifier contains illegal characters. {handle} \
                 '{long}', but tenant identifier is longer than 31 characters."
            )
        );
        let none = tenants_if(true, NAME, &given(&[" "])).unwrap_err();
        assert!(
            none.detail()
                .ends_with("no tenant identifier was provided.")
        );
    }

    #[test]
    fn references_are_positive() {
        assert_eq!(operation_reference(None), Ok(None));
        assert_eq!(operation_reference(Some(7)), Ok(Some(7)));
        assert!(operation_reference(Some(0)).is_err());
        assert!(operation_reference(Some(1 << 63)).is_err());
        // What a client sends as -1, which is none.
        assert_eq!(operation_reference(Some(u64::MAX)), Ok(None));
    }
}
