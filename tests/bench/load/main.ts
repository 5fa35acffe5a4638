/**
 * The load generator, a process of its own: keeps connections busy for a while and prints counts
 * and latencies as JSON. Started by `run_load.ts`.
 */
import { pause } from "../../../src/lib/pause.ts";
import { percentile } from "../numbers.ts";
import { cpuMs } from "../process_usage.ts";
import { type Answer, Connection } from "./connection.ts";
import { get, jsonSubmit, uploadSubmit } from "./requests.ts";
import type { LoadOptions, LoadResult } from "./run_load.ts";

/** So many jobs are asked for, in turn, when their status is read. */
const STATUS_JOBS = 128;

/** In `end-to-end`, a connection reads its oldest result once it has so many to read. */
const UNREAD_JOBS = 8;

/** What is not ready is asked for again after this. */
const RETRY_MS = 1;

const options: LoadOptions = JSON.parse(Deno.args[0]!);

/** One unit of work on a connection; false: it was refused. */
type Step = (connection: Connection) => Promise<boolean>;

function makeStep(prepared: readonly Uint8Array[]): Step {
  switch (options.mode) {
    case "json":
      return repeat(jsonSubmit(), 201);
    case "upload":
      return repeat(uploadSubmit(), 201);
    case "status": {
      let next = Math.floor(Math.random() * prepared.length);
      return async (connection) =>
        isStatus(await connection.exchange(prepared[next++ % prepared.length]!), 200);
    }
    case "end-to-end":
      return endToEnd();
  }
}

function repeat(request: Uint8Array, status: number): Step {
  return async (connection) => isStatus(await connection.exchange(request), status);
}

/** Submits a job and reads the result of one that it submitted a little earlier. */
function endToEnd(): Step {
  const request = jsonSubmit();
  const unread: Uint8Array[] = [];
  return async (connection) => {
    const submitted = await connection.exchange(request);
    if (!isStatus(submitted, 201)) return false;
    unread.push(get(`/jobs/${jobIdOf(submitted)}/result`));
    if (unread.length < UNREAD_JOBS) return true;
    const oldest = unread.shift()!;
    while (true) {
      const answer = await connection.exchange(oldest);
      if (answer.status !== 202) return isStatus(answer, 200);
      await pause(RETRY_MS);
    }
  };
}

function isStatus(answer: Answer, expected: number): boolean {
  if (answer.status === expected) return true;
  if (answer.status >= 500 || answer.status === 429) return false;
  throw new Error(`expected the status ${expected}, got ${answer.status}: ${answer.body}`);
}

function jobIdOf({ body }: Answer): string {
  return JSON.parse(body).job_id;
}

async function prepare(): Promise<Uint8Array[]> {
  if (options.mode !== "status") return [];
  using connection = await Connection.open(options.port);
  const requests: Uint8Array[] = [];
  for (let index = 0; index < STATUS_JOBS; index++) {
    const id = jobIdOf(await connection.exchange(jsonSubmit()));
    requests.push(get(`/jobs/${id}/status`));
  }
  return requests;
}

async function main(): Promise<LoadResult> {
  const { connections: count, warmupMs, measureMs, perSecond } = options;
  const prepared = await prepare();
  const connections = await Promise.all(
    Array.from({ length: count }, () => Connection.open(options.port)),
  );
  const startMs = performance.now();
  const fromMs = startMs + warmupMs;
  const untilMs = fromMs + measureMs;
  const latencies: number[] = [];
  let refused = 0;
  let total = 0;
  const work = async (connection: Connection, index: number) => {
    const step = makeStep(prepared);
    for (let turn = 0;; turn++) {
      let begunMs = performance.now();
      if (perSecond !== undefined) {
        // Open loop: what is late counts from when it was due, not from when it was sent.
        const dueMs = startMs + (turn * count + index) * 1_000 / perSecond;
        if (dueMs >= untilMs) return;
        if (dueMs > begunMs) await pause(dueMs - begunMs);
        begunMs = dueMs;
      }
      if (begunMs >= untilMs) return;
      const isAccepted = await step(connection);
      const endedMs = performance.now();
      total++;
      if (!isAccepted) refused++;
      else if (endedMs >= fromMs && endedMs < untilMs) latencies.push(endedMs - begunMs);
    }
  };
  await Promise.all(connections.map(work));
  for (const connection of connections) connection[Symbol.dispose]();
  return {
    perSecond: latencies.length / measureMs * 1_000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    total,
    refused,
    generatorCpuMs: cpuMs(Deno.pid),
  };
}

console.log(JSON.stringify(await main()));
