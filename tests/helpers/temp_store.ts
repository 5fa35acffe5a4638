/**
 * A store of one's own for a test, of the backend that is tested. Owns the directory and every
 * connection opened through it, and ends them together.
 */
import { join } from "node:path";
import { type OpenOptions, openStore } from "../../src/store/open.ts";
import type { JobStore } from "../../src/store/store.ts";
import { testedBackend, testServer } from "./backend.ts";
import { emptySchema } from "./postgres.ts";

export interface TempStore extends AsyncDisposable {
  readonly store: JobStore;
  readonly dir: string;
  /** Of the database, as `--db` takes it. */
  readonly path: string;
  /** Opens the same database once more, as another process would. Disposed with the rest. */
  openAgain(options?: Partial<OpenOptions>): Promise<JobStore>;
}

/**
 * A new store in a new temporary directory.
 *
 * @example
 * ```ts
 * import { tempStore } from "./temp_store.ts";
 * import { newJob } from "./jobs.ts";
 * await using temp = await tempStore();
 * await temp.store.add([newJob()], Date.now());
 * ```
 */
export async function tempStore(options: Partial<OpenOptions> = {}): Promise<TempStore> {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  const schema = testedBackend() === "postgres" ? await emptySchema(testServer()) : null;
  const path = schema?.url ?? join(dir, "queue.db");
  const opened: JobStore[] = [];
  const openAgain = async (more: Partial<OpenOptions> = {}) => {
    const store = await openStore({
      db: path,
      driver: "builtin",
      clock: Date.now,
      synchronous: () => "normal",
      ...options,
      ...more,
    });
    opened.push(store);
    return store;
  };
  const dispose = async () => {
    for (const store of opened.reverse()) await store[Symbol.asyncDispose]();
    await schema?.[Symbol.asyncDispose]();
    await Deno.remove(dir, { recursive: true });
  };
  try {
    return { store: await openAgain(), dir, path, openAgain, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
