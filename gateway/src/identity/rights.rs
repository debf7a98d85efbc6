//! What somebody may read: memberships and authorizations, and the conditions they put on queries.
//!
//! The engine checks commands; what is read from the secondary storage is checked here, with the
//! same rules: the program or user itself, its roles, its groups, their roles, and the mapping rules
//! that fit its token. A search gets conditions and finds less; one entity asked for by its key is
//! refused, or not found if its tenant is not the caller's.
//!
//! An operation that reads and never asks for its [`Access`] is refused unless the caller may read
//! everything of the kind: what is forgotten is closed, not open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringflow_core::claims::{Claims, claim_fits};
use ringflow_core::record::value::{PermissionType, ResourceType};

use crate::backend::{Cell, Entity, Filter, Literal, Op, PageSpec, PageStart, Query, Reads, Row};
use crate::limits::PAGE_MAX;
use crate::problem::Problem;

/// Something that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    resource: String,
    permissions: Vec<String>,
    matcher: String,
    id: String,
    property: String,
}

/// Memberships and authorizations of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) groups: BTreeSet<String>,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) tenants: BTreeSet<String>,
    grants: Vec<Grant>,
    /// Whom authorizations may be given to so that the caller has them: kind and id.
    owners: Vec<(&'static str, String)>,
}

fn one_of(field: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::Field {
        field: field.to_owned(),
        op: Op::In,
        values: values.into_iter().map(Literal::Text).collect(),
    }
}

fn text(row: &Row, field: &str) -> String {
    match row.get(field) {
        Some(Cell::Text(text)) => text.clone(),
        Some(_) | None => String::new(),
    }
}

async fn all(reads: &dyn Reads, entity: Entity, filter: Filter) -> Result<Vec<Row>, Problem> {
    let query = Query {
        filter,
        page: PageSpec {
            limit: PAGE_MAX,
            start: PageStart::From(0),
        },
        ..Query::of(entity)
    };
    match reads.search(query).await {
        Ok(page) => Ok(page.items),
        Err(error) => Err(Problem::StorageUnavailable(error.to_string())),
    }
}

/// Everything that `entities` (kind, id) are members of.
async fn containers(
    reads: &dyn Reads,
    of: Entity,
    entities: &[(&str, String)],
) -> Result<BTreeSet<String>, Problem> {
    if entities.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(all(reads, of, owned_by("entityType", "entityId", entities))
        .await?
        .iter()
        .map(|row| text(row, "containerId"))
        .collect())
}

/// Rows of which two fields name one of `entities`.
fn owned_by(kind_field: &str, id_field: &str, entities: &[(&str, String)]) -> Filter {
    let kinds: BTreeSet<&str> = entities.iter().map(|(kind, _)| *kind).collect();
    Filter::Any(
        kinds
            .into_iter()
            .map(|kind| {
                let ids = entities
                    .iter()
                    .filter(|(other, _)| *other == kind)
                    .map(|(_, id)| id.clone());
                Filter::All(vec![
                    one_of(kind_field, [kind.to_owned()]),
                    one_of(id_field, ids),
                ])
            })
            .collect(),
    )
}

