-- Users, groups, roles, tenants, mapping rules, authorizations.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS user_ (
    user_key INTEGER NOT NULL PRIMARY KEY,
    username TEXT,
    name TEXT,
    email TEXT,
    password TEXT
);
CREATE INDEX IF NOT EXISTS idx_user_1 ON user_ (username);

CREATE TABLE IF NOT EXISTS group_ (
    group_key INTEGER NOT NULL PRIMARY KEY,
    group_id TEXT,
    name TEXT,
    description TEXT
);
CREATE INDEX IF NOT EXISTS idx_group_1 ON group_ (group_id);

CREATE TABLE IF NOT EXISTS group_member (
    group_key INTEGER NOT NULL,
    member TEXT NOT NULL,
    group_id TEXT,
    entity_id TEXT,
    entity_type TEXT,
    PRIMARY KEY (group_key, member)
);
CREATE INDEX IF NOT EXISTS idx_group_member_1 ON group_member (group_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_group_member_2 ON group_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS roles (
    role_key INTEGER NOT NULL PRIMARY KEY,
    role_id TEXT,
    name TEXT,
    description TEXT
);
CREATE INDEX IF NOT EXISTS idx_roles_1 ON roles (role_id);

CREATE TABLE IF NOT EXISTS role_member (
    role_key INTEGER NOT NULL,
    member TEXT NOT NULL,
    role_id TEXT,
    entity_id TEXT,
    entity_type TEXT,
    PRIMARY KEY (role_key, member)
);
CREATE INDEX IF NOT EXISTS idx_role_member_1 ON role_member (role_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_role_member_2 ON role_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS tenant (
    tenant_key INTEGER NOT NULL PRIMARY KEY,
    tenant_id TEXT,
    name TEXT,
    description TEXT
);
CREATE INDEX IF NOT EXISTS idx_tenant_1 ON tenant (tenant_id);

CREATE TABLE IF NOT EXISTS tenant_member (
    tenant_key INTEGER NOT NULL,
    member TEXT NOT NULL,
    tenant_id TEXT,
    entity_id TEXT,
    entity_type TEXT,
    PRIMARY KEY (tenant_key, member)
);
CREATE INDEX IF NOT EXISTS idx_tenant_member_1 ON tenant_member (tenant_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_tenant_member_2 ON tenant_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS mapping_rules (
    mapping_rule_key INTEGER NOT NULL PRIMARY KEY,
    mapping_rule_id TEXT,
    claim_name TEXT,
    claim_value TEXT,
    name TEXT
);
CREATE INDEX IF NOT EXISTS idx_mapping_rules_1 ON mapping_rules (mapping_rule_id);

CREATE TABLE IF NOT EXISTS authorizations (
    authorization_key INTEGER NOT NULL PRIMARY KEY,
    owner_id TEXT,
    owner_type TEXT,
    resource_type TEXT,
    resource_matcher TEXT,
    resource_id TEXT,
    resource_property_name TEXT
);
CREATE INDEX IF NOT EXISTS idx_authorizations_1 ON authorizations (owner_id, owner_type);
CREATE INDEX IF NOT EXISTS idx_authorizations_2 ON authorizations (resource_type);

CREATE TABLE IF NOT EXISTS authorization_permission (
    authorization_key INTEGER NOT NULL,
    permission_type TEXT NOT NULL,
    PRIMARY KEY (authorization_key, permission_type)
);
