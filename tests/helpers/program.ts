/**
 * The program with a directory and a database of its own, and as many processes on it as a test
 * starts. Owns the directory and everything that comes of these processes; looks into no database.
 *
 * Invariant: when a sandbox is disposed, nothing that was started in it is alive, and a process that
 * its owner should have ended but did not is a failure of the test.
 */
import { join } from "node:path";
import { parseDuration } from "../../src/lib/duration.ts";
import { type TempDatabase, tempDatabase } from "./backend.ts";
import { program, queuectl, type Ran, Service } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { describeProcess, killAll, processesWhere, processesWith } from "./processes.ts";

/** One line of a service's log. */
// deno-lint-ignore no-explicit-any -- events have many shapes
export type LogLine = { event: string; level: string } & Record<string, any>;

/** A job as `show --json` and `GET /jobs/{id}` tell it. */
// deno-lint-ignore no-explicit-any -- tests look into jobs of many shapes
export type JobJson = Record<string, any>;

/** How long a process may take to be up. */
const START_LIMIT_MS = 60_000;
/** How long it may take to end, where the test does not say. */
const STOP_LIMIT_MS = 60_000;
/** How long what a killed process had started may live on. */
const LEFTOVER_LIMIT_MS = 20_000;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The database; by default the sandbox's own. */
  readonly db?: string;
  /** After so long the program is killed and the test fails. */
  readonly timeoutMs?: number;
}

export interface StartOptions extends RunOptions {
  /** Words before the program: a shell that sets limits, `unshare` and the like. */
  readonly wrapper?: readonly string[];
}

/** A directory with a database and the processes that work on it. */
export class Sandbox implements AsyncDisposable {
  readonly db: string;
  readonly #services: Running[] = [];
  readonly #database: AsyncDisposable | null;

  private constructor(readonly dir: string, db: string, database: TempDatabase | null) {
    this.db = db;
    this.#database = database;
  }

  /** @param db the database, if it is to be another than a new one of the backend under test. */
  static async create(db?: string): Promise<Sandbox> {
    const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "queuectl-system-" }));
    if (db !== undefined) return new Sandbox(dir, db, null);
    const database = await tempDatabase(dir);
    return new Sandbox(dir, database.db, database);
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
  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const { env, db = this.db, ...rest } = options;
    return queuectl(args, { ...rest, cwd: this.dir, db, env: { ...this.#marked(), ...env } });
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
  async wait(ids: readonly string[], timeout = "90s"): Promise<number> {
    const timeoutMs = parseDuration(timeout)! + START_LIMIT_MS;
    const { code, stderr } = await this.run(["wait", "--timeout", timeout, ...ids], { timeoutMs });
    if (code === 4) throw new Error(`jobs were not finished after ${timeout}: ${stderr}`);
    return code;
  }

  /** Starts `queuectl serve` on a free port; resolves when it listens. */
  async serve(flags: readonly string[] = [], options: StartOptions = {}): Promise<Running> {
    const service = this.start(["serve", "--port", "0", ...flags], options);
    service.url = (await service.sees("server.listening", { timeoutMs: START_LIMIT_MS }))["url"];
    return service;
  }

  /** Starts `queuectl worker`; resolves when its workers are there. */
  async worker(flags: readonly string[] = [], options: StartOptions = {}): Promise<Running> {
    const service = this.start(["worker", ...flags], options);
    await service.sees("service.started", { timeoutMs: START_LIMIT_MS });
    return service;
  }

  /** Starts the program and leaves it running. */
  start(args: readonly string[], options: StartOptions = {}): Running {
    const { command, args: first } = program();
    const [word, ...words] = [...options.wrapper ?? [], command, ...first, ...args];
    const inherited = Object.entries(Deno.env.toObject())
      .filter(([name]) => !name.startsWith("QUEUECTL"));
    const child = new Deno.Command(word!, {
      args: words,
      cwd: this.dir,
      clearEnv: true,
      env: {
        ...Object.fromEntries(inherited),
        QUEUECTL_DB: options.db ?? this.db,
        ...this.#marked(),
        ...options.env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const service = new Running(child, args.join(" "));
    this.#services.push(service);
    return service;
  }

  /** What was started here, by whomever, and lives: commands and detached processes too. */
  processes(): number[] {
    return processesWith(`TMPDIR=${this.dir}`);
  }

  /** The live processes of a job, of one of its attempts where that is named. */
  processesOf(id: string, attempt?: number): number[] {
    const marks = [`TMPDIR=${this.dir}`, `QUEUECTL_JOB_ID=${id}`];
    if (attempt !== undefined) marks.push(`QUEUECTL_ATTEMPT=${attempt}`);
    return processesWhere((environment) => marks.every((mark) => environment.includes(mark)));
  }

  /** Commands hand this on, so that everything that was started here carries it. */
  #marked(): Record<string, string> {
    return { TMPDIR: this.dir, NO_COLOR: "1" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services) await service[Symbol.asyncDispose]();
    let left: number[] = [];
    try {
      await eventually(() => (left = this.processes()).length === 0, {
        what: "the processes of the sandbox were gone",
        timeoutMs: LEFTOVER_LIMIT_MS,
        everyMs: 50,
      });
    } catch {
      const message = `processes were left behind: ${left.map(describeProcess).join(", ")}`;
      killAll(left);
      console.error(message); // seen even if the test has failed before
      throw new Error(message);
    } finally {
      await this.#database?.[Symbol.asyncDispose]();
      await Deno.remove(this.dir, { recursive: true });
    }
  }
}

/** A process of the program that runs until it is told to stop. */
export class Running extends Service {
  /** Where the API listens, without a slash at the end; empty for workers. */
  url = "";

  constructor(child: Deno.ChildProcess, readonly name: string) {
    super(child);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Asks it to end and waits, at most a while, until it has. */
  override async stop(name: Deno.Signal = "SIGTERM"): Promise<Awaited<Service["ended"]>> {
    this.signal(name);
    return await this.endsWithin();
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /** How it ended, which must happen within this time. */
  async endsWithin(timeoutMs = STOP_LIMIT_MS): Promise<Awaited<Service["ended"]>> {
    await eventually(() => this.isOver, {
      what: `\`queuectl ${this.name}\` ended (its log: ${this.recentLog()})`,
      timeoutMs,
    });
    return await this.ended;
  }

  /** The first line of this event that fits, as soon as it is there. */
  async sees(
    event: string,
    { timeoutMs = 30_000, fits = () => true }: {
      timeoutMs?: number;
      fits?: (line: LogLine) => boolean;
    } = {},
  ): Promise<LogLine> {
    const find = (): LogLine | undefined => this.log(event).find(fits);
    const what = `\`queuectl ${this.name}\` logged ${event}`;
    await eventually(() => find() !== undefined || this.isOver, { what, timeoutMs })
      .catch(() => {});
    const found = find();
    if (found === undefined) throw new Error(`it never happened that ${what}:${this.recentLog()}`);
    return found;
  }

  /** The last lines that it has written to stderr. */
  recentLog(): string {
    return `\n${this.stderr.trimEnd().split("\n").slice(-20).join("\n")}`;
  }
}
