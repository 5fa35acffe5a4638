/**
 * Runs the work of one process: starts workers, watches their heartbeat, replaces dead and hung
 * ones, renews leases, drains on shutdown. The dispatcher claims and settles; the duties do what is
 * to be done besides jobs.
 *
 * Invariant: whatever ends a worker thread, its commands are killed and its jobs are settled.
 */
import { backoffOf, type Settings } from "../config/settings.ts";
import { NO_HANDLERS, type UserHandlers } from "../handlers/program.ts";
import { HANDLERS } from "../handlers/registry.ts";
import { StoreUnavailableError } from "../job/errors.ts";
import type { Lease } from "../job/job.ts";
import type { Random } from "../lib/clock.ts";
import { fromColumns } from "../lib/columns.ts";
import { newId } from "../lib/ids.ts";
import { within } from "../lib/pause.ts";
import { Duties } from "../maintenance/duties.ts";
import { PeriodicDuty } from "../maintenance/duty.ts";
import type { QueueEvent } from "../queue/events.ts";
import type { Queue } from "../queue/queue.ts";
import type { WorkerRecord } from "../store/store.ts";
import type { AbortReason, FromWorker } from "../worker/protocol.ts";
import { AttemptFiles } from "./attempt_files.ts";
import { AttemptTraces } from "./attempt_traces.ts";
import { Dispatcher } from "./dispatcher.ts";
import { endOfDeath } from "./end_of_death.ts";
import { keepFollowUp } from "./follow_ups.ts";
import { Presence } from "./presence.ts";
import { Slot } from "./slot.ts";
import { StartedProcesses } from "./started_processes.ts";
import { chunkSizes, workerSettings } from "./worker_settings.ts";

export interface EngineOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly role: WorkerRecord["role"];
  readonly random: Random;
  /** By default none. */
  readonly handlers?: UserHandlers;
}

