/** From rows of `tokens` to what the seam speaks of. */
import type { Scope } from "../../job/scope.ts";
import type { StoredToken } from "../store.ts";

export function tokenFromRow(row: Readonly<Record<string, unknown>>): StoredToken {
  return {
    id: row["id"] as string,
    name: row["name"] as string,
    hash: row["hash"] as Uint8Array,
    scopes: JSON.parse(row["scopes"] as string) as Scope[],
    createdAtMs: row["created_at"] as number,
    expiresAtMs: row["expires_at"] as number | null,
    lastUsedAtMs: row["last_used_at"] as number | null,
  };
}
