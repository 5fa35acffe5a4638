/**
 * Listens, and keeps listening: a listener that the operating system takes away (out of file
 * descriptors) is opened again. Owns the listener's life; knows nothing of requests.
 */
import type { Settings } from "../config/settings.ts";
import { ConflictError, ForbiddenError, QueueError } from "../job/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Queue } from "../queue/queue.ts";
import { TokenGuard } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { createDispatcher } from "./dispatch.ts";
import { HostGuard, isLoopbackAddress, isWildcardAddress } from "./host.ts";
import { Router } from "./router.ts";
import { ROUTES } from "./routes.ts";

export interface ServerOptions {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly log: Logger;
  /** Without one, every request that reaches the server is let through. */
  readonly token: string | null;
  /** True while the process is shutting down: then it says that it is not ready. */
  readonly isDraining: () => boolean;
  readonly version: string;
  /** How long a body may stand still. */
  readonly bodyStallMs?: number;
  /** How long `close` waits for requests that are being answered. */
  readonly closeMs?: number;
}

export interface Server {
  /** Where to reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and waits, for a limited time, for requests that are being answered. */
  close(): Promise<void>;
}

/** Pauses before listening again, the last one over and over. */
const RELISTEN_PAUSES_MS = [50, 100, 250, 500, 1_000, 2_000];

/**
 * Serves the API.
 *
 * @throws {QueueError} saying why the address cannot be listened on.
 */
// deno-lint-ignore require-await -- a promise, so that errors come in one way
export async function startServer(options: ServerOptions): Promise<Server> {
  const { settings, log, token } = options;
  const hostname = settings.host;
  if (!isLoopbackAddress(hostname) && token === null && !settings.insecure) {
    throw new ForbiddenError(
      `refusing to listen on ${hostname} without a token: other machines could use the queue; ` +
        "give a token with --token-file, or say --insecure",
    );
  }
  const bodies = new BodyReader({
    stallMs: options.bodyStallMs ?? 30_000,
    leastBytesPerS: 1_024,
  });
  const dispatch = createDispatcher({
    router: new Router(ROUTES),
    hosts: new HostGuard(hostname, settings["allowed-hosts"]),
    tokens: new TokenGuard(token),
    services: { ...options, bodies, startedAtMs: performance.now() },
  });

  const listen = (port: number) => Deno.serve({ hostname, port, onListen: () => {} }, dispatch);
  let current: Deno.HttpServer<Deno.NetAddr> | null;
  try {
    current = listen(settings.port);
  } catch (error) {
    bodies.close();
    throw cannotListen(error, `${bracketed(hostname)}:${settings.port}`);
  }
  const { port } = current.addr;

  const closing = Promise.withResolvers<void>();
  let isClosing = false;
  const keepListening = async () => {
    let failures = 0;
    while (!isClosing) {
      try {
        const listeningAtMs = performance.now();
        current ??= listen(port);
        await current.finished;
        if (isClosing) return;
        if (performance.now() - listeningAtMs > 60_000) failures = 0;
        log.error("http.listener_lost", { message: "the listener ended by itself" });
      } catch (error) {
        if (isClosing) return;
        const message = error instanceof Error ? error.message : String(error);
        log.error("http.listener_lost", { message });
      }
      current = null;
      const pauseMs = RELISTEN_PAUSES_MS[Math.min(failures++, RELISTEN_PAUSES_MS.length - 1)]!;
      await Promise.race([pause(pauseMs), closing.promise]);
    }
  };
  const listening = keepListening();

  return {
    url: `http://${bracketed(reachableHost(hostname))}:${port}`,
    port,
    async close() {
      isClosing = true;
      closing.resolve();
      // A stalled upload would hold the shutdown for ever: it gets a while, then it is given up.
      const closed = Promise.all([current?.shutdown().catch(() => {}), listening]);
      await withDeadline(closed, options.closeMs ?? 5_000);
      bodies.close();
      await withDeadline(closed, 500);
    },
  };
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
  if (error instanceof Error && !(error instanceof TypeError)) {
    return new QueueError("conflict", `${message}: ${error.message}`);
  }
  return error;
}

/** An address that leads to a server bound to `hostname`. */
function reachableHost(hostname: string): string {
  if (!isWildcardAddress(hostname)) return hostname;
  return hostname.includes(":") ? "::1" : "127.0.0.1";
}

function bracketed(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}

/** Waits for the promise, but not longer than this. */
async function withDeadline(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([promise, deadline]);
  clearTimeout(timer);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
