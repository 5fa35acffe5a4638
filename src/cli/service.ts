/**
 * A process that works until it is told to stop: what `serve` and `worker` share. Owns signals, the
 * log and the order of start and shutdown.
 *
 * Invariant: whatever ends it, the engine is stopped before the store is closed.
 */
import type { Settings } from "../config/settings.ts";
import { readCaFile } from "../lib/outbound/ca_file.ts";
import { absoluteDatabase, shownDatabase } from "../lib/database_url.ts";
import { within } from "../lib/pause.ts";
import { readWebhookSecrets } from "../lib/webhook_secret.ts";
import { createLog, type Logger, openLogFile } from "../lib/log.ts";
import { logEvents } from "../queue/event_log.ts";
import type { Queue } from "../queue/queue.ts";
import { HandlerError } from "../handlers/program.ts";
import { type Engine, startEngine } from "../supervisor/engine.ts";
import { HandlerBook } from "../supervisor/handler_book.ts";
import type { Invocation } from "./command.ts";
import { withQueue } from "./context.ts";
import { EXIT, exitOfSignal, UsageError } from "./exit.ts";
import type { CliIo } from "./io.ts";
import { hasColor } from "./output.ts";
import { catchFailures, catchSignals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** Something that runs beside the engine: the API. */
export interface Side {
  /** Facts to log when it is ready. */
  readonly ready: { readonly event: string; readonly fields: Record<string, string | number> };
  close(): Promise<void>;
}

export interface SideOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly log: Logger;
  readonly isDraining: () => boolean;
}

/** After a second signal, how long stopping may take before the process just ends. */
const STOP_PATIENCE_MS = 6_000;

/** Runs workers, and what `startSide` starts, until a signal or a failure. */
export function runService(
  invocation: Invocation,
  { role, startSide }: {
    role: "serve" | "worker";
    startSide?: (options: SideOptions) => Promise<Side>;
  },
): Promise<number> {
  const { io, out } = invocation;
  return withQueue(invocation, async ({ queue, settings }) => {
    using signals = catchSignals();
    using failures = catchFailures();
    using opened = openLog(settings, io);
    const { log } = opened;
    using _events = logEvents(queue.events, { log });
    warnOfFaults(settings, log);
    checkFiles(settings);

    using handlers = await openHandlers(settings, io);
    queue.acceptKinds(Object.keys(handlers.handlers.kinds));

    let engine: Engine | undefined;
    // The side first: an address that is in use is found before any job is touched.
    const side = await startSide?.({
      queue,
      settings,
      log,
      isDraining: () => engine?.isDraining ?? false,
    });
    try {
      engine = await startEngine({
        queue,
        settings,
        role,
        random: io.random,
        handlers: handlers.handlers,
      });
    } catch (error) {
      await side?.close();
      throw error;
    }
    handlers.watch({
      onChange: (changed) => {
        const kinds = Object.keys(changed.kinds);
        queue.acceptKinds(kinds);
        queue.events.emit({ type: "handlers.reloaded", kinds });
        engine!.useHandlers(changed).catch(() => {}); // the kinds are told again at a heartbeat
      },
      onRefused: (message) => queue.events.emit({ type: "handlers.refused", message }),
    });
    log.info("service.started", {
      version: VERSION,
      role,
      pid: Deno.pid,
      workers: settings.workers,
      db: shownDatabase(absoluteDatabase(io.cwd(), settings.db)),
    });
    if (side !== undefined) log.info(side.ready.event, side.ready.fields);
    if (out.isJson) out.json({ pid: Deno.pid, workers: settings.workers, ...side?.ready.fields });

    const cause = await Promise.race([signals.first, failures.first]);
    if (cause instanceof Error) {
      logFailure(cause, log);
      await within(engine.stop().catch(() => {}), STOP_PATIENCE_MS);
      await side?.close();
      return EXIT.failed;
    }
    log.info("service.draining", { signal: cause });
    const drained = engine.drain().then(() => side?.close());
    const haste = await Promise.race([drained, signals.second, failures.first]);
    if (haste !== undefined) {
      if (haste instanceof Error) logFailure(haste, log);
      log.warn("service.stopping", { message: "stopping at once" });
      await within(engine.stop().catch(() => {}), STOP_PATIENCE_MS);
      return haste instanceof Error ? EXIT.failed : exitOfSignal(haste);
    }
    log.info("service.stopped");
    return EXIT.done;
  });
}

function logFailure({ message, stack }: Error, log: Logger): void {
  log.error("service.failed", { message, stack });
}

/** @throws {UsageError} with everything that is wrong. */
export async function openHandlers(settings: Settings, io: CliIo): Promise<HandlerBook> {
  try {
    const write = (bytes: Uint8Array) => io.stderr.write(new TextDecoder().decode(bytes));
    return await HandlerBook.open({ settings, cwd: io.cwd(), write });
  } catch (error) {
    throw error instanceof HandlerError ? new UsageError(error.message) : error;
  }
}

function openLog(settings: Settings, io: CliIo): { log: Logger } & Disposable {
  const path = settings["log-file"];
  const file = path === null ? null : openFile(path);
  const log = createLog({
    level: settings["log-level"],
    format: settings["log-format"] ?? (io.stderr.isTerminal ? "pretty" : "json"),
    hasColor: hasColor(io, io.stderr),
    clock: io.clock,
    write: (line) => io.stderr.write(line),
    ...(file === null ? {} : { writeFile: (line: string) => file.write(line) }),
  });
  return { log, [Symbol.dispose]: () => file?.[Symbol.dispose]() };
}

/** @throws {UsageError} when it cannot be written. */
export function openFile(path: string): ReturnType<typeof openLogFile> {
  try {
    return openLogFile(path);
  } catch (error) {
    throw new UsageError(`cannot write the log file ${path}: ${(error as Error).message}`);
  }
}

/**
 * What would fail in each http job and webhook is found at once.
 *
 * @throws {UsageError} when a file that settings name cannot be used.
 */
function checkFiles(settings: Settings): void {
  const { "http-ca-file": caFile, "webhook-secret-file": secretFile } = settings;
  try {
    readCaFile(caFile);
    if (secretFile !== null) readWebhookSecrets(secretFile);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Faults that were asked for must never go unnoticed, whatever the log level. */
function warnOfFaults(settings: Settings, log: Logger): void {
  const faults = {
    "fault-fail": settings["fault-fail"],
    "fault-crash": settings["fault-crash"],
    "fault-hang": settings["fault-hang"],
    "simulated-work": settings["simulated-work"],
  };
  const set = Object.entries(faults).filter(([, value]) => value > 0);
  if (set.length === 0) return;
  const level = settings["log-level"] === "error" ? "error" : "warn";
  log[level]("faults.injected", {
    message: "FAULT INJECTION IS ON: attempts fail, crash, hang or dawdle on purpose",
    ...Object.fromEntries(
      set.map(([name, value]) => [name, name === "simulated-work" ? `${value}ms` : value]),
    ),
  });
}
