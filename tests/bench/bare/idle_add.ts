/** The process that inserts: see `idle_across.ts`. */
import { addWithPauses, type IdleOptions } from "../idle_samples.ts";
import { prepareBareQueue } from "./claimer.ts";
import { openBare, RUNNABLE } from "./database.ts";

const { directory, samples }: IdleOptions = JSON.parse(Deno.args[0]!);
const queue = prepareBareQueue(openBare(`${directory}/bare.db`, RUNNABLE));
const payload = new Uint8Array(100).fill(65);
await addWithPauses(samples, () => queue.commit(() => queue.insert(payload)));
