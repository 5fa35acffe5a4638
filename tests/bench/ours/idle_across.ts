/** From submit in one process to start in another: this one runs jobs, a child of it adds them. */
import { startEngine } from "../../../src/supervisor/engine.ts";
import { runModule } from "../child.ts";
import { figuresBetween, type IdleOptions, wallMs } from "../idle_samples.ts";
import { dbOf, openQueue } from "./queue.ts";

const options: IdleOptions = JSON.parse(Deno.args[0]!);
const opened = await openQueue(dbOf(options));
const { queue, settings } = opened;
const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });

const startedAtMs: number[] = [];
queue.events.subscribe(({ type }) => type === "job.started" && startedAtMs.push(wallMs()));

const addedAtMs = await runModule<number[]>("./ours/idle_add.ts", options);
const figures = await figuresBetween(addedAtMs, startedAtMs);
await engine.stop();
await opened[Symbol.asyncDispose]();
console.log(JSON.stringify(figures));
