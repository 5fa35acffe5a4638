/** Requests that were answered, by the key that their caller gave them. */
export const idempotency = `
CREATE TABLE idempotency (
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  -- what became of the jobs of the request, a JSON array: see store/sqlite/requests.ts
  jobs TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
`;
