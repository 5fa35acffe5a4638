/** The process that adds: see `idle_across.ts`. */
import { addWithPauses, type IdleOptions } from "../idle_samples.ts";
import { dbOf, openQueue } from "./queue.ts";

const options: IdleOptions = JSON.parse(Deno.args[0]!);
const { samples } = options;
await using opened = await openQueue(dbOf(options));
const input = { kind: "count", payload: new Uint8Array(100).fill(65) };
await addWithPauses(samples, async () => void await opened.queue.add(input));
