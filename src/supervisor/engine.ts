/**
 * Runs the work of one process: starts workers, watches their heartbeat, replaces dead and hung
 * ones, renews leases, drains on shutdown. The dispatcher claims and settles; the reaper takes back
 * what other processes lost.
 *
 * Invariant: whatever ends a worker thread, its commands are killed and its jobs are settled.
 */
import type { Settings } from "../config/settings.ts";
import { HANDLERS } from "../handlers/registry.ts";
import type { HandlerSettings } from "../handlers/handler.ts";
import { StoreUnavailableError } from "../job/errors.ts";
import type { Lease } from "../job/job.ts";
import type { Random } from "../lib/clock.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import { newId } from "../lib/ids.ts";
import { killGroup, killMarked } from "../lib/kill.ts";
import { processStart, thisHost } from "../lib/process_identity.ts";
import { Duty } from "../maintenance/duty.ts";
import { createReaper } from "../maintenance/reaper.ts";
import { Scheduler } from "../maintenance/scheduler.ts";
import type { QueueEvent } from "../queue/events.ts";
import type { Queue } from "../queue/queue.ts";
import type { WorkerRecord } from "../store/store.ts";
import type { AbortReason, FromWorker } from "../worker/protocol.ts";
import { endOfAborted } from "../worker/run_attempt.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Guardian } from "./guardian.ts";
import { type JobInHand, Slot, type WorkerInit } from "./slot.ts";

export interface EngineOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly role: "serve" | "worker";
  readonly random: Random;
}

export interface Engine {
  /** Names this process as a holder of leases. */
  readonly holder: string;
  /** True from the first call of `drain`. */
  readonly isDraining: boolean;
  /**
   * Stops claiming, lets running jobs finish for up to `shutdown-timeout`, gives the rest back
   * without costing an attempt, and ends the workers.
   */
  drain(): Promise<void>;
  /** Stops at once: kills what runs and gives it back. Also ends a drain that is under way. */
  stop(): Promise<void>;
}

/** The pause before a dead worker is replaced: doubled with each death in a row. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** How long aborted commands may take to end, their grace included, before they are left behind. */
const ABORT_PATIENCE_MS = 4_000;

/** How long a shutdown waits for a store that cannot be used. */
const SETTLE_PATIENCE_MS = 5_000;

