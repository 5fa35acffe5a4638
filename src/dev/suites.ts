/**
 * The suites of tests: where their files stand, what they need besides Deno, and which files mostly wait.
 *
 * Owns what `deno test` is told for each; knows neither what the tests test nor when they run.
 *
 * Invariant: the parts of a suite have all its files, each once.
 */
import { type PostgresServer, startPostgres } from "../../tests/helpers/postgres.ts";
import { ensureChromium } from "./chromium.ts";
import { ensurePostgres } from "./postgres.ts";

export interface Suite {
  readonly paths: readonly string[];
  /** Extra options for `deno test`. */
  readonly options: readonly string[];
  readonly isAlwaysChecked?: true;
  /** Sees to what the suite needs besides Deno: its environment; null: it is not to be had. */
  readonly prepare?: () => Promise<Readonly<Record<string, string>> | null>;
}

/** Test files may run side by side, on as many cores as the suite has. */
const PARALLEL = "--parallel";

/** They wait for times to come and for connections to be given up, and leave the cores to others. */
const WAITING = [
  "tests/http/quiet.test.ts",
  "tests/postgres/machines_test.ts",
  "tests/postgres/network_test.ts",
  "tests/postgres/outage_test.ts",
  "tests/sqlite/disk_full_test.ts",
  "tests/system/alert_test.ts",
  "tests/system/quiet_test.ts",
  "tests/system/webhook_test.ts",
];

/** The longest stand first, so that the last ones to run are short and all ends at about one time. */
export const SUITES: Readonly<Record<string, Suite>> = {
  "system-postgres": onPostgres("tests/system"),
  postgres: { paths: ["tests/postgres"], options: [PARALLEL], prepare: postgres },
  system: { paths: ["tests/system"], options: [PARALLEL] },
  "cli-postgres": onPostgres("tests/cli"),
  cli: { paths: ["tests/cli"], options: [PARALLEL] },
  "http-postgres": onPostgres("tests/http"),
  http: { paths: ["tests/http"], options: [PARALLEL] },
  browser: { paths: ["tests/browser"], options: [], prepare: browser },
  store: { paths: ["tests/store"], options: [PARALLEL] },
  unit: { paths: ["tests/unit", "tests/dev"], options: [PARALLEL] },
  sqlite: { paths: ["tests/sqlite"], options: [PARALLEL] },
  sim: { paths: ["tests/sim"], options: [PARALLEL] },
  "examples-postgres": onPostgres("tests/examples"),
  examples: { paths: ["tests/examples"], options: [PARALLEL] },
  // No other check looks at the types of what is shown in comments.
  docs: { paths: ["src"], options: ["--doc", PARALLEL], isAlwaysChecked: true },
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

/** What is run in a process of its own: a suite, or a part of it. */
export interface Part {
  readonly name: string;
  /** Of `deno test`, with the paths. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly isWaiting: boolean;
  /** Whether there need not be a test that fits. */
  readonly isNarrowed: boolean;
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

/** What is to be run of a suite: what keeps the cores busy, and what mostly waits. */
export function partsOf(
  name: string,
  { options, ...rest }: Pick<Part, "environment" | "isNarrowed"> & { options: readonly string[] },
): Part[] {
  const suite = SUITES[name]!;
  const args = [...leakChecks(), ...suite.options, ...options];
  const waiting = WAITING.filter((file) => suite.paths.some((path) => file.startsWith(`${path}/`)));
  const ignored = waiting.length > 0 ? [`--ignore=${waiting.join(",")}`] : [];
  const whole = { ...rest, name, args: [...args, ...ignored, ...suite.paths], isWaiting: false };
  if (waiting.length === 0) return [whole];
  return [whole, {
    ...whole,
    name: `${name}: waiting`,
    args: [...args, ...waiting],
    isWaiting: true,
  }];
}

/** Deno 2.8 turned the search for leaked operations and resources off; before, it was always on. */
function leakChecks(): string[] {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return major > 2 || minor >= 8 ? ["--sanitize-ops", "--sanitize-resources"] : [];
}
