//! Users, groups, roles, tenants, mapping rules, authorizations, and who is a member of what.
//!
//! Members show their id under the name of each kind of member; the contract's result picks its
//! own. `containerId` is what they are in. Mapping rules and roles can be looked for by what they
//! are in, because searches for members hand them out whole. [`CREDENTIAL`] is for the front alone:
//! no operation searches it.

use super::field::{EntityFields, Field, ListField, Related};

pub(crate) const USER: EntityFields = EntityFields {
    from: "user_ t",
    fields: &[
        Field::text("username", "t.username").present(),
        Field::text("name", "t.name"),
        Field::text("email", "t.email"),
        // In the order of creation, unless somebody wants another.
        Field::key("userKey", "t.user_key")
            .present()
            .hidden()
            .unfiltered()
            .unsorted(),
    ],
    lists: &[],
    key: &["userKey"],
    variables: None,
};

pub(crate) const CREDENTIAL: EntityFields = EntityFields {
    from: "user_ t",
    fields: &[
        Field::text("username", "t.username").present(),
        Field::text("name", "t.name"),
        Field::text("email", "t.email"),
        Field::text("password", "t.password")
            .unfiltered()
            .unsorted(),
    ],
    lists: &[],
    key: &["username"],
    variables: None,
};

pub(crate) const GROUP: EntityFields = EntityFields {
    from: "group_ t",
    fields: &[
        Field::text("groupId", "t.group_id").present(),
        Field::text("name", "t.name"),
        Field::text("description", "t.description"),
    ],
    lists: &[],
    key: &["groupId"],
    variables: None,
};

const ROLE_OF_GROUP: Related = Related {
    from: "role_member r WHERE r.role_id = t.role_id AND r.entity_type = 'GROUP'",
    same_row: false,
};
const ROLE_OF_TENANT: Related = Related {
    from: "tenant_member r WHERE r.entity_id = t.role_id AND r.entity_type = 'ROLE'",
    same_row: false,
};

pub(crate) const ROLE: EntityFields = EntityFields {
    from: "roles t",
    fields: &[
        Field::text("roleId", "t.role_id").present(),
        Field::text("name", "t.name"),
        Field::text("description", "t.description"),
        Field::text("groupId", "r.entity_id").of(&ROLE_OF_GROUP),
        Field::text("tenantId", "r.tenant_id").of(&ROLE_OF_TENANT),
    ],
    lists: &[],
    key: &["roleId"],
    variables: None,
};

pub(crate) const TENANT: EntityFields = EntityFields {
    from: "tenant t",
    fields: &[
        Field::text("tenantId", "t.tenant_id").present(),
        Field::text("name", "t.name"),
        Field::text("description", "t.description"),
    ],
    lists: &[],
    key: &["tenantId"],
    variables: None,
};

const RULE_OF_GROUP: Related = Related {
    from: "group_member r WHERE r.entity_id = t.mapping_rule_id \
           AND r.entity_type = 'MAPPING_RULE'",
    same_row: false,
};
const RULE_OF_ROLE: Related = Related {
    from: "role_member r WHERE r.entity_id = t.mapping_rule_id \
           AND r.entity_type = 'MAPPING_RULE'",
    same_row: false,
};
const RULE_OF_TENANT: Related = Related {
    from: "tenant_member r WHERE r.entity_id = t.mapping_rule_id \
           AND r.entity_type = 'MAPPING_RULE'",
    same_row: false,
};

pub(crate) const MAPPING_RULE: EntityFields = EntityFields {
    from: "mapping_rules t",
    fields: &[
        Field::text("mappingRuleId", "t.mapping_rule_id").present(),
        Field::text("claimName", "t.claim_name").present(),
        Field::text("claimValue", "t.claim_value").present(),
        Field::text("name", "t.name"),
        Field::text("groupId", "r.group_id").of(&RULE_OF_GROUP),
        Field::text("roleId", "r.role_id").of(&RULE_OF_ROLE),
        Field::text("tenantId", "r.tenant_id").of(&RULE_OF_TENANT),
    ],
    lists: &[],
    key: &["mappingRuleId"],
    variables: None,
};

macro_rules! members {
    ($name:ident $from:literal $container:literal) => {
        pub(crate) const $name: EntityFields = EntityFields {
            from: $from,
            fields: &[
                Field::text("containerId", $container).present(),
                Field::text("entityType", "t.entity_type").present(),
                Field::text("entityId", "t.entity_id").present(),
                Field::text("username", "t.entity_id").present(),
                Field::text("clientId", "t.entity_id").present(),
                Field::text("groupId", "t.entity_id").present(),
            ],
            lists: &[],
            key: &["containerId", "entityType", "entityId"],
            variables: None,
        };
    };
}

members!(GROUP_MEMBER "group_member t" "t.group_id");
members!(ROLE_MEMBER "role_member t" "t.role_id");
members!(TENANT_MEMBER "tenant_member t" "t.tenant_id");

pub(crate) const AUTHORIZATION: EntityFields = EntityFields {
    from: "authorizations t",
    fields: &[
        Field::key("authorizationKey", "t.authorization_key").present(),
        Field::text("ownerId", "t.owner_id").present(),
        Field::text("ownerType", "t.owner_type").present(),
        Field::text("resourceType", "t.resource_type").present(),
        Field::text("resourceMatcher", "t.resource_matcher")
            .present()
            .unsorted(),
        Field::text("resourceId", "t.resource_id"),
        Field::text("resourcePropertyName", "t.resource_property_name"),
    ],
    lists: &[ListField {
        name: "permissionTypes",
        table: "authorization_permission",
        owner: "authorization_key",
        value: "permission_type",
    }],
    key: &["authorizationKey"],
    variables: None,
};
