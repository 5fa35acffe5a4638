/** Access tokens: kept by their hash, looked at all at once, because they are few. */
import { tokenFromRow } from "../shared/token_row.ts";
import type { NewToken, StoredToken } from "../store.ts";
import type { Sql } from "./connection.ts";

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
