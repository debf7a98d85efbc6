//! Users, groups, roles, tenants, mapping rules, authorizations: their life, on all partitions.

use ringflow_core::claims::Claims;
use ringflow_core::engine::input::Command;
use ringflow_core::engine::{EngineConfig, identity_defaults};
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AuthorizationRecord, EntityType, GroupRecord, IdentitySetupRecord, MappingRuleRecord,
    OwnerType, PermissionSet, PermissionType, ResourceMatcher, ResourceType, RoleRecord,
    TenantRecord, UserRecord,
};
use ringflow_core::record::{Intent, RecordType, RejectionType, Text, Value};
use ringflow_core::state::RelationType;

use super::harness::{Answer, Cluster, EngineHarness};

fn ask(at: &mut EngineHarness, intent: impl Into<Intent>, value: impl Into<Value>) -> Answer {
    at.answered(Command::internal(Key::NONE, intent, value))
}

fn user(name: &str) -> UserRecord {
    UserRecord {
        username: name.into(),
        name: "Somebody".into(),
        email: "s@example.org".into(),
        password: "{bcrypt}hash".into(),
        ..UserRecord::default()
    }
}

fn group(id: &str) -> GroupRecord {
    GroupRecord {
        group_id: id.into(),
        name: "Group".into(),
        ..GroupRecord::default()
    }
}

fn group_member(id: &str, kind: EntityType, entity: &str) -> GroupRecord {
    GroupRecord {
        group_id: id.into(),
        entity_id: entity.into(),
        entity_type: kind,
        ..GroupRecord::default()
    }
}

fn role(id: &str) -> RoleRecord {
    RoleRecord {
        role_id: id.into(),
        name: "Role".into(),
        ..RoleRecord::default()
    }
}

fn role_member(id: &str, kind: EntityType, entity: &str) -> RoleRecord {
    RoleRecord {
        role_id: id.into(),
        entity_id: entity.into(),
        entity_type: kind,
        ..RoleRecord::default()
    }
}

fn tenant(id: &str) -> TenantRecord {
    TenantRecord {
        tenant_id: id.into(),
        name: "Tenant".into(),
        ..TenantRecord::default()
    }
}

fn tenant_member(id: &str, kind: EntityType, entity: &str) -> TenantRecord {
    TenantRecord {
        tenant_id: id.into(),
        entity_id: entity.into(),
        entity_type: kind,
        ..TenantRecord::default()
    }
}

fn rule(id: &str, claim: &str, value: &str) -> MappingRuleRecord {
    MappingRuleRecord {
        mapping_rule_id: id.into(),
        claim_name: claim.into(),
        claim_value: value.into(),
        name: "Rule".into(),
        ..MappingRuleRecord::default()
    }
}

fn allow(owner: OwnerType, id: &str, resource: ResourceType, on: &str) -> AuthorizationRecord {
    AuthorizationRecord {
        owner_type: owner,
        owner_id: id.into(),
        resource_type: resource,
        resource_matcher: if on == "*" {
            ResourceMatcher::Any
        } else {
            ResourceMatcher::Id
        },
        resource_id: on.into(),
        permission_types: PermissionSet::of(&[PermissionType::Read]),
        ..AuthorizationRecord::default()
    }
}

