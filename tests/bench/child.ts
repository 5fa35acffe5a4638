/**
 * Child processes: queuectl, the bare programs, the load generator. Owns their start and end; every
 * child is killed when it is disposed or when the run is interrupted.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TextLineStream } from "./text_lines.ts";

/** A program and its first arguments. */
export type Words = readonly [string, ...string[]];

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** How long a child may take to print what is waited for. */
const LINE_PATIENCE_MS = 60_000;

/** Children that live. */
const children = new Set<Deno.ChildProcess>();

/** Runs a module of this directory. */
export function moduleWords(path: string, ...args: readonly string[]): Words {
  const module = fileURLToPath(new URL(path, import.meta.url));
  return [Deno.execPath(), ...DENO_RUN, module, ...args];
}

/** queuectl from source: the same runtime as the bare programs, so that ratios are about us. */
export function sourceWords(...args: readonly string[]): Words {
  return [Deno.execPath(), ...DENO_RUN, MAIN, ...args];
}

/** queuectl as the variable `QUEUECTL` names it, else from source. */
export function programWords(...args: readonly string[]): Words {
  const named = Deno.env.get("QUEUECTL");
  if (!named) return sourceWords(...args);
  // A task runs in the project's root; a relative path is meant from where it was started.
  const path = named.includes("/") ? resolve(Deno.env.get("INIT_CWD") ?? "", named) : named;
  return [path, ...args];
}

const DENO_RUN = ["run", "--allow-all", "--quiet", "--no-check", "--config", CONFIG];

export interface ChildOptions {
  readonly cwd?: string;
}

/** A child whose lines are read: its standard output, or its log on standard error. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #words: Words;

  constructor(words: Words, from: "stdout" | "stderr", { cwd }: ChildOptions = {}) {
    const [program, ...args] = words;
    this.#words = words;
    this.#process = new Deno.Command(program, {
      args,
      cwd,
      env: childEnvironment(),
      stdin: "piped",
      stdout: from === "stdout" ? "piped" : "null",
      stderr: from === "stderr" ? "piped" : "inherit",
    }).spawn();
    children.add(this.#process);
    this.#process.status.then(() => children.delete(this.#process));
    const bytes = from === "stdout" ? this.#process.stdout : this.#process.stderr;
    this.#lines = bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
      .getReader();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The first line from now on for which `find` returns something. */
  async line<T>(find: (line: string) => T | null): Promise<T> {
    let last = "nothing";
    const timer = setTimeout(() => this.#lines.cancel(), LINE_PATIENCE_MS);
    try {
      while (true) {
        const { value, done } = await this.#lines.read();
        if (done) break;
        const found = find(value);
        if (found !== null) return found;
        last = value;
      }
    } finally {
      clearTimeout(timer);
    }
    throw new Error(
      `a program did not become ready; the last it said: ${last}\n${this.#words.join(" ")}`,
    );
  }

  /** Reads on without looking, so that the child never waits for its reader. */
  drainLines(): void {
    const read = async () => {
      while (!(await this.#lines.read()).done);
    };
    read().catch(() => {});
  }

  /** Tells the child, by the end of its input, that it may finish. */
  async endInput(): Promise<void> {
    await this.#process.stdin.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.#process);
    await this.#process.status;
    await this.#process.stdin.close().catch(() => {});
    await this.#lines.cancel().catch(() => {});
  }
}

/**
 * Runs a program to its end and returns its output.
 *
 * @throws {Error} with what it wrote to standard error, when it fails.
 */
export async function run(words: Words, { cwd }: ChildOptions = {}): Promise<string> {
  const [program, ...args] = words;
  const child = new Deno.Command(program, {
    args,
    cwd,
    env: childEnvironment(),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  children.add(child);
  const { success, stdout, stderr } = await child.output();
  children.delete(child);
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const said = `${decoder.decode(stderr)}${decoder.decode(stdout)}`.trim();
  throw new Error(`a program failed: ${said}\n${words.join(" ")}`);
}

/** Runs a module of this directory with options as JSON; it prints its figures as JSON. */
export async function runModule<T>(path: string, options: unknown): Promise<T> {
  return JSON.parse(await run(moduleWords(path, JSON.stringify(options))));
}

/** Ends every child that lives: the run was interrupted. */
export function killChildren(): void {
  for (const child of children) kill(child);
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** Settings of whoever runs the benchmark must not change what is measured. */
function childEnvironment(): Record<string, string> {
  const settings = Object.keys(Deno.env.toObject()).filter((name) => name.startsWith("QUEUECTL_"));
  return {
    ...Object.fromEntries(settings.map((name) => [name, ""])),
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
}
