/** How far running attempts have come, by their own account: one row a job, replaced each time. */
import type { Lease, Progress } from "../../job/job.ts";
import { fromStates } from "../guard.ts";
import type { Settled, StoredProgress } from "../store.ts";
import type { Connection } from "./connection.ts";

export function prepareProgress(connection: Connection) {
  const save = connection.prepare(
    "INSERT OR REPLACE INTO progress (seq, token, value, text, at) " +
      "SELECT seq, lease_token, ?, ?, ? FROM jobs " +
      `WHERE seq = ? AND lease_token = ? AND lease_holder = ? AND ${fromStates("complete")}`,
  );
  const select = connection.prepare("SELECT token, value, text, at FROM progress WHERE seq = ?");

  return {
    save(
      { seq, token }: Lease,
      holder: string,
      { value, text, atMs }: Progress & { atMs: number },
    ): Settled {
      return save.run(value, text, atMs, seq, token, holder) > 0 ? "settled" : "lease-lost";
    },

    /** Of the attempt with this token; null: it has said nothing. */
    of({ seq, token }: Lease): StoredProgress | null {
      const row = select.get(seq);
      if (row === undefined || row["token"] !== token) return null;
      return {
        value: row["value"] as number,
        text: row["text"] as string | null,
        atMs: row["at"] as number,
      };
    },
  };
}
