/** What is wrong now, so that of several processes one tells of it, once. */
export const alerts = `
CREATE TABLE alerts (
  name TEXT PRIMARY KEY,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
