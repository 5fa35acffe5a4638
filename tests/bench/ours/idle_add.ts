/** The process that adds: see `idle_across.ts`. */
import { addWithPauses, type IdleOptions } from "../idle_samples.ts";
import { openQueue } from "./queue.ts";

const { directory, samples }: IdleOptions = JSON.parse(Deno.args[0]!);
await using opened = await openQueue(`${directory}/queue.db`);
const input = { kind: "count", payload: new Uint8Array(100).fill(65) };
await addWithPauses(samples, async () => void await opened.queue.add(input));
