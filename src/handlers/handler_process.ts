/**
 * One running handler program: what it is told goes to its stdin, what it says comes from its
 * stdout line by line. Owns the process and its group; knows neither jobs nor what lines mean.
 *
 * Invariant: when `ended` resolves, nothing of its group lives, and no listener is called any more.
 */
import { killGroup, killMarked } from "../lib/kill.ts";
import { within } from "../lib/pause.ts";
import { programEnvironment } from "./command_environment.ts";
import { type Line, LineSplitter } from "./line_splitter.ts";
import { inOwnGroup } from "./process_group.ts";
import type { Program } from "./program.ts";
import type { Told } from "./wire.ts";

/** How long a program has to end by itself: after it was told, and after SIGTERM. */
export const GRACE_MS = { told: 1_000, asked: 1_000 } as const;

/** How long what it has said may still be on its way after the whole group has ended. */
const DRAIN_MS = 1_000;

/** Who listens to a process at the moment. */
export interface Listener {
  onLine(line: Line): void;
  onStderr(bytes: Uint8Array): void;
}

export class HandlerProcess {
  readonly pgid: number;
  readonly mark: string;
  /** How it ended, after the last thing that it said has been heard. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Jobs that it has answered. */
  answers = 0;
  isOver = false;
  /** It was sent a signal: it is about to end, whatever it says. */
  wasForced = false;
  /** Rises whenever it says something. */
  heardBytes = 0;
  #listener: Listener;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  #isStopping = false;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  /** @throws {Error} when the program cannot be started. */
  constructor(
    program: Program,
    { mark, passEnv, lineLimitBytes, listener }: {
      mark: string;
      passEnv: readonly string[];
      lineLimitBytes: number;
      listener: Listener;
    },
  ) {
    const { program: command, args, detached } = inOwnGroup(program.words);
    this.#child = new Deno.Command(command, {
      args,
      cwd: program.cwd,
      clearEnv: true,
      env: programEnvironment(mark, passEnv),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached,
    }).spawn();
    this.pgid = this.#child.pid;
    this.mark = mark;
    this.#listener = listener;
    this.#stdin = this.#child.stdin.getWriter();
    const lines = new LineSplitter({
      limitBytes: lineLimitBytes,
      onLine: (line) => this.#listener.onLine(line),
    });
    const streams = [
      this.#read(this.#child.stdout, (bytes) => lines.push(bytes)).then(() => lines.end()),
      this.#read(this.#child.stderr, (bytes) => this.#listener.onStderr(bytes)),
    ];
    this.ended = this.#end(streams);
  }

  listen(listener: Listener): void {
    this.#listener = listener;
  }

  /** Tells it something. One that does not read is not waited for; its end is what counts. */
  tell(told: Told): void {
    const line = new TextEncoder().encode(`${JSON.stringify(told)}\n`);
    this.#stdin.write(line).catch(() => {});
  }

  /** Ends it within its grace: no more input, then SIGTERM, then SIGKILL. */
  stop({ graceMs = GRACE_MS.told }: { graceMs?: number } = {}): Promise<unknown> {
    if (this.#isStopping || this.isOver) return this.ended;
    this.#isStopping = true;
    this.#stdin.close().catch(() => {});
    this.stopAfter(graceMs);
    return this.ended;
  }

  /** Asks the group to end when this time is over, and forces it after a further while. */
  stopAfter(graceMs: number): void {
    if (this.isOver) return;
    const later = (ms: number, act: () => void) => this.#timers.push(setTimeout(act, ms));
    later(graceMs, () => {
      this.wasForced = true;
      killGroup(this.pgid, "SIGTERM", { isLeaderAlive: true });
    });
    later(graceMs + GRACE_MS.asked, () => this.kill());
  }

  /** It has come to its senses: what {@link stopAfter} was to do does not happen. */
  forgive(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }

  kill(): void {
    if (this.isOver) return;
    this.wasForced = true;
    killGroup(this.pgid, "SIGKILL", { isLeaderAlive: true });
    killMarked(this.mark);
  }

  async #read(
    stream: ReadableStream<Uint8Array>,
    take: (bytes: Uint8Array) => void,
  ): Promise<void> {
    try {
      for await (const bytes of stream) {
        if (this.isOver) return;
        this.heardBytes += bytes.length;
        take(bytes);
      }
    } catch { /* the pipe broke with its process: what was read counts */ }
  }

  async #end(streams: readonly Promise<void>[]): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.forgive();
    // What it has started ends with it; where it was forced to end, also what left its group.
    killGroup(this.pgid, "SIGKILL");
    if (this.wasForced) killMarked(this.mark);
    this.#stdin.abort().catch(() => {});
    await within(Promise.all(streams), DRAIN_MS);
    this.isOver = true;
    return status;
  }
}
