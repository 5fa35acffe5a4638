/**
 * Asking a process of workers to finish its jobs and end, from elsewhere on its machine. Knows
 * processes; knows neither requests nor terminals.
 */
import { ConflictError, ForbiddenError, QueueError } from "../job/errors.ts";
import { mayBeAlive, thisHost } from "../lib/process_identity.ts";
import type { WorkerStatus } from "../store/store.ts";
import type { Queue } from "./queue.ts";

/**
 * Asks the process with this name (`holder`) to end; returns its workers. It takes no more jobs from
 * then on, finishes those it has and ends, as on SIGTERM.
 *
 * @throws {QueueError} when there is none, {@link ConflictError} when it is not one to be ended from
 * here.
 */
export async function drainProcess(
  queue: Queue,
  holder: string,
  by: string,
): Promise<readonly WorkerStatus[]> {
  const workers = (await queue.workers()).filter((worker) => worker.holder === holder);
  const [first] = workers;
  if (first === undefined) {
    const named = JSON.stringify(holder.slice(0, 80));
    throw new QueueError("not-found", `there is no process of workers with the name ${named}`);
  }
  const { pid, role, host, processStart } = first;
  if (role !== "worker") {
    throw new ConflictError(
      `process ${pid} serves the API too, which would end with it: stop it where it was started`,
    );
  }
  if (host !== thisHost()) {
    throw new ConflictError(
      `process ${pid} runs on another machine or in another container: run queuectl worker stop there`,
    );
  }
  if (!mayBeAlive(pid, processStart)) throw new ConflictError(`process ${pid} has ended already`);
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    throw new ForbiddenError(`cannot ask process ${pid} to end: ${(error as Error).message}`);
  }
  await queue.store.note("worker.drain", `process ${pid}`, queue.sign(by));
  return workers;
}
