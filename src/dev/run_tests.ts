/**
 * `deno task test [--without] [SUITE...] [-- OPTION...]`: runs the test suites, all of them by default,
 * or all but those named, one after the other, and adds up the results. Options after `--` go to
 * `deno test`.
 *
 * Owns which tests run together and how; knows nothing of what they test.
 *
 * Invariant: it succeeds only if every suite ran to its end, none of its tests failed, and, unless
 * options have narrowed it down, there were any.
 */
import { fileURLToPath } from "node:url";
import { type PostgresServer, startPostgres } from "../../tests/helpers/postgres.ts";
import { ensureChromium } from "./chromium.ts";
import { ensurePostgres } from "./postgres.ts";

interface Suite {
  readonly paths: readonly string[];
  /** Extra options for `deno test`. */
  readonly options: readonly string[];
  /** Sees to what the suite needs besides Deno: its environment; null: it is not to be had. */
  readonly prepare?: () => Promise<Readonly<Record<string, string>> | null>;
}

/** Test files may run side by side; without this option those that count on time get all cores. */
const PARALLEL = "--parallel";

const SUITES: Readonly<Record<string, Suite>> = {
  unit: { paths: ["tests/unit", "tests/dev"], options: [PARALLEL] },
  docs: { paths: ["src"], options: ["--doc", PARALLEL] },
  store: { paths: ["tests/store"], options: [PARALLEL] },
  sim: { paths: ["tests/sim"], options: [PARALLEL] },
  http: { paths: ["tests/http"], options: [PARALLEL] },
  cli: { paths: ["tests/cli"], options: [PARALLEL] },
  system: { paths: ["tests/system"], options: [PARALLEL] },
  sqlite: { paths: ["tests/sqlite"], options: [PARALLEL] },
  examples: { paths: ["tests/examples"], options: [PARALLEL] },
  browser: { paths: ["tests/browser"], options: [], prepare: browser },
  postgres: { paths: ["tests/postgres"], options: [PARALLEL], prepare: postgres },
  "http-postgres": onPostgres("tests/http"),
  "cli-postgres": onPostgres("tests/cli"),
  "system-postgres": onPostgres("tests/system"),
  "examples-postgres": onPostgres("tests/examples"),
};

/** The same tests again, with their queues on the server of the run. */
function onPostgres(path: string): Suite {
  return {
    paths: [path],
    options: [PARALLEL],
    prepare: async () => {
      const environment = await postgres();
      return environment && { ...environment, QUEUECTL_TEST_DB: "postgres" };
    },
  };
}

interface Tally {
  readonly passed: number;
  /** Tests that say themselves that they cannot run here. */
  readonly ignored: number;
  readonly failed: number;
}

async function main(args: readonly string[]): Promise<number> {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const all = Object.keys(SUITES);
  const isWithout = args[0] === "--without";
  const named = args.slice(isWithout ? 1 : 0, end);
  const unknown = named.filter((name) => !Object.hasOwn(SUITES, name));
  if (unknown.length > 0) {
    console.error(
      `no test suite ${unknown.join(", ")}; expected some of ${all.join(", ")}`,
    );
    return 2;
  }
  const names = isWithout
    ? all.filter((name) => !named.includes(name))
    : named.length > 0
    ? named
    : all;
  const startMs = performance.now();
  const broken: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const name of names) {
    console.log(`\n--- ${name} ---`);
    const suite = SUITES[name]!;
    const environment = suite.prepare === undefined ? {} : await suite.prepare();
    if (environment === null) {
      // Elsewhere people may do without; where changes are checked nothing is left out.
      if (Deno.env.get("CI") === "true") broken.push(name);
      console.log(`THE SUITE ${name} WAS LEFT OUT: what it needs is missing.`);
      continue;
    }
    const tally = await runSuite(suite, args.slice(end + 1), environment);
    passed += tally?.passed ?? 0;
    failed += tally?.failed ?? 0;
    if (tally === null) broken.push(name);
  }
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
  for (const name of broken) console.log(`The suite ${name} did not run as it should.`);
  console.log(
    `\nTests: ${passed} passed, ${failed} failed, ${broken.length} broken (${seconds} s)`,
  );
  return failed + broken.length === 0 ? 0 : 1;
}

let server: PostgresServer | null | undefined;

/** One server for the whole run: to start one takes longer than most files of tests. */
async function postgres(): Promise<Record<string, string> | null> {
  if (server === undefined) {
    // Where it can install nothing there may still be programs to be fetched.
    await ensurePostgres((text) => console.log(text));
    server = await startPostgres().catch((error) => {
      console.error(error);
      return null;
    });
  }
  return server && { QUEUECTL_TEST_POSTGRES: server.url };
}

async function browser(): Promise<Record<string, string> | null> {
  return await ensureChromium((text) => console.log(text)) ? {} : null;
}

/** Runs a suite in a process of its own; null when it did not come to a believable end. */
async function runSuite(
  suite: Suite,
  options: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Tally | null> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", ...leakChecks(), ...suite.options, ...options, ...suite.paths],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let tally: Tally | null = null;
  let line = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    await writeOut(text);
    const lines = (line + text).split("\n");
    line = lines.pop()!;
    for (const one of lines) tally = tallyOf(one) ?? tally;
  }
  const { success } = await child.status;
  if (tally === null || success !== (tally.failed === 0)) return null;
  const isEmpty = tally.passed + tally.failed + tally.ignored === 0;
  return isEmpty && options.length === 0 ? null : tally;
}

/** Deno 2.8 turned the search for leaked operations and resources off; before, it was always on. */
function leakChecks(): string[] {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return major > 2 || minor >= 8 ? ["--sanitize-ops", "--sanitize-resources"] : [];
}

/** What the closing line of `deno test` says; null for any other line. */
function tallyOf(line: string): Tally | null {
  // deno-lint-ignore no-control-regex
  const plain = line.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const found = /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed/.exec(plain);
  const ignored = Number(/ \| (\d+) ignored/.exec(plain)?.[1] ?? 0);
  return found && { passed: Number(found[1]), failed: Number(found[2]), ignored };
}

async function writeOut(text: string): Promise<void> {
  const writer = Deno.stdout.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
