/**
 * Puts the API together and starts it: listener, checks, routes. Owns what holds for the server as
 * a whole: where it may listen, and that it ends in bounded time.
 */
import type { Settings } from "../config/settings.ts";
import { ForbiddenError } from "../job/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Queue } from "../queue/queue.ts";
import { TokenGuard } from "./auth.ts";
import { BodyReader } from "./body.ts";
import { createDispatcher } from "./dispatch.ts";
import { HostGuard, isLoopbackAddress } from "./host.ts";
import { Listener } from "./listener.ts";
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

/** The slowest body that is put up with, on average, once it takes longer than a stall may. */
const LEAST_BYTES_PER_S = 1_024;

/** How long requests whose bodies were given up may take to be answered. */
const GIVEN_UP_MS = 500;

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
    leastBytesPerS: LEAST_BYTES_PER_S,
  });
  const handler = createDispatcher({
    router: new Router(ROUTES),
    hosts: new HostGuard(hostname, settings["allowed-hosts"]),
    tokens: new TokenGuard(token),
    services: { ...options, bodies, startedAtMs: performance.now() },
  });
  const listener = new Listener({ hostname, port: settings.port, handler, log });
  return {
    url: listener.url,
    port: listener.port,
    async close() {
      // A stalled upload would hold the listener for ever: it gets a while, then it is given up.
      const closed = listener.close();
      await withDeadline(closed, options.closeMs ?? 5_000);
      bodies.close();
      await withDeadline(closed, GIVEN_UP_MS);
    },
  };
}

/** Waits for the promise, but not longer than this. */
async function withDeadline(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([promise, deadline]);
  clearTimeout(timer);
}
