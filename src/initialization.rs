//! Users, roles, tenants and the like that a configuration wants from the start.
//!
//! Camunda's names: everything below `camunda.security.initialization`, in a file or in the
//! environment (`CAMUNDA_SECURITY_INITIALIZATION_USERS_0_USERNAME`). Names are compared without case
//! and separators; list items are members with numbers as names. What is configured becomes one
//! command to the first partition at every start; what is there already stays as it is.
//!
//! | condition | refusal |
//! |---|---|
//! | a name that is not in the tables below | names its path |
//! | a member of a list lacks what it needs | names the member and the field |
//! | a kind of owner, resource or permission that does not exist | names it |
//! | an id or a name that a client could not give either | says what is wrong with it |

mod tree;

use std::sync::Arc;

use ringflow_core::engine::{GLOBAL_LISTENER_EVENTS, identity_defaults};
use ringflow_core::record::Text;
use ringflow_core::record::value::{
    AuthorizationRecord, EntityType, GlobalListenerBatchRecord, GlobalListenerRecord,
    GlobalListenerSource, GroupRecord, IdentitySetupRecord, MappingRuleRecord, OwnerType,
    PermissionType, ResourceMatcher, ResourceType, RoleRecord, TenantRecord,
};
use ringflow_gateway::{id_violation, name_violation, tenant_id_violation};

pub(crate) use tree::Tree;
use tree::{Fields, bare};

/// Where users, roles and the like stand that have to be there from the start: in a file, and in
/// the environment.
pub(crate) const INITIALIZATION: [(&[&str], &str); 2] = [
    (
        &["camunda", "security", "initialization"],
        "CAMUNDA_SECURITY_INITIALIZATION_",
    ),
    (
        &["security", "initialization"],
        "RINGFLOW_SECURITY_INITIALIZATION_",
    ),
];
/// The same of the listeners of all user tasks.
pub(crate) const LISTENERS: [(&[&str], &str); 2] = [
    (
        &["camunda", "cluster", "global-listeners"],
        "CAMUNDA_CLUSTER_GLOBALLISTENERS_",
    ),
    (
        &["cluster", "global-listeners"],
        "RINGFLOW_CLUSTER_GLOBALLISTENERS_",
    ),
];

/// Names of lists of members, and what the members are.
const MEMBERS: [(&str, EntityType); 5] = [
    ("users", EntityType::User),
    ("clients", EntityType::Client),
    ("groups", EntityType::Group),
    ("mapping-rules", EntityType::MappingRule),
    ("roles", EntityType::Role),
];

/// Members of all kinds.
fn all_members(fields: &Fields<'_>) -> Result<Vec<(EntityType, Text)>, String> {
    let mut members = Vec::new();
    for (name, kind) in MEMBERS {
        let ids = fields.texts(name)?;
        members.extend(ids.into_iter().map(|id| (kind, Text::from(id))));
    }
    Ok(members)
}

/// Members of all kinds, by ids that clients could name as well. Groups may be those of an identity
/// provider, which have any id.
fn checked_members(fields: &Fields<'_>) -> Result<Vec<(EntityType, Text)>, String> {
    let members = all_members(fields)?;
    fields.refuse(members.iter().map(|(kind, id)| match kind {
        EntityType::Unspecified | EntityType::Group => None,
        EntityType::User => id_violation("username", id),
        EntityType::Client => id_violation("clientId", id),
        EntityType::MappingRule => id_violation("mappingRuleId", id),
        EntityType::Role => id_violation("roleId", id),
    }))?;
    Ok(members)
}

/// A user to create, with the password as it was configured.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InitialUser {
    /// Name to log in with.
    pub username: String,
    /// The password, or a hash of it.
    pub password: String,
    /// Name for people.
    pub name: String,
    /// Mail address.
    pub email: String,
}

impl std::fmt::Debug for InitialUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InitialUser({}, ***)", self.username)
    }
}

/// What has to be there.
#[derive(Clone, Debug)]
pub(crate) struct Initialization {
    /// Users; their passwords are still to be hashed.
    pub users: Vec<InitialUser>,
    /// Everything else.
    pub setup: IdentitySetupRecord,
}

/// Reads the tree below `initialization`.
///
/// # Errors
/// A sentence that names the setting.
pub(crate) fn read(tree: &Tree) -> Result<Initialization, String> {
    let mut setup = identity_defaults();
    let mut users = Vec::new();
    let sections = tree.fields(
        "initialization",
        &[
            "users",
            "mapping-rules",
            "default-roles",
            "authorizations",
            "groups",
            "roles",
            "tenants",
        ],
    )?;
    for (section, tree) in sections.each() {
        if section == "default-roles" {
            for (role, members) in &tree.members {
                default_role(&mut setup, role, members)?;
            }
            continue;
        }
        for (path, item) in tree.items(section)? {
            match section {
                "users" => users.push(user(item, &path)?),
                "mapping-rules" => mapping_rule(&mut setup, item, &path)?,
                "authorizations" => authorization(&mut setup, item, &path)?,
                "groups" => group(&mut setup, item, &path)?,
                "roles" => role(&mut setup, item, &path)?,
                _ => tenant(&mut setup, item, &path)?,
            }
        }
    }
    Ok(Initialization { users, setup })
}

