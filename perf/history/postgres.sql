-- History of many instances, written directly: what searches are measured on.
--
--   psql -v instances=5000000 -f perf/history/postgres.sql DATABASE_URL
--
-- The tables are those of `ringflow ddl postgresql`, empty. Per instance two element instances and one
-- variable; one instance in 400 is active, one in 10 000 has an incident. They began half a second
-- apart, the last one now. Indexes are made when the rows are there, which takes a fifth of the time.
\set ON_ERROR_STOP on
SET maintenance_work_mem = '512MB';
SET synchronous_commit = off;
\set base 2251799813685248

CREATE TEMP TABLE made_again AS
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename IN ('process_instance', 'flow_node_instance', 'variable')
      AND indexname LIKE 'idx%';
SELECT format('DROP INDEX %I', indexname) FROM made_again \gexec

INSERT INTO process_definition
    (process_definition_key, process_definition_id, name, resource_name, bpmn_xml, tenant_id, version)
SELECT :base + d, 'process-' || d, 'Process ' || d, 'process-' || d || '.bpmn',
       '<definitions><process id="process-' || d || '" isExecutable="true"/></definitions>', '<default>', 1
FROM generate_series(1, 20) d;

INSERT INTO process_instance
    (process_instance_key, root_process_instance_key, process_definition_id, process_definition_key,
     state, start_date, end_date, tenant_id, num_incidents, version, partition_id, tree_path,
     history_cleanup_date, business_id)
SELECT key, key, 'process-' || d, :base + d,
       CASE WHEN i % 400 = 0 THEN 'ACTIVE' WHEN i % 50 = 7 THEN 'CANCELED' ELSE 'COMPLETED' END,
       began, CASE WHEN i % 400 = 0 THEN NULL ELSE began + interval '3 s' END, '<default>',
       CASE WHEN i % 10000 = 0 THEN 1 ELSE 0 END, 1, 1, 'PI_' || key,
       CASE WHEN i % 400 = 0 THEN NULL ELSE began + interval '30 d' END, 'order-' || i
FROM (SELECT i, 1 + (i % 20) * (i % 20) % 20 AS d, :base + 1000 + i::bigint * 8 AS key,
             date_trunc('milliseconds', now()) - (:instances - i) * interval '500 ms' AS began
      FROM generate_series(1, :instances) i) made;

INSERT INTO flow_node_instance
    (flow_node_instance_key, flow_node_id, flow_node_scope_key, process_instance_key,
     root_process_instance_key, process_definition_id, process_definition_key, type, state, start_date,
     end_date, tree_path, tenant_id, incident_key, partition_id)
SELECT p.process_instance_key + n, CASE n WHEN 1 THEN 'start' ELSE 'task' END, p.process_instance_key,
       p.process_instance_key, p.process_instance_key, p.process_definition_id, p.process_definition_key,
       CASE n WHEN 1 THEN 'START_EVENT' ELSE 'SERVICE_TASK' END,
       CASE WHEN n = 2 AND p.state = 'ACTIVE' THEN 'ACTIVE' ELSE 'COMPLETED' END,
       p.start_date, p.end_date, p.tree_path || '/FNI_' || p.process_instance_key + n, '<default>',
       CASE WHEN n = 2 AND p.num_incidents > 0 THEN p.process_instance_key + 4 END, 1
FROM process_instance p CROSS JOIN generate_series(1, 2) n;

INSERT INTO variable
    (var_key, process_instance_key, root_process_instance_key, process_definition_id, scope_key, type,
     var_name, var_value, tenant_id, is_preview, partition_id)
SELECT process_instance_key + 3, process_instance_key, process_instance_key, process_definition_id,
       process_instance_key, 'STRING', 'orderId', '"' || business_id || '"', '<default>', FALSE, 1
FROM process_instance;

INSERT INTO incident
    (incident_key, flow_node_instance_key, flow_node_id, process_instance_key, root_process_instance_key,
     process_definition_id, process_definition_key, error_message, error_message_hash, error_type, state,
     creation_date, tree_path, tenant_id, partition_id)
SELECT process_instance_key + 4, process_instance_key + 2, 'task', process_instance_key,
       process_instance_key, process_definition_id, process_definition_key, 'no card',
       hashtext('no card'), 'JOB_NO_RETRIES', 'ACTIVE', start_date, tree_path, '<default>', 1
FROM process_instance WHERE num_incidents > 0;

INSERT INTO active_instances (process_definition_key, partition_id, active_count)
SELECT process_definition_key, 1, COUNT(*) FROM process_instance WHERE state = 'ACTIVE' GROUP BY 1;

SELECT indexdef FROM made_again \gexec
ANALYZE;
