/** `queuectl worker` and `queuectl worker start`: workers without the API. */
import type { SettingTexts } from "../../config/settings.ts";
import { absoluteDatabase, isPostgresUrl } from "../../lib/database_url.ts";
import { thisHost } from "../../lib/process_identity.ts";
import { selfCommand } from "../../lib/self.ts";
import type { JobStore } from "../../store/store.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { CommandError, EXIT, UsageError } from "../exit.ts";
import { plural } from "../../lib/plural.ts";
import { openFile, openHandlers, runService } from "../service.ts";
import { pause } from "../../lib/pause.ts";

/** How long detached workers may take to be up. */
const START_PATIENCE_MS = 20_000;
const START_POLL_MS = 25;

export function run(given: Invocation): Promise<number> {
  const invocation = withCount(given);
  if (invocation.options.isOn("detach")) return detach(invocation);
  return runService(invocation, { role: "worker" });
}

/** `--count` is another name for `--workers`. */
function withCount(invocation: Invocation): Invocation {
  const { flags, options } = invocation;
  const count = options.integer("count", { least: 1, most: 256 });
  if (count !== undefined && flags.workers !== undefined) {
    throw new UsageError("give either --count or --workers, not both");
  }
  if (flags.workers?.trim() === "0") throw new UsageError("--workers: expected at least 1, got 0");
  return count === undefined
    ? invocation
    : { ...invocation, flags: { ...flags, workers: String(count) } };
}

/** Starts this program again in a session of its own, and returns once its workers are up. */
function detach(invocation: Invocation): Promise<number> {
  const { flags, io, out } = invocation;
  return withQueue(invocation, async ({ store, settings }) => {
    // What would end the new process at once, where nobody sees it, is found here.
    const logFile = settings["log-file"];
    if (logFile !== null) openFile(logFile)[Symbol.dispose]();
    (await openHandlers(settings, io))[Symbol.dispose]();

    const { command, args } = selfCommand();
    const db = absoluteDatabase(io.cwd(), settings.db);
    const { db: _, ...others } = flags;
    const child = new Deno.Command(command, {
      args: [...args, "worker", ...flagWords(isPostgresUrl(db) ? others : { ...flags, db })],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
      clearEnv: true,
      // A URL may hold a password, and everybody on the machine may read a program's words.
      env: { ...inheritedEnvironment(), ...(isPostgresUrl(db) ? { QUEUECTL_DB: db } : {}) },
    }).spawn();
    const ended = child.status;
    child.unref();
    const labels = await Promise.race([
      workersUp(store, child.pid, settings.workers),
      ended.then(({ code }) => {
        throw new CommandError(
          EXIT.failed,
          `the workers ended at once with exit code ${code}; run it without --detach to see why`,
        );
      }),
    ]);
    if (out.isJson) out.json({ pid: child.pid, workers: labels });
    else out.line(`Started ${plural(labels.length, "worker")}, process ${child.pid}`);
    return EXIT.done;
  });
}

/** The labels of the process's workers, once as many as were asked for are written down. */
async function workersUp(store: JobStore, pid: number, count: number): Promise<string[]> {
  const host = thisHost();
  const deadlineMs = performance.now() + START_PATIENCE_MS;
  while (performance.now() < deadlineMs) {
    const workers = (await store.workers()).filter((worker) =>
      worker.pid === pid && worker.host === host
    );
    if (workers.length >= count) return workers.map(({ label }) => label);
    await pause(START_POLL_MS);
  }
  throw new CommandError(
    EXIT.failed,
    `process ${pid} was started, but its workers are not up after ${START_PATIENCE_MS / 1_000} s`,
  );
}

function flagWords(flags: SettingTexts): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

/** Without what marks a job's own processes: workers that a job starts are to outlive it. */
function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) =>
      !/^QUEUECTL_(JOB_.*|ATTEMPT|QUEUE)$/.test(name)
    ),
  );
}