/// Reads the tree below `global-listeners`: a list of listeners of user tasks.
///
/// # Errors
/// A sentence that names the setting.
pub(crate) fn listeners(tree: &Tree) -> Result<GlobalListenerBatchRecord, String> {
    let kinds = tree.fields("global-listeners", &["user-task"])?;
    let mut batch = GlobalListenerBatchRecord::default();
    for (_, listed) in kinds.each() {
        for (path, item) in listed.items("global-listeners.user-task")? {
            batch.listeners.push(Arc::new(listener(item, &path)?));
        }
    }
    Ok(batch)
}

fn listener(item: &Tree, path: &str) -> Result<GlobalListenerRecord, String> {
    let names = [
        "id",
        "type",
        "event-types",
        "retries",
        "after-non-global",
        "priority",
    ];
    let fields = item.fields(path, &names)?;
    let default = GlobalListenerRecord::default();
    let number = |name: &str, otherwise: i32| match fields.text(name).trim() {
        "" => Ok(otherwise),
        text => text
            .parse()
            .map_err(|_| format!("{path}: {name} is no number")),
    };
    let job_type = fields.required("type")?;
    let id = fields.text("id");
    let event_types: Vec<Text> = fields
        .texts("event-types")?
        .into_iter()
        .map(|event| Text::from(event.to_lowercase()))
        .collect();
    let known = |event: &&Text| !GLOBAL_LISTENER_EVENTS.contains(&event.as_str());
    if let Some(unknown) = event_types.iter().find(known) {
        return Err(format!("{path}: no such event type: {unknown}"));
    }
    if event_types.is_empty() {
        return Err(format!("{path}: event-types is missing"));
    }
    Ok(GlobalListenerRecord {
        id: if id.trim().is_empty() {
            job_type.clone()
        } else {
            id
        },
        job_type,
        retries: number("retries", default.retries)?,
        event_types,
        after_non_global: match fields.text("after-non-global").trim() {
            "" | "false" => false,
            "true" => true,
            _ => return Err(format!("{path}: after-non-global is true or false")),
        },
        priority: number("priority", default.priority)?,
        source: GlobalListenerSource::Configuration,
        ..default
    })
}

fn user(item: &Tree, path: &str) -> Result<InitialUser, String> {
    let fields = item.fields(path, &["username", "password", "name", "email"])?;
    Ok(InitialUser {
        username: fields.required("username")?.to_string(),
        password: fields.required("password")?.to_string(),
        name: fields.text("name").to_string(),
        email: fields.text("email").to_string(),
    })
}

fn mapping_rule(setup: &mut IdentitySetupRecord, item: &Tree, path: &str) -> Result<(), String> {
    let fields = item.fields(path, &["mapping-rule-id", "claim-name", "claim-value"])?;
    let id = fields.required("mapping-rule-id")?;
    setup.mapping_rules.push(MappingRuleRecord {
        mapping_rule_id: id.clone(),
        claim_name: fields.required("claim-name")?,
        claim_value: fields.required("claim-value")?,
        name: id,
        ..MappingRuleRecord::default()
    });
    Ok(())
}

fn default_role(setup: &mut IdentitySetupRecord, name: &str, members: &Tree) -> Result<(), String> {
    let path = format!("default-roles.{name}");
    let role = setup
        .roles
        .iter()
        .map(|role| role.role_id.clone())
        .find(|id| bare(id) == bare(name))
        .ok_or_else(|| format!("{path}: there is no such default role"))?;
    let fields = members.fields(&path, &MEMBERS.map(|(name, _)| name))?;
    for (entity_type, entity_id) in all_members(&fields)? {
        setup.role_members.push(RoleRecord {
            role_id: role.clone(),
            entity_type,
            entity_id,
            ..RoleRecord::default()
        });
    }
    Ok(())
}

fn role(setup: &mut IdentitySetupRecord, item: &Tree, path: &str) -> Result<(), String> {
    let names = [
        "role-id",
        "name",
        "description",
        "users",
        "clients",
        "groups",
        "mapping-rules",
    ];
    let fields = item.fields(path, &names)?;
    let id = fields.required("role-id")?;
    fields.refuse([
        id_violation("roleId", &id),
        name_violation("name", &fields.text("name")),
    ])?;
    setup.roles.push(RoleRecord {
        role_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..RoleRecord::default()
    });
    for (entity_type, entity_id) in checked_members(&fields)? {
        setup.role_members.push(RoleRecord {
            role_id: id.clone(),
            entity_type,
            entity_id,
            ..RoleRecord::default()
        });
    }
    Ok(())
}

