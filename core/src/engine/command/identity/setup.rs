//! IDENTITY_SETUP INITIALIZE: what has to be there from the start becomes commands.
//!
//! Sent at every start. What is there already stays as it is, so a second time does nothing; what
//! an operator deleted comes back, as in the reference. The roles that every cluster has are
//! [`defaults`].

use std::sync::Arc;

use super::authorization::{self, WILDCARD};
use super::user::ADMIN_ROLE;
use crate::engine::fault::Outcome;
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    AuthorizationRecord, EntityType, IdentitySetupRecord, OwnerType, PermissionSet,
    PermissionType as P, ResourceMatcher, ResourceType as R, RoleRecord, TenantRecord,
    default_tenant,
};
use crate::state::RelationType;

/// Orders what is missing.
pub(crate) fn initialize(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<IdentitySetupRecord>,
) -> Outcome {
    for role in &value.roles {
        if !p.state().roles.contains(&role.role_id)? {
            p.command(Key::NONE, of::Role::Create, role.clone())?;
        }
    }
    for tenant in std::iter::once(&*value.default_tenant).chain(&value.tenants) {
        if !tenant.tenant_id.is_empty() && !p.state().tenants.contains(&tenant.tenant_id)? {
            p.command(Key::NONE, of::Tenant::Create, tenant.clone())?;
        }
    }
    for group in &value.groups {
        if !p.state().groups.contains(&group.group_id)? {
            p.command(Key::NONE, of::Group::Create, group.clone())?;
        }
    }
    for user in &value.users {
        if !p.state().users.contains(&user.username)? {
            p.command(Key::NONE, of::User::Create, user.clone())?;
        }
    }
    for rule in &value.mapping_rules {
        if p.state().mapping_rule(&rule.mapping_rule_id)?.is_none() {
            p.command(Key::NONE, of::MappingRule::Create, rule.clone())?;
        }
    }
    for it in &value.group_members {
        let (kind, id) = (it.entity_type, &it.entity_id);
        if !(p.state()).is_member(kind, id, RelationType::Group, &it.group_id)? {
            p.command(Key::NONE, of::Group::AddEntity, it.clone())?;
        }
    }
    for it in &value.role_members {
        let (kind, id) = (it.entity_type, &it.entity_id);
        if !(p.state()).is_member(kind, id, RelationType::Role, &it.role_id)? {
            p.command(Key::NONE, of::Role::AddEntity, it.clone())?;
        }
    }
    for it in &value.tenant_members {
        let (kind, id) = (it.entity_type, &it.entity_id);
        if !(p.state()).is_member(kind, id, RelationType::Tenant, &it.tenant_id)? {
            p.command(Key::NONE, of::Tenant::AddEntity, it.clone())?;
        }
    }
    for authorization in &value.authorizations {
        if !authorization::overlaps(p, authorization)? {
            p.command(Key::NONE, of::Authorization::Create, authorization.clone())?;
        }
    }
    let key = p.next_key();
    p.event(key, of::IdentitySetup::Initialized, value.clone())?;
    p.respond(key, of::IdentitySetup::Initialized, value.clone());
    Ok(())
}

/// What every cluster has: the default tenant, and the roles of the reference with what they are
/// allowed.
#[must_use]
pub fn defaults() -> IdentitySetupRecord {
    let mut setup = IdentitySetupRecord {
        default_tenant: Arc::new(TenantRecord {
            tenant_id: default_tenant(),
            name: Text::from("Default"),
            ..TenantRecord::default()
        }),
        ..IdentitySetupRecord::default()
    };
    let types = || R::ALL.iter().copied().filter(|it| *it != R::Unspecified);
    add_role(
        &mut setup,
        "readonly-admin",
        "Readonly Admin",
        types().map(|it| {
            (
                it,
                it.permissions().iter().filter(|p| p.only_reads()).collect(),
            )
        }),
    );
    add_role(
        &mut setup,
        ADMIN_ROLE,
        "Admin",
        types().map(|it| (it, it.permissions())),
    );
    add_role(
        &mut setup,
        "rpa",
        "RPA",
        [
            (R::Resource, PermissionSet::of(&[P::Read])),
            (
                R::ProcessDefinition,
                PermissionSet::of(&[P::UpdateProcessInstance]),
            ),
        ],
    );
    add_role(
        &mut setup,
        "connectors",
        "Connectors",
        [
            (
                R::ProcessDefinition,
                PermissionSet::of(&[
                    P::ReadProcessInstance,
                    P::ReadProcessDefinition,
                    P::CreateProcessInstance,
                    P::UpdateProcessInstance,
                ]),
            ),
            (R::Message, PermissionSet::of(&[P::Create])),
            (
                R::Document,
                PermissionSet::of(&[P::Create, P::Read, P::Delete]),
            ),
        ],
    );
    add_role(
        &mut setup,
        "app-integrations",
        "App Integrations",
        [
            (
                R::ProcessDefinition,
                PermissionSet::of(&[
                    P::ReadProcessDefinition,
                    P::CreateProcessInstance,
                    P::ReadProcessInstance,
                    P::UpdateProcessInstance,
                    P::ReadUserTask,
                    P::UpdateUserTask,
                ]),
            ),
            (R::Document, PermissionSet::of(&[P::Create])),
        ],
    );
    setup
}

/// A role with what it is allowed on everything of a type. Those that only look are no members of
/// the default tenant, as in the reference.
fn add_role(
    setup: &mut IdentitySetupRecord,
    id: &str,
    name: &str,
    allowed: impl IntoIterator<Item = (R, PermissionSet)>,
) {
    setup.roles.push(RoleRecord {
        role_id: Text::from(id),
        name: Text::from(name),
        ..RoleRecord::default()
    });
    let allowed = allowed.into_iter().filter(|(_, set)| !set.is_empty());
    setup
        .authorizations
        .extend(
            allowed.map(|(resource_type, permission_types)| AuthorizationRecord {
                owner_type: OwnerType::Role,
                owner_id: Text::from(id),
                resource_type,
                resource_matcher: ResourceMatcher::Any,
                resource_id: Text::from(WILDCARD),
                permission_types,
                ..AuthorizationRecord::default()
            }),
        );
    if id != "readonly-admin" {
        setup.tenant_members.push(TenantRecord {
            tenant_id: default_tenant(),
            entity_type: EntityType::Role,
            entity_id: Text::from(id),
            ..TenantRecord::default()
        });
    }
}
