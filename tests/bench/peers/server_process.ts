/**
 * A program that runs for a while: knows when it listens, and that it ends with the run, also with
 * one that fails or is interrupted. It has a process group of its own, so that what it started ends
 * with it; it is ended by its process id and never by its name.
 */
import { pause } from "../../../src/lib/pause.ts";

/** Servers and measuring processes that live. */
const living = new Set<ServerProcess>();

/** How long a server may take until it listens, and until it has ended. */
const START_PATIENCE_MS = 20_000;
const STOP_PATIENCE_MS = 8_000;

export interface ServerOptions {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** As whom it runs; without it, as who runs this. */
  readonly uid?: number;
  readonly gid?: number;
  /** Ends it in an orderly way that is quick. */
  readonly stopSignal?: Deno.Signal;
  /** Whether its standard output is wanted. */
  readonly stdout?: "piped" | "null";
}

export class ServerProcess implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #stopSignal: Deno.Signal;
  readonly #errors: Promise<string>;
  #hasEnded = false;

  constructor(program: string, options: ServerOptions) {
    const { args, cwd, env, uid, gid, stopSignal = "SIGTERM", stdout = "null" } = options;
    this.#stopSignal = stopSignal;
    this.child = new Deno.Command(program, {
      args: [...args],
      cwd,
      env: { ...env },
      uid,
      gid,
      detached: true,
      stdin: "null",
      stdout,
      stderr: "piped",
    }).spawn();
    living.add(this);
    this.child.status.then(() => {
      this.#hasEnded = true;
      living.delete(this);
    });
    this.#errors = lastText(this.child.stderr);
  }

  get pid(): number {
    return this.child.pid;
  }

  /** The end of what it wrote to standard error, once it has ended. */
  errors(): Promise<string> {
    return this.#errors;
  }

  /** @throws {Error} with what it wrote, when it ends or does not listen in time. */
  async listens(port: number): Promise<void> {
    const untilMs = performance.now() + START_PATIENCE_MS;
    while (performance.now() < untilMs) {
      if (this.#hasEnded) throw new Error(`it ended at once: ${await this.#errors}`);
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch {
        await pause(20);
      }
    }
    throw new Error(`it does not listen after ${START_PATIENCE_MS / 1_000} s`);
  }

  /** Kills it and what it has started, at once. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    try {
      Deno.kill(-this.pid, signal);
    } catch {
      // All of it has ended already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.kill(this.#stopSignal);
    const timer = setTimeout(() => this.kill(), STOP_PATIENCE_MS);
    await this.child.status;
    clearTimeout(timer);
    await this.#errors;
  }
}

/** Ends what lives: the run was interrupted. */
export function killServers(): void {
  for (const server of living) server.kill();
}

/** A port of the loopback interface that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

const KEPT_CHARACTERS = 2_000;

async function lastText(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + piece).slice(-KEPT_CHARACTERS);
  }
  return text.trim();
}
