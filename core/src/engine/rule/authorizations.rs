//! Whether somebody may do something: the reference's order of asking, and its texts.
//!
//! First the program or the user who asks, with its roles and groups and the roles of its groups;
//! then the mapping rules that fit its token; last, for user tasks, whether the task itself names
//! who asks. Tenants are asked for in the same way. Nothing here is reached while both kinds of
//! checks are off, nor for commands that this cluster sends to itself.
//!
//! | outcome | refusal |
//! |---|---|
//! | no permission | FORBIDDEN, names operation, resource type and ids |
//! | not of the tenant | NOT_FOUND, or FORBIDDEN for something new |

use std::collections::BTreeSet;

use crate::claims::{Claims, claim_fits};
use crate::engine::EngineConfig;
use crate::engine::fault::{Outcome, Stop};
use crate::record::value::{
    AuthorizationRecord, EntityType, OwnerType, PermissionType, ResourceMatcher, ResourceType,
    UserTaskRecord,
};
use crate::record::{Rejection, RejectionType, Text};
use crate::state::{RelationType, State, StateError};

/// Something somebody wants to do.
pub(crate) struct Ask<'a> {
    resource: ResourceType,
    permission: PermissionType,
    ids: Vec<Text>,
    tenant: Option<Text>,
    new_resource: bool,
    task: Option<&'a UserTaskRecord>,
    /// What somebody of another tenant is told instead.
    missing: Option<String>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(resource: ResourceType, permission: PermissionType) -> Self {
        Self {
            resource,
            permission,
            ids: Vec::new(),
            tenant: None,
            new_resource: false,
            task: None,
            missing: None,
        }
    }

    /// To the resource with this id.
    pub(crate) fn to(mut self, id: &Text) -> Self {
        if !id.is_empty() {
            self.ids.push(id.clone());
        }
        self
    }

    /// In this tenant.
    pub(crate) fn of_tenant(mut self, tenant: &Text) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    /// The resource does not exist yet.
    pub(crate) fn newly(mut self) -> Self {
        self.new_resource = true;
        self
    }

    /// The resource is a user task, which may name who asks.
    pub(crate) fn on_task(mut self, task: &'a UserTaskRecord) -> Self {
        self.task = Some(task);
        self
    }

    /// If it is of another tenant, it is not there, which is said with this reason.
    pub(crate) fn else_missing(mut self, reason: String) -> Self {
        self.missing = Some(reason);
        self
    }

    fn forbidden(&self) -> Rejection {
        let mut reason = format!(
            "Insufficient permissions to perform operation '{}' on resource '{}'",
            self.permission.name(),
            self.resource.name()
        );
        let mut ids: Vec<&str> = self.ids.iter().map(Text::as_str).collect();
        ids.sort_unstable();
        let properties = self.task.map(task_properties).unwrap_or_default();
        let properties = properties.join(", ");
        match (ids.is_empty(), properties.is_empty()) {
            (true, true) => {}
            (true, false) => reason.push_str(&format!(
                ", resource did not match property constraints '[{properties}]'"
            )),
            (false, _) => {
                reason.push_str(&format!(
                    ", required resource identifiers are one of '[*, {}]'",
                    ids.join(", ")
                ));
                if !properties.is_empty() {
                    reason.push_str(&format!(
                        " or resource must match property constraints '[{properties}]'"
                    ));
                }
            }
        }
        Rejection::new(RejectionType::Forbidden, reason)
    }

    fn not_of_the_tenant(&self) -> Rejection {
        let (permission, resource) = (self.permission.name(), self.resource.name());
        let tenant = self.tenant.as_ref().map_or("", Text::as_str);
        if self.new_resource {
            return Rejection::new(
                RejectionType::Forbidden,
                format!(
                    "Expected to perform operation '{permission}' on resource '{resource}' for \
                     tenant '{tenant}', but user is not assigned to this tenant"
                ),
            );
        }
        let reason = self.missing.clone().unwrap_or_else(|| {
            format!(
                "Expected to perform operation '{permission}' on resource '{resource}', but no \
                 resource was found for tenant '{tenant}'"
            )
        });
        Rejection::new(RejectionType::NotFound, reason)
    }
}

/// Properties of a task that name somebody.
fn task_properties(task: &UserTaskRecord) -> Vec<&'static str> {
    let mut names = Vec::new();
    if !task.assignee.is_empty() {
        names.push("assignee");
    }
    if !task.candidate_groups.is_empty() {
        names.push("candidateGroups");
    }
    if !task.candidate_users.is_empty() {
        names.push("candidateUsers");
    }
    names
}

