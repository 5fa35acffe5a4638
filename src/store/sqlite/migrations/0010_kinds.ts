/** The kinds that handlers of a user run, and when a process that has them last said so. */
export const kinds = `
CREATE TABLE kinds (
  kind TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
