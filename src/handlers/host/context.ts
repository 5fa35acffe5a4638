/**
 * What a handler function is given besides its payload. Everything on it is bound, so that it may be
 * taken apart: `async function resize({ url }, { signal, progress })`.
 */
import { copyFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { format } from "node:util";
import {
  delayMsOf,
  expectedDelay,
  type JobLine,
  problemOfName,
  problemOfProgress,
  type StopReason,
  type Told,
} from "../wire.ts";
import type { Speaker } from "./speaker.ts";

/** Thrown by a handler: the job is cancelled, without a retry. */
export class Cancel extends Error {
  constructor(message = "its handler gave it up") {
    super(message);
    this.name = "Cancel";
  }
}

/** Thrown by a handler: the job runs again after this delay, and no attempt is used. */
export class Snooze extends Error {
  constructor(readonly delay: string | number) {
    super(`snoozed for ${delay}`);
    this.name = "Snooze";
    if (delayMsOf(delay) === null) throw new TypeError(expectedDelay("delay", delay));
  }
}

/** Thrown by a handler: a failed attempt that is not worth a retry before this delay. */
export class RetryAfter extends Error {
  constructor(readonly delay: string | number, message = `retry after ${delay}`) {
    super(message);
    this.name = "RetryAfter";
    if (delayMsOf(delay) === null) throw new TypeError(expectedDelay("delay", delay));
  }
}

/** What the handler asked for cannot be. */
export class RequestError extends Error {
  constructor(readonly context: JobContext, message: string) {
    super(message);
    this.name = "RequestError";
  }
}

/** Progress is told at most so often, in milliseconds; what came last is told in any case. */
const PROGRESS_EVERY_MS = 100;

export class JobContext {
  /** What the handler sees. */
  readonly shown: Readonly<Record<string, unknown>>;
  readonly #job: JobLine;
  readonly #speaker: Speaker;
  readonly #controller = new AbortController();
  readonly #waiting = new Map<string, (told: Told) => void>();
  readonly #pending = new Set<Promise<unknown>>();
  #refs = 0;
  #progressAtMs = -Infinity;
  #progressTimer: ReturnType<typeof setTimeout> | undefined;
  #failure: RequestError | null = null;
  #wasRefused = false;
  #isClosed = false;

  constructor(job: JobLine, speaker: Speaker) {
    this.#job = job;
    this.#speaker = speaker;
    const { id, attempt, max_retries, queue, kind } = job;
    this.shown = {
      job: { id, attempt, maxRetries: max_retries, queue, kind },
      signal: this.#controller.signal,
      input: job.input,
      outputDir: job.output_dir,
      deadline: job.deadline === null ? null : new Date(job.deadline),
      log: (...values: unknown[]) => this.#log(values),
      progress: (value: unknown, text?: unknown) => this.#progress(value, text ?? null),
      enqueue: (job: unknown) => this.#track(this.#enqueue(job)),
      attach: (file: unknown, name?: unknown) => this.#track(this.#attach(file, name)),
      cancel: (message?: string) => {
        throw new Cancel(message);
      },
      snooze: (delay: string | number) => {
        throw new Snooze(delay);
      },
      Cancel,
      Snooze,
      RetryAfter,
    };
  }

  abort(reason: StopReason): void {
    this.#controller.abort(new DOMException(`the attempt was stopped: ${reason}`, "AbortError"));
  }

  /** What a follow-up was answered. */
  answered(told: Told): void {
    if ("ref" in told) this.#waiting.get(told.ref)?.(told);
  }

  /**
   * Waits for what was begun and not awaited, so that it counts.
   *
   * @throws {RequestError} for what went wrong in it where nobody looked.
   */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    // Whether somebody looks is known at the end of this turn of the event loop.
    if (this.#wasRefused) await new Promise((resolve) => setTimeout(resolve));
    if (this.#failure !== null) throw this.#failure;
  }

  /** Nobody has caught this. */
  fail(error: RequestError): void {
    this.#failure ??= error;
  }

  /** How the handler ended the attempt by what it threw; null: in no particular way. */
  answerTo(error: unknown): Record<string, unknown> | null {
    if (error instanceof Cancel) return { type: "cancel", message: error.message };
    if (error instanceof Snooze) return { type: "snooze", delay: error.delay };
    if (error instanceof RetryAfter) {
      return { type: "error", message: error.message, retry_after: error.delay };
    }
    return null;
  }

  /** The answer comes next: whatever still runs says nothing more. */
  close(): void {
    clearTimeout(this.#progressTimer);
    this.#isClosed = true;
  }

  #say(line: Record<string, unknown>): void {
    if (!this.#isClosed) this.#speaker.say({ ...line, id: this.#job.id });
  }

  #log(values: readonly unknown[]): void {
    this.#say({ type: "log", text: format(...values) });
  }

  #progress(value: unknown, text: unknown): void {
    const problem = problemOfProgress(value, text);
    if (problem !== null) throw new TypeError(`progress: ${problem}`);
    clearTimeout(this.#progressTimer);
    const tell = () => {
      this.#progressAtMs = performance.now();
      this.#say({ type: "progress", value, ...(text === null ? {} : { text }) });
    };
    const waitMs = this.#progressAtMs + PROGRESS_EVERY_MS - performance.now();
    if (waitMs <= 0) tell();
    else this.#progressTimer = setTimeout(tell, waitMs);
  }

  /** The id of the follow-up, once it is known to be a good one. */
  #enqueue(job: unknown): Promise<string> {
    if (this.#isClosed) return Promise.reject(this.#refuse("enqueue: the attempt is over"));
    const ref = String(++this.#refs);
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, (told) => {
        this.#waiting.delete(ref);
        if (told.type === "enqueued") return resolve(told.id);
        if (told.type !== "refused") return;
        const details = told.errors.map(({ detail }) => detail).join("; ");
        reject(this.#refuse(`enqueue: ${details}`));
      });
      this.#say({ type: "enqueue", ref, job });
    });
  }

  async #attach(file: unknown, name: unknown): Promise<void> {
    const directory = this.#job.output_dir;
    if (directory === null) throw this.#refuse("attach: artifacts are not kept here");
    const isPath = typeof file === "string" || file instanceof URL;
    if (!isPath && !(file instanceof Uint8Array)) {
      throw this.#refuse("attach: expected a path, a file: URL or a Uint8Array");
    }
    const own = name ?? (isPath ? basename(String(file)) : undefined);
    const problem = problemOfName(own);
    if (problem !== null) throw this.#refuse(`attach: ${problem}`);
    const target = join(directory, own as string);
    try {
      if (isPath) await copyFile(file as string | URL, target);
      else await writeFile(target, file as Uint8Array);
    } catch (error) {
      throw this.#refuse(`attach: ${(error as Error).message}`);
    }
  }

  #refuse(message: string): RequestError {
    this.#wasRefused = true;
    return new RequestError(this, message);
  }

  /** What the handler does not await is awaited for it; what it catches is its own business. */
  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.then(() => {}, () => {}).finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
    // A promise of its own: whether somebody looks at it shows in whether its failure is caught.
    return work.then((value) => value);
  }
}
