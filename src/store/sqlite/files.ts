/**
 * Files: the inputs and artifacts of jobs, in pieces. A file comes into being piece by piece and
 * belongs to nobody until the transaction that adds its job, or ends the attempt that left it,
 * attaches it. Owns the tables `files` and `file_chunks`.
 *
 * Invariants: a file that a job has is whole and never changes; one that nobody has is deleted in
 * the end, in small steps.
 */
import { StoreUnavailableError } from "../../job/errors.ts";
import { fileFromRow } from "../shared/file_row.ts";
import type { Artifacts, FilePiece, NewFile, StoredFile } from "../store.ts";
import type { Lease } from "../../job/job.ts";
import type { Connection } from "./connection.ts";

/** Pieces that are deleted in one transaction: a millisecond's worth. */
const PIECES_PER_STEP = 32;

export type Files = ReturnType<typeof prepareFiles>;

export function prepareFiles(connection: Connection) {
  const insert = connection.prepare(
    "INSERT INTO files (role, name, media_type, bytes, created_at, touched_at) " +
      "VALUES (?, ?, ?, 0, ?, ?) RETURNING id",
  );
  const insertDropped = connection.prepare(
    "INSERT INTO files (seq, role, token, attempt, name, bytes, problem, created_at, touched_at) " +
      "VALUES (?, 'artifact', ?, ?, ?, ?, ?, ?, 0)",
  );
  // A file that a job has, or that was given up, takes no more.
  const isStaged = "id = ? AND seq IS NULL AND touched_at > 0";
  const grow = connection.prepare(
    `UPDATE files SET bytes = bytes + ?, touched_at = ? WHERE ${isStaged}`,
  );
  const insertPiece = connection.prepare(
    "INSERT INTO file_chunks (file, n, bytes) VALUES (?, ?, ?)",
  );
  const giveUp = connection.prepare(`UPDATE files SET touched_at = 0 WHERE ${isStaged}`);
  const attach = connection.prepare(
    `UPDATE files SET seq = ?, token = ?, attempt = ? WHERE ${isStaged}`,
  );
  // The index files_of_job serves the next three.
  const release = connection.prepare("UPDATE files SET seq = NULL, touched_at = 0 WHERE seq = ?");
  const releaseArtifacts = connection.prepare(
    "UPDATE files SET seq = NULL, touched_at = 0 WHERE seq = ? AND role = 'artifact'",
  );
  const list = connection.prepare("SELECT * FROM files WHERE seq = ? ORDER BY id");
  const selectPiece = connection.prepare("SELECT bytes FROM file_chunks WHERE file = ? AND n = ?");
  // The index files_of_nobody serves this.
  const oldest = connection.prepare(
    "SELECT id FROM files WHERE seq IS NULL AND touched_at < ? ORDER BY touched_at LIMIT 1",
  );
  const deletePieces = connection.prepare(
    "DELETE FROM file_chunks WHERE file = ? AND n IN " +
      "(SELECT n FROM file_chunks WHERE file = ? ORDER BY n LIMIT ?)",
  );
  const deleteFile = connection.prepare("DELETE FROM files WHERE id = ?");

  return {
    begin: ({ role, name, mediaType }: NewFile, nowMs: number): number =>
      insert.get(role, name, mediaType, nowMs, nowMs)!["id"] as number,

    /** False: the file was given up meanwhile. */
    append({ file, n, bytes }: FilePiece, nowMs: number): boolean {
      if (grow.run(bytes.length, nowMs, file) === 0) return false;
      insertPiece.run(file, n, bytes);
      return true;
    },

    giveUp: (file: number): void => void giveUp.run(file),

    /** @throws {StoreUnavailableError} when the file was given up meanwhile. */
    attachInput(file: number, seq: number): void {
      if (attach.run(seq, null, null, file) === 1) return;
      throw new StoreUnavailableError("the upload was given up before its job was added");
    },

    /** What the last attempt left takes the place of what earlier ones have left. */
    attachArtifacts(
      { seq, token }: Lease,
      { attempt, kept, dropped }: Artifacts,
      nowMs: number,
    ): void {
      releaseArtifacts.run(seq);
      for (const { file, name, bytes } of kept) {
        if (attach.run(seq, token, attempt, file) === 1) continue;
        insertDropped.run(seq, token, attempt, name, bytes, GIVEN_UP, nowMs);
      }
      for (const { name, bytes, problem } of dropped) {
        insertDropped.run(seq, token, attempt, name, bytes, problem, nowMs);
      }
    },

    /** The job is to have no files any more. */
    release: (seq: number): void => void release.run(seq),

    of: (seq: number): StoredFile[] => list.all(seq).map(fileFromRow),

    piece: (file: number, n: number): Uint8Array | null =>
      (selectPiece.get(file, n)?.["bytes"] ?? null) as Uint8Array | null,

    /** Deletes a little of what nobody has; whether there may be more. */
    sweep(idleSinceMs: number): boolean {
      const file = oldest.get(idleSinceMs)?.["id"];
      if (file === undefined) return false;
      const deleted = deletePieces.run(file, file, PIECES_PER_STEP);
      if (deleted < PIECES_PER_STEP) deleteFile.run(file);
      return true;
    },
  };
}

const GIVEN_UP = "it was not kept: the store could not be written for too long";
