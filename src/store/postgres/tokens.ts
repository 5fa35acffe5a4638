/** Access tokens: kept by their hash, looked at all at once, because they are few. */
import type { Scope } from "../../job/scope.ts";
import type { NewToken, StoredToken } from "../store.ts";
import type { Row, Sql } from "./connection.ts";

/** False: another one has its name. */
export async function createToken(token: NewToken, sql: Sql): Promise<boolean> {
  const { id, name, hash, scopes, createdAtMs, expiresAtMs } = token;
  const created = await sql.run(
    "INSERT INTO tokens (id, name, hash, scopes, created_at, expires_at) " +
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
    ...[id, name, hash, JSON.stringify(scopes), createdAtMs, expiresAtMs],
  );
  return created === 1;
}

export async function allTokens(sql: Sql): Promise<StoredToken[]> {
  return (await sql.all("SELECT * FROM tokens ORDER BY created_at, id")).map(tokenFromRow);
}

export async function revokeToken(id: string, sql: Sql): Promise<StoredToken | null> {
  const row = await sql.get("DELETE FROM tokens WHERE id = $1 RETURNING *", id);
  return row === undefined ? null : tokenFromRow(row);
}

export async function useTokens(ids: readonly string[], nowMs: number, sql: Sql): Promise<void> {
  await sql.run(
    "UPDATE tokens SET last_used_at = greatest(coalesce(last_used_at, 0), $1) " +
      "WHERE id = ANY(ARRAY(SELECT id FROM tokens WHERE id = ANY($2::text[]) ORDER BY id FOR UPDATE))",
    nowMs,
    ids,
  );
}

function tokenFromRow(row: Row): StoredToken {
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
