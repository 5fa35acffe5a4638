/** What was said of a queue: paused, how many jobs at once, how many in a time, how many of a key. */
export const queueLimits = `
CREATE TABLE queue_limits (
  queue TEXT PRIMARY KEY,
  paused_at INTEGER,
  max_running INTEGER,
  -- so many jobs may start in each period
  rate_limit INTEGER,
  rate_period_ms INTEGER,
  -- what is left in the bucket, as of rate_at
  rate_tokens REAL,
  rate_at INTEGER,
  key_max_running INTEGER
) STRICT, WITHOUT ROWID;
`;