#[test]
fn refusals_say_what_the_reference_says() {
    use RejectionType::{AlreadyExists, Forbidden, InvalidArgument, NotFound};
    let mut at = EngineHarness::new();
    ask(&mut at, of::User::Create, user("demo")).unwrap();
    ask(&mut at, of::Group::Create, group("g")).unwrap();
    ask(&mut at, of::Role::Create, role("r")).unwrap();
    ask(&mut at, of::Tenant::Create, tenant("t")).unwrap();
    ask(&mut at, of::MappingRule::Create, rule("m", "c", "v")).unwrap();
    let u = EntityType::User;
    ask(&mut at, of::Group::AddEntity, group_member("g", u, "demo")).unwrap();
    ask(&mut at, of::Role::AddEntity, role_member("r", u, "demo")).unwrap();
    ask(
        &mut at,
        of::Tenant::AddEntity,
        tenant_member("t", u, "demo"),
    )
    .unwrap();
    let on_message = allow(OwnerType::Role, "r", ResourceType::Message, "*");
    ask(&mut at, of::Authorization::Create, on_message.clone()).unwrap();
    let m = EntityType::MappingRule;
    let unsupported = AuthorizationRecord {
        permission_types: PermissionSet::of(&[PermissionType::Update]),
        ..on_message.clone()
    };
    let gone = AuthorizationRecord {
        authorization_key: Key(7),
        ..on_message.clone()
    };
    let refusals: Vec<(Intent, Value, RejectionType, &str)> = vec![
        (
            of::User::Create.into(),
            user("demo").into(),
            AlreadyExists,
            "Expected to create user with username 'demo', but a user with this username already exists",
        ),
        (
            of::User::Update.into(),
            user("x").into(),
            NotFound,
            "Expected to update user with username x, but a user with this username does not exist",
        ),
        (
            of::User::Delete.into(),
            user("x").into(),
            NotFound,
            "Expected to delete user with username x, but a user with this username does not exist",
        ),
        (
            of::User::CreateInitialAdmin.into(),
            user("x").into(),
            Forbidden,
            "Expected to create admin user, but role with id 'admin' does not exist",
        ),
        (
            of::Group::Create.into(),
            group("g").into(),
            AlreadyExists,
            "Expected to create group with ID 'g', but a group with this ID already exists.",
        ),
        (
            of::Group::Update.into(),
            group("x").into(),
            NotFound,
            "Expected to update group with ID 'x', but a group with this ID does not exist.",
        ),
        (
            of::Group::Delete.into(),
            group("x").into(),
            NotFound,
            "Expected to delete group with ID 'x', but a group with this ID does not exist.",
        ),
        (
            of::Group::AddEntity.into(),
            group_member("g", m, "x").into(),
            NotFound,
            "Expected to add an entity with ID 'x' and type 'MAPPING_RULE' to group with ID 'g', but the entity does not exist.",
        ),
        (
            of::Group::AddEntity.into(),
            group_member("g", u, "demo").into(),
            AlreadyExists,
            "Expected to add entity with ID 'demo' to group with ID 'g', but the entity is already assigned to this group.",
        ),
        (
            of::Group::RemoveEntity.into(),
            group_member("g", u, "x").into(),
            NotFound,
            "Expected to remove entity with ID 'x' from group with ID 'g', but the entity is not assigned to this group.",
        ),
        (
            of::Role::Create.into(),
            role("r").into(),
            AlreadyExists,
            "Expected to create role with ID 'r', but a role with this ID already exists",
        ),
        (
            of::Role::Delete.into(),
            role("x").into(),
            NotFound,
            "Expected to delete role with ID 'x', but a role with this ID doesn't exist.",
        ),
        (
            of::Role::AddEntity.into(),
            role_member("x", u, "demo").into(),
            NotFound,
            "Expected to update role with ID 'x', but a role with this ID does not exist.",
        ),
        (
            of::Role::AddEntity.into(),
            role_member("r", m, "x").into(),
            NotFound,
            "Expected to add an entity with ID 'x' and type 'MAPPING_RULE' to role with ID 'r', but the entity doesn't exist.",
        ),
        (
            of::Role::RemoveEntity.into(),
            role_member("r", u, "x").into(),
            NotFound,
            "Expected to remove entity with ID 'x' from role with ID 'r', but the entity is not assigned to this role.",
        ),
        (
            of::Tenant::Create.into(),
            tenant("t").into(),
            AlreadyExists,
            "Expected to create tenant with ID 't', but a tenant with this ID already exists",
        ),
        (
            of::Tenant::Update.into(),
            tenant("x").into(),
            NotFound,
            "Expected to update tenant with id 'x', but no tenant with this id exists.",
        ),
        (
            of::Tenant::Delete.into(),
            tenant("x").into(),
            NotFound,
            "Expected to delete tenant with id 'x', but no tenant with this id exists.",
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("x", u, "demo").into(),
            NotFound,
            "Expected to add entity to tenant with ID 'x', but no tenant with this ID exists.",
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", EntityType::Role, "x").into(),
            NotFound,
            "Expected to add role with ID 'x' to tenant with ID 't', but the role doesn't exist.",
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", u, "demo").into(),
            AlreadyExists,
            "Expected to add user with ID 'demo' to tenant with ID 't', but the user is already assigned to the tenant.",
        ),
        (
            of::Tenant::RemoveEntity.into(),
            tenant_member("t", u, "x").into(),
            NotFound,
            "Expected to remove user with ID 'x' from tenant with ID 't', but the user is not assigned to this tenant.",
        ),
        (
            of::Tenant::RemoveEntity.into(),
            tenant_member("x", u, "demo").into(),
            NotFound,
            "Expected to remove entity from tenant 'x', but no tenant with this ID exists.",
        ),
        (
            of::MappingRule::Create.into(),
            rule("other", "c", "v").into(),
            AlreadyExists,
            "Expected to create mapping rule with claimName 'c' and claimValue 'v', but a mapping rule with this claim already exists.",
        ),
        (
            of::MappingRule::Create.into(),
            rule("m", "c", "other").into(),
            AlreadyExists,
            "Expected to create mapping rule with id 'm', but a mapping rule with this id already exists.",
        ),
        (
            of::MappingRule::Update.into(),
            rule("x", "c", "v").into(),
            NotFound,
            "Expected to update mapping rule with id 'x', but a mapping rule with this id does not exist.",
        ),
        (
            of::MappingRule::Delete.into(),
            rule("x", "", "").into(),
            NotFound,
            "Expected to delete mapping rule with id 'x', but a mapping rule with this id does not exist.",
        ),
        (
            of::Authorization::Create.into(),
            on_message.into(),
            AlreadyExists,
            "Expected to create authorization for owner 'r' for resource identifier '*', but an authorization for this resource identifier already exists.",
        ),
        (
            of::Authorization::Create.into(),
            unsupported.into(),
            InvalidArgument,
            "Expected to create authorization with permission types '[UPDATE]' and resource type 'MESSAGE', but these permissions are not supported. Supported permission types are: '[CREATE, READ]'",
        ),
        (
            of::Authorization::Create.into(),
            allow(OwnerType::Role, "x", ResourceType::Message, "*").into(),
            NotFound,
            "Expected to create or update authorization with ownerId or resourceId 'x', but a role with this ID does not exist.",
        ),
        (
            of::Authorization::Update.into(),
            gone.clone().into(),
            NotFound,
            "Expected to update authorization with key 7, but an authorization with this key does not exist",
        ),
        (
            of::Authorization::Delete.into(),
            gone.into(),
            NotFound,
            "Expected to delete authorization with key 7, but an authorization with this key does not exist",
        ),
    ];
    for (intent, value, kind, reason) in refusals {
        let rejection = ask(&mut at, intent, value).unwrap_err();
        assert_eq!(
            (rejection.kind, rejection.reason.as_str()),
            (kind, reason),
            "{intent:?}"
        );
    }
}

