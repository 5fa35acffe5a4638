/**
 * Measures one peer in a process of its own: the same steps in the same order for every one of
 * them. Runs in Node, Bun and Deno. Prints one JSON line for each step, so that what was found
 * before a failure is kept.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { OpenPeer, PeerQueue, PeerWorkers } from "./driver.ts";

export interface MeasureOptions {
  /** URL of the driver's module. */
  readonly driver: string;
  readonly variant: string;
  /** Directory that has the peer's `node_modules`; empty: it has none. */
  readonly modules: string;
  readonly directory: string;
  readonly port: number;
  /** The server's processes, whose memory counts too, with all their descendants. */
  readonly serverPids: readonly number[];
  /** How long jobs are added, for each way to add. */
  readonly addMs: number;
  /** Jobs that are drained, and jobs that are added and drained at once. */
  readonly drainJobs: number;
  readonly flowJobs: number;
  readonly latencyJobs: number;
}

/** Figures of one step, or why there are none. */
export interface StepResult {
  readonly step: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly error?: string;
}

/** Tells the lines that are ours from what a peer prints; `run_peer.ts` looks for it. */
const STEP_MARK = "peer-step ";

const TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(3).slice(0, 100);
const HUNDRED = Array.from({ length: 100 }, () => TEXT);
const IN_FLIGHT = 64;
const MEMORY_JOBS = 500;

/** After this a drain is cut short; what has been done by then counts. */
const DRAIN_PATIENCE_MS = 12_000;
/** A step that takes longer has failed. */
const STEP_PATIENCE_MS = 40_000;
const LATENCY_PATIENCE_MS = 6_000;

/** The unit of processor time in /proc. */
const TICKS_PER_SECOND = 100;

const options: MeasureOptions = JSON.parse(process.argv[2]!);

async function main(): Promise<void> {
  const { open } = await import(options.driver) as { open: OpenPeer };
  const openOne = async (name: string): Promise<PeerQueue> => {
    const directory = `${options.directory}/${name}`;
    mkdirSync(directory);
    const { variant, port } = options;
    return await open({ directory, name, variant, port, load });
  };

  // First, and after the same work for all: what comes later differs from peer to peer.
  await step("memory", async () => {
    const queue = await openOne("resident");
    let started = 0;
    const workers = await queue.work(() => started++);
    await addInFlight(queue, MEMORY_JOBS);
    await untilDrained(queue, () => workers.isRemote || started >= MEMORY_JOBS);
    const pids = [process.pid, ...options.serverPids, ...queue.serverPids?.() ?? []];
    const megabytes = memoryMb(pids);
    await workers.stop();
    await queue.close();
    return { megabytes };
  });

  const adding = await openOne("adding");
  const cpuOf = (queue: PeerQueue) => () =>
    cpuUs([process.pid, ...options.serverPids, ...queue.serverPids?.() ?? []]);
  const cpu = cpuOf(adding);
  await step("one", () => addForAWhile({ inFlight: 1, jobsEach: 1, cpu }, () => adding.add(TEXT)));
  await step(
    "concurrent",
    () => addForAWhile({ inFlight: IN_FLIGHT, jobsEach: 1, cpu }, () => adding.add(TEXT)),
  );
  const { addMany } = adding;
  if (addMany !== null) {
    const jobsEach = HUNDRED.length;
    await step("bulk", () => addForAWhile({ inFlight: 1, jobsEach, cpu }, () => addMany(HUNDRED)));
  }
  await adding.close();

  const queue = await openOne("working");
  await addJobs(queue, options.drainJobs);
  let started = 0;
  let onStart: (() => void) | null = null;
  let workers: PeerWorkers | null = null;
  const count = () => {
    started++;
    onStart?.();
  };
  await step("drain", async () => {
    let cpuBefore = cpuOf(queue)();
    let beganMs = performance.now();
    let before = options.drainJobs;
    workers = await queue.work(count);
    if (workers.isRemote) {
      before = await queue.unfinished();
      cpuBefore = cpuOf(queue)();
      beganMs = performance.now();
    }
    const left = await untilDrained(queue, () => workers!.isRemote || started >= before);
    return figures(before - left, performance.now() - beganMs, cpuOf(queue)() - cpuBefore);
  });
  await step("flow", async () => {
    started = 0;
    const cpuBefore = cpuOf(queue)();
    const beganMs = performance.now();
    await addInFlight(queue, options.flowJobs);
    const left = await untilDrained(
      queue,
      () => workers!.isRemote || started >= options.flowJobs,
    );
    const done = options.flowJobs - left;
    return figures(done, performance.now() - beganMs, cpuOf(queue)() - cpuBefore);
  });
  await step("latency", async () => {
    const submit = queue.submitToStartMs?.bind(queue) ?? (async (text: string) => {
      const begun = Promise.withResolvers<void>();
      onStart = begun.resolve;
      const sentMs = performance.now();
      const adding = queue.add(text);
      await begun.promise;
      const tookMs = performance.now() - sentMs;
      await adding;
      return tookMs;
    });
    const latencies: number[] = [];
    const untilMs = performance.now() + LATENCY_PATIENCE_MS;
    while (latencies.length < options.latencyJobs && performance.now() < untilMs) {
      // At irregular moments, so that no polling interval is met always at the same point.
      await sleep(5 + Math.random() * 10);
      latencies.push(await submit(TEXT));
    }
    onStart = null;
    latencies.sort((one, other) => one - other);
    const at = (share: number) => latencies[Math.ceil(latencies.length * share) - 1]!;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  });
  await (workers as PeerWorkers | null)?.stop();
  await queue.close();
}

