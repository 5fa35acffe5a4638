/**
 * Runs the program as a user does, in a process of its own: the executable that the variable
 * QUEUECTL names, or else the source. Owns the processes that it starts; knows nothing of what they
 * do.
 *
 * Invariant: when a {@link Service} is disposed its process has ended.
 */
import { resolve } from "node:path";
import { selfCommand } from "../../src/lib/self.ts";
import { tempDatabase } from "./backend.ts";
import { eventually } from "./eventually.ts";

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment, which otherwise has no variable of queuectl. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the program reads; nothing unless given. */
  readonly stdin?: string | Uint8Array;
  /** The database: short for `QUEUECTL_DB`. */
  readonly db?: string;
  /** After so long the program is killed and the test fails. */
  readonly timeoutMs?: number;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a command may take; generous, for machines with much else to do. */
const TIMEOUT_MS = 120_000;

/** The program and its first arguments. */
export function program(): { readonly command: string; readonly args: readonly string[] } {
  const executable = Deno.env.get("QUEUECTL");
  return executable ? { command: resolve(executable), args: [] } : selfCommand();
}

/** Runs a command line to its end. */
export async function queuectl(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options, options.stdin === undefined ? "null" : "piped");
  if (options.stdin !== undefined) {
    const bytes = typeof options.stdin === "string"
      ? new TextEncoder().encode(options.stdin)
      : options.stdin;
    // It may end before it has read everything.
    await new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeTo(child.stdin)
      .catch(() => {});
  }
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill(child, "SIGKILL");
  }, timeoutMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const ran = { code, stdout: decode(stdout), stderr: decode(stderr) };
  if (isLate) {
    throw new Error(
      `queuectl ${args.join(" ")} was still running after ${timeoutMs} ms; ` +
        `it printed ${JSON.stringify(ran)}`,
    );
  }
  return ran;
}

export interface ServiceOptions extends Omit<RunOptions, "stdin" | "timeoutMs"> {
  /** Whether it is ready, from what it has printed so far; at once unless given. */
  readonly ready?: (printed: { readonly stdout: string; readonly stderr: string }) => boolean;
  /** How long it may take to be ready. */
  readonly readyMs?: number;
}

/** A program that runs until it is stopped. */
export class Service implements AsyncDisposable {
  readonly pid: number;
  /** How it ended; also when it is killed. */
  readonly ended: Promise<Ran & { readonly signal: Deno.Signal | null }>;
  readonly #child: Deno.ChildProcess;
  #stdout = "";
  #stderr = "";
  #isOver = false;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    this.ended = this.#run();
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The lines of its log so far, where that is JSON. */
  // deno-lint-ignore no-explicit-any -- log lines have many shapes
  log(event?: string): any[] {
    return this.#stderr.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
      try {
        const message = JSON.parse(line);
        return event === undefined || message.event === event ? [message] : [];
      } catch {
        return []; // the last line, not yet whole
      }
    });
  }

  signal(name: Deno.Signal): void {
    kill(this.#child, name);
  }

  /** Asks it to end and waits until it has. */
  async stop(name: Deno.Signal = "SIGTERM"): Promise<Ran & { readonly signal: string | null }> {
    this.signal(name);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.signal("SIGKILL");
    await this.ended;
  }

  async #run(): Promise<Ran & { readonly signal: Deno.Signal | null }> {
    const [status] = await Promise.all([
      this.#child.status,
      collect(this.#child.stdout, (text) => this.#stdout += text),
      collect(this.#child.stderr, (text) => this.#stderr += text),
    ]);
    this.#isOver = true;
    return {
      code: status.code,
      signal: status.signal,
      stdout: this.#stdout,
      stderr: this.#stderr,
    };
  }
}

/**
 * Starts a program that runs until it is stopped.
 *
 * @throws {Error} with what it printed, when it is not ready in time.
 */
export async function spawnQueuectl(
  args: readonly string[],
  { ready, readyMs = 60_000, ...options }: ServiceOptions = {},
): Promise<Service> {
  const service = new Service(start(args, options, "null"));
  const what = `queuectl ${args.join(" ")} is ready`;
  try {
    await eventually(
      () => service.isOver || ready === undefined || ready(service),
      { what, timeoutMs: readyMs },
    );
    if (service.isOver) throw new Error(`it never happened that ${what}: it has ended`);
    return service;
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw new Error(`${(error as Error).message}\n${service.stdout}\n${service.stderr}`);
  }
}

/** `serve` on any free port, ready to answer; `url` has no slash at its end. */
export async function spawnServer(
  args: readonly string[],
  options: Omit<ServiceOptions, "ready"> = {},
): Promise<Service & { readonly url: string }> {
  const service = await spawnQueuectl(
    ["serve", "--port", "0", "--log-format", "json", ...args],
    { ...options, ready: ({ stderr }) => stderr.includes('"server.listening"') },
  );
  const url = await eventually(() => service.log("server.listening")[0]?.url as string, {
    what: "the log told the address",
  });
  return Object.assign(service, { url });
}

/** A directory and a database of one's own. */
export async function tempDir(): Promise<
  { readonly dir: string; readonly db: string } & AsyncDisposable
> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "queuectl-test-" }));
  const database = await tempDatabase(dir);
  return {
    dir,
    db: database.db,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

function start(
  args: readonly string[],
  { cwd, env, db }: RunOptions,
  stdin: "null" | "piped",
): Deno.ChildProcess {
  const { command, args: first } = program();
  const inherited = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !name.startsWith("QUEUECTL")
  );
  return new Deno.Command(command, {
    args: [...first, ...args],
    cwd,
    clearEnv: true,
    env: {
      ...Object.fromEntries(inherited),
      ...(db === undefined ? {} : { QUEUECTL_DB: db }),
      ...env,
    },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  add: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