/** Starts workers, dispatcher, heartbeat and reaper. Reaps once before the first claim. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const engine = new RunningEngine(options);
  await engine.start();
  return engine;
}

class RunningEngine implements Engine {
  /** The random half of an id: it stands in every job's row. */
  readonly holder = newId().slice(16);
  isDraining = false;
  readonly #options: EngineOptions;
  readonly #slots: Slot[];
  readonly #dispatcher: Dispatcher;
  readonly #guardian: Guardian;
  readonly #heartbeat: Duty;
  readonly #reaper: Duty;
  readonly #scheduler: Scheduler;
  readonly #subscriptions: Disposable[] = [];
  readonly #respawns = new Set<ReturnType<typeof setTimeout>>();
  readonly #record: Pick<WorkerRecord, "holder" | "pid" | "host" | "processStart" | "role">;
  #lastTickMs = performance.now();
  #whenIdle: (() => void) | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { queue, settings, role } = options;
    const { store, clock, events } = queue;
    const backoff = { base: settings["backoff-base"], capMs: settings["backoff-cap"] };
    this.#record = {
      holder: this.holder,
      pid: Deno.pid,
      host: thisHost(),
      processStart: processStart(Deno.pid),
      role,
    };
    this.#guardian = new Guardian(this.holder);
    this.#slots = Array.from(
      { length: settings["workers"] },
      (_, index) =>
        new Slot(`w-${index + 1}`, {
          onMessage: (slot, message) => this.#onMessage(slot, message),
          onCrash: (slot, message) => this.#replace(slot, "crash", message),
          onSilence: (slot) => this.#replace(slot, "hang", "no answer"),
        }),
    );
    this.#dispatcher = new Dispatcher({
      store,
      events,
      clock,
      holder: this.holder,
      leaseMs: settings["lease"],
      backoff,
      random: options.random,
      chunk: this.#chunks(),
      slots: this.#slots,
      beforeGive: (jobs) => {
        if (jobs.some((job) => job.kind === "command")) this.#guardian.ensure();
      },
    });
    const onError = (error: unknown) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
    };
    this.#heartbeat = new Duty(() => this.#tick(), {
      everyMs: settings["heartbeat"]!,
      onError,
    });
    this.#reaper = createReaper({
      store,
      events,
      clock,
      leaseMs: settings["lease"],
      intervalMs: settings["reap-interval"],
      backoff,
      onError,
    });
    this.#scheduler = new Scheduler({ queue, onError });
  }

  async start(): Promise<void> {
    const { queue } = this.#options;
    // Before the first claim, so that others can tell whether this holder lives.
    await this.#saveWorkers();
    await this.#reaper.runOnce();
    this.#subscriptions.push(
      queue.events.subscribe((event) => this.#onEvent(event)),
      queue.store.watch(() => {
        this.#dispatcher.wake();
        this.#stopCancelled();
      }),
    );
    for (const slot of this.#slots) this.#startSlot(slot);
    this.#heartbeat.start();
    this.#reaper.start();
    this.#scheduler.start();
  }

  async drain(): Promise<void> {
    if (this.isDraining) return await this.#stopping ?? undefined;
    this.isDraining = true;
    this.#dispatcher.stop();
    this.#scheduler.stop();
    await this.#saveWorkers().catch(() => {});
    await this.#idleWithin(this.#options.settings["shutdown-timeout"]);
    if (this.#stopping !== null) return await this.#stopping;
    this.#abortAll("shutdown");
    await this.#idleWithin(ABORT_PATIENCE_MS);
    await this.stop();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.isDraining = true;
    this.#dispatcher.stop();
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    for (const timer of this.#respawns) clearTimeout(timer);
    let wasCutOff = false;
    for (const slot of this.#slots) {
      const left = slot.terminate();
      if (left.length > 0) wasCutOff = true;
      this.#killCommands(left);
      this.#dispatcher.release(slot, left.map(({ job }) => job));
    }
    this.#whenIdle?.();
    await within(this.#dispatcher.settled(), SETTLE_PATIENCE_MS);
    await Promise.all([this.#heartbeat.stop(), this.#reaper.stop(), this.#scheduler.stop()]);
    await this.#options.queue.store.removeWorkers(this.holder).catch(() => {});
    // A thread that was cut off may have started a command after its jobs were killed.
    if (wasCutOff) this.#guardian.sweep();
    else await this.#guardian.close();
  }

  #startSlot(slot: Slot): void {
    const { queue, settings } = this.#options;
    slot.start(this.#workerInit(settings), queue.clock());
    queue.events.emit({ type: "worker.started", worker: slot.label, restarts: slot.restarts });
  }

  #workerInit(settings: Settings): WorkerInit {
    return {
      holder: this.holder,
      heartbeatMs: settings["heartbeat"]!,
      settings: handlerSettings(settings),
      faults: {
        fail: settings["fault-fail"],
        crash: settings["fault-crash"],
        hang: settings["fault-hang"],
      },
    };
  }

  #chunks(): Record<string, number> {
    const { settings } = this.#options;
    // An injected fault is to hit one job, and simulated work takes long.
    const hasFaults = settings["fault-crash"] + settings["fault-hang"] > 0;
    return Object.fromEntries([...HANDLERS].map(([kind, handler]) => [
      kind,
      hasFaults ? 1 : handler.chunk(handlerSettings(settings)),
    ]));
  }

  #onEvent(event: QueueEvent): void {
    if (event.type === "work.expected" || event.type === "job.reaped") this.#dispatcher.wake();
    else if (event.type === "clock.set") this.#dispatcher.wake();
    else if (event.type === "cancel.requested") this.#stopCancelled();
  }

  #onMessage(slot: Slot, message: FromWorker): void {
    const { store, clock } = this.#options.queue;
    switch (message.type) {
      case "ready":
        this.#dispatcher.wake();
        return;
      case "begun":
        store.begin([message.lease], this.holder, clock()).catch(ignoreUnavailable);
        return;
      case "output":
        store.appendOutput(message.lease, this.holder, message.chunks).catch(ignoreUnavailable);
        return;
      case "group":
        this.#setGroup(slot, message.lease, message.pgid);
        return;
      case "ended":
        slot.deathsInARow = 0;
        this.#dispatcher.report(slot, message.attempts);
        if (this.isDraining) this.#checkIdle();
        return;
    }
  }

  #setGroup(slot: Slot, lease: Lease, pgid: number | null): void {
    const inHand = slot.inHand.get(lease.seq);
    if (inHand?.pgid != null) this.#guardian.groupEnded(inHand.pgid);
    if (pgid !== null) this.#guardian.groupBegan(pgid);
    if (inHand !== undefined) inHand.pgid = pgid;
  }

  /** A worker died or hangs: its commands end, its jobs are settled, a new thread takes its place. */
  #replace(slot: Slot, reason: "crash" | "hang", message: string): void {
    const running = slot.inHand.get(slot.runningSeq ?? 0);
    const left = slot.terminate();
    this.#killCommands(left);
    this.#dispatcher.reportDeath(
      slot,
      left.map(({ job }) => job),
      endOfDeath(reason, message, running),
    );
    slot.deathsInARow++;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (slot.deathsInARow - 1), LONGEST_PAUSE_MS);
    const worker = slot.label;
    this.#options.queue.events.emit({ type: "worker.died", worker, reason, message, pauseMs });
    if (this.isDraining) return this.#checkIdle();
    const timer = setTimeout(() => {
      this.#respawns.delete(timer);
      slot.restarts++;
      this.#startSlot(slot);
    }, pauseMs);
    this.#respawns.add(timer);
  }

  #killCommands(jobs: readonly JobInHand[]): void {
    for (const { job, pgid } of jobs) {
      if (pgid !== null) killGroup(pgid, "SIGKILL");
      // Also when its group is not known: the message that tells it may still be on its way.
      if (job.kind === "command") killMarked(`${this.holder}:${job.seq}:${job.token}`);
      if (pgid !== null) this.#guardian.groupEnded(pgid);
    }
  }

  /** At every heartbeat: who hangs, whose leases go on, what was cancelled. */
  async #tick(): Promise<void> {
    this.#replaceHung();
    await Promise.all([this.#renewLeases(), this.#saveWorkers()]);
    await this.#stopCancelled();
  }

  #replaceHung(): void {
    const { settings } = this.#options;
    const nowMs = performance.now();
    const sinceTickMs = nowMs - this.#lastTickMs;
    this.#lastTickMs = nowMs;
    for (const slot of this.#slots) {
      if (!slot.isAlive) continue;
      // When this thread itself was held up, the silence was its own.
      if (sinceTickMs > settings["lease"]) slot.lastBeatMs = nowMs;
      if (nowMs - slot.lastBeatMs > settings["lease"]) {
        this.#replace(slot, "hang", "no sign of life");
      }
    }
  }

  async #renewLeases(): Promise<void> {
    const { queue, settings } = this.#options;
    const inHand: [Slot | null, Lease][] = this.#slots.flatMap((slot) =>
      [...slot.inHand.values()].map(({ job }): [Slot, Lease] => [slot, job])
    );
    for (const lease of this.#dispatcher.unsettledLeases()) inHand.push([null, lease]);
    if (inHand.length === 0) return;
    const nowMs = queue.clock();
    const leases = inHand.map(([, { seq, token }]) => ({ seq, token }));
    const times = { nowMs, expiresAtMs: nowMs + settings["lease"] };
    const renewed = await queue.store.renew(leases, this.holder, times);
    for (const [index, [slot, lease]] of inHand.entries()) {
      if (renewed[index] === "lease-lost") slot?.abort(lease, "lease-lost");
    }
  }

  async #stopCancelled(): Promise<void> {
    if (this.#slots.every((slot) => slot.isIdle)) return;
    const { store } = this.#options.queue;
    const requests = await store.cancelRequests(this.holder).catch(() => []);
    for (const lease of requests) {
      for (const slot of this.#slots) slot.abort(lease, "cancel");
    }
  }

  #abortAll(reason: AbortReason): void {
    for (const slot of this.#slots) {
      for (const { job } of slot.inHand.values()) slot.abort(job, reason);
    }
  }

  #saveWorkers(): Promise<void> {
    const { store, clock } = this.#options.queue;
    const workers = this.#slots.map((slot): WorkerRecord => ({
      ...this.#record,
      label: slot.label,
      status: this.isDraining ? "draining" : slot.isIdle ? "idle" : "busy",
      restarts: slot.restarts,
      startedAtMs: slot.startedAtMs || clock(),
    }));
    return workers.length === 0 ? Promise.resolve() : store.saveWorkers(workers, clock());
  }

  #checkIdle(): void {
    if (this.#slots.every((slot) => slot.isIdle)) this.#whenIdle?.();
  }

  async #idleWithin(patienceMs: number): Promise<void> {
    if (this.#slots.every((slot) => slot.isIdle)) return;
    await within(new Promise<void>((resolve) => this.#whenIdle = resolve), patienceMs);
  }
}

/** How the attempt ended that was running when its thread was given up. */
function endOfDeath(
  reason: "crash" | "hang",
  message: string,
  running: JobInHand | undefined,
): AttemptEnd {
  if (reason === "crash") {
    return {
      type: "failed",
      error: { code: "crash", message: `the worker thread died: ${message}` },
    };
  }
  const timeoutMs = running?.job.timeoutMs ?? Infinity;
  if (running !== undefined && performance.now() - running.givenAtMs > timeoutMs) {
    return endOfAborted("timeout", running.job);
  }
  return {
    type: "failed",
    error: { code: "hang", message: "the worker thread stopped answering" },
  };
}

function handlerSettings(settings: Settings): HandlerSettings {
  return {
    outputLimitBytes: settings["output-limit"],
    simulatedWorkMs: settings["simulated-work"],
    passEnv: settings["pass-env"],
    http: {
      allowsPrivate: settings["allow-private-http"],
      timeoutMs: settings["http-timeout"],
      responseLimitBytes: settings["http-response-limit"],
      caFile: settings["http-ca-file"],
    },
  };
}

async function within(work: Promise<unknown>, patienceMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, patienceMs));
  await Promise.race([work, patience]);
  clearTimeout(timer);
}

/** While the store cannot be used, these writes may be missed: the end of the attempt counts. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}
