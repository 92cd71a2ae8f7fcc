BEGIN TRANSACTION;
CREATE TABLE code_versions (
      content_hash TEXT PRIMARY KEY,
      rendered_sql TEXT NOT NULL,
      rendered_incremental_sql TEXT,
      config TEXT NOT NULL /* JSON object */
    );
INSERT INTO "code_versions" VALUES('content 1','select ''content 1''',NULL,'{}');
CREATE TABLE column_lineage (
      model_path TEXT NOT NULL,
      column_name TEXT NOT NULL,
      source_table TEXT NOT NULL,
      source_column TEXT NOT NULL,
      PRIMARY KEY (model_path, column_name, source_table, source_column)
    );
CREATE TABLE current_traces (
      environment TEXT NOT NULL REFERENCES environments (name) ON DELETE CASCADE,
      model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
      model_run_id TEXT NOT NULL UNIQUE REFERENCES traces (model_run_id) ON DELETE CASCADE,
      PRIMARY KEY (environment, model_id)
    );
INSERT INTO "current_traces" VALUES('dev','id-2','id-4');
CREATE TABLE data_versions (
      model_run_id TEXT NOT NULL REFERENCES traces (model_run_id) ON DELETE CASCADE,
      column_set TEXT NOT NULL,
      data_version TEXT NOT NULL,
      PRIMARY KEY (model_run_id, column_set)
    );
INSERT INTO "data_versions" VALUES('id-4','*','data 1');
CREATE TABLE dependencies (
      model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
      parent_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
      PRIMARY KEY (model_id, parent_id)
    );
INSERT INTO "dependencies" VALUES('id-2','id-1');
CREATE TABLE environments (
      name TEXT PRIMARY KEY,
      commit_ref TEXT,
      created_at DATETIME NOT NULL,
      updated_at DATETIME NOT NULL
    );
INSERT INTO "environments" VALUES('dev',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000');
CREATE TABLE history (id TEXT PRIMARY KEY);
INSERT INTO "history" VALUES('0123456789abcdef0123456789abcdef');
CREATE TABLE leases (
      environment TEXT PRIMARY KEY REFERENCES environments (name) ON DELETE CASCADE,
      run_id TEXT NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
      host TEXT NOT NULL,
      pid INTEGER NOT NULL,
      process_began TEXT /* tells a process from a later one of that number */,
      taken_at DATETIME NOT NULL,
      heartbeat_at DATETIME NOT NULL
    );
INSERT INTO "leases" VALUES('dev','id-8','host',7,NULL,'2026-03-01 12:02:00.000000','2026-03-01 12:02:00.000000');
CREATE TABLE model_runs (
      id TEXT PRIMARY KEY,
      run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
      model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
      status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'success', 'failed', 'skipped')),
      rows_affected INTEGER,
      started_at DATETIME,
      completed_at DATETIME,
      execution_ms INTEGER,
      error TEXT,
      content_hash TEXT,
      data_version TEXT,
      reason TEXT,
      detail TEXT,
      render_ms INTEGER,
      sequence INTEGER UNIQUE
    );
