//! GROUP, ROLE, TENANT: CREATE, UPDATE, DELETE, ADD_ENTITY, REMOVE_ENTITY.
//!
//! The three have the same life and differ in texts and in what may be a member. Users, programs
//! and groups may be members without being known here, because a token may bring them; mapping
//! rules and roles have to be there. Where users and groups are kept here, those that get a role or
//! a tenant have to be there as well, but for groups that get a role.

use std::sync::Arc;

use super::{QUEUE, delete_authorizations, exists, settle};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{EntityType, GroupRecord, OwnerType, RoleRecord, TenantRecord};
use crate::state::{RelationType, StateError};

/// What of the three something is about, and what it is called in texts.
#[derive(Clone, Copy)]
enum Kind {
    Group,
    Role,
    Tenant,
}

impl Kind {
    fn is_there(self, id: &Text) -> String {
        match self {
            Self::Group => format!(
                "Expected to create group with ID '{id}', but a group with this ID already exists."
            ),
            Self::Role => format!(
                "Expected to create role with ID '{id}', but a role with this ID already exists"
            ),
            Self::Tenant => format!(
                "Expected to create tenant with ID '{id}', but a tenant with this ID already exists"
            ),
        }
    }

    fn not_updated(self, id: &Text) -> String {
        match self {
            Self::Group => format!(
                "Expected to update group with ID '{id}', but a group with this ID does not exist."
            ),
            Self::Role => format!(
                "Expected to update role with ID '{id}', but a role with this ID does not exist."
            ),
            Self::Tenant => format!(
                "Expected to update tenant with id '{id}', but no tenant with this id exists."
            ),
        }
    }

    fn not_deleted(self, id: &Text) -> String {
        match self {
            Self::Group => format!(
                "Expected to delete group with ID '{id}', but a group with this ID does not exist."
            ),
            Self::Role => format!(
                "Expected to delete role with ID '{id}', but a role with this ID doesn't exist."
            ),
            Self::Tenant => format!(
                "Expected to delete tenant with id '{id}', but no tenant with this id exists."
            ),
        }
    }

    fn nothing_to_join(self, id: &Text) -> String {
        match self {
            Self::Group | Self::Role => self.not_updated(id),
            Self::Tenant => format!(
                "Expected to add entity to tenant with ID '{id}', but no tenant with this ID exists."
            ),
        }
    }

    fn nothing_to_leave(self, id: &Text) -> String {
        match self {
            Self::Group | Self::Role => self.not_updated(id),
            Self::Tenant => format!(
                "Expected to remove entity from tenant '{id}', but no tenant with this ID exists."
            ),
        }
    }

    fn no_entity(self, doing: (&str, &str), kind: EntityType, entity: &Text, id: &Text) -> String {
        let ((verb, preposition), kind) = (doing, kind.name());
        match self {
            Self::Group => format!(
                "Expected to {verb} an entity with ID '{entity}' and type '{kind}' {preposition} \
                 group with ID '{id}', but the entity does not exist."
            ),
            Self::Role => format!(
                "Expected to {verb} an entity with ID '{entity}' and type '{kind}' {preposition} \
                 role with ID '{id}', but the entity doesn't exist."
            ),
            Self::Tenant => {
                let (kind, letter) = (
                    kind.to_ascii_lowercase(),
                    if verb == "add" { "" } else { "s" },
                );
                format!(
                    "Expected to {verb} {kind} with ID '{entity}' {preposition} tenant with ID \
                     '{id}', but the {kind} doesn't exist{letter}."
                )
            }
        }
    }

    fn already_in(self, kind: EntityType, entity: &Text, id: &Text) -> String {
        match self {
            Self::Group => format!(
                "Expected to add entity with ID '{entity}' to group with ID '{id}', but the entity \
                 is already assigned to this group."
            ),
            Self::Role => format!(
                "Expected to add entity with ID '{entity}' to role with ID '{id}', but the entity \
                 is already assigned to this role."
            ),
            Self::Tenant => {
                let kind = kind.name().to_ascii_lowercase();
                format!(
                    "Expected to add {kind} with ID '{entity}' to tenant with ID '{id}', but the \
                     {kind} is already assigned to the tenant."
                )
            }
        }
    }

