/** What the mark of a move means to everybody else: the database cannot be used, and what to do. */
import { StoreUnavailableError } from "../../job/errors.ts";
import type { TransferMark, TransferState } from "../transfer.ts";

export function markFromRow(
  row: Readonly<Record<string, unknown>> | undefined,
): TransferMark | null {
  if (row === undefined) return null;
  return {
    id: row["id"] as string,
    state: row["state"] as TransferState,
    other: row["other"] as string,
    atMs: row["at"] as number,
  };
}

/**
 * Nobody works on half a queue, or on one that goes on elsewhere.
 *
 * @throws {StoreUnavailableError} saying where the queue is, and how it goes on.
 */
export function refuseMarked(mark: TransferMark | null, shown: string): void {
  if (mark === null || mark.state === "arrived") return;
  throw new StoreUnavailableError(describeMark(mark, shown));
}

/** Why a database with this mark cannot be used. */
export function describeMark({ state, other, atMs }: TransferMark, shown: string): string {
  if (state === "arriving") {
    return `the database ${shown} is not complete: a queue is being moved into it from ${other}; ` +
      "run the same queuectl migrate again to go on, or delete this database to give it up";
  }
  if (state === "leaving") {
    return `the queue of the database ${shown} is being moved to ${other}; run the same ` +
      `queuectl migrate again to go on, or use this one again with: ${undoCommand(shown)}`;
  }
  return `the queue of the database ${shown} was moved to ${other} at ` +
    `${new Date(atMs).toISOString()}: use that one; if it is gone, use this one again with: ` +
    undoCommand(shown);
}

function undoCommand(shown: string): string {
  return `queuectl migrate --undo '${shown}'`;
}
