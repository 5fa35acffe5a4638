/** What happened lately, for those who follow along; written only while somebody does. */
export const events = `
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  -- what one commit did: a JSON array
  body TEXT NOT NULL
) STRICT;
`;
