/** How much memory `serve` takes: idle, for each worker, with a long queue, with many uploads. */
import { pause } from "../../../src/lib/pause.ts";
import { Child, moduleWords, runModule } from "../child.ts";
import { memoryMb } from "../process_usage.ts";
import { alternate } from "../rounds.ts";
import type { BenchContext, Row, Scenario } from "../scenario.ts";
import { type RunningServer, startBareServer, startServe } from "../servers.ts";

export interface HoldOptions {
  readonly port: number;
  readonly uploads: number;
  readonly uploadBytes: number;
}

export interface FillOptions {
  readonly directory: string;
  readonly jobs: number;
}

export const memory: Scenario = {
  name: "memory",
  about: "resident memory of serve: idle, per worker, with a long queue, with many uploads",
  run: runMemory,
};

const QUEUED_JOBS = 100_000;
const UPLOADS = 1_000;
const UPLOAD_BYTES = 100_000;

/** Until what start-up has left behind is collected. */
const SETTLE_MS = 1_500;

async function runMemory(context: BenchContext): Promise<Row[]> {
  // Memory is hardly disturbed by what else the machine does: one round is enough.
  const { ours, bare } = await alternate({ ...context, rounds: 1 }, {
    async ours() {
      const two = await idleMb(context, (path) => startServe(path, withWorkers(2)));
      const six = await idleMb(context, (path) => startServe(path, withWorkers(6)));
      const queued = await queuedMb(context);
      const { held, peak } = await uploadsMb(context, (path) => startServe(path, withWorkers(2)));
      return { two, perWorker: (six - two) / 4, queued: queued - two, held, peak };
    },
    async bare() {
      const { held, peak } = await uploadsMb(context, startBareServer);
      return { idle: await idleMb(context, startBareServer), held, peak };
    },
  });
  const inFlightMb = UPLOADS * UPLOAD_BYTES / 1e6;
  return [
    row("serve with 2 workers, idle", ours.two, bare.idle, { ratio: 1.5 }),
    row("each more worker", ours.perWorker, null, { value: 12 }),
    row(
      `more with ${QUEUED_JOBS.toLocaleString("en")} queued jobs`,
      ours.queued,
      null,
      { value: 5 },
      "2 jobs run, the others wait; nothing of them is held, so what is allowed is noise",
    ),
    row(
      `more with ${UPLOADS.toLocaleString("en")} uploads half sent`,
      ours.held,
      bare.held,
      { value: inFlightMb / 2 },
      `wanted: no more than what has been sent, of ${UPLOAD_BYTES / 1e3} kB each`,
    ),
    row(
      "  most while they are completed",
      ours.peak,
      bare.peak,
      { value: inFlightMb },
      "wanted: no more than all uploads together",
    ),
  ];
}

function row(
  what: string,
  ours: number,
  bare: number | null,
  wanted: Row["wanted"],
  note?: string,
): Row {
  return { what, unit: "MB", ours, bare, better: "lower", wanted, note };
}

function withWorkers(count: number, ...more: string[]): { args: string[] } {
  return { args: ["--workers", String(count), ...more] };
}

async function idleMb(
  context: BenchContext,
  start: (directory: string) => Promise<RunningServer>,
): Promise<number> {
  await using directory = context.scratch.directory();
  await using server = await start(directory.path);
  await pause(SETTLE_MS);
  return memoryMb(server.pid).now;
}

async function queuedMb(context: BenchContext): Promise<number> {
  await using directory = context.scratch.directory();
  const options: FillOptions = { directory: directory.path, jobs: QUEUED_JOBS };
  await runModule("./ours/fill.ts", options);
  await using server = await startServe(
    directory.path,
    withWorkers(2, "--simulated-work", "1h", "--shutdown-timeout", "0s"),
  );
  await pause(SETTLE_MS);
  return memoryMb(server.pid).now;
}

/** What uploads add: half sent and waiting, and at most. */
async function uploadsMb(
  context: BenchContext,
  start: (directory: string) => Promise<RunningServer>,
): Promise<{ held: number; peak: number }> {
  await using directory = context.scratch.directory();
  await using server = await start(directory.path);
  await pause(SETTLE_MS);
  const idle = memoryMb(server.pid).now;
  const options: HoldOptions = {
    port: server.port,
    uploads: UPLOADS,
    uploadBytes: UPLOAD_BYTES,
  };
  await using uploads = new Child(
    moduleWords("./load/hold_uploads.ts", JSON.stringify(options)),
    "stdout",
  );
  await uploads.line((line) => line === "held" ? true : null);
  await pause(SETTLE_MS / 3);
  const held = memoryMb(server.pid).now - idle;
  await uploads.endInput();
  await uploads.line((line) => line === "answered" ? true : null);
  return { held, peak: memoryMb(server.pid).peak - idle };
}
