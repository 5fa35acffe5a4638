/**
 * `deno task demo`: shows in half a minute what queuectl does. It starts the service on a temporary
 * database, uploads this project's own texts, runs commands of which one fails its way into the
 * dead-letter queue, and compares what comes out with what must. On a terminal the service then
 * stays until Ctrl-C, to be looked at.
 *
 * Knows the service only from outside, by its HTTP API. Invariant: it succeeds only if everything
 * came out as expected, and leaves nothing behind either way.
 */
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "../lib/pause.ts";
import { DemoApi, type JobStatus } from "./demo_api.ts";
import { type DemoServer, startServer } from "./demo_server.ts";
import { type Progress, ProgressLine } from "./progress.ts";

/** This file is two directories below the project's root. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Texts to upload: these files, and the TypeScript files directly in these directories. */
const TEXTS = ["README.md", "CHANGELOG.md", "LICENSE", "src/job", "src/lib"];

/** Quick retries, and enough pretended work to see something move. */
const SERVE_OPTIONS = [
  "--allow-commands",
  ...["--backoff-base", "0.7", "--workers", "2", "--simulated-work", "400ms"],
];
const POLL_MS = 100;
/** All jobs must have finished by then. */
const WORK_LIMIT_MS = 40_000;

interface Upload {
  readonly name: string;
  readonly characters: number;
  readonly id: string;
}

interface CommandExample {
  readonly command: string | readonly string[];
  readonly maxRetries: number;
  readonly expected: "done" | "failed";
  readonly attempts: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const COMMANDS: readonly CommandExample[] = [
  {
    command: "echo one two three | wc -w",
    maxRetries: 0,
    expected: "done",
    attempts: 0,
    stdout: /^\s*3\s*$/,
  },
  {
    command: ["printf", "%s\n", "no shell: $HOME * stay as they are"],
    maxRetries: 0,
    expected: "done",
    attempts: 0,
    stdout: /^no shell: \$HOME \* stay/,
  },
  {
    command: 'echo "attempt $QUEUECTL_ATTEMPT"; test "$QUEUECTL_ATTEMPT" -ge 2',
    maxRetries: 3,
    expected: "done",
    attempts: 1,
    stdout: /^attempt 2\n$/,
  },
  {
    command: 'echo "cannot reach the moon" >&2; exit 3',
    maxRetries: 2,
    expected: "failed",
    attempts: 3,
    stderr: /^cannot reach the moon\n$/,
  },
];

type AddedCommand = CommandExample & { readonly id: string };

async function main(): Promise<number> {
  const interrupted = whenInterrupted();
  Deno.env.set("NO_PROXY", "127.0.0.1"); // The way to the service must not be through a proxy.
  console.log("Starting the service on a temporary database ...");
  const server = await startServer(SERVE_OPTIONS);
  let problems: string[] = [];
  try {
    const story = tellStory(server);
    const told = await Promise.race([story, interrupted]);
    if (told === "interrupted") {
      story.catch(() => {}); // It fails now that the service goes away.
      return 130;
    }
    problems = told;
    if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal() && problems.length === 0) {
      console.log("\nThe service keeps running: press Ctrl-C to end it and remove its database.");
      await interrupted;
    }
  } catch (error) {
    problems = [(error as Error).message, `the service's last words:\n${server.recentLog()}`];
  } finally {
    if (!(await server.stop())) problems.push("the service did not end as it should");
  }
  for (const problem of problems) console.error(`Not as expected: ${problem}`);
  console.log("\nThe service has ended and its database is removed.");
  return problems.length === 0 ? 0 : 1;
}

/** Does everything that is to be seen; what was not as expected. */
async function tellStory(server: DemoServer): Promise<string[]> {
  const api = new DemoApi(server.url);
  const startMs = performance.now();
  console.log(`It listens on ${server.url}\n`);

  const uploads = await uploadTexts(api);
  console.log(`Uploaded ${uploads.length} text files of this project, to count their characters.`);
  const commands = await addCommands(api);
  console.log(`Added ${commands.length} commands: one works at its second try, one never.\n`);

  const ids = [...uploads, ...commands].map(({ id }) => id);
  const statuses = await watchUntilFinished(api, ids);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);

  const problems = [
    ...await reportUploads(api, uploads),
    ...await reportCommands(api, commands),
    ...await reportDead(api, commands, statuses),
  ];
  const count = (wanted: JobStatus["status"]) =>
    [...statuses.values()].filter(({ status }) => status === wanted).length;
  console.log(
    `\nSummary: ${ids.length} jobs in ${seconds} s: ${count("done")} done, ` +
      `${count("failed")} in the dead-letter queue, ${problems.length} not as expected.`,
  );
  tellWhereToLook(server, commands);
  return problems;
}

async function uploadTexts(api: DemoApi): Promise<Upload[]> {
  const uploads: Upload[] = [];
  for (const path of await textPaths()) {
    const bytes = await Deno.readFile(path);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const name = relative(ROOT, path);
    uploads.push({ name, characters: [...text].length, id: await api.upload(name, bytes) });
  }
  return uploads;
}

async function textPaths(): Promise<string[]> {
  const paths: string[] = [];
  for (const path of TEXTS.map((text) => resolve(ROOT, text))) {
    if ((await Deno.stat(path)).isFile) {
      paths.push(path);
      continue;
    }
    const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
    paths.push(...names.filter((name) => name.endsWith(".ts")).sort().map((n) => resolve(path, n)));
  }
  return paths;
}