/** Repeats the call with so many under way. */
async function addForAWhile(
  { inFlight, jobsEach, cpu }: { inFlight: number; jobsEach: number; cpu: () => number },
  add: () => unknown,
): Promise<Record<string, number>> {
  const cpuBefore = cpu();
  const beganMs = performance.now();
  const untilMs = beganMs + options.addMs;
  let calls = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (performance.now() < untilMs) {
      await add();
      calls++;
    }
  }));
  return figures(calls * jobsEach, performance.now() - beganMs, cpu() - cpuBefore);
}

function figures(jobs: number, tookMs: number, usedUs: number): Record<string, number> {
  return { perSecond: jobs / tookMs * 1_000, cpuUs: usedUs / jobs };
}

async function addJobs(queue: PeerQueue, count: number): Promise<void> {
  if (queue.addMany !== null) {
    for (let added = 0; added < count; added += HUNDRED.length) await queue.addMany(HUNDRED);
    return;
  }
  await addInFlight(queue, count);
}

async function addInFlight(queue: PeerQueue, count: number): Promise<void> {
  let added = 0;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (added++ < count) await queue.add(TEXT);
  }));
}

/** Waits until nothing is left, asking the queue only when `mayBe`; returns what is left. */
async function untilDrained(queue: PeerQueue, mayBe: () => boolean | undefined): Promise<number> {
  const untilMs = performance.now() + DRAIN_PATIENCE_MS;
  while (performance.now() < untilMs) {
    if (mayBe() && await queue.unfinished() === 0) return 0;
    await sleep(2);
  }
  return await queue.unfinished();
}

/** Proportional set size of processes and their descendants, in megabytes (10^6 bytes). */
function memoryMb(pids: readonly number[]): number {
  let total = 0;
  for (const pid of new Set(pids.flatMap((pid) => [pid, ...descendants(pid)]))) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      total += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)![1]) * 1_024 / 1e6;
    } catch {
      // It has ended meanwhile.
    }
  }
  return total;
}

/** Processor time of processes and their descendants, in microseconds; those that have ended count, too. */
function cpuUs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of new Set(pids.flatMap((pid) => [pid, ...descendants(pid)]))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // utime, stime and those of children that were waited for, after the name in parentheses
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 15);
      ticks += fields.reduce((sum, field) => sum + Number(field), 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks / TICKS_PER_SECOND * 1e6;
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  if (children === "") return [];
  return children.split(" ").map(Number).flatMap((child) => [child, ...descendants(child)]);
}

/** Runs a step and prints its result; a step that fails does not hinder the next. */
async function step(
  name: string,
  measure: () => Promise<Record<string, number>>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    const seconds = STEP_PATIENCE_MS / 1_000;
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), STEP_PATIENCE_MS);
  });
  let result: StepResult;
  try {
    result = { step: name, figures: await Promise.race([measure(), tooLong]) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    result = { step: name, figures: {}, error: message.split("\n")[0]! };
  } finally {
    clearTimeout(timer);
  }
  console.log(`${STEP_MARK}${JSON.stringify(result)}`);
}

async function load<T>(specifier: string): Promise<T> {
  // Ours is measured with the packages that it is made of.
  if (options.modules === "") return await import(specifier) as T;
  const require = createRequire(`${options.modules}/from-here.js`);
  const loaded = await import(pathToFileURL(require.resolve(specifier)).href);
  return loaded as T;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main();
process.exit(0);
