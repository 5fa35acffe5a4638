/**
 * Moves a whole queue from one database to another. Owns the order of the steps, each of which can be
 * the last before a crash: marks on both sides, then rows, then comparing, then marks again. Knows
 * neither backend.
 *
 * Invariant: at no moment can both databases be used, and the new one only once it holds exactly what
 * the old one does; unless the old one is asked to be kept.
 */
import { ConflictError, InvalidInputError, StoreUnavailableError } from "../job/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { shownDatabase } from "../lib/database_url.ts";
import { openTransferSide } from "../store/open.ts";
import { keyOf, MOVED_TABLES, type MovedTable } from "../store/shared/tables.ts";
import { describeMark } from "../store/shared/transfer_mark.ts";
import type { RowKey, Standing, TransferMark, TransferSide } from "../store/transfer.ts";
import { type Digest, RowDigest } from "./row_digest.ts";

export interface MoveOptions {
  /** Paths, in full, or URLs. */
  readonly from: string;
  readonly to: string;
  readonly driver: "builtin" | "ffi";
  readonly clock: Clock;
  readonly newId: () => string;
  /** Leaves the old database as usable as it was. */
  readonly isSourceKept: boolean;
  readonly onProgress?: (progress: MoveProgress) => void;
}

export interface MoveProgress {
  readonly step: "copying" | "checking";
  readonly table: string;
  /** Of this table, so far; what an earlier run has copied is not among them. */
  readonly rows: number;
}

export interface MoveReport {
  readonly from: string;
  readonly to: string;
  /** Nothing was left to do: an earlier run had come to its end. */
  readonly wasDone: boolean;
  /** Of each table what stands in both databases; empty when nothing was left to do. */
  readonly tables: readonly (Digest & { readonly table: string })[];
}

/**
 * Moves it; after a crash, goes on where it was.
 *
 * @throws {InvalidInputError} when both are the same database.
 * @throws {ConflictError} when one of them is in use or holds something else; nothing is changed then.
 * @throws {StoreUnavailableError}
 */
export async function moveQueue(options: MoveOptions): Promise<MoveReport> {
  const { from, to, driver, clock, isSourceKept, onProgress = () => {} } = options;
  const shown = { from: shownDatabase(from), to: shownDatabase(to) };
  await using source = await openTransferSide({ db: from, driver, isSource: true });
  // Looked at before anything is made or changed anywhere.
  const here = await look(source);
  refuseUsers(here, source);
  await using target = await openTransferSide({ db: to, driver, isSource: false });
  if (source.identity === target.identity) {
    const detail = `--from and --to name the same database, ${shown.to}; expected two`;
    throw new InvalidInputError([{ detail, pointer: "" }]);
  }
  const there = await look(target);
  const ours = resumedMark(here.mark, there.mark, source) ??
    { id: options.newId(), state: "leaving", other: shown.to, atMs: clock() };
  const isResumed = there.mark?.id === ours.id;
  const theirs: TransferMark = isResumed
    ? there.mark!
    : { id: ours.id, state: "arriving", other: shown.from, atMs: clock() };
  const refuseTarget = (standing: Standing) => {
    refuseUsers(standing, target);
    if (!isResumed) refuseFilled(standing, target);
  };
  refuseTarget(there);
  await setMark(source, ours, { before: here, refuse: (now) => refuseUsers(now, source) });
  await setMark(target, theirs, { before: there, refuse: refuseTarget });

  const report = { ...shown, wasDone: theirs.state === "arrived" };
  if (report.wasDone) {
    if (isSourceKept) await source.changeMark(ours, null, clock());
    return { ...report, tables: [] };
  }
  const tables = await moveRows({ source, target, id: ours.id, onProgress }).catch(
    async (error) => {
      if (error instanceof DifferentError) await source.changeMark(ours, null, clock());
      throw unfinished(error);
    },
  );
  await finish({ source, target, ours, theirs, isSourceKept, clock });
  return { ...report, tables };
}

/**
 * Lets a database be used again whose queue was moved, or began to be.
 *
 * @throws {ConflictError} when there is nothing to undo.
 */
export async function undoMove(
  { db, driver }: { db: string; driver: "builtin" | "ffi" },
): Promise<TransferMark> {
  await using side = await openTransferSide({ db, driver, isSource: true });
  let undone: TransferMark | undefined;
  await side.exclusively(({ mark }) => {
    if (mark === null || mark.state === "arrived") {
      throw new ConflictError(`nothing to undo: no queue was moved away from ${side.shown}`);
    }
    if (mark.state === "arriving") throw new ConflictError(describeMark(mark, side.shown));
    undone = mark;
    return null;
  });
  return undone!;
}

/** How a database stands, changing nothing. */
async function look(side: TransferSide): Promise<Standing> {
  let found: Standing;
  await side.exclusively((standing) => {
    found = standing;
    return standing.mark;
  });
  return found!;
}

/** Sets a mark, unless things have changed since they were looked at. */
async function setMark(
  side: TransferSide,
  mark: TransferMark,
  { before, refuse }: { before: Standing; refuse: (standing: Standing) => void },
): Promise<void> {
  await side.exclusively((standing) => {
    refuse(standing);
    if (standing.mark?.id === before.mark?.id && standing.mark?.state === before.mark?.state) {
      return mark;
    }
    throw new ConflictError(`another queuectl migrate has begun with the database ${side.shown}`);
  });
}

