//! USER, GROUP, ROLE, TENANT, MAPPING_RULE, AUTHORIZATION -> the tables of that name.
//!
//! Every partition writes these records; only those of the first are exported, because rows of the
//! others would be the same. An entity that goes leaves no row, nor do its memberships: events of
//! their own end them. A user's row holds the hash of the password: the front checks credentials
//! against it.

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AuthorizationRecord, EntityType, GroupRecord, MappingRuleRecord, PermissionType, RoleRecord,
    TenantRecord, UserRecord,
};
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::{
    ListTable, Table, authorizations, group_, group_member, mapping_rules, role_member, roles,
    tenant, tenant_member, user_,
};

/// Whether the record is of the partition whose identities are exported.
fn counts(record: &Record) -> bool {
    record.partition == PartitionId::DEPLOYMENT
}

/// Writes a USER event.
pub fn user(window: &mut Window, record: &Record, value: &UserRecord) {
    let Intent::User(intent) = record.intent else {
        return;
    };
    if !counts(record) {
        return;
    }
    let key = RowKey::of(value.user_key);
    match intent {
        of::User::Created | of::User::Updated => window.upsert(
            Table::User,
            key,
            record.position,
            vec![
                (user_::USERNAME, Datum::from(&value.username)),
                (user_::NAME, Datum::from(&value.name)),
                (user_::EMAIL, Datum::from(&value.email)),
                (user_::PASSWORD, Datum::from(&value.password)),
            ],
        ),
        of::User::Deleted => window.delete(Table::User, key, record.position),
        of::User::Create
        | of::User::Update
        | of::User::Delete
        | of::User::CreateInitialAdmin
        | of::User::InitialAdminCreated => {}
    }
}

/// The row of a membership: by the entity's kind and id, in what it is a member of.
fn member(container: Key, kind: EntityType, id: &Text) -> RowKey {
    RowKey::with_text(container, &Text::from(format!("{}:{id}", kind.name())))
}

macro_rules! container {
    ($write:ident: $record:ident $intent:ident, $table:ident $columns:ident $key:ident $id:ident $id_column:ident,
     $member_table:ident $member_columns:ident) => {
        #[doc = concat!("Writes an event of a ", stringify!($write), ".")]
        pub fn $write(window: &mut Window, record: &Record, value: &$record) {
            let Intent::$intent(intent) = record.intent else {
                return;
            };
            if !counts(record) {
                return;
            }
            let key = RowKey::of(value.$key);
            let member = || member(value.$key, value.entity_type, &value.entity_id);
            match intent {
                of::$intent::Created | of::$intent::Updated => window.upsert(
                    Table::$table,
                    key,
                    record.position,
                    vec![
                        ($columns::$id_column, Datum::from(&value.$id)),
                        ($columns::NAME, Datum::from(&value.name)),
                        ($columns::DESCRIPTION, Datum::from(&value.description)),
                    ],
                ),
                of::$intent::Deleted => window.delete(Table::$table, key, record.position),
                of::$intent::EntityAdded => window.upsert(
                    Table::$member_table,
                    member(),
                    record.position,
                    vec![
                        ($member_columns::$id_column, Datum::from(&value.$id)),
                        ($member_columns::ENTITY_ID, Datum::from(&value.entity_id)),
                        (
                            $member_columns::ENTITY_TYPE,
                            Datum::from(value.entity_type.name()),
                        ),
                    ],
                ),
                of::$intent::EntityRemoved => {
                    window.delete(Table::$member_table, member(), record.position);
                }
                of::$intent::Create
                | of::$intent::Update
                | of::$intent::Delete
                | of::$intent::AddEntity
                | of::$intent::RemoveEntity => {}
            }
        }
    };
}

container!(group: GroupRecord Group, Group group_ group_key group_id GROUP_ID,
    GroupMember group_member);
container!(role: RoleRecord Role, Role roles role_key role_id ROLE_ID, RoleMember role_member);
container!(tenant: TenantRecord Tenant, Tenant tenant tenant_key tenant_id TENANT_ID,
    TenantMember tenant_member);

/// Writes a MAPPING_RULE event.
pub fn mapping_rule(window: &mut Window, record: &Record, value: &MappingRuleRecord) {
    let Intent::MappingRule(intent) = record.intent else {
        return;
    };
    if !counts(record) {
        return;
    }
    let key = RowKey::of(value.mapping_rule_key);
    match intent {
        of::MappingRule::Created | of::MappingRule::Updated => window.upsert(
            Table::MappingRule,
            key,
            record.position,
            vec![
                (
                    mapping_rules::MAPPING_RULE_ID,
                    Datum::from(&value.mapping_rule_id),
                ),
                (mapping_rules::CLAIM_NAME, Datum::from(&value.claim_name)),
                (mapping_rules::CLAIM_VALUE, Datum::from(&value.claim_value)),
                (mapping_rules::NAME, Datum::from(&value.name)),
            ],
        ),
        of::MappingRule::Deleted => window.delete(Table::MappingRule, key, record.position),
        of::MappingRule::Create | of::MappingRule::Update | of::MappingRule::Delete => {}
    }
}

/// Writes a AUTHORIZATION event.
pub fn authorization(window: &mut Window, record: &Record, value: &AuthorizationRecord) {
    let Intent::Authorization(intent) = record.intent else {
        return;
    };
    if !counts(record) {
        return;
    }
    let key = value.authorization_key;
    let permissions: Vec<Text> = match intent {
        of::Authorization::Created | of::Authorization::Updated => {
            window.upsert(
                Table::Authorization,
                RowKey::of(key),
                record.position,
                vec![
                    (authorizations::OWNER_ID, Datum::from(&value.owner_id)),
                    (
                        authorizations::OWNER_TYPE,
                        Datum::from(value.owner_type.name()),
                    ),
                    (
                        authorizations::RESOURCE_TYPE,
                        Datum::from(value.resource_type.name()),
                    ),
                    (
                        authorizations::RESOURCE_MATCHER,
                        Datum::from(value.resource_matcher.name()),
                    ),
                    (
                        authorizations::RESOURCE_ID,
                        Datum::present(&value.resource_id),
                    ),
                    (
                        authorizations::RESOURCE_PROPERTY_NAME,
                        Datum::present(&value.resource_property_name),
                    ),
                ],
            );
            let names = value.permission_types.iter().map(PermissionType::name);
            names.map(Text::from).collect()
        }
        of::Authorization::Deleted => {
            window.delete(Table::Authorization, RowKey::of(key), record.position);
            Vec::new()
        }
        of::Authorization::Create | of::Authorization::Update | of::Authorization::Delete => return,
    };
    window.replace_list(
        ListTable::AuthorizationPermission,
        key,
        record.position,
        &permissions,
    );
}
