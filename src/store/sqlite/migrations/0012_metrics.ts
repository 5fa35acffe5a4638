/** Sums that every process adds to with its heartbeat, for monitoring. */
export const metrics = `
CREATE TABLE metrics (
  name TEXT NOT NULL,
  -- a queue, a reason, or nothing
  label TEXT NOT NULL,
  -- of a histogram: the upper end of a bucket, or 'sum'; of a counter: nothing
  part TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (name, label, part)
) STRICT, WITHOUT ROWID;
`;