export interface Engine {
  /** Names this process as a holder of leases. */
  readonly holder: string;
  /** True from the first call of `drain`. */
  readonly isDraining: boolean;
  /** From now on jobs are run by these; what runs goes on as it began. */
  useHandlers(handlers: UserHandlers): Promise<void>;
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

/** How long handler programs may take to end, their grace included. */
const PROGRAMS_PATIENCE_MS = 2_000;

/** Once the store is back, leases are renewed so soon: before anybody takes back what has expired. */
const RENEW_AGAIN_MS = 500;

/** How long a shutdown waits for a store that cannot be used. */
const SETTLE_PATIENCE_MS = 5_000;

/** Starts workers, dispatcher, heartbeat and duties. Reaps once before the first claim. */
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
  readonly #processes: StartedProcesses;
  readonly #files: AttemptFiles;
  readonly #presence: Presence;
  readonly #heartbeat: PeriodicDuty;
  readonly #duties: Duties;
  readonly #subscriptions: Disposable[] = [];
  readonly #respawns = new Set<ReturnType<typeof setTimeout>>();
  #handlers: UserHandlers;
  /** Made once, not at every claim. */
  #kinds: readonly string[];
  #lastTickMs = performance.now();
  #whenIdle: (() => void) | null = null;
  #whenProgramsEnded: (() => void) | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { queue, settings, role, random } = options;
    const { store, clock, events } = queue;
    const { holder } = this;
    this.#handlers = options.handlers ?? NO_HANDLERS;
    this.#kinds = kindsOf(this.#handlers);
    this.#processes = new StartedProcesses(holder);
    this.#files = new AttemptFiles({ store, clock, holder, base: settings["work-dir"] });
    this.#slots = Array.from(
      { length: settings["workers"] },
      (_, index) =>
        new Slot(`w-${index + 1}`, {
          onMessage: (slot, message) => this.#onMessage(slot, message),
          onCrash: (slot, message) => this.#replace(slot, "crash", message),
          onSilence: (slot) => this.#replace(slot, "hang", "no answer"),
        }),
    );
    this.#presence = new Presence({ queue, holder, role, slots: this.#slots });
    this.#dispatcher = new Dispatcher({
      store,
      events,
      clock,
      holder,
      leaseMs: settings["lease"],
      backoff: backoffOf(settings),
      random,
      traces: queue.tracing === null ? null : new AttemptTraces(queue.tracing),
      kinds: () => this.#kinds,
      chunk: chunkSizes(settings),
      slots: this.#slots,
      beforeGive: (jobs) => this.#processes.expectFrom(jobs),
      files: this.#files,
      afterPrepared: () => {
        if (this.isDraining) this.#checkIdle();
      },
    });
    const onError = (error: unknown) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
    };
    this.#heartbeat = new PeriodicDuty(() => this.#tick(), {
      everyMs: settings["heartbeat"]!,
      retryMs: RENEW_AGAIN_MS,
      onError,
    });
    this.#duties = new Duties({ queue, settings, random, onError });
  }

  async start(): Promise<void> {
    const { queue } = this.#options;
    void this.#files.sweep();
    // Before the first claim, so that others can tell whether this holder lives.
    await Promise.all([this.#saveWorkers(), this.#saveKinds()]);
    await this.#duties.runFirst();
    this.#subscriptions.push(
      queue.events.subscribe((event) => this.#onEvent(event)),
      queue.store.watch(() => {
        this.#dispatcher.wake();
        this.#stopCancelled();
      }),
    );
    for (const slot of this.#slots) this.#startSlot(slot);
    this.#heartbeat.start();
    this.#duties.start();
  }

  async useHandlers(handlers: UserHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#kinds = kindsOf(handlers);
    for (const slot of this.#slots) slot.tell({ type: "handlers", handlers });
    await this.#saveKinds({ areNew: true });
    this.#dispatcher.wake();
  }

  async drain(): Promise<void> {
    if (this.isDraining) return await this.#stopping ?? undefined;
    this.isDraining = true;
    this.#dispatcher.stop();
    this.#duties.stopAdding();
    await this.#saveWorkers().catch(() => {});
    const patienceMs = this.#options.settings["shutdown-timeout"];
    const deadlineMs = performance.now() + patienceMs;
    await this.#idleWithin(patienceMs);
    // What an attempt has left is stored after its worker is free.
    await within(this.#dispatcher.kept(), Math.max(0, deadlineMs - performance.now()));
    if (this.#stopping !== null) return await this.#stopping;
    this.#abortAll("shutdown");
    await this.#idleWithin(ABORT_PATIENCE_MS);
    if (this.#stopping !== null) return await this.#stopping;
    await this.#endPrograms();
    await this.stop();
  }

  /** Lets handler programs that have nothing to do end in their own way. */
  async #endPrograms(): Promise<void> {
    const busy = this.#slots.filter((slot) => slot.isAlive && slot.programs.size > 0);
    if (busy.length === 0) return;
    const closed = new Promise<void>((resolve) => this.#whenProgramsEnded = resolve);
    for (const slot of busy) slot.tell({ type: "close" });
    await within(closed, PROGRAMS_PATIENCE_MS);
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
      this.#processes.killCommands(left);
      if (left.length > 0 || slot.programs.size > 0) this.#killPrograms(slot);
      this.#dispatcher.release(slot, left.map(({ job }) => job));
    }
    this.#whenIdle?.();
    await within(this.#dispatcher.settled(), SETTLE_PATIENCE_MS);
    await Promise.all([this.#heartbeat.stop(), this.#duties.stop()]);
    await this.#options.queue.metrics.flush();
    await this.#presence.end();
    // A thread that was cut off may have started a command after its jobs were killed.
    await this.#processes.close({ isSweeping: wasCutOff });
    await this.#files.close();
  }

  #startSlot(slot: Slot): void {
    const { queue, settings } = this.#options;
    slot.start({
      ...workerSettings(settings),
      holder: this.holder,
      handlers: this.#handlers,
      mark: this.#processes.markOf(slot),
      workDir: this.#files.dir,
    }, queue.clock());
    queue.events.emit({ type: "worker.started", worker: slot.label, restarts: slot.restarts });
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
        this.#processes.setGroup(slot, message.lease, message.pgid);
        return;
      case "program":
        this.#processes.setProgram(slot, message.pgid, message.isAlive);
        return;
      case "trouble":
        this.#options.queue.events.emit({
          type: "handler.trouble",
          worker: slot.label,
          message: message.message,
        });
        return;
      case "progress":
        store.saveProgress(message.lease, this.holder, { ...message.progress, atMs: clock() })
          .catch(ignoreUnavailable);
        return;
      case "enqueue":
        keepFollowUp(this.#options.queue, slot, message);
        return;
      case "closed":
        if (this.#slots.every(({ programs }) => programs.size === 0)) this.#whenProgramsEnded?.();
        return;
      case "ended":
        slot.deathsInARow = 0;
        this.#dispatcher.report(slot, fromColumns(message.attempts));
        if (this.isDraining) this.#checkIdle();
        return;
    }
  }

  /** A worker died or hangs: its commands end, its jobs are settled, a new thread takes its place. */
  #replace(slot: Slot, reason: "crash" | "hang", message: string): void {
    const running = slot.inHand.get(slot.runningSeq ?? 0);
    const left = slot.terminate();
    this.#processes.killCommands(left);
    this.#killPrograms(slot);
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

  #killPrograms(slot: Slot): void {
    this.#processes.killPrograms(slot, this.#handlers.programs.length > 0);
  }

  /** At every heartbeat: who hangs, whose leases go on, what was cancelled. */
  async #tick(): Promise<void> {
    this.#replaceHung();
    await Promise.all([
      this.#renewLeases(),
      this.#saveWorkers(),
      this.#saveKinds(),
      this.#options.queue.metrics.flush(),
    ]);
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
    return this.#presence.saveWorkers({ isDraining: this.isDraining, kinds: this.#kinds });
  }

  #saveKinds(options?: { readonly areNew: boolean }): Promise<void> {
    return this.#presence.saveKinds(Object.keys(this.#handlers.kinds), options);
  }

  #checkIdle(): void {
    if (this.#slots.every((slot) => slot.isIdle)) this.#whenIdle?.();
  }

  async #idleWithin(patienceMs: number): Promise<void> {
    if (this.#slots.every((slot) => slot.isIdle)) return;
    await within(new Promise<void>((resolve) => this.#whenIdle = resolve), patienceMs);
  }
}

/** The kinds that the workers of this process can run. */
function kindsOf({ kinds }: UserHandlers): readonly string[] {
  return [...HANDLERS.keys(), ...Object.keys(kinds)];
}

/** While the store cannot be used, these writes may be missed: the end of the attempt counts. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}
