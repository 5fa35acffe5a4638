/** Access tokens: kept by their hash, looked at all at once, because they are few. */
import { tokenFromRow } from "../shared/token_row.ts";
import type { NewToken, StoredToken } from "../store.ts";
import type { Connection } from "./connection.ts";

export function prepareTokens(connection: Connection) {
  const insert = connection.prepare(
    "INSERT INTO tokens (id, name, hash, scopes, created_at, expires_at) " +
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
  );
  const select = connection.prepare("SELECT * FROM tokens ORDER BY created_at, id");
  const find = connection.prepare("SELECT * FROM tokens WHERE id = ?");
  const remove = connection.prepare("DELETE FROM tokens WHERE id = ?");
  const use = connection.prepare(
    "UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), ?) " +
      "WHERE id IN (SELECT value FROM json_each(?))",
  );

  return {
    create(token: NewToken): boolean {
      const { id, name, hash, scopes, createdAtMs, expiresAtMs } = token;
      const values = [id, name, hash, JSON.stringify(scopes), createdAtMs, expiresAtMs];
      return insert.run(...values) === 1;
    },

    all: (): StoredToken[] => select.all().map(tokenFromRow),

    revoke(id: string): StoredToken | null {
      const row = find.get(id);
      if (row === undefined) return null;
      remove.run(id);
      return tokenFromRow(row);
    },

    use: (ids: readonly string[], nowMs: number): void => void use.run(nowMs, JSON.stringify(ids)),
  };
}
