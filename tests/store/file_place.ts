/** A database file of one's own for a move, with the directory that it is alone in. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Place } from "./moving.ts";

/** The path of a file that does not exist yet. */
export async function tempFile(): Promise<Place & { readonly dir: string }> {
  const dir = await Deno.makeTempDir({ prefix: "queuectl-test-" });
  const db = join(dir, "queue.db");
  return {
    db,
    dir,
    execute(sql) {
      const database = new DatabaseSync(db);
      database.exec(sql);
      database.close();
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}
