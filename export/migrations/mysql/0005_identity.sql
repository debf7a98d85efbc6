-- Users, groups, roles, tenants, mapping rules, authorizations.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS user_ (
    user_key BIGINT NOT NULL PRIMARY KEY,
    username VARCHAR(400),
    name VARCHAR(400),
    email VARCHAR(400),
    password VARCHAR(400),
    INDEX idx_user_1 (username)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS group_ (
    group_key BIGINT NOT NULL PRIMARY KEY,
    group_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000),
    INDEX idx_group_1 (group_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS group_member (
    group_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    group_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(255),
    PRIMARY KEY (group_key, member),
    INDEX idx_group_member_1 (group_id, entity_type),
    INDEX idx_group_member_2 (entity_id, entity_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS roles (
    role_key BIGINT NOT NULL PRIMARY KEY,
    role_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000),
    INDEX idx_roles_1 (role_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS role_member (
    role_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    role_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(255),
    PRIMARY KEY (role_key, member),
    INDEX idx_role_member_1 (role_id, entity_type),
    INDEX idx_role_member_2 (entity_id, entity_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS tenant (
    tenant_key BIGINT NOT NULL PRIMARY KEY,
    tenant_id VARCHAR(400),
    name VARCHAR(400),
    description VARCHAR(4000),
    INDEX idx_tenant_1 (tenant_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS tenant_member (
    tenant_key BIGINT NOT NULL,
    member VARCHAR(400) NOT NULL,
    tenant_id VARCHAR(400),
    entity_id VARCHAR(400),
    entity_type VARCHAR(255),
    PRIMARY KEY (tenant_key, member),
    INDEX idx_tenant_member_1 (tenant_id, entity_type),
    INDEX idx_tenant_member_2 (entity_id, entity_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS mapping_rules (
    mapping_rule_key BIGINT NOT NULL PRIMARY KEY,
    mapping_rule_id VARCHAR(400),
    claim_name VARCHAR(400),
    claim_value VARCHAR(400),
    name VARCHAR(400),
    INDEX idx_mapping_rules_1 (mapping_rule_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS authorizations (
    authorization_key BIGINT NOT NULL PRIMARY KEY,
    owner_id VARCHAR(400),
    owner_type VARCHAR(255),
    resource_type VARCHAR(255),
    resource_matcher VARCHAR(400),
    resource_id VARCHAR(400),
    resource_property_name VARCHAR(400),
    INDEX idx_authorizations_1 (owner_id, owner_type),
    INDEX idx_authorizations_2 (resource_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS authorization_permission (
    authorization_key BIGINT NOT NULL,
    permission_type VARCHAR(255) NOT NULL,
    PRIMARY KEY (authorization_key, permission_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