    fn not_in(self, kind: EntityType, entity: &Text, id: &Text) -> String {
        match self {
            Self::Group => format!(
                "Expected to remove entity with ID '{entity}' from group with ID '{id}', but the \
                 entity is not assigned to this group."
            ),
            Self::Role => format!(
                "Expected to remove entity with ID '{entity}' from role with ID '{id}', but the \
                 entity is not assigned to this role."
            ),
            Self::Tenant => {
                let kind = kind.name().to_ascii_lowercase();
                format!(
                    "Expected to remove {kind} with ID '{entity}' from tenant with ID '{id}', but \
                     the {kind} is not assigned to this tenant."
                )
            }
        }
    }

    /// Whether an entity can be made a member.
    fn takes(
        self,
        p: &Processing<'_>,
        command: &Command,
        entity: EntityType,
        id: &Text,
    ) -> Result<bool, StateError> {
        // Of what this cluster sets up itself, users and groups may be those of a token.
        let by_client = !command.authorization.is_empty();
        Ok(match (self, entity) {
            (Self::Role | Self::Tenant, EntityType::User) if by_client && p.config.local_users => {
                p.state().users.contains(id)?
            }
            (Self::Tenant, EntityType::Group) if by_client && p.config.local_groups => {
                p.state().groups.contains(id)?
            }
            (_, EntityType::User | EntityType::Client)
            | (Self::Role | Self::Tenant, EntityType::Group) => true,
            (_, EntityType::MappingRule) => p.state().mapping_rule(id)?.is_some(),
            (Self::Tenant, EntityType::Role) => p.state().roles.contains(id)?,
            (_, EntityType::Unspecified)
            | (Self::Group, EntityType::Group)
            | (Self::Group | Self::Role, EntityType::Role) => false,
        })
    }
}

