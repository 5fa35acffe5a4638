/**
 * Takes an uploaded CSV file into a database, row by row: a handler for queuectl.
 *
 *     queuectl serve --handlers tests/examples/ingest_csv.ts
 *     curl -F kind=ingest_csv -F 'payload={"into":"shop.db"}' -F file=@orders.csv http://127.0.0.1:8000/jobs
 *
 * The file is read as a stream, so its size does not matter. Rows are inserted a thousand at a time,
 * and the place is kept in the same transaction: an attempt that is killed half-way goes on where it
 * stopped, and no row comes in twice. Bad rows are left out and kept in the artifact `rejected.csv`.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";

const ROWS_PER_COMMIT = 1_000;

interface Context {
  readonly job: { readonly id: string };
  readonly input: string | null;
  readonly signal: AbortSignal;
  progress(value: number, text?: string): void;
  attach(bytes: Uint8Array, name: string): Promise<void>;
  cancel(why: string): never;
}

export async function ingest_csv(payload: { into?: unknown } | null, ctx: Context) {
  const into = payload?.into;
  if (typeof into !== "string") ctx.cancel('expected {"into": "DATABASE"}');
  if (ctx.input === null) ctx.cancel("expected an uploaded CSV file");
  const total = (await stat(ctx.input)).size;
  const database = new DatabaseSync(into);
  try {
    return await ingest(database, ctx.input, { total, ctx });
  } finally {
    database.close();
  }
}

async function ingest(
  database: DatabaseSync,
  path: string,
  { total, ctx }: { total: number; ctx: Context },
) {
  database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS ingested (job TEXT PRIMARY KEY, lines INTEGER NOT NULL);
  `);
  const insert = database.prepare(
    "INSERT INTO orders (id, customer, cents) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
  );
  const mark = database.prepare(
    "INSERT INTO ingested (job, lines) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET lines = excluded.lines",
  );
  const kept = database.prepare("SELECT lines FROM ingested WHERE job = ?").get(ctx.job.id);
  const resumeAt = Number(kept?.["lines"] ?? 0);

  const rejected: string[] = [];
  let lines = 0;
  let bytes = 0;
  let rows = 0;
  let pending: [number, string, number][] = [];
  const commit = () => {
    database.exec("BEGIN");
    for (const row of pending) insert.run(...row);
    mark.run(ctx.job.id, lines);
    database.exec("COMMIT");
    pending = [];
    ctx.progress(Math.min(1, bytes / total), `${lines} lines`);
  };

  const input = createInterface({ input: createReadStream(path, "utf-8"), crlfDelay: Infinity });
  for await (const line of input) {
    ctx.signal.throwIfAborted();
    lines++;
    bytes += line.length + 1;
    if (lines === 1 || line === "") continue; // the first names the columns
    const row = readRow(line);
    if (row === null) rejected.push(`${lines},${line}`);
    else rows++;
    if (lines <= resumeAt || row === null) continue;
    pending.push(row);
    if (pending.length >= ROWS_PER_COMMIT) commit();
  }
  commit();
  if (rejected.length > 0) {
    await ctx.attach(new TextEncoder().encode(rejected.join("\n") + "\n"), "rejected.csv");
  }
  return { rows, rejected: rejected.length, resumed_at: resumeAt };
}

/** `id,customer,amount`; the customer may stand in quotes. Null: not a row. */
function readRow(line: string): [number, string, number] | null {
  const match = /^(\d{1,15}),(?:"((?:[^"]|"")*)"|([^",]*)),(\d{1,9})\.(\d\d)$/.exec(line);
  if (match === null) return null;
  const [, id, quoted, plain, whole, cents] = match;
  const customer = quoted === undefined ? plain! : quoted.replaceAll('""', '"');
  return [Number(id), customer, Number(whole) * 100 + Number(cents)];
}