async function addCommands(api: DemoApi): Promise<AddedCommand[]> {
  const added: AddedCommand[] = [];
  for (const example of COMMANDS) {
    added.push({ ...example, id: await api.addCommand(example.command, example) });
  }
  return added;
}

/** Asks for the status of all jobs, again and again, until each is finished. */
async function watchUntilFinished(
  api: DemoApi,
  ids: readonly string[],
): Promise<Map<string, JobStatus>> {
  const line = new ProgressLine();
  const statuses = new Map<string, JobStatus>();
  const deadlineMs = performance.now() + WORK_LIMIT_MS;
  while (true) {
    for (const id of ids.filter((id) => !isFinished(statuses.get(id)))) {
      statuses.set(id, await api.status(id));
    }
    const isLast = [...statuses.values()].every(isFinished);
    line.show(progressOf([...statuses.values()]), { isLast });
    if (isLast) return statuses;
    if (performance.now() > deadlineMs) {
      throw new Error(`the jobs did not finish within ${WORK_LIMIT_MS / 1_000} s`);
    }
    await pause(POLL_MS);
  }
}

function isFinished(job: JobStatus | undefined): boolean {
  return job !== undefined && ["done", "failed", "cancelled"].includes(job.status);
}

function progressOf(jobs: readonly JobStatus[]): Progress {
  const count = (matches: (job: JobStatus) => boolean) => jobs.filter(matches).length;
  return {
    done: count(({ status }) => status === "done"),
    dead: count(({ status }) => status === "failed"),
    running: count(({ status }) => status === "started" || status === "processing"),
    retrying: count(({ status, attempts }) => status === "pending" && attempts > 0),
    waiting: count(({ status, attempts }) => status === "pending" && attempts === 0),
  };
}

async function reportUploads(api: DemoApi, uploads: readonly Upload[]): Promise<string[]> {
  const problems: string[] = [];
  console.log("\nCharacters of each file");
  for (const { name, characters, id } of uploads) {
    const result = await api.result(id);
    console.log(`  ${String(result.characters).padStart(8)}  ${name}`);
    if (result.characters !== characters) {
      problems.push(`${name}: expected ${characters} characters, got ${result.characters}`);
    }
  }
  return problems;
}

async function reportCommands(api: DemoApi, commands: readonly AddedCommand[]): Promise<string[]> {
  const problems: string[] = [];
  console.log("\nCommands");
  for (const { id, command, expected, attempts, stdout } of commands) {
    const status = await api.status(id);
    const output = await api.output(id, "stdout");
    console.log(`  ${status.status.padEnd(6)}  ${shown(command)}`);
    if (output !== "") console.log(`          -> ${output.trim()}`);
    if (status.status !== expected || status.attempts !== attempts) {
      problems.push(
        `${shown(command)}: expected ${expected} after ${attempts} failed attempts, ` +
          `got ${status.status} after ${status.attempts}`,
      );
    }
    if (stdout !== undefined && !stdout.test(output)) {
      problems.push(`${shown(command)}: unexpected output ${JSON.stringify(output)}`);
    }
  }
  return problems;
}

async function reportDead(
  api: DemoApi,
  commands: readonly AddedCommand[],
  statuses: ReadonlyMap<string, JobStatus>,
): Promise<string[]> {
  const problems: string[] = [];
  console.log("\nDead-letter queue");
  const dead = await api.deadIds();
  for (const id of dead) {
    const example = commands.find((command) => command.id === id);
    const { error } = await api.result(id);
    const stderr = await api.output(id, "stderr");
    console.log(`  job       ${id}\n  command   ${shown(example?.command ?? "?")}`);
    console.log(`  attempts  ${statuses.get(id)?.attempts}`);
    console.log(`  error     ${error}`);
    console.log(`  stderr    ${stderr.trim()}`);
    if (!example?.stderr?.test(stderr)) {
      problems.push(`job ${id}: unexpected stderr ${JSON.stringify(stderr)}`);
    }
  }
  const expected = commands.filter((command) => command.expected === "failed").map(({ id }) => id);
  if (dead.join() !== expected.join()) {
    problems.push(`dead-letter queue: expected ${expected.join()}, got ${dead.join()}`);
  }
  return problems;
}

function tellWhereToLook({ url, db }: DemoServer, commands: readonly AddedCommand[]): void {
  const dead = commands.find(({ expected }) => expected === "failed")!;
  console.log(`\nWhile the service runs (on a terminal: until Ctrl-C), look at
  ${url}        the pages, in a browser
  ${url}/stats
  ${url}/jobs?state=dead
  ${url}/jobs/${dead.id}
  ${url}/workers
or, in this directory in another terminal,
  ${taskCommand()} start status --db ${db}
  ${taskCommand()} start show ${dead.id} --db ${db}
  ${taskCommand()} start dlq retry ${dead.id} --db ${db}`);
}

/** How a reader starts a task: through npx where Deno itself came that way. */
function taskCommand(): string {
  const isFromNpm = Deno.execPath().includes("node_modules");
  return isFromNpm ? `npx -y deno@${Deno.version.deno} task` : "deno task";
}

function shown(command: string | readonly string[]): string {
  return typeof command === "string" ? command : JSON.stringify(command);
}

/** Resolves at Ctrl-C, or when the process is asked to end; it is not ended by them any more. */
function whenInterrupted(): Promise<"interrupted"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => resolve("interrupted"));
    }
  });
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main();
  } catch (error) {
    console.error((error as Error).message);
    Deno.exitCode = 1;
  }
}
