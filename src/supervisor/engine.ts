/**
 * Runs the work of one process: starts workers, watches their heartbeat, replaces dead and hung
 * ones, renews leases, drains on shutdown. The dispatcher claims and settles; the reaper takes back
 * what other processes lost.
 *
 * Invariant: whatever ends a worker thread, its commands are killed and its jobs are settled.
 */
import { NO_HANDLERS, type UserHandlers } from "../handlers/program.ts";
import { retentionOf, type Settings } from "../config/settings.ts";
import { HANDLERS } from "../handlers/registry.ts";
import type { HandlerSettings } from "../handlers/handler.ts";
import type { ArtifactLimits } from "../handlers/output_dir.ts";
import { InvalidInputError, StoreUnavailableError } from "../job/errors.ts";
import type { Lease } from "../job/job.ts";
import type { Random } from "../lib/clock.ts";
import type { AttemptEnd } from "../job/outcome.ts";
import { messageOf } from "../lib/error_message.ts";
import { newId } from "../lib/ids.ts";
import { killGroup, killMarked } from "../lib/kill.ts";
import { within } from "../lib/pause.ts";
import { processStart, thisHost } from "../lib/process_identity.ts";
import { createAlerts } from "../maintenance/alerts.ts";
import { Duty } from "../maintenance/duty.ts";
import { createFileSweeper } from "../maintenance/file_sweeper.ts";
import { Pruner } from "../maintenance/pruner.ts";
import { createReaper } from "../maintenance/reaper.ts";
import { WebhookSender } from "../maintenance/webhooks.ts";
import { Scheduler } from "../maintenance/scheduler.ts";
import type { QueueEvent } from "../queue/events.ts";
import type { Queue } from "../queue/queue.ts";
import type { WorkerRecord } from "../store/store.ts";
import type { AbortReason, FromWorker } from "../worker/protocol.ts";
import { endOfAborted } from "../worker/run_attempt.ts";
import { AttemptFiles } from "./attempt_files.ts";
import { AttemptTraces } from "./attempt_traces.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Guardian } from "./guardian.ts";
import { type JobInHand, Slot, type WorkerInit } from "./slot.ts";

export interface EngineOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly role: "serve" | "worker";
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

/** How often a process says anew for which kinds it has handlers. */
const KINDS_EVERY_MS = 3_600_000;