/// Clients name members that are kept here; what a cluster sets up itself may come with tokens.
#[test]
fn members_that_are_kept_here_have_to_be_there() {
    let mut at = EngineHarness::new();
    ask(&mut at, of::Role::Create, role("r")).unwrap();
    ask(&mut at, of::Tenant::Create, tenant("t")).unwrap();
    let (u, g) = (EntityType::User, EntityType::Group);
    let members: [(Intent, Value, Option<&str>); 4] = [
        (
            of::Role::AddEntity.into(),
            role_member("r", u, "x").into(),
            Some(
                "Expected to add an entity with ID 'x' and type 'USER' to role with ID 'r', but \
                 the entity doesn't exist.",
            ),
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", u, "x").into(),
            Some(
                "Expected to add user with ID 'x' to tenant with ID 't', but the user doesn't exist.",
            ),
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", g, "x").into(),
            Some(
                "Expected to add group with ID 'x' to tenant with ID 't', but the group doesn't \
                 exist.",
            ),
        ),
        (
            of::Role::AddEntity.into(),
            role_member("r", g, "x").into(),
            None,
        ),
    ];
    for (intent, value, reason) in members {
        let command = Command {
            authorization: Claims::anonymous().document(),
            ..Command::internal(Key::NONE, intent, value.clone())
        };
        let refused = at.answered(command).err();
        assert_eq!(refused.as_ref().map(|it| it.reason.as_str()), reason);
        if reason.is_some() {
            let own = Command::internal(Key::NONE, intent, value);
            at.answered(own).unwrap();
        }
    }
}

