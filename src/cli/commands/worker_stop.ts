/** `queuectl worker stop`: ends the worker processes of this database on this machine. */
import { humanDuration } from "../../lib/duration.ts";
import { mayBeAlive, thisHost } from "../../lib/process_identity.ts";
import type { JobStore, WorkerRecord } from "../../store/store.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { durationOption } from "../durations.ts";
import { CommandError, EXIT } from "../exit.ts";
import { plural } from "../../lib/plural.ts";
import { pause } from "../../lib/pause.ts";

/** Time to end after all jobs have been finished or given back. */
const MARGIN_MS = 10_000;
const POLL_MS = 50;

type WorkerProcess = Pick<WorkerRecord, "holder" | "pid" | "processStart">;

export function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  const limitMs = durationOption(invocation, "timeout");
  return withQueue(invocation, async ({ queue, store, settings }) => {
    const host = thisHost();
    const workers = (await store.workers()).filter(({ role }) => role === "worker");
    const running = processesOf(workers.filter((worker) => worker.host === host));
    const elsewhere = (await queue.workers()).filter((worker) =>
      worker.role === "worker" && worker.host !== host
    ).length;
    if (elsewhere > 0) {
      out.message(`Not stopped: ${plural(elsewhere, "worker")} on other machines.`);
    }
    for (const { pid } of running) terminate(pid);
    const timeoutMs = limitMs ?? settings["shutdown-timeout"] + MARGIN_MS;
    const left = await waitForEnd(store, running, timeoutMs);
    const stopped = running.filter((one) => !left.includes(one)).map(({ pid }) => pid);
    if (out.isJson) out.json({ stopped, still_running: left.map(({ pid }) => pid) });
    else if (running.length === 0) out.line("No workers to stop.");
    else for (const pid of stopped) out.line(`Stopped process ${pid}`);
    if (left.length === 0) return EXIT.done;
    for (const { pid } of left) {
      out.error(`process ${pid} is still running after ${humanDuration(timeoutMs)}`);
    }
    return EXIT.timedOut;
  });
}

/** The live processes behind the workers, each once. */
function processesOf(workers: readonly WorkerRecord[]): WorkerProcess[] {
  const byHolder = new Map(workers.map((worker) => [worker.holder, worker]));
  return [...byHolder.values()].filter(({ pid, processStart }) => mayBeAlive(pid, processStart));
}

function terminate(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new CommandError(
      EXIT.failed,
      `cannot stop process ${pid}: ${(error as Error).message}`,
    );
  }
}

/** Those that are still there when the time is over. */
async function waitForEnd(
  store: JobStore,
  processes: readonly WorkerProcess[],
  timeoutMs: number,
): Promise<readonly WorkerProcess[]> {
  const deadlineMs = performance.now() + timeoutMs;
  let left = processes;
  while (left.length > 0) {
    const known = new Set((await store.workers()).map(({ holder }) => holder));
    // Where the start of a process cannot be known, it is gone when it has signed off.
    left = left.filter(({ holder, pid, processStart }) =>
      processStart === "" ? known.has(holder) : mayBeAlive(pid, processStart)
    );
    if (left.length === 0 || performance.now() >= deadlineMs) break;
    await pause(POLL_MS);
  }
  return left;
}
