//! Identities in the database: they appear, change, and go without leaving a row.

use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::{Cell, Entity, Filter, Literal, Op, Queries, QueriesOptions, Query};

use super::database::{Db, block_on};
use super::export::export;
use super::records::Scenario;

fn member(kind: EntityType, id: &str) -> GroupRecord {
    GroupRecord {
        group_id: "g".into(),
        entity_id: id.into(),
        entity_type: kind,
        ..GroupRecord::default()
    }
}

/// Enough of everything for several pages.
pub(super) fn populate(scenario: &mut Scenario) {
    for number in 0..20 {
        let key = scenario.key();
        let name = |kind: &str| Text::from(format!("{kind}-{number}"));
        let listener = GlobalListenerRecord {
            global_listener_key: key,
            id: name("listener"),
            job_type: name("type"),
            event_types: vec!["all".into()],
            ..GlobalListenerRecord::default()
        };
        scenario.event(key, of::GlobalListener::Created, listener);
        let user = UserRecord {
            user_key: key,
            username: name("user"),
            name: name("name"),
            email: name("mail"),
            password: "{bcrypt}x".into(),
        };
        scenario.event(key, of::User::Created, user);
        let rule = MappingRuleRecord {
            mapping_rule_key: key,
            mapping_rule_id: name("rule"),
            claim_name: name("claim"),
            claim_value: "v".into(),
            name: name("name"),
        };
        scenario.event(key, of::MappingRule::Created, rule);
        let (entity_type, entity_id) = (EntityType::User, name("user"));
        let group = GroupRecord {
            group_key: key,
            group_id: name("group"),
            name: name("name"),
            entity_type,
            entity_id: entity_id.clone(),
            ..GroupRecord::default()
        };
        scenario.event(key, of::Group::Created, group.clone());
        scenario.event(key, of::Group::EntityAdded, group);
        let role = RoleRecord {
            role_key: key,
            role_id: name("role"),
            name: name("name"),
            entity_type,
            entity_id: entity_id.clone(),
            ..RoleRecord::default()
        };
        scenario.event(key, of::Role::Created, role.clone());
        scenario.event(key, of::Role::EntityAdded, role);
        let tenant = TenantRecord {
            tenant_key: key,
            tenant_id: name("tenant"),
            name: name("name"),
            entity_type,
            entity_id: entity_id.clone(),
            ..TenantRecord::default()
        };
        scenario.event(key, of::Tenant::Created, tenant.clone());
        scenario.event(key, of::Tenant::EntityAdded, tenant);
        let authorization = AuthorizationRecord {
            authorization_key: key,
            owner_type: OwnerType::User,
            owner_id: entity_id,
            resource_type: ResourceType::Message,
            resource_matcher: ResourceMatcher::Id,
            resource_id: name("message"),
            permission_types: PermissionSet::of(&[PermissionType::Create]),
            ..AuthorizationRecord::default()
        };
        scenario.event(key, of::Authorization::Created, authorization);
    }
}

