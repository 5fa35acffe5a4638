/** Adds many jobs, a thousand per commit. */
import type { FillOptions } from "../scenarios/memory.ts";
import { openQueue } from "./queue.ts";

const { directory, jobs }: FillOptions = JSON.parse(Deno.args[0]!);
await using opened = await openQueue(`${directory}/queue.db`);
const input = { kind: "count", payload: new Uint8Array(100).fill(65) };
for (let added = 0; added < jobs; added += 1_000) {
  await opened.queue.addAll(Array.from({ length: 1_000 }, () => input));
}
console.log("{}");
