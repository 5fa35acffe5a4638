/**
 * Files: the inputs and artifacts of jobs, in pieces; see the file of SQLite's.
 *
 * Invariants: a file that a job has is whole and never changes; one that nobody has is deleted in
 * the end, in small steps.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import type { Lease } from "../../job/job.ts";
import { fileFromRow } from "../shared/file_row.ts";
import type { Artifacts, FilePiece, NewFile, StoredFile } from "../store.ts";
import type { Sql } from "./connection.ts";

/** Pieces that are deleted in one transaction. */
const PIECES_PER_STEP = 32;

/** A file that a job has, or that was given up, takes no more. */
const IS_STAGED = "id = $1 AND seq IS NULL AND touched_at > 0";

const ATTACH = `UPDATE files SET seq = $2, token = $3, attempt = $4 WHERE ${IS_STAGED}`;

const GIVEN_UP = "it was not kept: the store could not be written for too long";

export async function beginFile(
  { role, name, mediaType }: NewFile,
  nowMs: number,
  sql: Sql,
): Promise<number> {
  const row = await sql.get(
    "INSERT INTO files (role, name, media_type, bytes, created_at, touched_at) " +
      "VALUES ($1, $2, $3, 0, $4, $4) RETURNING id",
    ...[role, name, mediaType, nowMs],
  );
  return row!["id"] as number;
}

/** False: the file was given up meanwhile. */
export async function appendFile(
  { file, n, bytes }: FilePiece,
  nowMs: number,
  sql: Sql,
): Promise<boolean> {
  const grown = await sql.run(
    `UPDATE files SET bytes = bytes + $2, touched_at = $3 WHERE ${IS_STAGED}`,
    ...[file, bytes.length, nowMs],
  );
  if (grown === 0) return false;
  await sql.run("INSERT INTO file_chunks (file, n, bytes) VALUES ($1, $2, $3)", file, n, bytes);
  return true;
}

export async function giveUpFile(file: number, sql: Sql): Promise<void> {
  await sql.run(`UPDATE files SET touched_at = 0 WHERE ${IS_STAGED}`, file);
}

/** @throws {StoreUnavailableError} when the file was given up meanwhile. */
export async function attachInput(file: number, seq: number, sql: Sql): Promise<void> {
  if (await sql.run(ATTACH, file, seq, null, null) === 1) return;
  throw new StoreUnavailableError("the upload was given up before its job was added");
}

/** What the last attempt left takes the place of what earlier ones have left. */
export async function attachArtifacts(
  { seq, token }: Lease,
  { attempt, kept, dropped }: Artifacts,
  nowMs: number,
  sql: Sql,
): Promise<void> {
  await sql.run(
    "UPDATE files SET seq = NULL, touched_at = 0 WHERE seq = $1 AND role = 'artifact'",
    seq,
  );
  const drop = (name: string | null, bytes: number, problem: string) =>
    sql.run(
      "INSERT INTO files (seq, role, token, attempt, name, bytes, problem, created_at, touched_at) " +
        "VALUES ($1, 'artifact', $2, $3, $4, $5, $6, $7, 0)",
      ...[seq, token, attempt, name, bytes, problem, nowMs],
    );
  for (const { file, name, bytes } of kept) {
    if (await sql.run(ATTACH, file, seq, token, attempt) === 1) continue;
    await drop(name, bytes, GIVEN_UP);
  }
  for (const { name, bytes, problem } of dropped) await drop(name, bytes, problem);
}

/** These jobs are to have no files any more. */
export async function releaseFiles(seqs: readonly number[], sql: Sql): Promise<void> {
  await sql.run(
    "UPDATE files SET seq = NULL, touched_at = 0 WHERE seq = ANY($1::bigint[])",
    seqs,
  );
}

export async function filesOf(seq: number, sql: Sql): Promise<StoredFile[]> {
  const rows = await sql.all("SELECT * FROM files WHERE seq = $1 ORDER BY id", seq);
  return rows.map(fileFromRow);
}

export async function filePiece(file: number, n: number, sql: Sql): Promise<Uint8Array | null> {
  const row = await sql.get(
    "SELECT bytes FROM file_chunks WHERE file = $1 AND n = $2",
    file,
    n,
  );
  return (row?.["bytes"] ?? null) as Uint8Array | null;
}

/** Deletes a little of what nobody has; whether there may be more. */
export async function sweepFiles(idleSinceMs: number, sql: Sql): Promise<boolean> {
  const row = await sql.get(
    "SELECT id FROM files WHERE seq IS NULL AND touched_at < $1 ORDER BY touched_at LIMIT 1 " +
      "FOR UPDATE SKIP LOCKED",
    idleSinceMs,
  );
  if (row === undefined) return false;
  const file = row["id"] as number;
  const deleted = await sql.run(
    "DELETE FROM file_chunks WHERE file = $1 AND n IN " +
      "(SELECT n FROM file_chunks WHERE file = $1 ORDER BY n LIMIT $2)",
    file,
    PIECES_PER_STEP,
  );
  if (deleted < PIECES_PER_STEP) await sql.run("DELETE FROM files WHERE id = $1", file);
  return true;
}
