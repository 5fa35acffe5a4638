/** The inputs and artifacts of jobs. Read and written in pieces, so that none is ever in memory. */
export const files = `
CREATE TABLE files (
  -- Never used twice: whoever still writes to a file that is gone must not meet another.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- NULL while no job has it: it is being written, or it is to be deleted
  seq INTEGER,
  -- input, artifact
  role TEXT NOT NULL,
  -- the attempt that left it, for artifacts
  token INTEGER,
  attempt INTEGER,
  -- NULL: this row speaks of several that were not kept
  name TEXT,
  media_type TEXT,
  bytes INTEGER NOT NULL,
  -- why it was not kept; NULL: it was
  problem TEXT,
  created_at INTEGER NOT NULL,
  -- when a piece was added last; 0: none will be added any more
  touched_at INTEGER NOT NULL
) STRICT;
CREATE INDEX files_of_job ON files (seq) WHERE seq IS NOT NULL;
CREATE INDEX files_of_nobody ON files (touched_at) WHERE seq IS NULL;

CREATE TABLE file_chunks (
  file INTEGER NOT NULL,
  -- counted from 0
  n INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX file_chunks_of_file ON file_chunks (file, n);
`;
