-- Users, groups, roles, tenants, mapping rules, authorizations.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS user_ (
    user_key BIGINT NOT NULL PRIMARY KEY,
    username VARCHAR(400),
    name VARCHAR(400),
    email VARCHAR(400),
    password VARCHAR(400)
);
CREATE INDEX IF NOT EXISTS idx_user_1 ON user_ (username);

CREATE TABLE IF NOT EXISTS group_ (
    group_key BIGINT NOT NULL PRIMARY KEY,
    group_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000)
);
CREATE INDEX IF NOT EXISTS idx_group_1 ON group_ (group_id);

CREATE TABLE IF NOT EXISTS group_member (
    group_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    group_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(400),
    PRIMARY KEY (group_key, member)
);
CREATE INDEX IF NOT EXISTS idx_group_member_1 ON group_member (group_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_group_member_2 ON group_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS roles (
    role_key BIGINT NOT NULL PRIMARY KEY,
    role_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000)
);
CREATE INDEX IF NOT EXISTS idx_roles_1 ON roles (role_id);

CREATE TABLE IF NOT EXISTS role_member (
    role_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    role_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(400),
    PRIMARY KEY (role_key, member)
);
CREATE INDEX IF NOT EXISTS idx_role_member_1 ON role_member (role_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_role_member_2 ON role_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS tenant (
    tenant_key BIGINT NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000)
);
CREATE INDEX IF NOT EXISTS idx_tenant_1 ON tenant (tenant_id);

CREATE TABLE IF NOT EXISTS tenant_member (
    tenant_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    tenant_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(400),
    PRIMARY KEY (tenant_key, member)
);
CREATE INDEX IF NOT EXISTS idx_tenant_member_1 ON tenant_member (tenant_id, entity_type);
CREATE INDEX IF NOT EXISTS idx_tenant_member_2 ON tenant_member (entity_id, entity_type);

CREATE TABLE IF NOT EXISTS mapping_rules (
    mapping_rule_key BIGINT NOT NULL PRIMARY KEY,
    mapping_rule_id VARCHAR(400),
    claim_name VARCHAR(400),
    claim_value VARCHAR(400),
    name VARCHAR(400)
);
CREATE INDEX IF NOT EXISTS idx_mapping_rules_1 ON mapping_rules (mapping_rule_id);

CREATE TABLE IF NOT EXISTS authorizations (
    authorization_key BIGINT NOT NULL PRIMARY KEY,
    owner_id VARCHAR(400),
    owner_type VARCHAR(400),
    resource_type VARCHAR(400),
    resource_matcher VARCHAR(400),
    resource_id VARCHAR(400),
    resource_property_name VARCHAR(400)
);
CREATE INDEX IF NOT EXISTS idx_authorizations_1 ON authorizations (owner_id, owner_type);
CREATE INDEX IF NOT EXISTS idx_authorizations_2 ON authorizations (resource_type);

CREATE TABLE IF NOT EXISTS authorization_permission (
    authorization_key BIGINT NOT NULL,
    permission_type VARCHAR(255) NOT NULL,
    PRIMARY KEY (authorization_key, permission_type)
);
