-- Deployed forms and other resources. The content of resources stays with the engine.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS form (
    form_key BIGINT NOT NULL PRIMARY KEY,
    form_id VARCHAR(400),
    tenant_id VARCHAR(400),
    schema_xml LONGTEXT,
    version BIGINT,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    INDEX idx_form_1 (form_id, tenant_id(256), version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS deployed_resource (
    resource_key BIGINT NOT NULL PRIMARY KEY,
    resource_id VARCHAR(400),
    resource_name VARCHAR(400),
    version INTEGER,
    version_tag VARCHAR(400),
    deployment_key BIGINT,
    tenant_id VARCHAR(400),
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    INDEX idx_deployed_resource_1 (resource_id, tenant_id(256), version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
