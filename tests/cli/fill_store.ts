/** A database with jobs in several states, always the same, for what is compared with files. */
import { openStore } from "../../src/store/open.ts";
import type { Outcome } from "../../src/job/outcome.ts";
import type { OutputChunk } from "../../src/job/job.ts";
import { newExtras, newJob, T0 } from "../helpers/jobs.ts";

const HOLDER = "golden";

/** Creates the database and fills it, as if at this time. */
export async function fillStore(db: string, startMs = T0): Promise<void> {
  let nowMs = startMs;
  await using store = await openStore({
    db,
    driver: "builtin",
    clock: () => nowMs,
    synchronous: () => "normal",
  });

  /** Runs the one job that is due, in name only. */
  const attempt = async (outcome: Outcome, output: readonly OutputChunk[] = []) => {
    const { slots } = await store.claim(() => ({
      holder: HOLDER,
      nowMs,
      leaseExpiresAtMs: nowMs + 30_000,
      slots: ["w-1"],
      chunk: {},
      chunkBytes: 1_000_000,
    }));
    const job = slots[0]!.jobs[0]!;
    await store.begin([job], HOLDER, nowMs + 1);
    nowMs += 1_234;
    await store.settle([{ seq: job.seq, token: job.token, outcome, output }], HOLDER, nowMs);
  };
  const command = (text: string | string[]) => JSON.stringify({ command: text, cwd: "/srv/app" });
  const exit = { exitCode: 3, signal: null, stdoutBytes: 5_000_000, stderrBytes: 25 };
  const error = { code: "exit", message: "exit code 3" } as const;

  const dead = { id: "dead-1", kind: "command", maxRetries: 1, timeoutMs: 90_000, priority: 5 };
  await store.add([newJob({ ...dead, payload: command("./sync.sh && echo done") })], nowMs);
  await attempt({ event: "fail", error, exit, dueAtMs: nowMs + 2_000 });
  nowMs += 2_000;
  await attempt({ event: "bury", error, exit }, [
    chunk("stdout", "connecting\n"),
    chunk("stderr", "\x1b[31mno route to host\x1b[0m\n"),
    chunk("stdout", "giving up\n"),
  ]);

  const text = new TextEncoder().encode("Hello, world");
  await store.add([newJob({ id: "count-1", payload: text, queue: "texts" })], nowMs);
  await attempt({ event: "complete", result: '{"characters":12}' });

  await store.add([newJob({ id: "gone", kind: "command", payload: command("true") })], nowMs);
  await store.cancel("gone", nowMs);

  const mail = { kind: "command", queue: "mail", runAtMs: startMs };
  await store.add([
    newJob({ ...mail, id: "mail-1", payload: command(["mail", "-s", "it's late", "ann"]) }),
    newJob({ ...mail, id: "mail-2", payload: command(`printf '\x1b[2J%s\n' ${"x".repeat(200)}`) }),
    newJob({ id: "later", payload: text, runAtMs: 4_000_000_000_000, priority: -3 }),
    newJob({
      ...{ id: "held-1", kind: "command", queue: "mail", payload: command("./report.sh") },
      extras: newExtras({
        options: {
          uniqueKey: "nightly",
          retry: { backoff: { type: "linear", delayMs: 10_000 }, jitter: 0.2, exitCodes: [75] },
        },
        unique: { key: "nightly", onConflict: "return" },
        after: { ids: ["mail-1", "dead-1"], on: "any" },
      }),
    }),
  ], nowMs);
}

function chunk(stream: "stdout" | "stderr", text: string): OutputChunk {
  return { stream, bytes: new TextEncoder().encode(text) };
}
