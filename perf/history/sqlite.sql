-- The same as postgres.sql for a file: sqlite3 FILE < perf/history/sqlite.sql
--
-- Five million instances; the number stands in `counted`. Tables are those of `ringflow ddl sqlite`.
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -1000000;

WITH counted(d) AS (VALUES (1) UNION ALL SELECT d + 1 FROM counted WHERE d < 20)
INSERT INTO process_definition
    (process_definition_key, process_definition_id, name, resource_name, bpmn_xml, tenant_id, version)
SELECT 2251799813685248 + d, 'process-' || d, 'Process ' || d, 'process-' || d || '.bpmn',
       '<definitions><process id="process-' || d || '" isExecutable="true"/></definitions>', '<default>', 1
FROM counted;

WITH counted(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM counted WHERE i < 5000000),
made AS (
    SELECT i, 1 + (i % 20) * (i % 20) % 20 AS d, 2251799813685248 + 1000 + i * 8 AS k,
           unixepoch() * 1000 - (5000000 - i) * 500 AS began
    FROM counted)
INSERT INTO process_instance
    (process_instance_key, root_process_instance_key, process_definition_id, process_definition_key,
     state, start_date, end_date, tenant_id, num_incidents, version, partition_id, tree_path,
     history_cleanup_date, business_id)
SELECT k, k, 'process-' || d, 2251799813685248 + d,
       CASE WHEN i % 400 = 0 THEN 'ACTIVE' WHEN i % 50 = 7 THEN 'CANCELED' ELSE 'COMPLETED' END,
       began, CASE WHEN i % 400 = 0 THEN NULL ELSE began + 3000 END, '<default>',
       i % 10000 = 0, 1, 1, 'PI_' || k,
       CASE WHEN i % 400 = 0 THEN NULL ELSE began + 30 * 86400000 END, 'order-' || i
FROM made;

WITH nth(n) AS (VALUES (1), (2))
INSERT INTO flow_node_instance
    (flow_node_instance_key, flow_node_id, flow_node_scope_key, process_instance_key,
     root_process_instance_key, process_definition_id, process_definition_key, type, state, start_date,
     end_date, tree_path, tenant_id, incident_key, partition_id)
SELECT p.process_instance_key + n, CASE n WHEN 1 THEN 'start' ELSE 'task' END, p.process_instance_key,
       p.process_instance_key, p.process_instance_key, p.process_definition_id, p.process_definition_key,
       CASE n WHEN 1 THEN 'START_EVENT' ELSE 'SERVICE_TASK' END,
       CASE WHEN n = 2 AND p.state = 'ACTIVE' THEN 'ACTIVE' ELSE 'COMPLETED' END,
       p.start_date, p.end_date, p.tree_path || '/FNI_' || (p.process_instance_key + n), '<default>',
       CASE WHEN n = 2 AND p.num_incidents > 0 THEN p.process_instance_key + 4 END, 1
FROM process_instance p CROSS JOIN nth;

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
       process_instance_key, process_definition_id, process_definition_key, 'no card', 4711,
       'JOB_NO_RETRIES', 'ACTIVE', start_date, tree_path, '<default>', 1
FROM process_instance WHERE num_incidents > 0;

INSERT INTO active_instances (process_definition_key, partition_id, active_count)
SELECT process_definition_key, 1, COUNT(*) FROM process_instance WHERE state = 'ACTIVE' GROUP BY 1;
ANALYZE;
