//! Users, groups, roles, tenants, mapping rules, authorizations: what changes them.
//!
//! All of these commands go to the first partition, which decides and hands the outcome on in one
//! queue, so that every partition sees the same changes in the same order. The others take what the
//! first one decided: what is there already, or gone already, is only acknowledged.
//!
//! | file | commands |
//! |---|---|
//! | [`user`] | USER, and the first administrator |
//! | [`container`] | GROUP, ROLE, TENANT and their members |
//! | [`mapping_rule`], [`authorization`] | those of that name |
//! | [`setup`] | IDENTITY_SETUP |

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    AuthorizationRecord, EntityType, GroupRecord, OwnerType, RoleRecord, TenantRecord,
};
use crate::record::{Intent, RejectionType, Text, Value};
use crate::state::RelationType;

pub(crate) mod authorization;
pub(crate) mod container;
pub(crate) mod mapping_rule;
pub(crate) mod setup;
pub(crate) mod user;

/// The queue that keeps the changes in order.
const QUEUE: &str = "IDENTITY";

fn exists(reason: String) -> Stop {
    Stop::reject(RejectionType::AlreadyExists, reason)
}

/// Tells the caller and the other partitions. `distribution` names the distribution; of a new
/// entity it is its key.
fn settle(
    p: &mut Processing<'_>,
    command: &Command,
    key: Key,
    event: impl Into<Intent>,
    value: impl Into<Value>,
    distribution: Option<Key>,
) -> Outcome {
    let value = value.into();
    p.respond(key, event, value.clone());
    let distribution = match distribution {
        Some(key) => key,
        None => p.next_key(),
    };
    distribute::distribute(p, distribution, QUEUE, command.intent, &value)
}

/// Ends what an owner is allowed.
fn delete_authorizations(p: &mut Processing<'_>, owner: OwnerType, id: &Text) -> Outcome {
    for key in p.state().authorization_keys(owner, id)? {
        let record = AuthorizationRecord {
            authorization_key: key,
            ..AuthorizationRecord::default()
        };
        p.event(key, of::Authorization::Deleted, record)?;
    }
    Ok(())
}

/// Ends the memberships of an entity in tenants, roles and groups.
fn leave_all(p: &mut Processing<'_>, entity: EntityType, id: &Text) -> Outcome {
    for tenant in p.state().memberships_of(entity, id, RelationType::Tenant)? {
        let row = p.state().tenants.get(&tenant)?;
        let record = TenantRecord {
            tenant_key: row.map_or(Key::NONE, |row| row.record.tenant_key),
            tenant_id: tenant,
            entity_id: id.clone(),
            entity_type: entity,
            ..TenantRecord::default()
        };
        p.event(record.tenant_key, of::Tenant::EntityRemoved, record)?;
    }
    for role in p.state().memberships_of(entity, id, RelationType::Role)? {
        let row = p.state().roles.get(&role)?;
        let record = RoleRecord {
            role_key: row.map_or(Key::NONE, |row| row.record.role_key),
            role_id: role,
            entity_id: id.clone(),
            entity_type: entity,
            ..RoleRecord::default()
        };
        p.event(record.role_key, of::Role::EntityRemoved, record)?;
    }
    for group in p.state().memberships_of(entity, id, RelationType::Group)? {
        let row = p.state().groups.get(&group)?;
        let record = GroupRecord {
            group_key: row.map_or(Key::NONE, |row| row.record.group_key),
            group_id: group,
            entity_id: id.clone(),
            entity_type: entity,
            ..GroupRecord::default()
        };
        p.event(record.group_key, of::Group::EntityRemoved, record)?;
    }
    Ok(())
}
