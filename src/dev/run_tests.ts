/**
 * `deno task test [--no-check] [--without] [SUITE[:FILTER]...] [-- OPTION...]`: runs the test suites,
 * all of them by default, or all but those named, and adds up the results. Of SUITE:FILTER only those
 * tests are run whose name fits. `--no-check` leaves out the types, for who has checked them before.
 * Options after `--` go to `deno test`.
 *
 * Two suites are run side by side, with half of the cores each, so that no core waits for the last file
 * of a suite; and beside them, one after the other, the few files that spend their time waiting.
 *
 * Owns which tests run together and how; knows nothing of what they test.
 *
 * Invariant: it succeeds only if every suite ran to its end, none of its tests failed, and, unless
 * options or a filter have narrowed it down, there were any.
 */
import { fileURLToPath } from "node:url";
import { type Part, partsOf, SUITES } from "./suites.ts";
import { readRequest, type TestRequest } from "./test_request.ts";
import { type Turn, Turns } from "./turns.ts";

/** So many suites run at a time. */
const SIDE_BY_SIDE = 2;

interface Tally {
  readonly passed: number;
  /** Tests that say themselves that they cannot run here. */
  readonly ignored: number;
  readonly failed: number;
}

const stopping = new AbortController();

const turns = new Turns((text) => {
  for (let bytes = new TextEncoder().encode(text); bytes.length > 0;) {
    bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  }
});

async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args, Object.keys(SUITES));
  if ("mistakes" in request) {
    console.error(request.mistakes.join("\n"));
    return 2;
  }
  const startMs = performance.now();
  const { parts, missing } = await prepareParts(request);
  const tallies = await runParts(parts);
  // Elsewhere people may do without; where changes are checked nothing is left out.
  const broken = Deno.env.get("CI") === "true" ? [...missing] : [];
  let passed = 0;
  let failed = 0;
  for (const [name, tally] of tallies) {
    if (tally === null) broken.push(name);
    passed += tally?.passed ?? 0;
    failed += tally?.failed ?? 0;
  }
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
  for (const name of broken) console.log(`The suite ${name} did not run as it should.`);
  console.log(
    `\nTests: ${passed} passed, ${failed} failed, ${broken.length} broken (${seconds} s)`,
  );
  return failed + broken.length === 0 ? 0 : 1;
}

/** The parts of the suites that can be run here, and the names of those that cannot. */
async function prepareParts(
  { suites, isChecked, passedOn }: TestRequest,
): Promise<{ parts: Part[]; missing: string[] }> {
  const parts: Part[] = [];
  const missing: string[] = [];
  for (const { name, filter } of suites) {
    const suite = SUITES[name]!;
    const environment = suite.prepare === undefined ? {} : await suite.prepare();
    if (environment === null) {
      missing.push(name);
      console.log(`THE SUITE ${name} WAS LEFT OUT: what it needs is missing.`);
      continue;
    }
    const options = [
      ...isChecked || suite.isAlwaysChecked ? [] : ["--no-check"],
      ...filter === undefined ? [] : ["--filter", filter],
      ...passedOn,
    ];
    const isNarrowed = filter !== undefined || passedOn.length > 0;
    parts.push(...partsOf(name, { options, environment, isNarrowed }));
  }
  return { parts, missing };
}

/** What became of each part; those that keep the cores busy share them. */
async function runParts(parts: readonly Part[]): Promise<ReadonlyMap<string, Tally | null>> {
  const tallies = new Map<string, Tally | null>();
  const runEach = async (queue: Iterable<Part>, jobs: number): Promise<void> => {
    for (const part of queue) {
      const turn = turns.begin();
      turn.write(`\n--- ${part.name} ---\n`);
      tallies.set(part.name, await runPart(part, jobs, turn));
      turn.end();
    }
  };
  const busy = parts.filter(({ isWaiting }) => !isWaiting);
  const lanes = Math.min(SIDE_BY_SIDE, navigator.hardwareConcurrency, busy.length);
  const cores = Math.max(1, Math.floor(navigator.hardwareConcurrency / lanes));
  const queue = busy.values();
  await Promise.all([
    ...Array.from({ length: lanes }, () => runEach(queue, cores)),
    runEach(parts.filter(({ isWaiting }) => isWaiting), 1),
  ]);
  return tallies;
}

/** Runs tests in a process of their own; null when it did not come to a believable end. */
async function runPart(
  { args, environment, isNarrowed }: Part,
  jobs: number,
  turn: Turn,
): Promise<Tally | null> {
  if (stopping.signal.aborted) return null;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", ...args],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env: { DENO_JOBS: String(jobs), ...environment },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: stopping.signal,
  }).spawn();
  let tally: Tally | null = null;
  let line = "";
  const [{ success }] = await Promise.all([
    child.status,
    forEachText(child.stdout, (text) => {
      turn.write(text);
      const lines = (line + text).split("\n");
      line = lines.pop()!;
      for (const one of lines) tally = tallyOf(one) ?? tally;
    }),
    forEachText(child.stderr, (text) => turn.write(text)),
  ]);
  return believable(tally, success, isNarrowed);
}

async function forEachText(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}

/** Null: the numbers do not go together with the exit code, or there are none. */
function believable(tally: Tally | null, success: boolean, isNarrowed: boolean): Tally | null {
  if (tally === null || success !== (tally.failed === 0)) return null;
  const isEmpty = tally.passed + tally.failed + tally.ignored === 0;
  return isEmpty && !isNarrowed ? null : tally;
}

/** What the closing line of `deno test` says; null for any other line. */
function tallyOf(line: string): Tally | null {
  // deno-lint-ignore no-control-regex
  const plain = line.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const found = /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed/.exec(plain);
  const ignored = Number(/ \| (\d+) ignored/.exec(plain)?.[1] ?? 0);
  return found && { passed: Number(found[1]), failed: Number(found[2]), ignored };
}

/** What runs is ended and told of as far as it came; the rest counts as broken. */
function stop(): void {
  turns.flush();
  stopping.abort();
}

if (import.meta.main) {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  Deno.exitCode = await main(Deno.args);
  for (const signal of signals) Deno.removeSignalListener(signal, stop);
}
