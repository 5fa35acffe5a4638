/** The mark that says that a queue is being moved from this file, or to it. Owns the table transfer. */
import { markFromRow } from "../shared/transfer_mark.ts";
import type { TransferMark, TransferState } from "../transfer.ts";
import type { Connection } from "./connection.ts";

export function readMark(connection: Connection): TransferMark | null {
  return markFromRow(connection.prepare("SELECT id, state, other, at FROM transfer").get());
}

/** Puts a mark in place of whatever stood there. */
export function writeMark(connection: Connection, mark: TransferMark | null): void {
  connection.prepare("DELETE FROM transfer").run();
  if (mark === null) return;
  connection.prepare("INSERT INTO transfer (id, state, other, at) VALUES (?, ?, ?, ?)")
    .run(mark.id, mark.state, mark.other, mark.atMs);
}

/** Changes the state of a mark, or takes it away; false: there is no such mark. */
export function changeMark(
  connection: Connection,
  { id, state }: TransferMark,
  { to, nowMs }: { readonly to: TransferState | null; readonly nowMs: number },
): boolean {
  const changed = to === null
    ? connection.prepare("DELETE FROM transfer WHERE id = ? AND state = ?").run(id, state)
    : connection.prepare("UPDATE transfer SET state = ?, at = ? WHERE id = ? AND state = ?")
      .run(to, nowMs, id, state);
  return changed > 0;
}
