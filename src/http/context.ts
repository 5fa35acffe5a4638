/**
 * What a request's handler gets. Owns these shapes only; knows no handler, so that handlers and the
 * route table can both import it.
 */
import type { Settings } from "../config/settings.ts";
import type { Logger } from "../lib/log.ts";
import type { Scope } from "../job/scope.ts";
import type { EventFeed } from "../queue/feed.ts";
import type { Queue } from "../queue/queue.ts";
import type { Caller } from "./auth.ts";
import type { BodyReader } from "./body.ts";
import type { BodyStreams } from "./body_stream.ts";
import type { RequestsUnderWay } from "./idempotency.ts";

/** What lives as long as the server. */
export interface Services {
  readonly queue: Queue;
  /** What happens, live. */
  readonly feed: EventFeed;
  readonly settings: Settings;
  readonly log: Logger;
  readonly bodies: BodyReader;
  /** For bodies that are too large for memory. */
  readonly uploads: BodyStreams;
  readonly requests: RequestsUnderWay;
  readonly version: string;
  /** On the clock of `performance.now()`. */
  readonly startedAtMs: number;
  readonly isDraining: () => boolean;
}

/** One request, matched to its route. */
export interface Call {
  readonly request: Request;
  readonly services: Services;
  /** The values of the pattern's `{names}`, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** What follows the `?`; empty when there is none. */
  readonly query: string;
  /** Who asks. */
  readonly caller: Caller;
}

/** Answers a request. What it throws becomes a problem: see `problem.ts`. */
export type Handler = (call: Call) => Response | Promise<Response>;

export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Segments between slashes; `{name}` stands for any one segment. */
  readonly path: string;
  readonly handler: Handler;
  /** What a token must allow for the route to answer; `open` ones ask for no token. */
  readonly scope: Scope | "open";
}