/** What the follow-ups of one attempt may take together, in bytes of their payloads. */
const FOLLOW_UP_BYTES = 64 * 1024 * 1024;

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
  readonly #fileSweeper: Duty;
  readonly #files: AttemptFiles;
  readonly #scheduler: Scheduler;
  readonly #webhooks: WebhookSender;
  /** Null: nobody wants to be told. */
  readonly #alerts: Duty | null;
  readonly #pruner: Pruner;
  readonly #subscriptions: Disposable[] = [];
  readonly #respawns = new Set<ReturnType<typeof setTimeout>>();
  readonly #record: Pick<WorkerRecord, "holder" | "pid" | "host" | "processStart" | "role">;
  #handlers: UserHandlers;
  #kinds: readonly string[];
  #kindsSavedAtMs = -Infinity;
  #lastTickMs = performance.now();
  #whenIdle: (() => void) | null = null;
  #whenProgramsEnded: (() => void) | null = null;
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
    this.#handlers = options.handlers ?? NO_HANDLERS;
    this.#kinds = kindsOf(this.#handlers);
    this.#files = new AttemptFiles({
      store,
      clock,
      holder: this.holder,
      base: settings["work-dir"],
    });
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
      traces: queue.tracing === null ? null : new AttemptTraces(queue.tracing),
      kinds: () => this.#kinds,
      chunk: this.#chunks(),
      slots: this.#slots,
      beforeGive: (jobs) => {
        if (jobs.some((job) => startsProcesses(job.kind))) this.#guardian.ensure();
      },
      files: this.#files,
      afterPrepared: () => {
        if (this.isDraining) this.#checkIdle();
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
    this.#fileSweeper = createFileSweeper({ store, clock, onError });
    this.#scheduler = new Scheduler({ queue, onError });
    this.#webhooks = new WebhookSender({
      queue,
      allowsPrivate: settings["allow-private-http"],
      caFile: settings["http-ca-file"],
      secretFile: settings["webhook-secret-file"],
      random: options.random,
      onError,
    });
    this.#alerts = settings["alert-url"] === null ? null : createAlerts({
      queue,
      url: settings["alert-url"],
      rules: {
        queueLatencyMs: settings["alert-queue-latency"],
        deadJobs: settings["alert-dead-jobs"],
        wantsWorkers: settings["alert-no-workers"],
      },
      onError,
    });
    this.#pruner = new Pruner({ queue, retention: retentionOf(settings), onError });
  }

  async start(): Promise<void> {
    const { queue } = this.#options;
    void this.#files.sweep();
    void this.#fileSweeper.runOnce();
    // Before the first claim, so that others can tell whether this holder lives.
    await Promise.all([this.#saveWorkers(), this.#saveKinds()]);
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
    this.#fileSweeper.start();
    this.#scheduler.start();
    this.#webhooks.start();
    this.#pruner.start();
    this.#alerts?.start();
  }

  async useHandlers(handlers: UserHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#kinds = kindsOf(handlers);
    for (const slot of this.#slots) slot.tell({ type: "handlers", handlers });
    this.#kindsSavedAtMs = -Infinity;
    await this.#saveKinds();
    this.#dispatcher.wake();
  }

  async drain(): Promise<void> {
    if (this.isDraining) return await this.#stopping ?? undefined;
    this.isDraining = true;
    this.#dispatcher.stop();
    this.#scheduler.stop();
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
      this.#killCommands(left);
      if (left.length > 0 || slot.programs.size > 0) this.#killPrograms(slot);
      this.#dispatcher.release(slot, left.map(({ job }) => job));
    }
    this.#whenIdle?.();
    await within(this.#dispatcher.settled(), SETTLE_PATIENCE_MS);
    await Promise.all([
      this.#heartbeat.stop(),
      this.#reaper.stop(),
      this.#fileSweeper.stop(),
      this.#scheduler.stop(),
      this.#webhooks.stop(),
      this.#alerts?.stop(),
      this.#pruner.stop(),
    ]);
    await this.#options.queue.metrics.flush();
    await this.#options.queue.store.removeWorkers(this.holder).catch(() => {});
    // A thread that was cut off may have started a command after its jobs were killed.
    if (wasCutOff) this.#guardian.sweep();
    else await this.#guardian.close();
    await this.#files.close();
  }

  #startSlot(slot: Slot): void {
    const { queue, settings } = this.#options;
    slot.start(this.#workerInit(slot, settings), queue.clock());
    queue.events.emit({ type: "worker.started", worker: slot.label, restarts: slot.restarts });
  }

  #workerInit(slot: Slot, settings: Settings): WorkerInit {
    return {
      holder: this.holder,
      heartbeatMs: settings["heartbeat"]!,
      settings: handlerSettings(settings),
      handlers: this.#handlers,
      mark: this.#markOf(slot),
      workDir: this.#files.dir,
      artifacts: artifactLimits(settings),
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
      case "program":
        this.#setProgram(slot, message.pgid, message.isAlive);
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
        this.#prepareFollowUp(slot, message);
        return;
      case "closed":
        if (this.#slots.every(({ programs }) => programs.size === 0)) this.#whenProgramsEnded?.();
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

  #setProgram(slot: Slot, pgid: number, isAlive: boolean): void {
    if (isAlive) {
      slot.programs.add(pgid);
      this.#guardian.groupBegan(pgid);
    } else {
      slot.programs.delete(pgid);
      this.#guardian.groupEnded(pgid);
    }
  }

  /** Checks a job that is to follow one that runs, and keeps it until that has ended. */
  async #prepareFollowUp(
    slot: Slot,
    { lease, ref, job }: Extract<FromWorker, { type: "enqueue" }>,
  ): Promise<void> {
    const inHand = slot.inHand.get(lease.seq);
    const refuse = (problems: InvalidInputError["problems"]) =>
      slot.tell({ type: "enqueued", ref, followUp: { problems } });
    try {
      const prepared = await this.#options.queue.prepare(job);
      if (inHand?.job.token !== lease.token) return refuse([TOO_LATE]);
      const bytes = inHand.followUps.reduce((sum, { payload }) => sum + payload.length, 0);
      if (bytes + prepared.payload.length > FOLLOW_UP_BYTES) return refuse([TOO_MUCH]);
      inHand.followUps.push(prepared);
      slot.tell({ type: "enqueued", ref, followUp: { id: prepared.id } });
    } catch (error) {
      if (error instanceof InvalidInputError) return refuse(error.problems);
      refuse([{ detail: messageOf(error), pointer: "" }]);
    }
  }

  /** A worker died or hangs: its commands end, its jobs are settled, a new thread takes its place. */
  #replace(slot: Slot, reason: "crash" | "hang", message: string): void {
    const running = slot.inHand.get(slot.runningSeq ?? 0);
    const left = slot.terminate();
    this.#killCommands(left);
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

  #killCommands(jobs: readonly JobInHand[]): void {
    for (const { job, pgid } of jobs) {
      if (pgid !== null) killGroup(pgid, "SIGKILL");
      // Also when its group is not known: the message that tells it may still be on its way.
      if (job.kind === "command") killMarked(`${this.holder}:${job.seq}:${job.token}`);
      if (pgid !== null) this.#guardian.groupEnded(pgid);
    }
  }

  #killPrograms(slot: Slot): void {
    for (const pgid of slot.programs) {
      killGroup(pgid, "SIGKILL");
      this.#guardian.groupEnded(pgid);
    }
    slot.programs.clear();
    // Also those of which it could not tell any more.
    if (this.#handlers.programs.length > 0) killMarked(this.#markOf(slot));
  }

  /** Tells the programs of one thread from those of all others, its own successors included. */
  #markOf(slot: Slot): string {
    return `${this.holder}:${slot.label}.${slot.restarts}`;
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

  /** Tells other processes which kinds there are, so that they accept jobs of them. */
  async #saveKinds(): Promise<void> {
    const kinds = Object.keys(this.#handlers.kinds);
    if (kinds.length === 0 || performance.now() - this.#kindsSavedAtMs < KINDS_EVERY_MS) return;
    this.#kindsSavedAtMs = performance.now();
    const { store, clock } = this.#options.queue;
    await store.saveKinds(kinds, clock());
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

const TOO_LATE = { detail: "the attempt is over", pointer: "" };
const TOO_MUCH = {
  detail: `the payloads of its follow-ups take more than ${FOLLOW_UP_BYTES} bytes`,
  pointer: "",
};

/** The kinds that the workers of this process can run. */
function kindsOf({ kinds }: UserHandlers): readonly string[] {
  return [...HANDLERS.keys(), ...Object.keys(kinds)];
}

/** All but those that run in the worker's own thread. */
function startsProcesses(kind: string): boolean {
  return kind === "command" || !HANDLERS.has(kind);
}

function artifactLimits(settings: Settings): ArtifactLimits {
  return {
    fileBytes: settings["artifact-limit"],
    totalBytes: settings["artifact-total"],
    count: settings["artifact-count"],
  };
}

function handlerSettings(settings: Settings): HandlerSettings {
  return {
    resultLimitBytes: settings["result-limit"],
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

/** While the store cannot be used, these writes may be missed: the end of the attempt counts. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error;
}
