/**
 * The program as its users have it: a process of its own, on a database of its own. Runs what the
 * environment variable `QUEUECTL` names (an executable), or else the source, so that both pass the
 * same tests. Owns the directory and every process that comes of it; looks into no database.
 *
 * Invariant: when a sandbox is disposed, nothing that was started in it is alive, and a process that
 * its owner should have ended but did not is a failure of the test.
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { describeProcess, isAlive, killAll, processesWith } from "./processes.ts";

/** A process that has run to its end. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of a service's log. */
// deno-lint-ignore no-explicit-any -- events have many shapes
export type LogLine = { event: string; level: string } & Record<string, any>;

/** A job as `show --json` and `GET /jobs/{id}` tell it. */
// deno-lint-ignore no-explicit-any -- tests look into jobs of many shapes
export type JobJson = Record<string, any>;

/** How long a process may take to be up, and a short-lived one to end. */
const START_LIMIT_MS = 20_000;
const RUN_LIMIT_MS = 30_000;
/** How long what a killed process had started may live on. */
const LEFTOVER_LIMIT_MS = 5_000;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The database; by default the sandbox's own. */
  readonly db?: string;
}

export interface StartOptions extends RunOptions {
  /** Words before the program: a shell that sets limits, `unshare` and the like. */
  readonly wrapper?: readonly string[];
}

/** The program and its first arguments. */
function programWords(): string[] {
  const executable = Deno.env.get("QUEUECTL");
  if (executable) return [resolve(executable)];
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  return [
    Deno.execPath(),
    ...["run", "--allow-all", "--quiet", "--config", path("../../deno.json")],
    path("../../src/main.ts"),
  ];
}

/** A directory with a database and the processes that work on it. */
export class Sandbox implements AsyncDisposable {
  readonly db: string;
  readonly #services: Service[] = [];

  private constructor(readonly dir: string) {
    this.db = join(dir, "queue.db");
  }

  static async create(): Promise<Sandbox> {
    const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "queuectl-system-" }));
    return new Sandbox(dir);
  }

  /** A path inside of the directory; commands run in it, so they may use the bare name. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** The lines of a file that commands append to; none while it does not exist. */
  lines(name: string): string[] {
    try {
      return Deno.readTextFileSync(this.path(name)).split("\n").filter((line) => line !== "");
    } catch {
      return [];
    }
  }

  /** Creates an empty file, which a command waits for. */
  touch(name: string): void {
    Deno.writeTextFileSync(this.path(name), "");
  }

  /** Whether a command has left this file. */
  has(name: string): boolean {
    try {
      Deno.statSync(this.path(name));
      return true;
    } catch {
      return false;
    }
  }

  /** Runs the program to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const [program, ...first] = programWords();
    const child = new Deno.Command(program!, {
      args: [...first, ...args],
      cwd: this.dir,
      clearEnv: true,
      env: this.#environment(options),
      stdin: options.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => killAll([child.pid]), RUN_LIMIT_MS);
    try {
      if (options.stdin !== undefined) {
        const writer = child.stdin.getWriter();
        await writer.write(new TextEncoder().encode(options.stdin));
        await writer.close();
      }
      const [stdout, stderr, status] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.status,
      ]);
      if (status.signal !== null) {
        throw new Error(`queuectl ${args.join(" ")}: ended by ${status.signal}: ${stderr}`);
      }
      return { code: status.code, stdout, stderr };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs the program and returns its stdout; it must exit with 0. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`queuectl ${args.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout;
  }

  /** Adds a command and returns the job's id. */
  async add(command: string, ...flags: string[]): Promise<string> {
    return (await this.ok("add", "--quiet", ...flags, command)).trim();
  }

  /** Adds jobs from JSON in one transaction. */
  async enqueue(jobs: readonly unknown[]): Promise<void> {
    const stdin = jobs.map((job) => `${JSON.stringify(job)}\n`).join("");
    const { code, stderr } = await this.run(["enqueue", "-"], { stdin });
    if (code !== 0) throw new Error(`queuectl enqueue -: exit code ${code}: ${stderr}`);
  }

  async show(id: string): Promise<JobJson> {
    return JSON.parse(await this.ok("show", id, "--json"));
  }

  async status(): Promise<JobJson> {
    return JSON.parse(await this.ok("status", "--json"));
  }

  /** Waits until the jobs are finished; returns the exit code: 0 when all are completed. */
  async wait(ids: readonly string[], timeout = "25s"): Promise<number> {
    const { code, stderr } = await this.run(["wait", "--timeout", timeout, ...ids]);
    if (code === 4) throw new Error(`jobs were not finished after ${timeout}: ${stderr}`);
    return code;
  }

  /** Starts `queuectl serve` on a free port; resolves when it listens. */
  async serve(flags: readonly string[] = [], options: StartOptions = {}): Promise<Service> {
    const service = this.start(["serve", "--port", "0", ...flags], options);
    service.url = (await service.sees("server.listening", { timeoutMs: START_LIMIT_MS }))["url"];
    return service;
  }

  /** Starts `queuectl worker`; resolves when its workers are there. */
  async worker(flags: readonly string[] = [], options: StartOptions = {}): Promise<Service> {
    const service = this.start(["worker", ...flags], options);
    await service.sees("service.started", { timeoutMs: START_LIMIT_MS });
    return service;
  }

  /** Starts the program and leaves it running. */
  start(args: readonly string[], options: StartOptions = {}): Service {
    const [program, ...words] = [...options.wrapper ?? [], ...programWords(), ...args];
    const child = new Deno.Command(program!, {
      args: words,
      cwd: this.dir,
      clearEnv: true,
      env: this.#environment(options),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const service = new Service(child, args.join(" "));
    this.#services.push(service);
    return service;
  }

  /** What was started here, by whomever, and lives: commands and detached processes too. */
  processes(): number[] {
    return processesWith(this.#mark());
  }

  /** Handed on to commands, so that everything that was started here carries it. */
  #mark(): string {
    return `TMPDIR=${this.dir}`;
  }

  #environment({ env = {}, db = this.db }: RunOptions): Record<string, string> {
    const inherited = Object.entries(Deno.env.toObject())
      .filter(([name]) => !name.startsWith("QUEUECTL"));
    return {
      ...Object.fromEntries(inherited),
      NO_COLOR: "1",
      QUEUECTL_DB: db,
      TMPDIR: this.dir,
      ...env,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services) await service.end();
    let left: number[] = [];
    try {
      await eventually(() => (left = this.processes()).length === 0, {
        what: "the processes of the sandbox were gone",
        timeoutMs: LEFTOVER_LIMIT_MS,
        everyMs: 50,
      });
    } catch {
      const named = left.map(describeProcess).join(", ");
      killAll(left);
      throw new Error(`processes were left behind: ${named}`);
    } finally {
      await Deno.remove(this.dir, { recursive: true });
    }
  }
}

