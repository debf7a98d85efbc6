-- Deployed forms and other resources. The content of resources stays with the engine.

CREATE TABLE IF NOT EXISTS form (
    form_key INTEGER NOT NULL PRIMARY KEY,
    form_id TEXT,
    tenant_id TEXT,
    schema_xml TEXT,
    version INTEGER,
    is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS idx_form_1 ON form (form_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS deployed_resource (
    resource_key INTEGER NOT NULL PRIMARY KEY,
    resource_id TEXT,
    resource_name TEXT,
    version INTEGER,
    version_tag TEXT,
    deployment_key INTEGER,
    tenant_id TEXT,
    is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS idx_deployed_resource_1 ON deployed_resource (resource_id, tenant_id, version);
