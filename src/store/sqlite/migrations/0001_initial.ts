/** The first schema. Times are INTEGER milliseconds since 1970; JSON is TEXT; bytes are BLOB. */
export const initial = `
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  queue TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_retries INTEGER NOT NULL,
  timeout_ms INTEGER,
  lease_holder TEXT,
  lease_worker TEXT,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_expires_at INTEGER,
  cancel_requested_at INTEGER,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  result TEXT,
  -- TEXT: JSON; BLOB: an upload; NULL: stands in payloads, because it is large
  payload ANY
) STRICT;

-- Runnable jobs only, in the order of claims: finished history costs claims nothing.
CREATE INDEX jobs_runnable ON jobs (queue, priority DESC, run_at, seq)
  WHERE state IN ('pending', 'failed');

-- Jobs under a lease: for the reaper, and for what the workers do now. Always small.
CREATE INDEX jobs_leased ON jobs (lease_expires_at)
  WHERE state IN ('started', 'processing');

-- Finished jobs by state, for pages of the list and for the dead-letter queue.
CREATE INDEX jobs_finished ON jobs (state, seq)
  WHERE state IN ('completed', 'dead', 'cancelled');

-- Payloads that would make every change of state rewrite several pages.
CREATE TABLE payloads (
  seq INTEGER PRIMARY KEY,
  body ANY NOT NULL
) STRICT;

-- Attempts that ended without success; the running or successful one stands on the job itself.
CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  token INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  worker TEXT,
  started_at INTEGER,
  finished_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error TEXT NOT NULL,
  exit_code INTEGER,
  signal TEXT,
  stdout_bytes INTEGER,
  stderr_bytes INTEGER,
  PRIMARY KEY (seq, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE output (
  chunk INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  token INTEGER NOT NULL,
  stream TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE INDEX output_of_attempt ON output (seq, token);

-- Counts are kept, not computed: a GROUP BY over ten million rows takes seconds. 'leased' stands
-- for started and processing together.
CREATE TABLE counts (
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

-- What happened in each ten seconds.
CREATE TABLE throughput (
  bucket INTEGER NOT NULL,
  what TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (bucket, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
  holder TEXT NOT NULL,
  label TEXT NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  process_start TEXT NOT NULL,
  role TEXT NOT NULL,
  status TEXT NOT NULL,
  restarts INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  PRIMARY KEY (holder, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE config (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
