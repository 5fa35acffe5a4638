/** Bytes that come with a job or out of it, in pieces, so that none of them is ever whole in memory. */
export const files = `
CREATE TABLE files (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- NULL: on its way, no job has it yet
  seq INTEGER,
  -- input or artifact
  role TEXT NOT NULL,
  -- of the attempt that an artifact came out of
  token INTEGER,
  attempt INTEGER,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX files_of_job ON files (seq);

CREATE TABLE file_chunks (
  file INTEGER NOT NULL,
  n INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (file, n)
) STRICT;
`;
