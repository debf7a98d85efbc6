-- Deployed forms and other resources. The content of resources stays with the engine.

CREATE TABLE IF NOT EXISTS form (
    form_key BIGINT NOT NULL PRIMARY KEY,
    form_id VARCHAR(400),
    tenant_id VARCHAR(400),
    schema_xml TEXT,
    version BIGINT,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX IF NOT EXISTS idx_form_1 ON form (form_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS deployed_resource (
    resource_key BIGINT NOT NULL PRIMARY KEY,
    resource_id VARCHAR(400),
    resource_name VARCHAR(400),
    version INTEGER,
    version_tag VARCHAR(400),
    deployment_key BIGINT,
    tenant_id VARCHAR(400),
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX IF NOT EXISTS idx_deployed_resource_1 ON deployed_resource (resource_id, tenant_id, version);
