-- Questions that people ask of the state with any SQLite client. Parameters: :environment, :run_id.

-- name: latest_run
-- The latest run of an environment.
SELECT id, status, started_at, completed_at, error
FROM runs
WHERE environment = :environment
ORDER BY started_at DESC
LIMIT 1;

-- name: slowest_models
-- The slowest models of a run.
SELECT models.path, model_runs.execution_ms, model_runs.rows_affected
FROM model_runs
JOIN models ON models.id = model_runs.model_id
WHERE model_runs.run_id = :run_id AND model_runs.execution_ms IS NOT NULL
ORDER BY model_runs.execution_ms DESC
LIMIT 10;

-- name: success_rate
-- How often each model succeeded, of the times that it was built.
SELECT models.path, count(*) AS builds, round(100.0 * avg(model_runs.status = 'success'), 1) AS success_percent
FROM model_runs
JOIN models ON models.id = model_runs.model_id
WHERE model_runs.status IN ('success', 'failed')
GROUP BY models.path
ORDER BY success_percent, models.path;

-- name: failed_runs
-- Failed runs with their errors and those of their models.
SELECT runs.id, runs.started_at, runs.error, models.path, model_runs.error AS model_error
FROM runs
LEFT JOIN model_runs ON model_runs.run_id = runs.id AND model_runs.status = 'failed'
LEFT JOIN models ON models.id = model_runs.model_id
WHERE runs.status = 'failed'
ORDER BY runs.started_at DESC, models.path;

-- name: last_builds
-- The last build of each model in an environment, with the content hash of the code that made it.
SELECT models.path, model_runs.content_hash, model_runs.completed_at
FROM model_runs
JOIN models ON models.id = model_runs.model_id
JOIN runs ON runs.id = model_runs.run_id
WHERE runs.environment = :environment AND model_runs.status = 'success'
GROUP BY models.path
HAVING model_runs.completed_at = max(model_runs.completed_at)
ORDER BY models.path;

-- name: durations
-- How many seconds each run took, and on which day.
SELECT id, date(started_at) AS day, round((julianday(completed_at) - julianday(started_at)) * 86400, 3) AS seconds
FROM runs
WHERE completed_at IS NOT NULL
ORDER BY started_at;
