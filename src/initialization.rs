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

use std::collections::BTreeMap;
use std::sync::Arc;

use ringflow_core::engine::{GLOBAL_LISTENER_EVENTS, identity_defaults};
use ringflow_core::record::Text;
use ringflow_core::record::value::{
    AuthorizationRecord, EntityType, GlobalListenerBatchRecord, GlobalListenerRecord,
    GlobalListenerSource, GroupRecord, IdentitySetupRecord, MappingRuleRecord, OwnerType,
    PermissionType, ResourceMatcher, ResourceType, RoleRecord, TenantRecord,
};

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

/// Items of one list; more are no configuration but a mistake.
const ITEMS_MAX: usize = 10_000;

/// Settings as a tree: members by name as it stood, leaves with their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    text: Option<String>,
    members: BTreeMap<String, Tree>,
}

impl Tree {
    /// Puts `value` at `path`.
    pub(crate) fn put(&mut self, path: &[&str], value: &str) {
        match path.split_first() {
            None => self.text = Some(value.to_owned()),
            Some((first, rest)) => {
                let member = self.members.entry((*first).to_owned()).or_default();
                member.put(rest, value);
            }
        }
    }

    /// Takes over what is below a member of a configuration file.
    pub(crate) fn put_json(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, member) in members {
                    self.members
                        .entry(name.clone())
                        .or_default()
                        .put_json(member);
                }
            }
            serde_json::Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.members
                        .entry(at.to_string())
                        .or_default()
                        .put_json(item);
                }
            }
            serde_json::Value::String(text) => self.text = Some(text.clone()),
            serde_json::Value::Null => {}
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                self.text = Some(value.to_string());
            }
        }
    }

    /// Its items in the order of their numbers.
    fn items(&self, path: &str) -> Result<Vec<(String, &Self)>, String> {
        let mut items = Vec::new();
        for (name, item) in &self.members {
            let number: usize = name
                .parse()
                .ok()
                .filter(|number| *number < ITEMS_MAX)
                .ok_or_else(|| format!("{path}.{name}: a list wants numbers"))?;
            items.push((number, item));
        }
        items.sort_by_key(|(number, _)| *number);
        Ok(items
            .into_iter()
            .map(|(number, item)| (format!("{path}[{number}]"), item))
            .collect())
    }

    /// Texts of a list: items, or one text with commas or blanks between.
    fn texts(&self, path: &str) -> Result<Vec<String>, String> {
        let mut texts: Vec<String> = self
            .text
            .iter()
            .flat_map(|text| text.split([',', ' ']))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        for (_, item) in self.items(path)? {
            texts.extend(item.text.clone());
        }
        Ok(texts)
    }

    /// Its members, each of which has to have one of the names.
    fn fields(&self, path: &str, names: &[&'static str]) -> Result<Fields<'_>, String> {
        let mut fields = BTreeMap::new();
        for (name, member) in &self.members {
            let known = names.iter().find(|known| bare(known) == bare(name));
            let known = known.ok_or_else(|| format!("{path}.{name}: no such setting"))?;
            fields.insert(*known, member);
        }
        Ok(Fields {
            path: path.to_owned(),
            fields,
        })
    }
}

struct Fields<'t> {
    path: String,
    fields: BTreeMap<&'static str, &'t Tree>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Text {
        let text = self.fields.get(name).and_then(|it| it.text.as_deref());
        Text::from(text.unwrap_or_default())
    }

    fn required(&self, name: &str) -> Result<Text, String> {
        let text = self.text(name);
        if text.trim().is_empty() {
            return Err(format!("{}: {name} is missing", self.path));
        }
        Ok(text)
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        match self.fields.get(name) {
            Some(tree) => tree.texts(&format!("{}.{name}", self.path)),
            None => Ok(Vec::new()),
        }
    }

    /// Members of all kinds.
    fn members(&self) -> Result<Vec<(EntityType, Text)>, String> {
        let mut members = Vec::new();
        for (name, kind) in MEMBERS {
            let ids = self.texts(name)?;
            members.extend(ids.into_iter().map(|id| (kind, Text::from(id))));
        }
        Ok(members)
    }
}

/// Names of lists of members, and what the members are.
const MEMBERS: [(&str, EntityType); 5] = [
    ("users", EntityType::User),
    ("clients", EntityType::Client),
    ("groups", EntityType::Group),
    ("mapping-rules", EntityType::MappingRule),
    ("roles", EntityType::Role),
];

fn bare(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
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
    for (section, tree) in &sections.fields {
        if *section == "default-roles" {
            for (role, members) in &tree.members {
                default_role(&mut setup, role, members)?;
            }
            continue;
        }
        for (path, item) in tree.items(section)? {
            match *section {
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
    let Some(listed) = kinds.fields.get("user-task") else {
        return Ok(batch);
    };
    for (path, item) in listed.items("global-listeners.user-task")? {
        batch.listeners.push(Arc::new(listener(item, &path)?));
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
    for (entity_type, entity_id) in fields.members()? {
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
    setup.roles.push(RoleRecord {
        role_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..RoleRecord::default()
    });
    for (entity_type, entity_id) in fields.members()? {
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
    setup.groups.push(GroupRecord {
        group_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..GroupRecord::default()
    });
    for (entity_type, entity_id) in fields.members()? {
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
    setup.tenants.push(TenantRecord {
        tenant_id: id.clone(),
        name: fields.text("name"),
        description: fields.text("description"),
        ..TenantRecord::default()
    });
    for (entity_type, entity_id) in fields.members()? {
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
    setup.authorizations.push(AuthorizationRecord {
        owner_type,
        owner_id: fields.required("owner-id")?,
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
}
