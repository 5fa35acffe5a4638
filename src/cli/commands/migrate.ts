/** `queuectl migrate`: moves a whole queue to another database, or says that one is used again. */
import { resolveSettings } from "../../config/settings.ts";
import { absoluteDatabase, isPostgresUrl, shownDatabase } from "../../lib/database_url.ts";
import { humanDuration } from "../../lib/duration.ts";
import { newId } from "../../lib/ids.ts";
import { type MoveProgress, moveQueue, type MoveReport, undoMove } from "../../queue/move.ts";
import type { Invocation } from "../command.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { plural } from "../../lib/plural.ts";

const EXPECTED = "a database: sqlite:PATH, or postgres://user@host/name";

export async function run(invocation: Invocation): Promise<number> {
  const { flags, io, options } = invocation;
  const { "sqlite-driver": driver } = resolveSettings({ flags, env: io.env, stored: new Map() });
  if (options.has("undo")) return await undo(invocation, driver);
  const [from, to] = databases(invocation, ["from", "to"]);
  const startedMs = performance.now();
  const progress = new ProgressLine(io);
  try {
    const report = await moveQueue({
      ...{ from: from!, to: to!, driver, newId, clock: io.clock },
      isSourceKept: options.isOn("keep-source"),
      onProgress: (told) => progress.draw(told),
    });
    progress.clear();
    print(invocation, report, performance.now() - startedMs);
    return EXIT.done;
  } finally {
    progress.clear();
  }
}

async function undo(invocation: Invocation, driver: "builtin" | "ffi"): Promise<number> {
  const { options, out } = invocation;
  if (["from", "to", "keep-source"].some((name) => options.has(name))) {
    throw new UsageError("--undo goes alone: it names the database that is to be used again");
  }
  const [db] = databases(invocation, ["undo"]);
  const { other } = await undoMove({ db: db!, driver });
  const shown = shownDatabase(db!);
  if (out.isJson) out.json({ db: shown, moved_to: other, usable: true });
  else {
    out.line(`Usable again: ${shown}`);
    out.note(`What was moved to ${other} is there, too; do not let both run.`);
  }
  return EXIT.done;
}

/**
 * Paths in full, or URLs, from options.
 *
 * @throws {UsageError} naming everything that is wrong.
 */
function databases({ options, io }: Invocation, names: readonly string[]): readonly string[] {
  const problems: string[] = [];
  const found = names.map((name) => {
    const text = options.text(name);
    const db = text === undefined ? null : readDatabase(text);
    if (text === undefined) problems.push(`expected --${name}, ${EXPECTED}`);
    else if (db === null) problems.push(`--${name}: expected ${EXPECTED}, got ${shownText(text)}`);
    return db === null ? "" : absoluteDatabase(io.cwd(), db);
  });
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return found;
}

/** A path or a URL; null: it is neither. */
function readDatabase(text: string): string | null {
  if (isPostgresUrl(text)) return text;
  const path = /^sqlite:(?:\/\/(?=\/))?(.*)$/is.exec(text)?.[1] ?? text;
  const hasOtherScheme = path === text && /^[a-z][a-z0-9+.-]+:/i.test(text);
  return path === "" || hasOtherScheme ? null : path;
}

/** Of a URL no more than its scheme: the rest may hold a password. */
function shownText(text: string): string {
  return JSON.stringify(text.replace(/^([a-z][a-z0-9+.-]+:).*$/is, "$1…"));
}

function print({ out, options }: Invocation, report: MoveReport, elapsedMs: number): void {
  const { from, to, wasDone, tables } = report;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const isKept = options.isOn("keep-source");
  if (out.isJson) {
    return out.json({
      ...{ from, to, was_done: wasDone, source_usable: isKept, rows },
      elapsed_ms: Math.round(elapsedMs),
      tables: Object.fromEntries(
        tables.map(({ table, rows, checksum }) => [table, { rows, checksum }]),
      ),
    });
  }
  if (wasDone) out.line(`The queue was moved to ${to} before; nothing is left to do`);
  else {
    const shown = tables.filter((table) => table.rows > 0);
    if (shown.length > 0) {
      out.table(
        [{ title: "TABLE" }, { title: "ROWS", align: "right" }, { title: "SHA-256" }],
        shown.map(({ table, rows, checksum }) => [table, String(rows), checksum.slice(0, 16)]),
      );
    }
    const took = humanDuration(Math.round(elapsedMs));
    out.line(`Moved and compared: ${plural(rows, "row")} in ${took}, from ${from} to ${to}`);
  }
  out.note(
    isKept
      ? `${from} can be used as before; do not let both run.`
      : `${from} is refused from now on; delete it when you need it no longer.`,
  );
}

/** One line on stderr that is drawn over and over; nothing where that is no terminal. */
class ProgressLine {
  readonly #io: CliIo;
  #drawnMs = -Infinity;
  #isDrawn = false;

  constructor(io: CliIo) {
    this.#io = io;
  }

  draw({ step, table, rows }: MoveProgress): void {
    const nowMs = performance.now();
    if (!this.#io.stderr.isTerminal || nowMs - this.#drawnMs < 100) return;
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    const line = `${step} ${table}: ${plural(rows, "row")}`;
    this.#io.stderr.write(`\r\x1b[K${line.slice(0, this.#io.stderr.columns - 1)}`);
  }

  clear(): void {
    if (this.#isDrawn) this.#io.stderr.write("\r\x1b[K");
    this.#isDrawn = false;
  }
}
