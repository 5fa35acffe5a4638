/**
 * What the tests of this run keep their queues in: SQLite files or, with `QUEUECTL_TEST_DB=postgres`,
 * schemas of a PostgreSQL server. Owns that choice and the place of a test's queue; knows no test.
 *
 * Tests that are about the file itself stand in `tests/sqlite/`, and those about the server in
 * `tests/postgres/`; all others are run on both.
 */
import { join } from "node:path";
import { type PostgresServer, startPostgres, tempSchema } from "./postgres.ts";

export type Backend = "sqlite" | "postgres";

export const BACKENDS: readonly Backend[] = ["sqlite", "postgres"];

const VARIABLE = "QUEUECTL_TEST_DB";

let tested: Backend = "sqlite";
let server: PostgresServer | null = null;

export function testedBackend(): Backend {
  return tested;
}

/**
 * From here on queues are kept there, also those of processes that this one starts.
 *
 * @throws {Error} when there is no such backend, or with `CI=true` no server.
 */
export async function testOn(name: string): Promise<void> {
  const backend = BACKENDS.find((one) => one === name);
  if (backend === undefined) throw new Error(`expected ${BACKENDS.join(" or ")}, got "${name}"`);
  tested = backend;
  Deno.env.set(VARIABLE, backend);
  if (backend === "postgres") server ??= await startPostgres();
}

/** An empty database that nobody else uses. */
export interface TempDatabase extends AsyncDisposable {
  /** As `--db` takes it. */
  readonly db: string;
}

/** @param dir where a file is to be; who owns the directory removes it. */
export async function tempDatabase(dir: string): Promise<TempDatabase> {
  if (testedBackend() === "sqlite") {
    return { db: join(dir, "queue.db"), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const schema = await tempSchema(testServer());
  return { db: schema.url, [Symbol.asyncDispose]: () => schema[Symbol.asyncDispose]() };
}

/** Where schemas are made. @throws where no server could be started. */
export function testServer(): PostgresServer {
  if (server === null) throw new Error("there is no PostgreSQL server to test on");
  return server;
}

// Before the first test, which else would have to answer for what the server holds open.
await testOn(Deno.env.get(VARIABLE) || "sqlite");
