//! AUTHORIZATION CREATE, UPDATE, DELETE.
//!
//! An owner has at most one authorization per resource and permission. Owner and resource have to
//! be there as far as they are kept here: users and groups may come with a token.

use std::sync::Arc;

use super::{exists, settle};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{AuthorizationRecord, OwnerType, ResourceMatcher, ResourceType};

type Value = Arc<AuthorizationRecord>;

/// Id that stands for every resource of a type.
pub(crate) const WILDCARD: &str = "*";

/// Whether two authorizations are for the same resource.
fn same_scope(a: &AuthorizationRecord, b: &AuthorizationRecord) -> bool {
    a.resource_type == b.resource_type
        && a.resource_matcher == b.resource_matcher
        && a.resource_id == b.resource_id
        && a.resource_property_name == b.resource_property_name
}

/// Whether the owner is allowed some of it already.
pub(super) fn overlaps(p: &Processing<'_>, value: &AuthorizationRecord) -> Outcome<bool> {
    Ok(p.state()
        .any_authorization(value.owner_type, &value.owner_id, |it| {
            same_scope(it, value) && it.permission_types.0 & value.permission_types.0 != 0
        })?)
}

fn require_known_permissions(value: &AuthorizationRecord, doing: &str) -> Outcome {
    let supported = value.resource_type.permissions();
    let unknown = value.permission_types.without(supported);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to {doing} authorization with permission types '{unknown}' and resource type \
         '{}', but these permissions are not supported. Supported permission types are: \
         '{supported}'",
        value.resource_type.name()
    )))
}

/// The matcher and what it matches fit each other.
fn require_scope(value: &AuthorizationRecord, doing: &str) -> Outcome {
    let (id, property) = (&value.resource_id, &value.resource_property_name);
    let fits = match value.resource_matcher {
        ResourceMatcher::Any => id.as_str() == WILDCARD && property.is_empty(),
        ResourceMatcher::Id => !id.is_empty() && id.as_str() != WILDCARD && property.is_empty(),
        ResourceMatcher::Property => id.is_empty() && !property.is_empty(),
        ResourceMatcher::Unspecified => false,
    };
    if fits {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to {doing} authorization with resource matcher '{}', but resource id '{id}' and \
         resource property name '{property}' do not fit it.",
        value.resource_matcher.name()
    )))
}

/// Owner and resource are there, as far as they are kept here.
fn require_entities(p: &Processing<'_>, command: &Command, value: &AuthorizationRecord) -> Outcome {
    let missing = |what: &str, id: &Text| {
        Err(Stop::not_found(format!(
            "Expected to create or update authorization with ownerId or resourceId '{id}', but a \
             {what} with this ID does not exist."
        )))
    };
    // Of what this cluster sets up itself, users and groups may be those of a token.
    let by_client = !command.authorization.is_empty();
    let users = by_client && p.config.local_users;
    let groups = by_client && p.config.local_groups;
    let state = p.state();
    let owner = &value.owner_id;
    match value.owner_type {
        OwnerType::Group if groups && !state.groups.contains(owner)? => {
            return missing("group", owner);
        }
        OwnerType::MappingRule if state.mapping_rule(owner)?.is_none() => {
            return missing("mapping rule", owner);
        }
        OwnerType::Role if !state.roles.contains(owner)? => return missing("role", owner),
        OwnerType::User if users && !state.users.contains(owner)? => {
            return missing("user", owner);
        }
        OwnerType::Unspecified
        | OwnerType::User
        | OwnerType::Client
        | OwnerType::MappingRule
        | OwnerType::Group
        | OwnerType::Role => {}
    }
    if value.resource_matcher != ResourceMatcher::Id {
        return Ok(());
    }
    let id = &value.resource_id;
    let gone = match value.resource_type {
        ResourceType::Group => (groups && !state.groups.contains(id)?).then_some("group"),
        ResourceType::MappingRule => (state.mapping_rule(id)?.is_none()).then_some("mapping rule"),
        ResourceType::Role => (!state.roles.contains(id)?).then_some("role"),
        ResourceType::User => (users && !state.users.contains(id)?).then_some("user"),
        ResourceType::Unspecified
        | ResourceType::Authorization
        | ResourceType::Message
        | ResourceType::Batch
        | ResourceType::Component
        | ResourceType::System
        | ResourceType::Tenant
        | ResourceType::Resource
        | ResourceType::ProcessDefinition
        | ResourceType::DecisionRequirementsDefinition
        | ResourceType::DecisionDefinition
        | ResourceType::Document
        | ResourceType::AuditLog
        | ResourceType::UserTask
        | ResourceType::ClusterVariable
        | ResourceType::Expression
        | ResourceType::GlobalListener
        | ResourceType::Secret
        | ResourceType::Backup
        | ResourceType::Exporter => None,
    };
    match gone {
        Some(what) => missing(what, id),
        None => Ok(()),
    }
}

/// Allows something.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        if !p
            .state()
            .authorizations
            .contains(&value.authorization_key)?
        {
            p.event(
                value.authorization_key,
                of::Authorization::Created,
                value.clone(),
            )?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    require_known_permissions(value, "create")?;
    require_scope(value, "create")?;
    if overlaps(p, value)? {
        let resource = if value.resource_id.is_empty() {
            &value.resource_property_name
        } else {
            &value.resource_id
        };
        return Err(exists(format!(
            "Expected to create authorization for owner '{}' for resource identifier '{resource}', \
             but an authorization for this resource identifier already exists.",
            value.owner_id
        )));
    }
    require_entities(p, command, value)?;
    let key = p.next_key();
    let record = Arc::new(AuthorizationRecord {
        authorization_key: key,
        ..AuthorizationRecord::clone(value)
    });
    p.event(key, of::Authorization::Created, record.clone())?;
    settle(
        p,
        command,
        key,
        of::Authorization::Created,
        record,
        Some(key),
    )
}

/// Allows something else instead.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = value.authorization_key;
    let known = p.state().authorizations.contains(&key)?;
    if distribute::is_distributed(p, command.key) {
        if known {
            p.event(key, of::Authorization::Updated, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if !known {
        return Err(Stop::not_found(format!(
            "Expected to update authorization with key {key}, but an authorization with this key \
             does not exist"
        )));
    }
    require_known_permissions(value, "update")?;
    require_scope(value, "update")?;
    require_entities(p, command, value)?;
    p.event(key, of::Authorization::Updated, value.clone())?;
    settle(
        p,
        command,
        key,
        of::Authorization::Updated,
        value.clone(),
        None,
    )
}

/// Allows it no longer.
pub(crate) fn delete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = value.authorization_key;
    let known = p.state().authorizations.contains(&key)?;
    if distribute::is_distributed(p, command.key) {
        if known {
            p.event(key, of::Authorization::Deleted, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if !known {
        return Err(Stop::not_found(format!(
            "Expected to delete authorization with key {key}, but an authorization with this key \
             does not exist"
        )));
    }
    p.event(key, of::Authorization::Deleted, value.clone())?;
    settle(
        p,
        command,
        key,
        of::Authorization::Deleted,
        value.clone(),
        None,
    )
}