impl Rights {
    /// Looks up what `who` may.
    ///
    /// # Errors
    /// The secondary storage does not answer.
    pub(crate) async fn load(reads: &dyn Reads, who: &Claims) -> Result<Self, Problem> {
        let mut entities: Vec<(&'static str, String)> = Vec::new();
        match (&who.client_id, &who.username) {
            (Some(id), _) => entities.push(("CLIENT", id.to_string())),
            (None, Some(name)) => entities.push(("USER", name.to_string())),
            (None, None) => {}
        }
        if !who.token.is_empty() {
            let rules = all(reads, Entity::MappingRule, Filter::All(Vec::new())).await?;
            for rule in rules {
                if claim_fits(
                    &who.token,
                    &text(&rule, "claimName"),
                    &text(&rule, "claimValue"),
                ) {
                    entities.push(("MAPPING_RULE", text(&rule, "mappingRuleId")));
                }
            }
        }
        if entities.is_empty() {
            return Ok(Self::default());
        }
        let groups = match &who.groups {
            Some(groups) => groups.iter().map(ToString::to_string).collect(),
            None => containers(reads, Entity::GroupMember, &entities).await?,
        };
        entities.extend(groups.iter().map(|group| ("GROUP", group.clone())));
        let roles = containers(reads, Entity::RoleMember, &entities).await?;
        entities.extend(roles.iter().map(|role| ("ROLE", role.clone())));
        let tenants = containers(reads, Entity::TenantMember, &entities).await?;
        let owned = owned_by("ownerType", "ownerId", &entities);
        let grants = all(reads, Entity::Authorization, owned)
            .await?
            .iter()
            .map(|row| Grant {
                resource: text(row, "resourceType"),
                permissions: match row.get("permissionTypes") {
                    Some(Cell::List(cells)) => cells
                        .iter()
                        .filter_map(|cell| match cell {
                            Cell::Text(text) => Some(text.clone()),
                            Cell::Null
                            | Cell::Int(_)
                            | Cell::Key(_)
                            | Cell::Bool(_)
                            | Cell::Time(_)
                            | Cell::Float(_)
                            | Cell::Json(_)
                            | Cell::List(_) => None,
                        })
                        .collect(),
                    Some(_) | None => Vec::new(),
                },
                matcher: text(row, "resourceMatcher"),
                id: text(row, "resourceId"),
                property: text(row, "resourcePropertyName"),
            })
            .collect();
        Ok(Self {
            groups,
            roles,
            tenants,
            grants,
            owners: entities,
        })
    }

    /// The condition that an authorization is one of the caller's own.
    pub(crate) fn own(&self) -> Filter {
        owned_by("ownerType", "ownerId", &self.owners)
    }

    fn scope(&self, resource: ResourceType, permission: PermissionType) -> Scope {
        let mut scope = Scope {
            resource,
            permission,
            any: false,
            ids: BTreeSet::new(),
            properties: BTreeSet::new(),
        };
        for grant in &self.grants {
            if grant.resource != resource.name()
                || !grant.permissions.iter().any(|it| it == permission.name())
            {
                continue;
            }
            match grant.matcher.as_str() {
                "ANY" => scope.any = true,
                "ID" => {
                    scope.ids.insert(grant.id.clone());
                }
                "PROPERTY" => {
                    scope.properties.insert(grant.property.clone());
                }
                _ => {}
            }
        }
        scope
    }

    /// Components that may be used; `*` = all.
    pub(crate) fn components(&self) -> Vec<String> {
        let scope = self.scope(ResourceType::Component, PermissionType::Access);
        if scope.any {
            vec!["*".to_owned()]
        } else {
            scope.ids.into_iter().collect()
        }
    }
}

/// Where one permission holds.
#[derive(Clone, Debug)]
struct Scope {
    resource: ResourceType,
    permission: PermissionType,
    any: bool,
    ids: BTreeSet<String>,
    properties: BTreeSet<String>,
}

impl Scope {
    /// The condition under which it shows a row of `entity`; `None` = it shows none.
    fn shown(&self, entity: Entity) -> Option<Filter> {
        let field = id_field(self.resource, entity)?;
        let named = match (self.any, self.ids.is_empty()) {
            (true, _) => Filter::Field {
                field: field.to_owned(),
                op: Op::Exists,
                values: vec![Literal::Bool(true)],
            },
            (false, true) => return None,
            (false, false) => one_of(field, self.ids.iter().cloned()),
        };
        Some(match self.category(entity) {
            None => named,
            Some(category) => Filter::All(vec![named, one_of("category", [category.to_owned()])]),
        })
    }

    /// The one category of the audit log that it is about, if it is not about all.
    fn category(&self, entity: Entity) -> Option<&'static str> {
        let of_tasks =
            entity == Entity::AuditLog && self.permission == PermissionType::ReadUserTask;
        of_tasks.then_some("USER_TASKS")
    }
}

/// What one operation may read for one caller.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// One of them suffices; `None` = everything.
    scopes: Option<Vec<Scope>>,
    /// `None` = of all tenants.
    tenants: Option<BTreeSet<String>>,
    username: Option<String>,
    groups: BTreeSet<String>,
    asked: Arc<AtomicBool>,
}

impl Access {
    /// Everything.
    pub(crate) fn open() -> Self {
        Self {
            scopes: None,
            tenants: None,
            username: None,
            groups: BTreeSet::new(),
            asked: Arc::default(),
        }
    }

