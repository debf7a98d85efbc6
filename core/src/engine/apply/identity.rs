//! USER, GROUP, ROLE, TENANT, MAPPING_RULE, AUTHORIZATION events.
//!
//! An entity is there from CREATED to DELETED; memberships and authorizations that end with it have
//! events of their own, written before.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{
    AuthorizationRecord, GroupRecord, MappingRuleRecord, RoleRecord, TenantRecord, UserRecord,
};
use crate::state::{GroupRow, MappingRuleRow, RelationType, RoleRow, State, TenantRow, UserRow};

pub(super) fn user_written(a: &mut Applying<'_>, _key: Key, value: &Arc<UserRecord>) -> Applied {
    let record = value.clone();
    Ok(a.state
        .users
        .put(value.username.clone(), UserRow { record })?)
}

pub(super) fn user_deleted(a: &mut Applying<'_>, _key: Key, value: &Arc<UserRecord>) -> Applied {
    Ok(a.state.users.remove(&value.username)?)
}

macro_rules! container {
    ($written:ident $deleted:ident $added:ident $removed:ident:
     $record:ident $row:ident $table:ident $id:ident $relation:ident) => {
        pub(super) fn $written(a: &mut Applying<'_>, _key: Key, value: &Arc<$record>) -> Applied {
            let record = value.clone();
            Ok(a.state.$table.put(value.$id.clone(), $row { record })?)
        }

        pub(super) fn $deleted(a: &mut Applying<'_>, _key: Key, value: &Arc<$record>) -> Applied {
            Ok(a.state.$table.remove(&value.$id)?)
        }

        pub(super) fn $added(a: &mut Applying<'_>, _key: Key, value: &Arc<$record>) -> Applied {
            let entity = (value.entity_type, &value.entity_id);
            Ok(a.state
                .add_member(entity, RelationType::$relation, &value.$id)?)
        }

        pub(super) fn $removed(a: &mut Applying<'_>, _key: Key, value: &Arc<$record>) -> Applied {
            let entity = (value.entity_type, &value.entity_id);
            Ok(a.state
                .remove_member(entity, RelationType::$relation, &value.$id)?)
        }
    };
}

container!(group_written group_deleted group_member_added group_member_removed:
    GroupRecord GroupRow groups group_id Group);
container!(role_written role_deleted role_member_added role_member_removed:
    RoleRecord RoleRow roles role_id Role);
container!(tenant_written tenant_deleted tenant_member_added tenant_member_removed:
    TenantRecord TenantRow tenants tenant_id Tenant);

pub(super) fn mapping_rule_written(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<MappingRuleRecord>,
) -> Applied {
    let record = value.clone();
    Ok(a.state.mapping_rules.put(
        State::MAPPING_RULES,
        value.mapping_rule_id.clone(),
        MappingRuleRow { record },
    )?)
}

pub(super) fn mapping_rule_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<MappingRuleRecord>,
) -> Applied {
    Ok(a.state
        .mapping_rules
        .remove(&State::MAPPING_RULES, &value.mapping_rule_id)?)
}

pub(super) fn authorization_written(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<AuthorizationRecord>,
) -> Applied {
    Ok(a.state.put_authorization(value.clone())?)
}

pub(super) fn authorization_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<AuthorizationRecord>,
) -> Applied {
    Ok(a.state.remove_authorization(value.authorization_key)?)
}
