/**
 * A listener that stays: when the operating system takes it away (out of file descriptors), it is
 * opened again on the same port. So it is when there are too many connections, because that is the
 * only way to close those that say nothing. Owns listening; knows nothing of requests.
 *
 * Invariant: from `open` to `close` the port is listened on, but for pauses that are bounded.
 */
import { ConflictError, ForbiddenError, QueueError } from "../job/errors.ts";
import { messageOf } from "../lib/error_message.ts";
import type { Logger } from "../lib/log.ts";
import { within } from "../lib/pause.ts";
import { ConnectionWatch } from "./connection_watch.ts";
import type { Answerer } from "./dispatch.ts";
import { QUIET_WATCH, QuietWatch, type QuietWatchOptions } from "./quiet_watch.ts";

export interface ListenerOptions {
  readonly hostname: string;
  /** 0: any free one; it is kept when the listener is opened again. */
  readonly port: number;
  readonly handler: Answerer;
  readonly log: Logger;
  readonly maxConnections: number;
  /** How long connections may be quiet. */
  readonly quiet?: QuietWatchOptions;
}

/** Pauses before listening again, the last one over and over. */
const RELISTEN_PAUSES_MS = [50, 100, 250, 500, 1_000, 2_000];

/** After listening for this long, the pauses start from the first again. */
const RECOVERED_MS = 60_000;

/** How often the listener is tried out. */
const TRY_OUT_MS = 2_000;

/** A server, with the way to close its connections at once, whatever they do. */
interface HttpServer extends Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "finished" | "shutdown"> {
  abort(): void;
}

export class Listener {
  readonly port: number;
  readonly #options: ListenerOptions;
  readonly #closing = Promise.withResolvers<void>();
  readonly #keeping: Promise<void>;
  readonly #watch: ConnectionWatch;
  readonly #quietWatch: QuietWatch;
  #isClosing = false;
  /** Whether the current one was taken away by ourselves. */
  #isAborted = false;
  /** Null while there is none. */
  #current: HttpServer | null;

  /** @throws {QueueError} saying why the address cannot be listened on. */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#quietWatch = new QuietWatch(options.log, options.quiet ?? QUIET_WATCH);
    try {
      this.#current = this.#serve(options.port);
    } catch (error) {
      throw cannotListen(error, `${bracketed(options.hostname)}:${options.port}`);
    }
    this.port = this.#current.addr.port;
    this.#keeping = this.#keep();
    this.#watch = new ConnectionWatch({
      maxConnections: options.maxConnections,
      onTooMany: (found) => this.#closeConnections(found),
    });
    this.#quietWatch.start(this.#current.addr);
  }

  /** Where to reach the listener, without a slash at the end. */
  get url(): string {
    return urlOf(this.#options.hostname, this.port);
  }

  /** Stops listening at once; resolves when the requests under way are answered. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#watch[Symbol.dispose]();
    const quietWatchClosed = this.#quietWatch.close();
    this.#closing.resolve();
    const server = this.#current;
    // Deno 2.4 panics when a server that has lost its listener is shut down.
    if (server !== null && await this.#isListening()) await server.shutdown().catch(() => {});
    await this.#keeping;
    await quietWatchClosed;
  }

  #serve(port: number): HttpServer {
    const { hostname, handler } = this.#options;
    const { signal, abort } = aborter();
    const counting = this.#quietWatch.counting(handler);
    const server = Deno.serve({ hostname, port, signal, onListen: () => {} }, counting);
    const { addr, finished } = server;
    return { addr, finished, shutdown: () => server.shutdown(), abort };
  }

  /**
   * Closes all connections; the listener, which goes with them, is opened again at once. Measured on
   * both: on 2.9 a graceful shutdown closes the silent ones too, on 2.4 it does not.
   */
  #closeConnections(found: string): void {
    const server = this.#current;
    if (server === null || this.#isClosing) return;
    this.#options.log.error("http.connections_closed", {
      message: `${found}: all connections are closed, so that new ones can be made`,
    });
    this.#isAborted = true;
    server.abort();
  }

  async #keep(): Promise<void> {
    let failures = 0;
    while (!this.#isClosing) {
      const startedAtMs = performance.now();
      try {
        this.#current ??= this.#serve(this.port);
        const lost = await this.#untilLost(this.#current);
        if (this.#isClosing) return;
        if (this.#isAborted) {
          this.#isAborted = false;
          this.#current = null;
          continue;
        }
        this.#options.log.error("http.listener_lost", { message: lost });
        this.#current.abort(); // its connections live on, and hold the descriptors
      } catch (error) {
        this.#options.log.error("http.listen_failed", { message: messageOf(error) });
      }
      this.#current = null;
      if (performance.now() - startedAtMs > RECOVERED_MS) failures = 0;
      await this.#pause(RELISTEN_PAUSES_MS[Math.min(failures++, RELISTEN_PAUSES_MS.length - 1)]!);
    }
  }

  /**
   * Waits for the end of the listener and says why. Deno 2.9 tells at once; 2.4 tells only when the
   * last of the old connections is gone, hence the listener is also tried out now and then.
   */
  async #untilLost(server: HttpServer): Promise<string> {
    let isFinished = false;
    const finished = server.finished.then(() => "it ended by itself", messageOf)
      .finally(() => isFinished = true);
    const refused = (async () => {
      while (!isFinished && !this.#isClosing) {
        await this.#pause(TRY_OUT_MS, finished);
        if (isFinished || this.#isClosing) break;
        if (!await this.#isListening()) return "connections are refused";
      }
      return await finished;
    })();
    return await Promise.race([finished, refused]);
  }

  /** Whether connections are taken. Not being able to try counts as yes. */
  async #isListening(): Promise<boolean> {
    try {
      (await Deno.connect({ hostname: reachableHost(this.#options.hostname), port: this.port }))
        .close();
      return true;
    } catch (error) {
      return !(error instanceof Deno.errors.ConnectionRefused);
    }
  }

  /** Waits, but not beyond `close`, nor beyond the end of the other promise. */
  async #pause(ms: number, other?: Promise<unknown>): Promise<void> {
    const ends: Promise<unknown>[] = [this.#closing.promise];
    if (other !== undefined) ends.push(other);
    await within(Promise.race(ends), ms);
  }
}

/** Where to reach, on this machine, what listens there; without a slash at the end. */
export function urlOf(hostname: string, port: number): string {
  return `http://${bracketed(reachableHost(hostname))}:${port}`;
}

/** An address that leads to a listener: a wildcard is none. */
function reachableHost(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  return /^\[?::\]?$/.test(hostname) ? "::1" : hostname.replace(/^\[|\]$/g, "");
}

function aborter(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function cannotListen(error: unknown, address: string): unknown {
  const message = `cannot listen on ${address}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new ConflictError(
      `${message}: the port is in use; stop what uses it or choose another with --port`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new ForbiddenError(
      `${message}: permission denied; ports below 1024 may need more rights`,
    );
  }
  return error instanceof Error
    ? new QueueError("conflict", `${message}: ${error.message}`, { cause: error })
    : error;
}

function bracketed(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}
