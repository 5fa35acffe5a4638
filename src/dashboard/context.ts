/**
 * What a page gets for one request. Owns these shapes only; knows no page, so that pages and the
 * table of pages can both import it.
 */
import type { Settings } from "../config/settings.ts";
import type { PageCall, PageCaller, PageScope } from "../lib/pages.ts";
import type { Queue } from "../queue/queue.ts";
import type { Stats } from "../store/store.ts";

/** What lives as long as the pages. */
export interface Services {
  readonly queue: Queue;
  readonly settings: Settings;
  readonly version: string;
}

/** One request, matched to its page, from somebody who may see it. */
export interface Context {
  readonly call: PageCall;
  readonly services: Services;
  readonly caller: PageCaller;
  /** The values of the pattern's `{names}`, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly nowMs: number;
  /** The queue in numbers, read once for all parts of the page. */
  readonly stats: () => Promise<Stats>;
}

export type Handler = (context: Context) => Response | Promise<Response>;

export interface Page {
  readonly method: "GET" | "POST";
  /** Segments between slashes; `{name}` stands for any one segment. */
  readonly path: string;
  readonly handler: Handler;
  /** What somebody must be allowed to do to see it. */
  readonly scope: PageScope;
}
