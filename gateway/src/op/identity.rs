//! Users, groups, roles, tenants, mapping rules, authorizations: REST only, as in the reference.
//!
//! Every change goes to the first partition, which hands it on. What is wrong with ids, names and
//! addresses has been said before (`contract::check`). Searches for members are searches of the tables of
//! memberships; entities that are members as a whole (mapping rules, roles) are searched by what
//! they are in.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AuthorizationRecord, EntityType, GroupRecord, MappingRuleRecord, OwnerType, PermissionType,
    ResourceMatcher, ResourceType, RoleRecord, TenantRecord, UserRecord,
};
use ringflow_core::record::{Intent, Text, Value};

use super::answered;
use super::search;
use super::shape::{Members, ObjectWriter};
use crate::backend::{Entity, Filter, Literal, Op};
use crate::identity::password;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

/// Id that stands for every resource of a type.
const WILDCARD: &str = "*";

async fn send(
    call: &Call,
    intent: impl Into<Intent>,
    value: impl Into<Value>,
) -> Result<ringflow_core::engine::effect::Response, Problem> {
    let command = call.caller.command(Key::NONE, intent, value, None);
    call.front.call(&Target::Deployment, command, None).await
}

fn user_json(record: &UserRecord) -> String {
    let mut out = ObjectWriter::new();
    out.str("username", &record.username)
        .str("name", &record.name)
        .str("email", &record.email);
    out.finish()
}

async fn user_of(body: Members<'_>) -> Result<UserRecord, Problem> {
    let given = body.str("password").unwrap_or_default();
    let password = if given.is_empty() {
        Text::EMPTY
    } else {
        Text::from(password::hash(given.to_owned()).await?)
    };
    Ok(UserRecord {
        username: body.text("username"),
        name: body.text("name"),
        email: body.text("email"),
        password,
        ..UserRecord::default()
    })
}

/// `createUser`.
pub(crate) async fn create_user(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let response = send(&call, of::User::Create, user_of(body).await?).await?;
    Ok(Answer::Created(user_json(&*answered!(response, User)?)))
}

/// `createAdminUser`: the first one, by anybody.
pub(crate) async fn create_admin(call: Call) -> Result<Answer, Problem> {
    if !call.rest.identity.keeps_users() {
        return Err(Problem::Forbidden(
            "The initial admin user cannot be created, because users are not kept here".into(),
        ));
    }
    let body = Members(&call.body);
    let record = user_of(body).await?;
    let response = send(&call, of::User::CreateInitialAdmin, record).await?;
    Ok(Answer::Created(user_json(&*answered!(response, User)?)))
}

/// `updateUser`.
pub(crate) async fn update_user(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let record = UserRecord {
        username: call.path_id("username"),
        ..user_of(body).await?
    };
    let response = send(&call, of::User::Update, record).await?;
    Ok(Answer::Json(user_json(&*answered!(response, User)?)))
}

/// `deleteUser`.
pub(crate) async fn delete_user(call: Call) -> Result<Answer, Problem> {
    let record = UserRecord {
        username: call.path_id("username"),
        ..UserRecord::default()
    };
    send(&call, of::User::Delete, record).await?;
    Ok(Answer::NoContent)
}

macro_rules! container {
    ($module:ident: $record:ident $intent:ident $id:ident $json:literal) => {
        #[doc = concat!("Operations on one ", stringify!($module), ".")]
        pub(crate) mod $module {
            use super::*;

            fn json(record: &$record) -> String {
                let mut out = ObjectWriter::new();
                out.str($json, &record.$id)
                    .str("name", &record.name)
                    .str("description", &record.description);
                out.finish()
            }

            fn record(call: &Call, id: Text) -> $record {
                let body = Members(&call.body);
                $record {
                    $id: id,
                    name: body.text("name"),
                    description: body.text("description"),
                    ..$record::default()
                }
            }

            pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
                let record = record(&call, Members(&call.body).text($json));
                let response = send(&call, of::$intent::Create, record).await?;
                Ok(Answer::Created(json(&*answered!(response, $intent)?)))
            }

            pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
                let record = record(&call, call.path_id($json));
                let response = send(&call, of::$intent::Update, record).await?;
                Ok(Answer::Json(json(&*answered!(response, $intent)?)))
            }

            pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
                let record = $record {
                    $id: call.path_id($json),
                    ..$record::default()
                };
                send(&call, of::$intent::Delete, record).await?;
                Ok(Answer::NoContent)
            }

            fn membership(call: &Call, entity_type: EntityType) -> $record {
                $record {
                    $id: call.path_id($json),
                    entity_id: call.path_id(path_name(entity_type)),
                    entity_type,
                    ..$record::default()
                }
            }

            pub(crate) async fn add(call: Call, kind: EntityType) -> Result<Answer, Problem> {
                send(&call, of::$intent::AddEntity, membership(&call, kind)).await?;
                Ok(Answer::NoContent)
            }

            pub(crate) async fn remove(call: Call, kind: EntityType) -> Result<Answer, Problem> {
                send(&call, of::$intent::RemoveEntity, membership(&call, kind)).await?;
                Ok(Answer::NoContent)
            }

            /// Ids of its members of one kind.
            pub(crate) async fn members(
                call: Call,
                of: Entity,
                kind: EntityType,
            ) -> Result<Answer, Problem> {
                let conditions = vec![
                    is("containerId", &call.path_id($json)),
                    is("entityType", kind.name()),
                ];
                search::search_where(call, of, conditions).await
            }

            /// Entities that are its members, as a whole.
            pub(crate) async fn members_whole(call: Call, of: Entity) -> Result<Answer, Problem> {
                let conditions = vec![is($json, &call.path_id($json))];
                search::search_where(call, of, conditions).await
            }
        }
    };
}

