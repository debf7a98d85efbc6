//! Users, groups, roles, tenants, mapping rules, memberships and authorizations; the same on every
//! partition.
//!
//! A membership is two rows: from the member to what it is in, and back, so that a check and a
//! deletion are one look-up each. The byte in front of an id says what the id is of: an
//! [`EntityType`] for members, a [`RelationType`] for what they are in, an [`OwnerType`] for owners.
//! All authorizations of an owner are one group, so that a check reads them together.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{
    AuthorizationRecord, EntityType, GroupRecord, MappingRuleRecord, OwnerType, RoleRecord,
    TenantRecord, UserRecord,
};
use crate::record_value;
use crate::state::{State, StateError, Unit};

/// What an id is of, and the id.
pub type Member = (u8, Text);

/// What somebody can be a member of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RelationType {
    /// A group.
    Group = 1,
    /// A role.
    Role = 2,
    /// A tenant.
    Tenant = 3,
}

record_value! {
    /// A user.
    pub struct UserRow {
        /// Its record.
        record "": Arc<UserRecord>,
    }
}

record_value! {
    /// A group.
    pub struct GroupRow {
        /// Its record.
        record "": Arc<GroupRecord>,
    }
}

record_value! {
    /// A role.
    pub struct RoleRow {
        /// Its record.
        record "": Arc<RoleRecord>,
    }
}

record_value! {
    /// A tenant.
    pub struct TenantRow {
        /// Its record.
        record "": Arc<TenantRecord>,
    }
}

record_value! {
    /// A mapping rule.
    pub struct MappingRuleRow {
        /// Its record.
        record "": Arc<MappingRuleRecord>,
    }
}

record_value! {
    /// An authorization.
    pub struct AuthorizationRow {
        /// Its record.
        record "": Arc<AuthorizationRecord>,
    }
}

fn owner(record: &AuthorizationRecord) -> Member {
    (record.owner_type as u8, record.owner_id.clone())
}

impl State {
    /// The group of all mapping rules.
    pub const MAPPING_RULES: u8 = 0;

    /// Whether `entity` is a member.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn is_member(
        &self,
        entity: EntityType,
        id: &Text,
        of: RelationType,
        container: &Text,
    ) -> Result<bool, StateError> {
        let row =
            (self.memberships).get(&(entity as u8, id.clone()), &(of as u8, container.clone()))?;
        Ok(row.is_some())
    }

    /// Ids of what `entity` is a member of.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn memberships_of(
        &self,
        entity: EntityType,
        id: &Text,
        of: RelationType,
    ) -> Result<Vec<Text>, StateError> {
        self.memberships.with(&(entity as u8, id.clone()), |rows| {
            rows.range((of as u8, Text::EMPTY)..)
                .take_while(|((relation, _), _)| *relation == of as u8)
                .map(|((_, id), _)| id.clone())
                .collect()
        })
    }

    /// The members of a group, role or tenant.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn members_of(
        &self,
        relation: RelationType,
        container: &Text,
    ) -> Result<Vec<(EntityType, Text)>, StateError> {
        let members = self.members.members(&(relation as u8, container.clone()))?;
        Ok(members
            .into_iter()
            .map(|(kind, id)| (EntityType::from_code(kind).unwrap_or_default(), id))
            .collect())
    }

    pub(crate) fn add_member(
        &mut self,
        entity: (EntityType, &Text),
        relation: RelationType,
        container: &Text,
    ) -> Result<(), StateError> {
        let member = (entity.0 as u8, entity.1.clone());
        let container = (relation as u8, container.clone());
        self.members
            .put(container.clone(), member.clone(), Unit {})?;
        self.memberships.put(member, container, Unit {})
    }

    pub(crate) fn remove_member(
        &mut self,
        entity: (EntityType, &Text),
        relation: RelationType,
        container: &Text,
    ) -> Result<(), StateError> {
        let member = (entity.0 as u8, entity.1.clone());
        let container = (relation as u8, container.clone());
        self.members.remove(&container, &member)?;
        self.memberships.remove(&member, &container)
    }

    /// A mapping rule.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn mapping_rule(&self, id: &Text) -> Result<Option<Rc<MappingRuleRow>>, StateError> {
        self.mapping_rules.get(&Self::MAPPING_RULES, id)
    }

    /// The mapping rule of a claim.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn mapping_rule_of_claim(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Option<Rc<MappingRuleRow>>, StateError> {
        self.mapping_rules.with(&Self::MAPPING_RULES, |rules| {
            rules
                .values()
                .find(|row| {
                    row.record.claim_name.as_str() == name
                        && row.record.claim_value.as_str() == value
                })
                .cloned()
        })
    }

    /// Calls `f` with each authorization of an owner until it says `true`; whether one did.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn any_authorization(
        &self,
        owner: OwnerType,
        id: &Text,
        mut f: impl FnMut(&AuthorizationRecord) -> bool,
    ) -> Result<bool, StateError> {
        let owner = (owner as u8, id.clone());
        self.authorizations_by_owner
            .with(&owner, |rows| rows.values().any(|row| f(&row.record)))
    }

    /// Keys of the authorizations of an owner.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn authorization_keys(&self, owner: OwnerType, id: &Text) -> Result<Vec<Key>, StateError> {
        self.authorizations_by_owner
            .members(&(owner as u8, id.clone()))
    }

    pub(crate) fn put_authorization(
        &mut self,
        record: Arc<AuthorizationRecord>,
    ) -> Result<(), StateError> {
        let key = record.authorization_key;
        self.remove_authorization(key)?;
        self.authorizations_by_owner.put(
            owner(&record),
            key,
            AuthorizationRow {
                record: record.clone(),
            },
        )?;
        self.authorizations.put(key, AuthorizationRow { record })
    }

    pub(crate) fn remove_authorization(&mut self, key: Key) -> Result<(), StateError> {
        if let Some(row) = self.authorizations.get(&key)? {
            self.authorizations_by_owner
                .remove(&owner(&row.record), &key)?;
            self.authorizations.remove(&key)?;
        }
        Ok(())
    }
}
