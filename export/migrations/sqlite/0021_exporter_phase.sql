-- Whether a partition is exported: 0 or no row = yes, 1 = no, 2 = yes, but the log is kept.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS exporter_phase (
    partition_id INTEGER PRIMARY KEY,
    phase INTEGER NOT NULL
);
