//! Who there is and what they may do: users, groups, roles, tenants, mapping rules, authorizations.
//!
//! Zeebe: `UserRecord`, `GroupRecord`, `RoleRecord`, `TenantRecord`, `MappingRuleRecord`,
//! `AuthorizationRecord`, `IdentitySetupRecord`. Groups, roles and tenants have members; a record
//! about a membership names the member in `entity_id` and `entity_type`. Password hashes are kept
//! in the log but shown to no exporter that writes records as JSON.

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::PermissionSet;
use crate::{field_enum, record_value};

field_enum! {
    /// What can be a member of a group, role or tenant.
    pub enum EntityType {
        /// None.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// A user, known here or elsewhere.
        User = 1 "USER",
        /// A program with a token.
        Client = 2 "CLIENT",
        /// Everybody whose token has a claim.
        MappingRule = 3 "MAPPING_RULE",
        /// A group.
        Group = 4 "GROUP",
        /// A role.
        Role = 5 "ROLE",
    }
}

field_enum! {
    /// How an authorization says what it is for.
    pub enum ResourceMatcher {
        /// Not at all: of a deletion.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Everything of the resource type.
        Any = 1 "ANY",
        /// The resource with this id.
        Id = 2 "ID",
        /// Resources of which a property names who asks.
        Property = 3 "PROPERTY",
    }
}

record_value! {
    /// A user that logs in with a password.
    pub struct UserRecord {
        /// Key.
        user_key "userKey": Key,
        /// Name to log in with; unique.
        username "username": Text,
        /// Name for people.
        name "name": Text,
        /// Mail address; empty = none.
        email "email": Text,
        /// Hash of the password, with the name of its method in front.
        password "": Text,
    }
}

record_value! {
    /// A group, or a membership in it.
    pub struct GroupRecord {
        /// Key.
        group_key "groupKey": Key,
        /// Id; unique.
        group_id "groupId": Text,
        /// Name for people.
        name "name": Text,
        /// Description.
        description "description": Text,
        /// The member.
        entity_id "entityId": Text,
        /// What the member is.
        entity_type "entityType": EntityType,
    }
}

record_value! {
    /// A role, or a membership in it.
    pub struct RoleRecord {
        /// Key.
        role_key "roleKey": Key,
        /// Id; unique.
        role_id "roleId": Text,
        /// Name for people.
        name "name": Text,
        /// Description.
        description "description": Text,
        /// The member.
        entity_id "entityId": Text,
        /// What the member is.
        entity_type "entityType": EntityType,
    }
}

record_value! {
    /// A tenant, or a membership in it.
    pub struct TenantRecord {
        /// Key.
        tenant_key "tenantKey": Key,
        /// Id; unique.
        tenant_id "tenantId": Text,
        /// Name for people.
        name "name": Text,
        /// Description.
        description "description": Text,
        /// The member.
        entity_id "entityId": Text,
        /// What the member is.
        entity_type "entityType": EntityType,
    }
}

record_value! {
    /// Makes everybody whose token has a claim a member of something.
    pub struct MappingRuleRecord {
        /// Key.
        mapping_rule_key "mappingRuleKey": Key,
        /// Id; unique.
        mapping_rule_id "mappingRuleId": Text,
        /// The claim: its name, or a path that begins with `$`.
        claim_name "claimName": Text,
        /// Its value, or one of its values.
        claim_value "claimValue": Text,
        /// Name for people.
        name "name": Text,
    }
}

field_enum! {
    /// What can be allowed something.
    pub enum OwnerType {
        /// None.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// A user.
        User = 1 "USER",
        /// A program.
        Client = 2 "CLIENT",
        /// Everybody a mapping rule fits.
        MappingRule = 3 "MAPPING_RULE",
        /// The members of a group.
        Group = 4 "GROUP",
        /// The members of a role.
        Role = 5 "ROLE",
    }
}

impl From<EntityType> for OwnerType {
    fn from(entity: EntityType) -> Self {
        match entity {
            EntityType::Unspecified => Self::Unspecified,
            EntityType::User => Self::User,
            EntityType::Client => Self::Client,
            EntityType::MappingRule => Self::MappingRule,
            EntityType::Group => Self::Group,
            EntityType::Role => Self::Role,
        }
    }
}

record_value! {
    /// What an owner may do with a resource, or with all of its type.
    pub struct AuthorizationRecord {
        /// Key.
        authorization_key "authorizationKey": Key,
        /// Who.
        owner_id "ownerId": Text,
        /// What the owner is.
        owner_type "ownerType": OwnerType,
        /// How the resource is named.
        resource_matcher "resourceMatcher": ResourceMatcher,
        /// The resource; `*` = all.
        resource_id "resourceId": Text,
        /// The property that has to name who asks.
        resource_property_name "resourcePropertyName": Text,
        /// Of what kind the resource is.
        resource_type "resourceType": super::ResourceType,
        /// What is allowed.
        permission_types "permissionTypes": PermissionSet,
    }
}

record_value! {
    /// What has to be there from the start.
    pub struct IdentitySetupRecord {
        /// The tenant of everything that names none.
        default_tenant "defaultTenant": std::sync::Arc<TenantRecord>,
        /// Roles.
        roles "roles": Vec<RoleRecord>,
        /// Memberships in roles.
        role_members "roleMembers": Vec<RoleRecord>,
        /// Users.
        users "users": Vec<UserRecord>,
        /// Tenants.
        tenants "tenants": Vec<TenantRecord>,
        /// Memberships in tenants.
        tenant_members "tenantMembers": Vec<TenantRecord>,
        /// Mapping rules.
        mapping_rules "mappingRules": Vec<MappingRuleRecord>,
        /// Authorizations.
        authorizations "authorizations": Vec<AuthorizationRecord>,
        /// Groups.
        groups "groups": Vec<GroupRecord>,
        /// Memberships in groups.
        group_members "groupMembers": Vec<GroupRecord>,
    }
}