container!(group: GroupRecord Group group_id "groupId");
container!(role: RoleRecord Role role_id "roleId");
container!(tenant: TenantRecord Tenant tenant_id "tenantId");

fn path_name(kind: EntityType) -> &'static str {
    match kind {
        EntityType::Unspecified | EntityType::User => "username",
        EntityType::Client => "clientId",
        EntityType::MappingRule => "mappingRuleId",
        EntityType::Group => "groupId",
        EntityType::Role => "roleId",
    }
}

fn is(field: &str, value: &str) -> Filter {
    Filter::Field {
        field: field.to_owned(),
        op: Op::Eq,
        values: vec![Literal::Text(value.to_owned())],
    }
}

fn rule_json(record: &MappingRuleRecord) -> String {
    let mut out = ObjectWriter::new();
    out.str("mappingRuleId", &record.mapping_rule_id)
        .str("claimName", &record.claim_name)
        .str("claimValue", &record.claim_value)
        .str("name", &record.name);
    out.finish()
}

fn rule_of(call: &Call, id: Text) -> MappingRuleRecord {
    let body = Members(&call.body);
    MappingRuleRecord {
        mapping_rule_id: id,
        claim_name: body.text("claimName"),
        claim_value: body.text("claimValue"),
        name: body.text("name"),
        ..MappingRuleRecord::default()
    }
}

/// `createMappingRule`.
pub(crate) async fn create_rule(call: Call) -> Result<Answer, Problem> {
    let record = rule_of(&call, Members(&call.body).text("mappingRuleId"));
    let response = send(&call, of::MappingRule::Create, record).await?;
    Ok(Answer::Created(rule_json(&*answered!(
        response,
        MappingRule
    )?)))
}

/// `updateMappingRule`.
pub(crate) async fn update_rule(call: Call) -> Result<Answer, Problem> {
    let record = rule_of(&call, call.path_id("mappingRuleId"));
    let response = send(&call, of::MappingRule::Update, record).await?;
    Ok(Answer::Json(rule_json(&*answered!(response, MappingRule)?)))
}

/// `deleteMappingRule`.
pub(crate) async fn delete_rule(call: Call) -> Result<Answer, Problem> {
    let record = MappingRuleRecord {
        mapping_rule_id: call.path_id("mappingRuleId"),
        ..MappingRuleRecord::default()
    };
    send(&call, of::MappingRule::Delete, record).await?;
    Ok(Answer::NoContent)
}

fn authorization_of(call: &Call, key: Key) -> AuthorizationRecord {
    let body = Members(&call.body);
    let owner = body.str("ownerType").unwrap_or_default();
    let resource = body.str("resourceType").unwrap_or_default();
    let mut record = AuthorizationRecord {
        authorization_key: key,
        owner_id: body.text("ownerId"),
        owner_type: OwnerType::ALL
            .iter()
            .copied()
            .find(|it| it.name() == owner)
            .unwrap_or_default(),
        resource_type: ResourceType::named(resource).unwrap_or_default(),
        permission_types: body
            .list("permissionTypes")
            .iter()
            .filter_map(|it| PermissionType::named(it.as_str()?))
            .collect(),
        ..AuthorizationRecord::default()
    };
    if let Some(property) = body.str("resourcePropertyName") {
        record.resource_matcher = ResourceMatcher::Property;
        record.resource_property_name = Text::from(property);
    } else {
        record.resource_id = body.text("resourceId");
        record.resource_matcher = if record.resource_id.as_str() == WILDCARD {
            ResourceMatcher::Any
        } else {
            ResourceMatcher::Id
        };
    }
    record
}

/// `searchOwnAuthorizations`: what the caller has itself, by its groups, roles and mapping rules.
/// Nobody needs a permission to see that.
pub(crate) async fn search_own_authorizations(call: Call) -> Result<Answer, Problem> {
    let rights = call.rest.identity.rights(&call.caller.0.who).await?;
    search::search_where(call, Entity::Authorization, vec![rights.own()]).await
}

/// `createAuthorization`.
pub(crate) async fn create_authorization(call: Call) -> Result<Answer, Problem> {
    let record = authorization_of(&call, Key::NONE);
    let response = send(&call, of::Authorization::Create, record).await?;
    let mut out = ObjectWriter::new();
    out.key("authorizationKey", response.key);
    Ok(Answer::Created(out.finish()))
}

/// `updateAuthorization`.
pub(crate) async fn update_authorization(call: Call) -> Result<Answer, Problem> {
    let record = authorization_of(&call, call.path_key("authorizationKey"));
    send(&call, of::Authorization::Update, record).await?;
    Ok(Answer::NoContent)
}

/// `deleteAuthorization`.
pub(crate) async fn delete_authorization(call: Call) -> Result<Answer, Problem> {
    let record = AuthorizationRecord {
        authorization_key: call.path_key("authorizationKey"),
        ..AuthorizationRecord::default()
    };
    send(&call, of::Authorization::Delete, record).await?;
    Ok(Answer::NoContent)
}
