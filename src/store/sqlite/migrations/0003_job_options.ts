/**
 * What few jobs have: options of their own, a key, a unique key, other jobs to wait for. `traits` says
 * in one number which of the tables below know the job, so that plain jobs never cost a look.
 */
export const jobOptions = `
-- JSON; NULL for plain jobs
ALTER TABLE jobs ADD COLUMN options TEXT;
-- whose turn it is, where a queue is shared fairly
ALTER TABLE jobs ADD COLUMN flow_key TEXT;
-- a bit mask: see store/sqlite/traits.ts
ALTER TABLE jobs ADD COLUMN traits INTEGER NOT NULL DEFAULT 0;

-- Keys of jobs that are not finished.
CREATE TABLE unique_keys (
  key TEXT PRIMARY KEY,
  seq INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- Job seq waits for job on_seq.
CREATE TABLE dependencies (
  seq INTEGER NOT NULL,
  on_seq INTEGER NOT NULL,
  on_id TEXT NOT NULL,
  -- success, failure or any
  condition TEXT NOT NULL,
  -- 0: not yet, 1: yes, 2: no, but nobody waits for it any more
  is_met INTEGER NOT NULL DEFAULT 0,
  -- the waiting job runs no earlier than this; 0: as soon as it can
  run_at INTEGER NOT NULL,
  PRIMARY KEY (seq, on_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependents ON dependencies (on_seq);

-- Jobs that have ended while more jobs waited for them than one transaction tells of it.
CREATE TABLE endings (
  seq INTEGER PRIMARY KEY,
  -- completed, dead or cancelled
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  -- those that wait, up to this one, know
  told_seq INTEGER NOT NULL
) STRICT;
`;