/// Somebody who asks, and what it takes to answer.
pub(crate) struct Guard<'a> {
    state: &'a State,
    claims: Claims,
    authorizations: bool,
    tenancy: bool,
    /// Mapping rules that fit the token.
    rules: Vec<Text>,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(
        state: &'a State,
        config: &EngineConfig,
        claims: Claims,
    ) -> Result<Self, StateError> {
        let rules = if claims.token.is_empty() {
            Vec::new()
        } else {
            state.mapping_rules.with(&State::MAPPING_RULES, |rules| {
                rules
                    .values()
                    .map(|row| &row.record)
                    .filter(|rule| claim_fits(&claims.token, &rule.claim_name, &rule.claim_value))
                    .map(|rule| rule.mapping_rule_id.clone())
                    .collect()
            })?
        };
        Ok(Self {
            state,
            claims,
            authorizations: config.authorizations,
            tenancy: config.tenancy,
            rules,
        })
    }

    /// The program or user who asks.
    fn primary(&self) -> Option<(EntityType, Text)> {
        let client = self.claims.client_id.clone();
        let client = client.map(|id| (EntityType::Client, id));
        let user = self.claims.username.clone();
        client.or_else(|| user.map(|name| (EntityType::User, name)))
    }

    fn groups(&self, entity: EntityType, id: &Text) -> Result<Vec<Text>, StateError> {
        match &self.claims.groups {
            Some(groups) => Ok(groups.clone()),
            None => self.state.memberships_of(entity, id, RelationType::Group),
        }
    }

    /// Everything through which an entity is allowed things: itself, its roles, its groups, their
    /// roles. Says whether `f` said yes to one of them.
    fn any_owner(
        &self,
        entity: EntityType,
        id: &Text,
        f: &mut dyn FnMut(EntityType, &Text) -> Result<bool, StateError>,
    ) -> Result<bool, StateError> {
        let roles = |entity, id: &Text| self.state.memberships_of(entity, id, RelationType::Role);
        if f(entity, id)? {
            return Ok(true);
        }
        for role in roles(entity, id)? {
            if f(EntityType::Role, &role)? {
                return Ok(true);
            }
        }
        for group in self.groups(entity, id)? {
            if f(EntityType::Group, &group)? {
                return Ok(true);
            }
            for role in roles(EntityType::Group, &group)? {
                if f(EntityType::Role, &role)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn any_authorization(
        &self,
        entity: EntityType,
        id: &Text,
        f: &mut dyn FnMut(&AuthorizationRecord) -> bool,
    ) -> Result<bool, StateError> {
        self.any_owner(entity, id, &mut |owner, id| {
            self.state
                .any_authorization(OwnerType::from(owner), id, &mut *f)
        })
    }

    fn allowed(&self, entity: EntityType, id: &Text, ask: &Ask<'_>) -> Result<bool, StateError> {
        self.any_authorization(entity, id, &mut |it| {
            it.resource_type == ask.resource
                && it.permission_types.has(ask.permission)
                && match it.resource_matcher {
                    ResourceMatcher::Any => true,
                    ResourceMatcher::Id => ask.ids.contains(&it.resource_id),
                    ResourceMatcher::Property | ResourceMatcher::Unspecified => false,
                }
        })
    }

    fn of_tenant(&self, entity: EntityType, id: &Text, tenant: &Text) -> Result<bool, StateError> {
        self.any_owner(entity, id, &mut |owner, id| {
            self.state
                .is_member(owner, id, RelationType::Tenant, tenant)
        })
    }

    fn any_rule(
        &self,
        mut f: impl FnMut(&Text) -> Result<bool, StateError>,
    ) -> Result<bool, StateError> {
        for rule in &self.rules {
            if f(rule)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the caller may see and use things of a tenant.
    pub(crate) fn is_of_tenant(&self, tenant: &Text) -> Result<bool, StateError> {
        if !self.tenancy || self.claims.anonymous {
            return Ok(true);
        }
        if let Some((entity, id)) = self.primary()
            && self.of_tenant(entity, &id, tenant)?
        {
            return Ok(true);
        }
        self.any_rule(|rule| self.of_tenant(EntityType::MappingRule, rule, tenant))
    }

    /// All tenants of the caller.
    pub(crate) fn tenants(&self) -> Result<BTreeSet<Text>, StateError> {
        let mut tenants = BTreeSet::new();
        let mut entities: Vec<_> = self.primary().into_iter().collect();
        entities.extend(
            self.rules
                .iter()
                .map(|rule| (EntityType::MappingRule, rule.clone())),
        );
        for (entity, id) in entities {
            self.any_owner(entity, &id, &mut |owner, id| {
                tenants.extend(self.state.memberships_of(owner, id, RelationType::Tenant)?);
                Ok(false)
            })?;
        }
        Ok(tenants)
    }

    /// # Errors
    /// The caller may not do it.
    pub(crate) fn check(&self, ask: &Ask<'_>) -> Outcome {
        match self.refusal(ask)? {
            None => Ok(()),
            Some(rejection) => Err(Stop::Reject(rejection)),
        }
    }

    /// Whether the caller may do it.
    pub(crate) fn may(&self, ask: &Ask<'_>) -> Result<bool, StateError> {
        Ok(self.refusal(ask)?.is_none())
    }

    /// Whether tenants matter.
    pub(crate) fn minds_tenants(&self) -> bool {
        self.tenancy
    }

    /// # Errors
    /// The caller may do none of it.
    pub(crate) fn check_any(&self, asks: &[Ask<'_>]) -> Outcome {
        let mut reasons: Vec<Text> = Vec::new();
        let mut kind = None;
        for ask in asks {
            let Some(rejection) = self.refusal(ask)? else {
                return Ok(());
            };
            if kind.is_none() || rejection.kind == RejectionType::Forbidden {
                kind = Some(rejection.kind);
            }
            if !reasons.contains(&rejection.reason) {
                reasons.push(rejection.reason);
            }
        }
        let reasons: Vec<&str> = reasons.iter().map(Text::as_str).collect();
        match kind {
            None => Ok(()),
            Some(kind) => Err(Stop::reject(kind, reasons.join("; and "))),
        }
    }

    /// As [`Guard::check_any`], but the refusal tells of the last only: the others are wider ones.
    ///
    /// # Errors
    /// The caller may do none of it.
    pub(crate) fn check_last(&self, asks: &[Ask<'_>]) -> Outcome {
        let mut last = Ok(());
        for ask in asks {
            match self.refusal(ask)? {
                None => return Ok(()),
                Some(rejection) => last = Err(Stop::Reject(rejection)),
            }
        }
        last
    }

    fn refusal(&self, ask: &Ask<'_>) -> Result<Option<Rejection>, StateError> {
        if self.claims.anonymous {
            return Ok(None);
        }
        let tenant = ask.tenant.as_ref().filter(|tenant| !tenant.is_empty());
        let of_tenant = match tenant {
            Some(tenant) => self.is_of_tenant(tenant)?,
            None => true,
        };
        if !self.authorizations {
            return Ok((!of_tenant).then(|| ask.not_of_the_tenant()));
        }
        let primary = self.primary();
        if let Some((entity, id)) = &primary
            && self.allowed(*entity, id, ask)?
        {
            return Ok((!of_tenant).then(|| ask.not_of_the_tenant()));
        }
        if !of_tenant {
            return Ok(Some(match primary {
                Some(_) => ask.forbidden(),
                None => ask.not_of_the_tenant(),
            }));
        }
        let by_rule = self.any_rule(|rule| self.allowed(EntityType::MappingRule, rule, ask))?;
        if by_rule || self.allowed_by_task(ask)? {
            return Ok(None);
        }
        Ok(Some(ask.forbidden()))
    }

    /// Whether the task names who asks, in a property that lets those it names do this.
    fn allowed_by_task(&self, ask: &Ask<'_>) -> Result<bool, StateError> {
        let Some(task) = ask.task else {
            return Ok(false);
        };
        let mut entities: Vec<_> = self.primary().into_iter().collect();
        entities.extend(
            self.rules
                .iter()
                .map(|rule| (EntityType::MappingRule, rule.clone())),
        );
        let mut named = Vec::new();
        if let Some(name) = &self.claims.username {
            if task.assignee == *name {
                named.push("assignee");
            }
            if task.candidate_users.contains(name) {
                named.push("candidateUsers");
            }
        }
        for (entity, id) in &entities {
            let groups = self.groups(*entity, id)?;
            if task.candidate_groups.iter().any(|it| groups.contains(it)) {
                named.push("candidateGroups");
            }
        }
        if named.is_empty() {
            return Ok(false);
        }
        for (entity, id) in &entities {
            let allowed = self.any_authorization(*entity, id, &mut |it| {
                it.resource_type == ask.resource
                    && it.permission_types.has(ask.permission)
                    && it.resource_matcher == ResourceMatcher::Property
                    && named.contains(&it.resource_property_name.as_str())
            })?;
            if allowed {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
