/**
 * The handler programs of one worker: started when they are needed, kept warm between jobs, ended
 * when they have had nothing to do for long or when their code has changed.
 *
 * Invariant: a program that keeps dying is started ever more seldom, and a process that broke the
 * protocol gets no further job.
 */
import { type Conversation, LINE_FRAME_BYTES } from "./converse.ts";
import type { HandlerSettings } from "./handler.ts";
import { HandlerProcess, type Listener } from "./handler_process.ts";
import type { Program } from "./program.ts";
import { hear, shown } from "./wire.ts";

export interface PoolOptions {
  /** Every process carries it, followed by a number of its own. */
  readonly mark: string;
  readonly settings: HandlerSettings;
  /** A process group exists from now on, or is gone. */
  readonly onGroup: (pgid: number, isAlive: boolean) => void;
  /** Something is wrong with a program while no job runs that could fail because of it. */
  readonly onTrouble: (message: string) => void;
}

/** A program that died rests for so long, doubled with each death in a row. */
const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 5_000;

/**
 * Jobs of a program whose files do not load, and are watched, are put off for so long: somebody is in
 * the middle of a change.
 */
const HOLD_MS = 2_000;

/** A warm process that had nothing to do for so long is ended: it only takes memory. */
const IDLE_MS = 5 * 60_000;

/** What is known of a program. */
interface Entry {
  idle: HandlerProcess | null;
  idleTimer: ReturnType<typeof setTimeout> | undefined;
  deathsInARow: number;
  /** By `performance.now()`. */
  restUntilMs: number;
  /** Jobs are put off until then. */
  heldUntilMs: number;
}

export class ProcessPool {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #processes = new Set<HandlerProcess>();
  /** The keys of the programs that further jobs may be given to. */
  #current: ReadonlySet<string> = new Set();
  #started = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * A process of the program that is ready for a job: the warm one, or a new one, after a rest if
   * the last ones have died.
   *
   * @throws {Error} when it cannot be started; what the signal says when that is aborted.
   */
  async take(
    program: Program,
    { signal, mostRestMs }: { signal: AbortSignal; mostRestMs: number },
  ): Promise<HandlerProcess> {
    const entry = this.#entryOf(program);
    const warm = entry.idle;
    if (warm !== null) {
      entry.idle = null;
      clearTimeout(entry.idleTimer);
      if (!warm.isOver) return warm;
    }
    await rest(Math.min(entry.restUntilMs - performance.now(), mostRestMs), signal);
    return this.#start(program);
  }

  /** For how long jobs of the program are to be put off; 0: they may run. */
  heldMs(program: Program): number {
    return Math.max(0, Math.ceil(this.#entryOf(program).heldUntilMs - performance.now()));
  }

  /** Its files do not load: its jobs are put off for so long. */
  hold(program: Program): number {
    this.#entryOf(program).heldUntilMs = performance.now() + HOLD_MS;
    return HOLD_MS;
  }

  /** Takes a process back after a job. */
  giveBack(program: Program, process: HandlerProcess, how: Conversation["program"]): void {
    const entry = this.#entryOf(program);
    if (how !== "broken") {
      entry.deathsInARow = 0;
      entry.restUntilMs = 0;
    } else {
      const restMs = Math.min(FIRST_REST_MS * 2 ** entry.deathsInARow++, LONGEST_REST_MS);
      entry.restUntilMs = performance.now() + restMs;
    }
    if (process.isOver) return;
    if (how !== "ready" || this.#isClosed || !this.#isCurrent(program)) {
      process.stop();
      return;
    }
    process.listen(this.#idleListener(program, process));
    entry.idle = process;
    entry.idleTimer = setTimeout(() => this.#retire(entry), IDLE_MS);
  }

  /** Ends the warm processes of programs that are no longer these; busy ones end after their job. */
  keepOnly(programs: readonly Program[]): void {
    this.#current = new Set(programs.map(keyOf));
    for (const [key, entry] of this.#entries) {
      if (this.#current.has(key)) continue;
      this.#entries.delete(key);
      this.#retire(entry);
    }
  }

  /** Ends every process, each within its grace. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const entry of this.#entries.values()) clearTimeout(entry.idleTimer);
    await Promise.all([...this.#processes].map((process) => process.stop({ graceMs: 300 })));
  }

  #start(program: Program): HandlerProcess {
    const { mark, settings, onGroup } = this.#options;
    const process = new HandlerProcess(program, {
      mark: `${mark}:${++this.#started}`,
      passEnv: settings.passEnv,
      lineLimitBytes: settings.resultLimitBytes + LINE_FRAME_BYTES,
      listener: SILENT,
    });
    this.#processes.add(process);
    onGroup(process.pgid, true);
    process.ended.finally(() => {
      this.#processes.delete(process);
      onGroup(process.pgid, false);
    });
    return process;
  }

  #retire(entry: Entry): void {
    clearTimeout(entry.idleTimer);
    const process = entry.idle;
    entry.idle = null;
    process?.listen(SILENT);
    process?.stop();
  }

  /** Without a job there is nothing to say: what comes now might be taken for the next answer. */
  #idleListener(program: Program, process: HandlerProcess): Listener {
    return {
      onStderr() {},
      onLine: (line) => {
        const entry = this.#entryOf(program);
        if (entry.idle !== process) return;
        entry.idle = null;
        clearTimeout(entry.idleTimer);
        process.listen(SILENT);
        process.kill();
        this.#options.onTrouble(`${program.name} ${outOfTurn(line)}, so it was ended`);
      },
    };
  }

  #isCurrent(program: Program): boolean {
    return this.#current.has(keyOf(program));
  }

  #entryOf(program: Program): Entry {
    const key = keyOf(program);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { idle: null, idleTimer: undefined, deathsInARow: 0, restUntilMs: 0, heldUntilMs: 0 };
      if (this.#current.has(key)) this.#entries.set(key, entry);
    }
    return entry;
  }
}

const SILENT: Listener = { onLine() {}, onStderr() {} };

function keyOf({ words, cwd, generation }: Program): string {
  return [generation, cwd, ...words].join("\0");
}

function outOfTurn(line: Parameters<Listener["onLine"]>[0]): string {
  if ("tooLong" in line) return "printed a very long line while it had no job";
  const heard = hear(line.text);
  return "said" in heard
    ? `said ${heard.said.type} while it had no job (a job has one answer, the last thing it says)`
    : `printed ${shown(line.text)} while it had no job`;
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    if (!(ms > 0)) return resolve();
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