/** The mark of the source, if it is of a move that goes on or is over; null: a new one begins. */
function resumedMark(
  here: TransferMark | null,
  there: TransferMark | null,
  source: TransferSide,
): TransferMark | null {
  if (here === null || here.state === "arrived") return null;
  if (here.state !== "arriving" && here.id === there?.id) return here;
  // One that never came to its target, or that is given up in favour of this one.
  if (here.state === "leaving") return null;
  throw new StoreUnavailableError(describeMark(here, source.shown));
}

/** The database went away in the midst of it. */
function unfinished(error: unknown): unknown {
  if (!(error instanceof StoreUnavailableError)) return error;
  const message = `${error.message}; the move is not over: the same command goes on with it`;
  return new StoreUnavailableError(message, { cause: error });
}

/** The databases hold not the same: the new one is not to be used. */
class DifferentError extends ConflictError {}

function refuseUsers({ users }: Standing, { shown }: TransferSide): void {
  if (users.length === 0) return;
  throw new ConflictError(
    `the database ${shown} is in use by ${users.join(", ")}; stop what uses it, then try again ` +
      "(what has ended without saying so is forgotten after a minute)",
  );
}

function refuseFilled({ mark, filled }: Standing, { shown }: TransferSide): void {
  if (mark !== null && mark.state !== "arrived") {
    throw new ConflictError(describeMark(mark, shown));
  }
  if (filled.length === 0) return;
  throw new ConflictError(
    `the database ${shown} is not empty: something stands in ${
      filled.join(", ")
    }; expected a new ` +
      "file, or an empty schema",
  );
}

interface Copying {
  readonly source: TransferSide;
  readonly target: TransferSide;
  readonly id: string;
  readonly onProgress: (progress: MoveProgress) => void;
}

/** All that the target does not have yet, and what then stands in both. */
async function moveRows(copying: Copying): Promise<MoveReport["tables"]> {
  const { source, target } = copying;
  for (const table of MOVED_TABLES) await copy(table, copying);
  await target.setLastNumbers(await source.lastNumbers());
  return await compare(copying);
}

/** Goes on after the last row that the target has. The next rows are read while some are written. */
async function copy(table: MovedTable, { source, target, id, onProgress }: Copying): Promise<void> {
  let after = await target.lastKey(table);
  let rows = await source.page(table, after);
  let copied = 0;
  while (rows.length > 0) {
    const last = keyOf(table, rows.at(-1)!);
    const [next] = await Promise.all([
      source.page(table, last),
      target.put(table, rows, { after, id }),
    ]);
    onProgress({ step: "copying", table: table.name, rows: copied += rows.length });
    [after, rows] = [last, next];
  }
}

/** Reads everything from both, each by itself. */
async function compare({ source, target, onProgress }: Copying): Promise<MoveReport["tables"]> {
  const tables: (Digest & { table: string })[] = [];
  for (const table of MOVED_TABLES) {
    const [left, arrived] = await digests(table, [source, target], onProgress);
    if (left.rows !== arrived.rows || left.checksum !== arrived.checksum) {
      throw new DifferentError(
        `the table ${table.name} did not arrive as it was: ${left.rows} rows with the checksum ` +
          `${left.checksum} in ${source.shown}, ${arrived.rows} with ${arrived.checksum} in ` +
          `${target.shown}. The queue stays in ${source.shown}, which can be used as before; delete ` +
          `${target.shown}`,
      );
    }
    tables.push({ table: table.name, ...left });
  }
  const numbers = [await source.lastNumbers(), await target.lastNumbers()];
  const [left, arrived] = numbers.map((one) => JSON.stringify(one));
  if (left !== arrived) {
    throw new DifferentError(`the last numbers did not arrive as they were: ${left}, ${arrived}`);
  }
  return tables;
}

/**
 * What a table holds on both sides. They are read in step: one that answers at once, as SQLite does, would
 * leave no time in which the answers of the other are heard.
 */
async function digests(
  table: MovedTable,
  sides: readonly [TransferSide, TransferSide],
  onProgress: Copying["onProgress"],
): Promise<[Digest, Digest]> {
  const [left, arrived] = sides.map((side) => ({
    side,
    sum: new RowDigest(),
    after: null as RowKey,
  }));
  let reading = [left!, arrived!];
  let rows = 0;
  while (reading.length > 0) {
    const pages = await Promise.all(reading.map(({ side, after }) => side.page(table, after)));
    for (const [index, one] of reading.entries()) {
      one.sum.add(pages[index]!);
      if (pages[index]!.length > 0) one.after = keyOf(table, pages[index]!.at(-1)!);
    }
    reading = reading.filter((_, index) => pages[index]!.length > 0);
    rows += pages[0]!.length;
    onProgress({ step: "checking", table: table.name, rows });
  }
  return [left!.sum.end(), arrived!.sum.end()];
}

/** The old one is left before the new one is usable, so that there is no moment for both. */
async function finish(
  { source, target, ours, theirs, isSourceKept, clock }: {
    source: TransferSide;
    target: TransferSide;
    ours: TransferMark;
    theirs: TransferMark;
    isSourceKept: boolean;
    clock: Clock;
  },
): Promise<void> {
  const given = (side: TransferSide) =>
    new ConflictError(`the move was given up meanwhile: ${side.shown} is not marked any more`);
  if (ours.state === "leaving" && !await source.changeMark(ours, "left", clock())) {
    throw given(source);
  }
  if (!await target.changeMark(theirs, "arrived", clock())) throw given(target);
  if (isSourceKept) await source.changeMark({ ...ours, state: "left" }, null, clock());
}
