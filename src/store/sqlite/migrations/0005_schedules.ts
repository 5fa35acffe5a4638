/** Jobs that are added again and again. */
export const schedules = `
CREATE TABLE schedules (
  name TEXT PRIMARY KEY,
  cron TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  -- the job's JSON, as it would be submitted
  job TEXT NOT NULL,
  catch_up TEXT NOT NULL,
  overlap TEXT NOT NULL,
  paused_at INTEGER,
  -- NULL: never again
  next_at INTEGER,
  last_at INTEGER,
  last_job TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused_at IS NULL;
`;