INSERT INTO "model_runs" VALUES('id-4','id-3','id-2','success',3,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000',40,NULL,'content 1','data 1',NULL,NULL,5,1);
INSERT INTO "model_runs" VALUES('id-7','id-6','id-5','failed',NULL,'2026-03-01 12:01:00.000000','2026-03-01 12:01:00.000000',NULL,'no','hash of b',NULL,NULL,NULL,NULL,2);
CREATE TABLE models (
      id TEXT PRIMARY KEY,
      path TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL,
      materialized TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      owner TEXT,
      schema_name TEXT,
      tags TEXT /* JSON array */,
      created_at DATETIME,
      updated_at DATETIME
    );
INSERT INTO "models" VALUES('id-1','raw','raw','table','hash of raw',NULL,NULL,'[]','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000');
INSERT INTO "models" VALUES('id-2','staging.orders','orders','table','hash of staging.orders',NULL,NULL,'[]','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000');
INSERT INTO "models" VALUES('id-5','b','b','table','hash of b',NULL,NULL,'[]','2026-03-01 12:01:00.000000','2026-03-01 12:01:00.000000');
CREATE TABLE partition_readings (
      environment TEXT NOT NULL,
      model_id TEXT NOT NULL,
      reading INTEGER NOT NULL,
      inputs TEXT NOT NULL /* JSON array of objects as rows of trace_inputs */,
      PRIMARY KEY (environment, model_id, reading),
      FOREIGN KEY (environment, model_id) REFERENCES current_traces (environment, model_id) ON DELETE CASCADE
    );
INSERT INTO "partition_readings" VALUES('dev','id-2',0,'[{"name": "raw.orders", "relation": "\"raw\".\"orders\"", "columns": "[\"id\",\"b\"]", "data_version": "input 1", "seen": "[[\"id\",\"INTEGER\"],[\"b\",\"DATE\"]]"}, {"name": "raw.all", "relation": "\"raw\".\"all\"", "columns": null, "data_version": null, "seen": null}, {"name": "raw.count", "relation": "\"raw\".\"count\"", "columns": "[]", "data_version": "input 3", "seen": null}]');
CREATE TABLE partition_traces (
      environment TEXT NOT NULL,
      model_id TEXT NOT NULL,
      partition_key TEXT NOT NULL,
      model_run_id TEXT NOT NULL /* which built it */,
      code_version TEXT NOT NULL,
      data_version TEXT,
      reading INTEGER NOT NULL /* what it read, in partition_readings */,
      windows TEXT NOT NULL /* JSON object: versions of inputs in its window */,
      built_at DATETIME NOT NULL,
      PRIMARY KEY (environment, model_id, partition_key),
      FOREIGN KEY (environment, model_id) REFERENCES current_traces (environment, model_id) ON DELETE CASCADE
    );
INSERT INTO "partition_traces" VALUES('dev','id-2','2024-01-01','id-4','code 1','data of 2024-01-01',0,'{"raw.orders": "window 1"}','2026-03-01 12:00:00.000000');
INSERT INTO "partition_traces" VALUES('dev','id-2','2024-01-02','id-4','code 1','data of 2024-01-02',0,'{}','2026-03-01 12:00:00.000000');
CREATE TABLE runs (
      id TEXT PRIMARY KEY,
      environment TEXT NOT NULL REFERENCES environments (name) ON DELETE CASCADE,
      status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
      started_at DATETIME NOT NULL,
      completed_at DATETIME,
      error TEXT,
      orchestrator_run_id TEXT
    );
INSERT INTO "runs" VALUES('id-3','dev','completed','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,NULL);
INSERT INTO "runs" VALUES('id-6','dev','failed','2026-03-01 12:01:00.000000','2026-03-01 12:01:00.000000',NULL,NULL);
INSERT INTO "runs" VALUES('id-8','dev','running','2026-03-01 12:02:00.000000',NULL,NULL,NULL);
CREATE TABLE test_results (
      model_run_id TEXT NOT NULL REFERENCES traces (model_run_id) ON DELETE CASCADE,
      test TEXT NOT NULL /* hash of what is tested */,
      basis TEXT NOT NULL /* hash of the rows that were tested */,
      label TEXT NOT NULL,
      failures INTEGER NOT NULL,
      columns TEXT NOT NULL /* JSON array */,
      sample TEXT NOT NULL /* JSON array of arrays: rows under these columns */,
      tested_at DATETIME NOT NULL,
      PRIMARY KEY (model_run_id, test)
    );
INSERT INTO "test_results" VALUES('id-4','test 1','basis 1','label of test 1',0,'[]','[]','2026-03-01 12:00:00.000000');
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO "texts" VALUES('query 1','select 1');
CREATE TABLE trace_inputs (
      model_run_id TEXT NOT NULL REFERENCES traces (model_run_id) ON DELETE CASCADE,
      position INTEGER NOT NULL,
      name TEXT NOT NULL,
      relation TEXT NOT NULL,
      columns TEXT /* JSON array; NULL for all columns in their order */,
      data_version TEXT,
      seen TEXT /* JSON array of [name, type]; where the query does not tell them */,
      PRIMARY KEY (model_run_id, position)
    );
INSERT INTO "trace_inputs" VALUES('id-4',0,'raw.orders','"raw"."orders"','["id","b"]','input 1','[["id","INTEGER"],["b","DATE"]]');
INSERT INTO "trace_inputs" VALUES('id-4',1,'raw.all','"raw"."all"',NULL,NULL,NULL);
INSERT INTO "trace_inputs" VALUES('id-4',2,'raw.count','"raw"."count"','[]','input 3',NULL);
CREATE TABLE traces (
      model_run_id TEXT PRIMARY KEY,
      sequence INTEGER NOT NULL UNIQUE /* that of its model run */,
      environment TEXT NOT NULL REFERENCES environments (name) ON DELETE CASCADE,
      model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
      materialized TEXT NOT NULL,
      relation TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      code_version TEXT NOT NULL,
      query_hash TEXT NOT NULL,
      incremental_query_hash TEXT,
      data_version TEXT,
      columns TEXT NOT NULL /* JSON array of [name, type] */,
      tests_hash TEXT NOT NULL,
      built_at DATETIME NOT NULL
    );
INSERT INTO "traces" VALUES('id-4',1,'dev','id-2','table','staging.orders','content 1','code 1','query 1',NULL,'data 1','[["id","BIGINT"],["größe","DECIMAL(18,3)"]]','tests 1','2026-03-01 12:00:00.000000');
CREATE INDEX runs_by_start ON runs (started_at);
CREATE INDEX runs_by_environment ON runs (environment, started_at);
CREATE INDEX runs_going_on ON runs (environment) WHERE status = 'running';
CREATE INDEX model_runs_by_run ON model_runs (run_id, sequence);
CREATE INDEX model_runs_by_model ON model_runs (model_id, sequence);
CREATE INDEX model_runs_failed ON model_runs (model_id, sequence) WHERE status = 'failed';
CREATE INDEX dependencies_by_parent ON dependencies (parent_id);
CREATE INDEX column_lineage_by_source ON column_lineage (source_table, source_column);
CREATE TRIGGER ended_run_gives_its_lease_back AFTER UPDATE OF status ON runs WHEN NEW.status <> 'running' BEGIN
      DELETE FROM leases WHERE run_id = NEW.id;
    END;
CREATE INDEX traces_by_model ON traces (environment, model_id, sequence);
CREATE TRIGGER run_takes_its_model_runs AFTER DELETE ON runs BEGIN
      DELETE FROM leases WHERE run_id = OLD.id;
      DELETE FROM model_runs WHERE run_id = OLD.id;
    END;
CREATE TRIGGER model_run_takes_its_trace_unless_current AFTER DELETE ON model_runs BEGIN
      DELETE FROM traces WHERE model_run_id = OLD.id
        AND NOT EXISTS (SELECT 1 FROM current_traces WHERE model_run_id = OLD.id);
    END;
CREATE TRIGGER replaced_trace_goes_unless_its_run_lives AFTER UPDATE OF model_run_id ON current_traces BEGIN
      DELETE FROM traces WHERE model_run_id = OLD.model_run_id
        AND OLD.model_run_id <> NEW.model_run_id
        AND NOT EXISTS (SELECT 1 FROM model_runs WHERE id = OLD.model_run_id);
    END;
CREATE TRIGGER forgotten_trace_goes_unless_its_run_lives AFTER DELETE ON current_traces BEGIN
      DELETE FROM traces WHERE model_run_id = OLD.model_run_id
        AND NOT EXISTS (SELECT 1 FROM model_runs WHERE id = OLD.model_run_id);
    END;
CREATE TRIGGER trace_takes_what_it_read AFTER DELETE ON traces BEGIN
      DELETE FROM trace_inputs WHERE model_run_id = OLD.model_run_id;
      DELETE FROM data_versions WHERE model_run_id = OLD.model_run_id;
      DELETE FROM test_results WHERE model_run_id = OLD.model_run_id;
    END;
CREATE TRIGGER environment_takes_its_runs_and_traces AFTER DELETE ON environments BEGIN
      DELETE FROM current_traces WHERE environment = OLD.name;
      DELETE FROM runs WHERE environment = OLD.name;
    END;
CREATE TRIGGER forgotten_trace_takes_its_partitions AFTER DELETE ON current_traces BEGIN
      DELETE FROM partition_traces WHERE environment = OLD.environment AND model_id = OLD.model_id;
      DELETE FROM partition_readings WHERE environment = OLD.environment AND model_id = OLD.model_id;
    END;
COMMIT;