fn group(setup: &mut IdentitySetupRecord, item: &Tree, path: &str) -> Result<(), String> {
    let names = [
        "group-id",
        "name",
        "description",
        "users",
        "clients",
        "mapping-rules",
        "roles",
    ];
    let fields = item.fields(path, &names)?;
    let id = fields.required("group-id")?;
    fields.refuse([
        id_violation("groupId", &id),
        name_violation("name", &fields.text("name")),
    ])?;
    setup.groups.push(GroupRecord {
        group_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..GroupRecord::default()
    });
    for (entity_type, entity_id) in checked_members(&fields)? {
        if entity_type == EntityType::Role {
            // What the group has, not who is in it.
            setup.role_members.push(RoleRecord {
                role_id: entity_id,
                entity_type: EntityType::Group,
                entity_id: id.clone(),
                ..RoleRecord::default()
            });
            continue;
        }
        setup.group_members.push(GroupRecord {
            group_id: id.clone(),
            entity_type,
            entity_id,
            ..GroupRecord::default()
        });
    }
    Ok(())
}

fn tenant(setup: &mut IdentitySetupRecord, item: &Tree, path: &str) -> Result<(), String> {
    let names = [
        "tenant-id",
        "name",
        "description",
        "users",
        "clients",
        "groups",
        "mapping-rules",
        "roles",
    ];
    let fields = item.fields(path, &names)?;
    let id = fields.required("tenant-id")?;
    fields.refuse([
        tenant_id_violation(&id),
        name_violation("name", &fields.text("name")),
    ])?;
    setup.tenants.push(TenantRecord {
        tenant_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..TenantRecord::default()
    });
    for (entity_type, entity_id) in checked_members(&fields)? {
        setup.tenant_members.push(TenantRecord {
            tenant_id: id.clone(),
            entity_type,
            entity_id,
            ..TenantRecord::default()
        });
    }
    Ok(())
}

