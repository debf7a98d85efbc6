-- Whether a partition is exported: 0 or no row = yes, 1 = no, 2 = yes, but the log is kept.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS exporter_phase (
    partition_id BIGINT PRIMARY KEY,
    phase INTEGER NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
