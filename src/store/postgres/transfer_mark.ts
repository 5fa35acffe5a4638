/** The mark that says that a queue is being moved from these tables, or to them. Owns the table transfer. */
import { markFromRow } from "../shared/transfer_mark.ts";
import type { TransferMark, TransferState } from "../transfer.ts";
import type { Sql } from "./connection.ts";

export async function readMark(sql: Sql): Promise<TransferMark | null> {
  return markFromRow(await sql.get("SELECT id, state, other, at FROM transfer"));
}

/** Puts a mark in place of whatever stood there. */
export async function writeMark(mark: TransferMark | null, sql: Sql): Promise<void> {
  await sql.run("DELETE FROM transfer");
  if (mark === null) return;
  await sql.run(
    "INSERT INTO transfer (id, state, other, at) VALUES ($1, $2, $3, $4)",
    mark.id,
    mark.state,
    mark.other,
    mark.atMs,
  );
}

/** Changes the state of a mark, or takes it away; false: there is no such mark. */
export async function changeMark(
  { id, state }: TransferMark,
  { to, nowMs }: { readonly to: TransferState | null; readonly nowMs: number },
  sql: Sql,
): Promise<boolean> {
  const changed = to === null
    ? await sql.run("DELETE FROM transfer WHERE id = $1 AND state = $2", id, state)
    : await sql.run(
      "UPDATE transfer SET state = $1, at = $2 WHERE id = $3 AND state = $4",
      to,
      nowMs,
      id,
      state,
    );
  return changed > 0;
}