/** A process of the program that runs until it is told to stop. */
export class Service {
  /** Where the API listens, without a slash at the end; empty for workers. */
  url = "";
  readonly ended: Promise<Deno.CommandStatus>;
  /** What it has logged so far. */
  readonly log: LogLine[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #streams: Promise<unknown>;
  #stdout = "";
  #otherLines: string[] = [];
  #hasEnded = false;

  constructor(child: Deno.ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    this.ended = child.status.then((status) => {
      this.#hasEnded = true;
      return status;
    });
    this.#streams = Promise.all([this.#readLog(), this.#readStdout()]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** What it has printed on stdout so far. */
  get stdout(): string {
    return this.#stdout;
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Sends the signal and returns how it ended. */
  async stop(name: Deno.Signal = "SIGTERM", timeoutMs = 15_000): Promise<Deno.CommandStatus> {
    this.signal(name);
    return await this.endsWithin(timeoutMs);
  }

  /** How it ended, which must happen within this time. */
  async endsWithin(timeoutMs: number): Promise<Deno.CommandStatus> {
    await eventually(() => this.#hasEnded, {
      what: `\`queuectl ${this.#name}\` ended (its log: ${this.recentLog()})`,
      timeoutMs,
    });
    await this.#streams;
    return await this.ended;
  }

  /** The log's lines of this event. */
  events(event: string): LogLine[] {
    return this.log.filter((line) => line.event === event);
  }

  /** The first line of this event that fits, as soon as it is there. */
  async sees(
    event: string,
    { timeoutMs = 10_000, fits = () => true }: {
      timeoutMs?: number;
      fits?: (line: LogLine) => boolean;
    } = {},
  ): Promise<LogLine> {
    const find = () => this.events(event).find(fits);
    const what = `\`queuectl ${this.#name}\` logged ${event}`;
    await eventually(() => find() !== undefined || this.#hasEnded, { what, timeoutMs })
      .catch(() => {});
    if (this.#hasEnded) await this.#streams;
    const found = find();
    if (found === undefined) throw new Error(`it never happened that ${what}:${this.recentLog()}`);
    return found;
  }

  /** The last lines that it has written to stderr. */
  recentLog(): string {
    const lines = [...this.#otherLines, ...this.log.map((line) => JSON.stringify(line))];
    return `\n${lines.slice(-20).join("\n")}`;
  }

  /** Ends it at once, if it lives, and waits until all it wrote was read. */
  async end(): Promise<void> {
    if (isAlive(this.pid) && !this.#hasEnded) killAll([this.pid]);
    await this.ended;
    await this.#streams;
  }

  async #readStdout(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#stdout += text;
    }
  }

  async #readLog(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#keep(line);
    }
    this.#keep(rest);
  }

  #keep(line: string): void {
    try {
      this.log.push(JSON.parse(line));
    } catch {
      if (line !== "") this.#otherLines.push(line);
    }
  }
}
