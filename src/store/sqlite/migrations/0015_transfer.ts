/** Whether a queue is being moved from here or to here; see store/transfer.ts. At most one row. */
export const transfer = `
CREATE TABLE transfer (
  -- tells this move from all others
  id TEXT PRIMARY KEY,
  -- leaving, left: the queue goes, or is gone; arriving, arrived: it comes, or has come
  state TEXT NOT NULL,
  -- the other database, without a password
  other TEXT NOT NULL,
  -- when the state began
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
