//! USER CREATE, UPDATE, DELETE, CREATE_INITIAL_ADMIN.
//!
//! A new user may read about itself. The first administrator can be made by anybody as long as
//! nobody is one: that is how a cluster without configured users is opened.

use std::sync::Arc;

use super::{QUEUE, delete_authorizations, exists, leave_all, settle};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    AuthorizationRecord, EntityType, OwnerType, PermissionSet, PermissionType, ResourceMatcher,
    ResourceType, RoleRecord, UserRecord,
};
use crate::record::{RejectionType, Text};
use crate::state::RelationType;

type Value = Arc<UserRecord>;

/// Role of those who may do everything.
pub(crate) const ADMIN_ROLE: &str = "admin";

fn already_there(name: &Text) -> String {
    format!(
        "Expected to create user with username '{name}', but a user with this username already \
         exists"
    )
}

/// Creates a user.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let known = p.state().users.contains(&value.username)?;
    if distribute::is_distributed(p, command.key) {
        if !known {
            p.event(value.user_key, of::User::Created, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if known {
        return Err(exists(already_there(&value.username)));
    }
    let key = p.next_key();
    let record = Arc::new(UserRecord {
        user_key: key,
        ..UserRecord::clone(value)
    });
    p.event(key, of::User::Created, record.clone())?;
    p.command(
        Key::NONE,
        of::Authorization::Create,
        AuthorizationRecord {
            owner_id: value.username.clone(),
            owner_type: OwnerType::User,
            resource_type: ResourceType::User,
            resource_matcher: ResourceMatcher::Id,
            resource_id: value.username.clone(),
            permission_types: PermissionSet::of(&[PermissionType::Read]),
            ..AuthorizationRecord::default()
        },
    )?;
    settle(p, command, key, of::User::Created, record, Some(key))
}

/// Replaces what is known of a user; only the password stays if none is given.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        p.event(value.user_key, of::User::Updated, value.clone())?;
        return distribute::acknowledge(p, command.key, command.intent);
    }
    let name = &value.username;
    let Some(row) = p.state().users.get(name)? else {
        return Err(Stop::not_found(format!(
            "Expected to update user with username {name}, but a user with this username does not \
             exist"
        )));
    };
    let mut record = UserRecord::clone(&row.record);
    record.name.clone_from(&value.name);
    record.email.clone_from(&value.email);
    if !value.password.is_empty() {
        record.password.clone_from(&value.password);
    }
    let record = Arc::new(record);
    let key = record.user_key;
    p.event(key, of::User::Updated, record.clone())?;
    settle(p, command, key, of::User::Updated, record, None)
}

/// Deletes a user, its memberships and its authorizations.
pub(crate) fn delete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let name = &value.username;
    let Some(row) = p.state().users.get(name)? else {
        if distributed {
            return distribute::acknowledge(p, command.key, command.intent);
        }
        return Err(Stop::not_found(format!(
            "Expected to delete user with username {name}, but a user with this username does not \
             exist"
        )));
    };
    delete_authorizations(p, OwnerType::User, name)?;
    leave_all(p, EntityType::User, name)?;
    let key = row.record.user_key;
    p.event(key, of::User::Deleted, row.record.clone())?;
    if distributed {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    p.respond(key, of::User::Deleted, row.record.clone());
    let distribution = p.next_key();
    let value = value.clone().into();
    distribute::distribute(p, distribution, QUEUE, of::User::Delete, &value)
}

/// Creates the first user that may do everything.
pub(crate) fn create_initial_admin(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Value,
) -> Outcome {
    let role = Text::from(ADMIN_ROLE);
    let refused = if p.state().users.contains(&value.username)? {
        Some(already_there(&value.username))
    } else if !p.state().roles.contains(&role)? {
        Some(format!(
            "Expected to create admin user, but role with id '{role}' does not exist"
        ))
    } else if p
        .state()
        .members_of(RelationType::Role, &role)?
        .iter()
        .any(|(kind, _)| *kind == EntityType::User)
    {
        Some(format!(
            "Expected to create admin user, but role with id '{role}' already has one or more user \
             assigned to it"
        ))
    } else {
        None
    };
    if let Some(reason) = refused {
        return Err(Stop::reject(RejectionType::Forbidden, reason));
    }
    let key = p.next_key();
    p.command(Key::NONE, of::User::Create, value.clone())?;
    p.command(
        Key::NONE,
        of::Role::AddEntity,
        RoleRecord {
            role_id: role,
            entity_id: value.username.clone(),
            entity_type: EntityType::User,
            ..RoleRecord::default()
        },
    )?;
    p.event(key, of::User::InitialAdminCreated, value.clone())?;
    p.respond(key, of::User::InitialAdminCreated, value.clone());
    Ok(())
}
