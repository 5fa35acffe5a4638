/** Command jobs through the queue: claimed, run in groups of their own, captured, settled. */
import { startEngine } from "../../../src/supervisor/engine.ts";
import type { CommandFigures, CommandOptions } from "../scenarios/commands.ts";
import { openQueue, watchJobs } from "./queue.ts";

const { directory, commands, concurrency }: CommandOptions = JSON.parse(Deno.args[0]!);
const opened = await openQueue(`${directory}/queue.db`, { workers: concurrency });
const { queue, settings } = opened;
const engine = await startEngine({ queue, settings, role: "worker", random: Math.random });

async function runAll(count: number): Promise<number> {
  const running = watchJobs(queue, count);
  await queue.addAll(Array.from({ length: count }, () => ({ command: "true" })));
  const { startMs, endMs } = await running;
  return count / (endMs - startMs) * 1_000;
}

await runAll(20); // starts the guardian and compiles the code
const figures: CommandFigures = { perSecond: await runAll(commands) };
await engine.stop();
await opened[Symbol.asyncDispose]();
console.log(JSON.stringify(figures));
