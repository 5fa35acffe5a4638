/**
 * The raw work across processes: a child inserts; this one is told by the kernel that the WAL has
 * changed, and claims. The claim changes the WAL too, so an empty look may follow.
 */
import { runModule } from "../child.ts";
import { figuresBetween, type IdleOptions, wallMs } from "../idle_samples.ts";
import { prepareBareQueue } from "./claimer.ts";
import { openBare, RUNNABLE } from "./database.ts";

const options: IdleOptions = JSON.parse(Deno.args[0]!);
const path = `${options.directory}/bare.db`;
const database = openBare(path, RUNNABLE);
const queue = prepareBareQueue(database);
const dataVersion = database.prepare("PRAGMA data_version");

const startedAtMs: number[] = [];
const watcher = Deno.watchFs(`${path}-wal`);
const watching = (async () => {
  let seen = 0;
  for await (const _ of watcher) {
    const found = dataVersion.get()!["data_version"] as number;
    if (found === seen) continue;
    seen = found;
    let claimed = 0;
    queue.commit(() => claimed = queue.claim(100).length);
    for (; claimed > 0; claimed--) startedAtMs.push(wallMs());
  }
})();

const addedAtMs = await runModule<number[]>("./bare/idle_add.ts", options);
const figures = await figuresBetween(addedAtMs, startedAtMs);
watcher.close();
await watching;
console.log(JSON.stringify(figures));
