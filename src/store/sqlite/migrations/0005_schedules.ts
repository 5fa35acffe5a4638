/** Jobs that are added again and again. */
export const schedules = `
CREATE TABLE schedules (
  -- never used twice: what was decided for a schedule counts for no other one of the same name
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  -- a cron expression and its time zone, or an interval
  cron TEXT,
  time_zone TEXT,
  every_ms INTEGER,
  catch_up TEXT NOT NULL,
  overlap TEXT NOT NULL,
  -- the job's JSON, as it would be submitted
  job TEXT NOT NULL,
  paused_at INTEGER,
  -- NULL: never again
  next_at INTEGER,
  -- what the clock said when next_at was decided
  decided_at INTEGER NOT NULL,
  -- the time for which it ran last, and the job that came of it
  last_at INTEGER,
  last_job TEXT,
  runs INTEGER NOT NULL DEFAULT 0,
  overlaps INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused_at IS NULL;
`;
