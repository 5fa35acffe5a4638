/** From rows of `files` to what the seam speaks of. */
import type { FileRole, StoredFile } from "../store.ts";

export function fileFromRow(row: Readonly<Record<string, unknown>>): StoredFile {
  return {
    file: row["id"] as number,
    role: row["role"] as FileRole,
    attempt: row["attempt"] as number | null,
    token: row["token"] as number | null,
    name: row["name"] as string | null,
    mediaType: row["media_type"] as string | null,
    bytes: row["bytes"] as number,
    problem: row["problem"] as string | null,
    createdAtMs: row["created_at"] as number,
  };
}