    /// What `rights` give of `permissions`, one of which suffices.
    pub(crate) fn new(
        rights: &Rights,
        who: &Claims,
        permissions: &[(ResourceType, PermissionType)],
        authorizations: bool,
        tenancy: bool,
    ) -> Self {
        let scopes: Vec<Scope> = permissions
            .iter()
            .map(|(resource, permission)| rights.scope(*resource, *permission))
            .collect();
        // Where the log itself can be allowed, all processes are not all of it.
        let log = scopes
            .iter()
            .any(|scope| scope.resource == ResourceType::AuditLog);
        let whole = |it: &Scope| it.any && (!log || it.resource == ResourceType::AuditLog);
        let everything = !authorizations || scopes.iter().any(whole);
        Self {
            scopes: (!everything).then_some(scopes),
            tenants: tenancy.then(|| rights.tenants.clone()),
            username: who.username.as_ref().map(ToString::to_string),
            groups: rights.groups.clone(),
            asked: Arc::default(),
        }
    }

    /// Whether an operation that did not ask may answer all the same.
    pub(crate) fn settled(&self) -> bool {
        (self.scopes.is_none() && self.tenants.is_none()) || self.asked.load(Ordering::Relaxed)
    }

    /// Whether nothing at all may be seen; then nothing is the answer, and no refusal.
    pub(crate) fn shows_nothing(&self) -> bool {
        self.asked.store(true, Ordering::Relaxed);
        let empty = |it: &Scope| !it.any && it.ids.is_empty() && it.properties.is_empty();
        self.scopes
            .as_ref()
            .is_some_and(|scopes| scopes.iter().all(empty))
    }

