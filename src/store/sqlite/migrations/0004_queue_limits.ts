/**
 * What was said of queues, and the indexes by which claims obey it. Whether a job has a key, and its
 * kind, stand in the index of runnable jobs before the due time: so that a claim passes over all jobs
 * of a kind that nobody here runs in one step, and plain jobs stand in one index only. Priority and key
 * share one number, because each column of an index costs at every search.
 */
export const queueLimits = `
CREATE TABLE queue_limits (
  queue TEXT PRIMARY KEY,
  paused_at INTEGER,
  -- NULL: no limit
  max_running INTEGER,
  -- so many jobs may start in each period
  rate_limit INTEGER,
  rate_period_ms INTEGER,
  -- a JSON array of [when, how many jobs] that started in the last period
  rate_starts TEXT,
  key_max_running INTEGER
) STRICT, WITHOUT ROWID;

DROP INDEX jobs_runnable;
CREATE INDEX jobs_runnable ON jobs (queue, (priority * 2 + (flow_key IS NULL)) DESC, kind,
  run_at, seq)
  WHERE state IN ('pending', 'failed');

-- Runnable jobs with a key, to go from key to key. Whether there is a key is asked first: most jobs have
-- none, and the rest of the condition is then spared.
CREATE INDEX jobs_keyed ON jobs (queue, priority DESC, flow_key, kind, run_at, seq)
  WHERE flow_key IS NOT NULL AND state IN ('pending', 'failed');
`;