macro_rules! container {
    ($module:ident: $record:ident $intent:ident $table:ident $key:ident $id:ident, $owner:expr) => {
        #[doc = concat!("Commands of ", stringify!($intent), ".")]
        pub(crate) mod $module {
            use super::*;

            const KIND: Kind = Kind::$intent;
            const RELATION: RelationType = RelationType::$intent;

            type Value = Arc<$record>;

            /// Creates one.
            pub(crate) fn create(
                p: &mut Processing<'_>,
                command: &Command,
                value: &Value,
            ) -> Outcome {
                let known = p.state().$table.contains(&value.$id)?;
                if distribute::is_distributed(p, command.key) {
                    if !known {
                        p.event(command.key, of::$intent::Created, value.clone())?;
                    }
                    return distribute::acknowledge(p, command.key, command.intent);
                }
                if known {
                    return Err(exists(KIND.is_there(&value.$id)));
                }
                let key = p.next_key();
                let record = Arc::new($record {
                    $key: key,
                    ..$record::clone(value)
                });
                p.event(key, of::$intent::Created, record.clone())?;
                settle(p, command, key, of::$intent::Created, record, Some(key))
            }

            /// Changes name and description.
            pub(crate) fn update(
                p: &mut Processing<'_>,
                command: &Command,
                value: &Value,
            ) -> Outcome {
                if distribute::is_distributed(p, command.key) {
                    p.event(value.$key, of::$intent::Updated, value.clone())?;
                    return distribute::acknowledge(p, command.key, command.intent);
                }
                let Some(row) = p.state().$table.get(&value.$id)? else {
                    return Err(Stop::not_found(KIND.not_updated(&value.$id)));
                };
                let key = row.record.$key;
                let record = Arc::new($record {
                    $key: key,
                    ..$record::clone(value)
                });
                p.event(key, of::$intent::Updated, record.clone())?;
                settle(p, command, key, of::$intent::Updated, record, None)
            }

            /// Deletes one, its memberships and its authorizations.
            pub(crate) fn delete(
                p: &mut Processing<'_>,
                command: &Command,
                value: &Value,
            ) -> Outcome {
                let distributed = distribute::is_distributed(p, command.key);
                let id = &value.$id;
                let Some(row) = p.state().$table.get(id)? else {
                    if distributed {
                        return distribute::acknowledge(p, command.key, command.intent);
                    }
                    return Err(Stop::not_found(KIND.not_deleted(id)));
                };
                let key = row.record.$key;
                for (entity_type, entity_id) in p.state().members_of(RELATION, id)? {
                    let record = $record {
                        $key: key,
                        $id: id.clone(),
                        entity_id,
                        entity_type,
                        ..$record::default()
                    };
                    p.event(key, of::$intent::EntityRemoved, record)?;
                }
                let owner: Option<OwnerType> = $owner;
                if let Some(owner) = owner {
                    delete_authorizations(p, owner, id)?;
                }
                p.event(key, of::$intent::Deleted, row.record.clone())?;
                if distributed {
                    return distribute::acknowledge(p, command.key, command.intent);
                }
                p.respond(key, of::$intent::Deleted, row.record.clone());
                let distribution = p.next_key();
                let value = value.clone().into();
                distribute::distribute(p, distribution, QUEUE, of::$intent::Delete, &value)
            }

            /// Makes an entity a member.
            pub(crate) fn add(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
                let (kind, entity, id) = (value.entity_type, &value.entity_id, &value.$id);
                let member = p.state().is_member(kind, entity, RELATION, id)?;
                if distribute::is_distributed(p, command.key) {
                    if !member {
                        p.event(value.$key, of::$intent::EntityAdded, value.clone())?;
                    }
                    return distribute::acknowledge(p, command.key, command.intent);
                }
                let Some(row) = p.state().$table.get(id)? else {
                    return Err(Stop::not_found(KIND.nothing_to_join(id)));
                };
                if !KIND.takes(p, command, kind, entity)? {
                    let reason = KIND.no_entity(("add", "to"), kind, entity, id);
                    return Err(Stop::not_found(reason));
                }
                if member {
                    return Err(exists(KIND.already_in(kind, entity, id)));
                }
                let key = row.record.$key;
                let record = Arc::new($record {
                    $key: key,
                    ..$record::clone(value)
                });
                p.event(key, of::$intent::EntityAdded, record.clone())?;
                settle(p, command, key, of::$intent::EntityAdded, record, None)
            }

            /// Ends a membership.
            pub(crate) fn remove(
                p: &mut Processing<'_>,
                command: &Command,
                value: &Value,
            ) -> Outcome {
                let (kind, entity, id) = (value.entity_type, &value.entity_id, &value.$id);
                let member = p.state().is_member(kind, entity, RELATION, id)?;
                if distribute::is_distributed(p, command.key) {
                    if member {
                        p.event(value.$key, of::$intent::EntityRemoved, value.clone())?;
                    }
                    return distribute::acknowledge(p, command.key, command.intent);
                }
                let Some(row) = p.state().$table.get(id)? else {
                    return Err(Stop::not_found(KIND.nothing_to_leave(id)));
                };
                if !KIND.takes(p, command, kind, entity)? {
                    let reason = KIND.no_entity(("remove", "from"), kind, entity, id);
                    return Err(Stop::not_found(reason));
                }
                if !member {
                    return Err(Stop::not_found(KIND.not_in(kind, entity, id)));
                }
                let key = row.record.$key;
                let record = Arc::new($record {
                    $key: key,
                    ..$record::clone(value)
                });
                p.event(key, of::$intent::EntityRemoved, record.clone())?;
                settle(p, command, key, of::$intent::EntityRemoved, record, None)
            }
        }
    };
}

container!(group: GroupRecord Group groups group_key group_id, Some(OwnerType::Group));
container!(role: RoleRecord Role roles role_key role_id, Some(OwnerType::Role));
// Tenants own no authorizations.
container!(tenant: TenantRecord Tenant tenants tenant_key tenant_id, None);