#[test]
fn every_partition_has_the_same_identities() {
    let mut cluster = Cluster::with_config(3, &EngineConfig::default());
    let (u, m) = (EntityType::User, EntityType::MappingRule);
    let changes: Vec<(Intent, Value)> = vec![
        (of::User::Create.into(), user("demo").into()),
        (of::User::Create.into(), user("gone").into()),
        (of::Group::Create.into(), group("g").into()),
        (of::Role::Create.into(), role("r").into()),
        (of::Role::Create.into(), role("r2").into()),
        (of::Tenant::Create.into(), tenant("t").into()),
        (of::MappingRule::Create.into(), rule("m", "c", "v").into()),
        (of::MappingRule::Create.into(), rule("m2", "c", "w").into()),
        (
            of::Group::AddEntity.into(),
            group_member("g", u, "gone").into(),
        ),
        (
            of::Group::AddEntity.into(),
            group_member("g", m, "m").into(),
        ),
        (
            of::Role::AddEntity.into(),
            role_member("r", u, "gone").into(),
        ),
        (of::Role::AddEntity.into(), role_member("r", m, "m2").into()),
        (
            of::Role::AddEntity.into(),
            role_member("r2", u, "demo").into(),
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", u, "gone").into(),
        ),
        (
            of::Tenant::AddEntity.into(),
            tenant_member("t", EntityType::Role, "r").into(),
        ),
        (
            of::Authorization::Create.into(),
            allow(OwnerType::Role, "r2", ResourceType::Message, "*").into(),
        ),
        (
            of::Group::Update.into(),
            GroupRecord {
                name: "Other".into(),
                ..group("g")
            }
            .into(),
        ),
        (
            of::User::Update.into(),
            UserRecord {
                username: "demo".into(),
                email: "new@example.org".into(),
                ..UserRecord::default()
            }
            .into(),
        ),
        (of::Role::Delete.into(), role("r2").into()),
        (of::MappingRule::Delete.into(), rule("m2", "", "").into()),
        (of::User::Delete.into(), user("gone").into()),
    ];
    for (intent, value) in changes {
        let command = Command::internal(Key::NONE, intent, value);
        cluster.at(1).answered(command).unwrap();
        cluster.deliver();
    }
    let rows = |cluster: &mut Cluster, number: u16| -> Vec<_> {
        let rows = cluster.at(number).engine.state().rows().unwrap();
        let of_identity = |key: &Vec<u8>| (234..=244).contains(&key[0]);
        rows.into_iter()
            .filter(|(key, _)| of_identity(key))
            .collect()
    };
    let first = rows(&mut cluster, 1);
    assert!(first.len() > 8);
    for number in [2, 3] {
        assert_eq!(rows(&mut cluster, number), first, "partition {number}");
    }
    let state = cluster.at(2).engine.state();
    let gone = Text::from("gone");
    for relation in [
        RelationType::Group,
        RelationType::Role,
        RelationType::Tenant,
    ] {
        assert!(state.memberships_of(u, &gone, relation).unwrap().is_empty());
    }
    let demo = state.users.get(&Text::from("demo")).unwrap().unwrap();
    assert_eq!(demo.record.email, "new@example.org");
    assert!(demo.record.name.is_empty(), "a user is replaced whole");
    let owned = state.authorization_keys(OwnerType::Role, &Text::from("r2"));
    assert!(owned.unwrap().is_empty());
    let pending: Vec<_> = (1..=3)
        .map(|number| {
            cluster
                .at(number)
                .engine
                .state()
                .pending_distributions
                .len()
        })
        .collect();
    assert_eq!(pending, [0, 0, 0]);
}

fn initialize(at: &mut EngineHarness, setup: &IdentitySetupRecord) -> usize {
    let command = Command::internal(
        Key::NONE,
        of::IdentitySetup::Initialize,
        IdentitySetupRecord::clone(setup),
    );
    let before = at.log.len();
    at.process(command);
    at.run_due();
    at.log.len() - before
}

#[test]
fn a_cluster_starts_with_what_is_configured_and_keeps_it() {
    let mut setup = identity_defaults();
    setup.users.push(user("demo"));
    setup.mapping_rules.push(rule("m", "c", "v"));
    setup.groups.push(group("g"));
    setup
        .group_members
        .push(group_member("g", EntityType::Client, "worker"));
    setup
        .role_members
        .push(role_member("admin", EntityType::User, "demo"));
    let mut at = EngineHarness::new();
    let first = initialize(&mut at, &setup);
    let refused: Vec<_> = (at.log.iter())
        .filter(|record| record.record_type == RecordType::CommandRejection)
        .collect();
    assert_eq!(refused, [] as [&ringflow_core::record::Record; 0]);
    let state = at.engine.state();
    let demo = Text::from("demo");
    let roles = state.memberships_of(EntityType::User, &demo, RelationType::Role);
    assert_eq!(roles.unwrap(), [Text::from("admin")]);
    for (role, allowed) in [
        ("admin", ResourceType::ALL.len() - 1),
        ("connectors", 3),
        ("rpa", 2),
        ("app-integrations", 2),
    ] {
        let keys = state.authorization_keys(OwnerType::Role, &Text::from(role));
        assert_eq!(keys.unwrap().len(), allowed, "{role}");
    }
    let tenant = state.tenants.get(&Text::from("<default>")).unwrap();
    assert_eq!(tenant.unwrap().record.name, "Default");
    // A second start finds everything.
    assert_eq!(initialize(&mut at, &setup), 2);
    assert!(first > 100);
    let rejection = ask(&mut at, of::User::CreateInitialAdmin, user("x")).unwrap_err();
    assert_eq!(
        rejection.reason.as_str(),
        "Expected to create admin user, but role with id 'admin' already has one or more user assigned to it"
    );
}

#[test]
fn a_cluster_without_users_gets_its_first_administrator() {
    let mut at = EngineHarness::new();
    initialize(&mut at, &identity_defaults());
    ask(&mut at, of::User::CreateInitialAdmin, user("root")).unwrap();
    let state = at.engine.state();
    let root = Text::from("root");
    assert!(
        state
            .is_member(
                EntityType::User,
                &root,
                RelationType::Role,
                &Text::from("admin")
            )
            .unwrap()
    );
    assert_eq!(
        state
            .authorization_keys(OwnerType::User, &root)
            .unwrap()
            .len(),
        1,
        "it may read about itself"
    );
}
