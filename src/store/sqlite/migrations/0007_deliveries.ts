/** Webhooks: what is to be posted where, written in the transaction that ends the job. */
export const deliveries = `
CREATE TABLE deliveries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  -- the webhook-id
  id TEXT NOT NULL UNIQUE,
  -- of the job, which may be deleted by now
  seq INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL,
  -- scheme, host and port of the URL
  origin TEXT NOT NULL,
  body TEXT NOT NULL,
  -- waiting, delivered or failed
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  -- rises with every claim
  token INTEGER NOT NULL DEFAULT 0,
  -- when it is due; of one that is being sent, when others may take it
  next_at INTEGER,
  last_status INTEGER,
  -- JSON, because SQLite's TEXT would be cut at a NUL character
  last_error TEXT,
  last_attempt_at INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX deliveries_over ON deliveries (finished_at) WHERE state <> 'waiting';
CREATE INDEX deliveries_of_job ON deliveries (seq);
CREATE INDEX deliveries_of_job_id ON deliveries (job_id, number);

-- The newest signs first; those that were replaced go on signing for a while.
CREATE TABLE webhook_secrets (
  secret TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;
`;
