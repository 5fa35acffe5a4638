/**
 * What the web server does for the pages: who looks, sessions, and calls of the API in the caller's
 * name. Owns where pages begin; knows nothing of what they show.
 *
 * Invariant: what changes something comes from a page of this server itself, whatever the setting
 * `cors-origins` allows other pages to do with a token of their own.
 */
import type { ApiCall, PageCaller, Pages } from "../lib/pages.ts";
import { allows } from "../job/scope.ts";
import { answerMatch } from "./answer_match.ts";
import type { Caller } from "./auth.ts";
import type { Services } from "./context.ts";
import type { CrossOrigin } from "./cors.ts";
import { foreignOrigin } from "./host.ts";
import { codeOf, problemResponse, RequestError } from "./problem.ts";
import type { Router } from "./router.ts";
import type { Sessions } from "./sessions.ts";

export interface PageHostOptions {
  readonly pages: Pages;
  readonly sessions: Sessions;
  readonly router: Router;
  readonly crossOrigin: CrossOrigin;
  readonly services: Services;
}

export interface PageRequest {
  readonly request: Request;
  readonly path: string;
  readonly query: string;
  /** Null: nobody who is known here. */
  readonly caller: Caller | null;
}

/** Whether pages answer at this path. Programs that ask for `/` are told that nothing is there. */
export function isPagePath(path: string, headers: Headers): boolean {
  if (path === "/") return headers.get("accept")?.includes("text/html") ?? false;
  if (path === "/docs") return true;
  return path.startsWith("/ui") && (path.length === 3 || path[3] === "/");
}

export class PageHost {
  readonly #options: PageHostOptions;

  constructor(options: PageHostOptions) {
    this.#options = options;
  }

  /** Who sends a request with these headers from a browser that has signed in; else null. */
  identify(headers: Headers): Caller | null {
    const { sessions } = this.#options;
    if (sessions.isEmpty || headers.has("authorization")) return null;
    return sessions.identify(headers);
  }

  /** @throws {RequestError} when another site's page sends what changes something. */
  answer({ request, path, query, caller }: PageRequest): Promise<Response> {
    const { pages, sessions, services } = this.#options;
    const { headers, method } = request;
    if (method !== "GET" && method !== "HEAD") {
      const foreign = foreignOrigin(headers);
      if (foreign !== null) throw new RequestError("forbidden", foreign);
    }
    return pages.answer({
      request,
      path,
      query,
      caller: caller === null ? null : this.#pageCaller(caller, headers),
      body: (limitBytes) => services.bodies.read(request, limitBytes),
      api: (call) => this.#callApi(call, caller),
      signIn: (token) => sessions.start(token, headers),
      signOut: () => sessions.end(headers),
    });
  }

  #pageCaller(caller: Caller, headers: Headers): PageCaller {
    return {
      name: caller.name,
      isSignedIn: this.identify(headers) !== null,
      may: (scope) => allows(caller.scopes, scope),
    };
  }

  async #callApi(call: ApiCall, caller: Caller | null): Promise<Response> {
    const { router, crossOrigin, services } = this.#options;
    const { method, path: target, json } = call;
    const [path = "", query = ""] = target.split("?", 2);
    const request = call.request ?? requestWith(method, target, json);
    try {
      if (caller === null) throw new RequestError("unauthorized", "sign in first");
      const match = router.match(method, path);
      return await answerMatch(match, { request, path, query, caller, services, crossOrigin });
    } catch (error) {
      if (codeOf(error) === "internal") throw error;
      return problemResponse(error);
    }
  }
}

/** As it would come over the network, which names the length of a body. */
function requestWith(method: string, target: string, json: unknown): Request {
  const url = `http://localhost${target}`;
  if (json === undefined) return new Request(url, { method });
  const body = new TextEncoder().encode(JSON.stringify(json));
  const headers = { "content-type": "application/json", "content-length": String(body.length) };
  return new Request(url, { method, body, headers });
}