    /// Notes that the engine was asked, which has checked the caller itself.
    pub(crate) fn left_to_engine(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// The refusal of what is not allowed at all.
    pub(crate) fn refusal(&self) -> Problem {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        let each = |scope: &Scope| (scope.permission.name(), scope.resource.name());
        Problem::Forbidden(match scopes {
            [] => "Unauthorized to read across tenants".to_owned(),
            [scope] => {
                let (permission, resource) = each(scope);
                format!("Unauthorized to perform operation '{permission}' on resource '{resource}'")
            }
            [_, _, ..] => {
                let any: Vec<String> = scopes
                    .iter()
                    .map(each)
                    .map(|(permission, resource)| format!("'{permission}' on '{resource}'"))
                    .collect();
                let any = any.join(" or ");
                format!("Unauthorized to perform any of the operations: {any}")
            }
        })
    }

    /// Conditions on a search of `entity`.
    pub(crate) fn conditions(&self, entity: Entity) -> Vec<Filter> {
        self.asked.store(true, Ordering::Relaxed);
        let mut conditions = Vec::new();
        if let Some(scopes) = &self.scopes {
            let mut any = Vec::new();
            for scope in scopes {
                any.extend(scope.shown(entity));
                if entity == Entity::UserTask && scope.resource == ResourceType::UserTask {
                    any.extend(self.named_in_task(scope));
                }
            }
            conditions.push(Filter::Any(any));
        }
        if let Some(tenants) = &self.tenants
            && has_tenant(entity)
        {
            let of_none = Filter::Field {
                field: "tenantId".to_owned(),
                op: Op::Exists,
                values: vec![Literal::Bool(false)],
            };
            let own = one_of("tenantId", tenants.iter().cloned());
            conditions.push(if may_lack_tenant(entity) {
                Filter::Any(vec![own, of_none])
            } else {
                own
            });
        }
        conditions
    }

    /// What of `filter` may be seen.
    pub(crate) fn narrow(&self, entity: Entity, filter: Filter) -> Filter {
        let mut conditions = self.conditions(entity);
        if conditions.is_empty() {
            return filter;
        }
        conditions.push(filter);
        Filter::All(conditions)
    }

    fn named_in_task(&self, scope: &Scope) -> Vec<Filter> {
        let mut any = Vec::new();
        for property in &scope.properties {
            match (property.as_str(), &self.username) {
                ("assignee", Some(name)) => any.push(one_of("assignee", [name.clone()])),
                ("candidateUsers", Some(name)) => {
                    any.push(one_of("candidateUser", [name.clone()]));
                }
                ("candidateGroups", _) if !self.groups.is_empty() => {
                    any.push(one_of("candidateGroup", self.groups.iter().cloned()));
                }
                (_, _) => {}
            }
        }
        any
    }

    /// Whether a row that was asked for by its key may be seen.
    ///
    /// # Errors
    /// [`Problem::Forbidden`], or `missing` if it is of another tenant.
    pub(crate) fn check(
        &self,
        entity: Entity,
        row: &Row,
        missing: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        self.asked.store(true, Ordering::Relaxed);
        if let Some(tenants) = &self.tenants
            && has_tenant(entity)
            && !(may_lack_tenant(entity) && text(row, "tenantId").is_empty())
            && !tenants.contains(&text(row, "tenantId"))
        {
            return Err(missing());
        }
        let Some(scopes) = &self.scopes else {
            return Ok(());
        };
        let holds = |field: &str, value: &str| match row.get(field) {
            Some(Cell::Text(text)) => text == value,
            Some(Cell::Key(key)) => key.to_string() == value,
            Some(Cell::List(cells)) => cells.contains(&Cell::Text(value.to_owned())),
            Some(
                Cell::Null
                | Cell::Int(_)
                | Cell::Bool(_)
                | Cell::Time(_)
                | Cell::Float(_)
                | Cell::Json(_),
            )
            | None => false,
        };
        let allowed = scopes.iter().any(|scope| {
            let of_category = scope
                .category(entity)
                .is_none_or(|category| holds("category", category));
            let named = id_field(scope.resource, entity).is_some_and(|field| {
                (scope.any && !text(row, field).is_empty())
                    || scope.ids.iter().any(|id| holds(field, id))
            });
            (of_category && named)
                || (scope.resource == ResourceType::UserTask
                    && scope.properties.iter().any(|property| {
                        let user = self.username.iter();
                        match property.as_str() {
                            "assignee" | "candidateUsers" => {
                                user.into_iter().any(|name| holds(property, name))
                            }
                            "candidateGroups" => {
                                self.groups.iter().any(|group| holds(property, group))
                            }
                            _ => false,
                        }
                    }))
        });
        if allowed { Ok(()) } else { Err(self.refusal()) }
    }
}

/// Whether rows of an entity are of a tenant. Tenants themselves are a matter of permissions.
fn has_tenant(entity: Entity) -> bool {
    let of_tenants = matches!(
        entity,
        Entity::Tenant | Entity::TenantMember | Entity::Role | Entity::MappingRule
    );
    !of_tenants && entity.result_fields().contains(&"tenantId")
}

/// Whether some rows of an entity are of no tenant: global cluster variables, and operations on what
/// no tenant has. They are everybody's.
fn may_lack_tenant(entity: Entity) -> bool {
    matches!(entity, Entity::ClusterVariable | Entity::AuditLog)
}

/// The field of an entity that names the resource a permission is about; `None` = rows of it have
/// none, and only a permission on everything helps.
fn id_field(resource: ResourceType, entity: Entity) -> Option<&'static str> {
    let member = matches!(
        entity,
        Entity::GroupMember | Entity::RoleMember | Entity::TenantMember
    );
    let field = match resource {
        ResourceType::ProcessDefinition => "processDefinitionId",
        ResourceType::DecisionDefinition => "decisionDefinitionId",
        ResourceType::DecisionRequirementsDefinition => "decisionRequirementsId",
        ResourceType::Resource if entity == Entity::Form => "formId",
        ResourceType::Resource => "resourceId",
        ResourceType::UserTask => "userTaskKey",
        ResourceType::User => "username",
        ResourceType::Group | ResourceType::Role | ResourceType::Tenant if member => "containerId",
        ResourceType::Group => "groupId",
        ResourceType::Role => "roleId",
        ResourceType::Tenant => "tenantId",
        ResourceType::MappingRule => "mappingRuleId",
        ResourceType::Authorization => "authorizationKey",
        ResourceType::Batch => "batchOperationKey",
        ResourceType::ClusterVariable => "name",
        ResourceType::AuditLog => "category",
        ResourceType::Unspecified
        | ResourceType::Message
        | ResourceType::Component
        | ResourceType::System
        | ResourceType::Document
        | ResourceType::Expression
        | ResourceType::GlobalListener
        | ResourceType::Secret
        | ResourceType::Backup
        | ResourceType::Exporter => return None,
    };
    let known = entity.filter_fields().contains(&field) && entity.result_fields().contains(&field);
    known.then_some(field)
}
