-- What searches over millions of instances sort and filter by. Every statement can run again.

CREATE INDEX IF NOT EXISTS idx_process_instance_12 ON process_instance (state, start_date);
DROP INDEX IF EXISTS idx_process_instance_11;
CREATE INDEX IF NOT EXISTS idx_process_instance_13 ON process_instance (end_date DESC NULLS LAST);
CREATE INDEX IF NOT EXISTS idx_process_instance_14 ON process_instance (process_definition_id, start_date);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_5 ON flow_node_instance (flow_node_instance_key) WHERE incident_key IS NOT NULL OR num_subprocess_incidents > 0;
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_6 ON flow_node_instance (flow_node_instance_key) WHERE state = 'ACTIVE';
-- The beginning of a value finds it; whole values can be larger than an entry of an index.
CREATE INDEX IF NOT EXISTS idx_variable_5 ON variable (var_name, LEFT(var_value, 64));
DROP INDEX IF EXISTS idx_variable_4;