fn authorization(setup: &mut IdentitySetupRecord, item: &Tree, path: &str) -> Result<(), String> {
    let names = [
        "owner-type",
        "owner-id",
        "resource-type",
        "resource-id",
        "resource-property-name",
        "permissions",
    ];
    let fields = item.fields(path, &names)?;
    let kind = fields.required("owner-type")?;
    let owner_type = OwnerType::ALL
        .iter()
        .copied()
        .find(|it| it.name().eq_ignore_ascii_case(&kind) && *it != OwnerType::Unspecified)
        .ok_or_else(|| format!("{path}: there is no owner type '{kind}'"))?;
    let kind = fields.required("resource-type")?.to_ascii_uppercase();
    let resource_type = ResourceType::named(&kind)
        .ok_or_else(|| format!("{path}: there is no resource type '{kind}'"))?;
    let mut permissions = Vec::new();
    for name in fields.texts("permissions")? {
        let permission = PermissionType::named(&name.to_ascii_uppercase())
            .filter(|it| resource_type.permissions().has(*it))
            .ok_or_else(|| format!("{path}: {kind} has no permission '{name}'"))?;
        permissions.push(permission);
    }
    if permissions.is_empty() {
        return Err(format!("{path}: permissions is missing"));
    }
    let property = fields.text("resource-property-name");
    let (resource_id, resource_matcher) = if property.is_empty() {
        let id = fields.required("resource-id")?;
        let matcher = if id.as_str() == "*" {
            ResourceMatcher::Any
        } else {
            ResourceMatcher::Id
        };
        (id, matcher)
    } else {
        (Text::EMPTY, ResourceMatcher::Property)
    };
    let owner_id = fields.required("owner-id")?;
    fields.refuse([
        id_violation("ownerId", &owner_id),
        match resource_matcher {
            ResourceMatcher::Unspecified | ResourceMatcher::Any => None,
            ResourceMatcher::Id => id_violation("resourceId", &resource_id),
            ResourceMatcher::Property => id_violation("resourcePropertyName", &property),
        },
    ])?;
    setup.authorizations.push(AuthorizationRecord {
        owner_type,
        owner_id,
        resource_type,
        resource_matcher,
        resource_id,
        resource_property_name: property,
        permission_types: permissions.into_iter().collect(),
        ..AuthorizationRecord::default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_and_file_name_the_same_things() {
        let mut file = Tree::default();
        file.put_json(&serde_json::json!({
            "users": [{"username": "anna", "password": "p", "email": "a@b"}],
            "mapping-rules": [{"mapping-rule-id": "m", "claim-name": "c", "claim-value": "v"}],
            "default-roles": {"readonly-admin": {"users": ["anna"], "mapping-rules": ["m"]}},
            "authorizations": [{"owner-type": "USER", "owner-id": "anna",
                "resource-type": "MESSAGE", "resource-id": "*", "permissions": ["CREATE"]}],
        }));
        let mut environment = Tree::default();
        for (path, value) in [
            ("USERS_0_USERNAME", "anna"),
            ("USERS_0_PASSWORD", "p"),
            ("USERS_0_EMAIL", "a@b"),
            ("MAPPINGRULES_0_MAPPINGRULEID", "m"),
            ("MAPPINGRULES_0_CLAIMNAME", "c"),
            ("MAPPINGRULES_0_CLAIMVALUE", "v"),
            ("DEFAULTROLES_READONLYADMIN_USERS_0", "anna"),
            ("DEFAULTROLES_READONLYADMIN_MAPPINGRULES", "m"),
            ("AUTHORIZATIONS_0_OWNERTYPE", "user"),
            ("AUTHORIZATIONS_0_OWNERID", "anna"),
            ("AUTHORIZATIONS_0_RESOURCETYPE", "message"),
            ("AUTHORIZATIONS_0_RESOURCEID", "*"),
            ("AUTHORIZATIONS_0_PERMISSIONS", "create"),
        ] {
            environment.put(&path.split('_').collect::<Vec<_>>(), value);
        }
        let (file, environment) = (read(&file).unwrap(), read(&environment).unwrap());
        assert_eq!(file.users, environment.users);
        assert_eq!(file.setup, environment.setup);
        assert_eq!(file.setup.role_members.len(), 2);
        assert_eq!(file.setup.role_members[0].role_id, "readonly-admin");
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        for (path, value, refusal) in [
            ("USERS_0_USERNAME", "a", "users[0]: password is missing"),
            ("USERS_0_NICK", "a", "users[0].NICK: no such setting"),
            ("USERS_X_NAME", "a", "users.X: a list wants numbers"),
            ("OTHER_0", "a", "initialization.OTHER: no such setting"),
            (
                "AUTHORIZATIONS_0_OWNERID",
                "a b",
                "authorizations[0]: owner-type is missing",
            ),
            ("ROLES_0_ROLEID", "r", "roles[0]: No name provided"),
            (
                "GROUPS_0_GROUPID",
                "a b",
                "groups[0]: The provided groupId contains illegal characters. It must match the \
                 pattern '^[a-zA-Z0-9_~@.+-]+$'",
            ),
            ("TENANTS_0_TENANTID", "t", "tenants[0]: No name provided"),
            (
                "TENANTS_0_TENANTID",
                "t@t",
                "tenants[0]: The provided tenantId contains illegal characters. It must match the \
                 pattern '^[\\w\\.-]{1,31}$'",
            ),
            (
                "DEFAULTROLES_BOSS_USERS",
                "a",
                "default-roles.BOSS: there is no such default role",
            ),
        ] {
            let mut tree = Tree::default();
            tree.put(&path.split('_').collect::<Vec<_>>(), value);
            assert_eq!(read(&tree).unwrap_err(), refusal);
        }
    }

    #[test]
    fn ids_are_those_that_clients_could_give() {
        let refused = |item: serde_json::Value| {
            let mut file = Tree::default();
            file.put_json(&item);
            read(&file).unwrap_err()
        };
        let pattern = "contains illegal characters. It must match the pattern \
                       '^[a-zA-Z0-9_~@.+-]+$'";
        assert_eq!(
            refused(serde_json::json!({"authorizations": [{
                "owner-type": "USER", "owner-id": "bad id!", "resource-type": "MESSAGE",
                "resource-id": "*", "permissions": ["CREATE"],
            }]})),
            format!("authorizations[0]: The provided ownerId {pattern}")
        );
        assert_eq!(
            refused(serde_json::json!({"roles": [{
                "role-id": "r", "name": "R", "users": ["anna", "bad id!"],
            }]})),
            format!("roles[0]: The provided username {pattern}")
        );
    }

    #[test]
    fn several_spellings_of_a_list_all_count() {
        let mut file = Tree::default();
        file.put_json(&serde_json::json!({
            "default-roles": {"admin": {
                "mappingRules": ["m1"], "mappingrules": ["m2"], "mapping-rules": ["m3"],
            }},
        }));
        let setup = read(&file).unwrap().setup;
        let members = setup.role_members.iter().map(|it| it.entity_id.to_string());
        let mut members: Vec<String> = members.collect();
        members.sort();
        assert_eq!(members, ["m1", "m2", "m3"]);
    }
}
