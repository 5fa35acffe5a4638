/** How far running attempts have come, by their own account: one row a job, replaced each time. */
import type { Lease } from "../../job/job.ts";
import { fromStates } from "../guard.ts";
import type { Settled, StoredProgress } from "../store.ts";
import type { Sql } from "./connection.ts";

export async function saveProgress(
  { seq, token }: Lease,
  holder: string,
  { value, text, atMs }: StoredProgress,
  sql: Sql,
): Promise<Settled> {
  const saved = await sql.run(
    "INSERT INTO progress (seq, token, value, text, at) " +
      "SELECT seq, lease_token, $4::double precision, $5::text, $6::bigint FROM jobs " +
      `WHERE seq = $1 AND lease_token = $2 AND lease_holder = $3 ` +
      `AND ${fromStates("complete", "state")} FOR UPDATE ` +
      "ON CONFLICT (seq) DO UPDATE SET token = excluded.token, value = excluded.value, " +
      "text = excluded.text, at = excluded.at",
    ...[seq, token, holder, value, text, atMs],
  );
  return saved > 0 ? "settled" : "lease-lost";
}

/** Of the attempt with this token; null: it has said nothing. */
export async function progressOf({ seq, token }: Lease, sql: Sql): Promise<StoredProgress | null> {
  const row = await sql.get("SELECT token, value, text, at FROM progress WHERE seq = $1", seq);
  if (row === undefined || row["token"] !== token) return null;
  return {
    value: row["value"] as number,
    text: row["text"] as string | null,
    atMs: row["at"] as number,
  };
}