fn check(db: &Db) {
    let mut scenario = Scenario::new(1);
    let (demo, gone, group, role) = (
        scenario.key(),
        scenario.key(),
        scenario.key(),
        scenario.key(),
    );
    for (key, name) in [(demo, "demo"), (gone, "gone")] {
        let user = UserRecord {
            user_key: key,
            username: name.into(),
            password: "{bcrypt}x".into(),
            ..UserRecord::default()
        };
        scenario.event(key, of::User::Created, user);
    }
    scenario.event(
        gone,
        of::User::Deleted,
        UserRecord {
            user_key: gone,
            username: "gone".into(),
            ..UserRecord::default()
        },
    );
    let record = GroupRecord {
        group_key: group,
        group_id: "g".into(),
        name: "Before".into(),
        ..GroupRecord::default()
    };
    scenario.event(group, of::Group::Created, record.clone());
    scenario.event(
        group,
        of::Group::Updated,
        GroupRecord {
            name: "After".into(),
            ..record
        },
    );
    for (kind, id) in [
        (EntityType::User, "demo"),
        (EntityType::User, "gone"),
        (EntityType::Client, "demo"),
        (EntityType::MappingRule, "m"),
    ] {
        let record = GroupRecord {
            group_key: group,
            ..member(kind, id)
        };
        scenario.event(group, of::Group::EntityAdded, record);
    }
    let left = GroupRecord {
        group_key: group,
        ..member(EntityType::User, "gone")
    };
    scenario.event(group, of::Group::EntityRemoved, left);
    let rule = scenario.key();
    scenario.event(
        rule,
        of::MappingRule::Created,
        MappingRuleRecord {
            mapping_rule_key: rule,
            mapping_rule_id: "m".into(),
            claim_name: "c".into(),
            claim_value: "v".into(),
            name: "n".into(),
        },
    );
    scenario.event(
        role,
        of::Role::EntityAdded,
        RoleRecord {
            role_key: role,
            role_id: "r".into(),
            entity_type: EntityType::Group,
            entity_id: "g".into(),
            ..RoleRecord::default()
        },
    );
    scenario.event(
        role,
        of::Role::Created,
        RoleRecord {
            role_key: role,
            role_id: "r".into(),
            ..RoleRecord::default()
        },
    );
    let authorization = scenario.key();
    let allowed = AuthorizationRecord {
        authorization_key: authorization,
        owner_type: OwnerType::Role,
        owner_id: "r".into(),
        resource_type: ResourceType::Message,
        resource_matcher: ResourceMatcher::Any,
        resource_id: "*".into(),
        permission_types: PermissionSet::of(&[PermissionType::Create, PermissionType::Read]),
        ..AuthorizationRecord::default()
    };
    scenario.event(authorization, of::Authorization::Created, allowed.clone());
    let ended = scenario.key();
    for intent in [of::Authorization::Created, of::Authorization::Deleted] {
        let record = AuthorizationRecord {
            authorization_key: ended,
            ..allowed.clone()
        };
        scenario.event(ended, intent, record);
    }
    // What other partitions know as well is exported once.
    let mut second = Scenario::new(2);
    let key = second.key();
    let user = UserRecord {
        user_key: key,
        username: "twice".into(),
        ..UserRecord::default()
    };
    second.event(key, of::User::Created, user);
    export(db, &[&scenario, &second]);
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let found = async |entity: Entity, field: &str, conditions: &[(&str, &str)]| {
            let conditions = conditions.iter().map(|(name, value)| Filter::Field {
                field: (*name).to_owned(),
                op: Op::Eq,
                values: vec![Literal::Text((*value).to_owned())],
            });
            let query = Query {
                filter: Filter::All(conditions.collect()),
                ..Query::of(entity)
            };
            let page = queries.search(&query).await.unwrap();
            let cells = page
                .items
                .iter()
                .map(|row| row.get(field).cloned().unwrap());
            cells.collect::<Vec<Cell>>()
        };
        let texts = |texts: &[&str]| -> Vec<Cell> {
            texts
                .iter()
                .map(|it| Cell::Text((*it).to_owned()))
                .collect()
        };
        let users = found(Entity::User, "username", &[]).await;
        assert_eq!(users, texts(&["demo"]));
        let hash = found(Entity::Credential, "password", &[("username", "demo")]).await;
        assert_eq!(hash, texts(&["{bcrypt}x"]));
        let name = found(Entity::Group, "name", &[("groupId", "g")]).await;
        assert_eq!(name, texts(&["After"]));
        let in_group = [("containerId", "g"), ("entityType", "USER")];
        let members = found(Entity::GroupMember, "username", &in_group).await;
        assert_eq!(members, texts(&["demo"]));
        let rules = found(Entity::MappingRule, "claimValue", &[("groupId", "g")]).await;
        assert_eq!(rules, texts(&["v"]));
        let roles = found(Entity::Role, "roleId", &[("groupId", "g")]).await;
        assert_eq!(roles, texts(&["r"]));
        let permissions = found(Entity::Authorization, "permissionTypes", &[]).await;
        assert_eq!(permissions, [Cell::List(texts(&["CREATE", "READ"]))]);
    });
    // A later window takes away what an earlier one wrote.
    let mut later = scenario;
    later.event(
        demo,
        of::User::Deleted,
        UserRecord {
            user_key: demo,
            ..UserRecord::default()
        },
    );
    later.event(authorization, of::Authorization::Deleted, allowed);
    let client = GroupRecord {
        group_key: group,
        ..member(EntityType::Client, "demo")
    };
    later.event(group, of::Group::EntityRemoved, client);
    export(db, &[&later]);
    for (table, rows) in [
        ("user_", 0),
        ("authorizations", 0),
        ("authorization_permission", 0),
        ("group_member", 2),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(db.number(&sql), rows, "{table}");
    }
}

#[test]
fn identities_come_and_go_sqlite() {
    check(&Db::sqlite());
}

#[test]
fn identities_come_and_go_postgres() {
    check(&Db::postgres());
}

#[test]
fn identities_come_and_go_mariadb() {
    check(&Db::mariadb());
}
