/** How far running jobs have come, by their own account. */
export const progress = `
CREATE TABLE progress (
  seq INTEGER PRIMARY KEY,
  token INTEGER NOT NULL,
  -- from 0 to 1
  value REAL NOT NULL,
  text TEXT,
  at INTEGER NOT NULL
) STRICT;
`;
