/**
 * The way of a request: host, route, token, rate, scope, origin, handler; and what every error
 * becomes. Owns the order of these checks. What is refused is refused before its body is read.
 *
 * Invariant: the answering function never rejects. An unhandled rejection would end the process.
 */
import { answerMatch, show } from "./answer_match.ts";
import type { Services } from "./context.ts";
import type { Caller, TokenGuard } from "./auth.ts";
import { discardBody } from "./body_wire.ts";
import type { CrossOrigin } from "./cors.ts";
import { isPagePath, type PageHost } from "./page_host.ts";
import type { HostGuard } from "./host.ts";
import { codeOf, problemResponse, RequestError } from "./problem.ts";
import type { RateLimiter } from "./rate_limit.ts";
import type { Match, Router } from "./router.ts";

export interface DispatchOptions {
  readonly router: Router;
  readonly hosts: HostGuard;
  readonly tokens: TokenGuard;
  readonly crossOrigin: CrossOrigin;
  /** Browsers that have signed in, and the pages that they see; null: there are no pages. */
  readonly pages: PageHost | null;
  /** Null: as many requests as they like. */
  readonly rates: RateLimiter | null;
  readonly services: Services;
}

/** Where a request comes from. */
export interface Source {
  readonly remoteAddr: Deno.Addr;
}

/** Answers requests; never rejects. */
export type Answerer = (request: Request, source: Source) => Promise<Response>;

/** The function that answers requests. */
export function createDispatcher(options: DispatchOptions): Answerer {
  const { services: { log, settings }, crossOrigin } = options;
  const isLoggingRequests = settings["log-level"] === "debug";
  const answer: Answerer = async (request, source) => {
    let response: Response;
    try {
      response = await dispatch(request, source, options);
    } catch (error) {
      response = await answerError(error, request, options.services);
    }
    return crossOrigin.mark(response, request.headers.get("origin"));
  };
  if (!isLoggingRequests) return answer;
  return async (request, source) => {
    const startedAtMs = performance.now();
    const response = await answer(request, source);
    log.debug("http.request", {
      method: request.method,
      path: splitUrl(request.url).path,
      status: response.status,
      duration_ms: Math.round((performance.now() - startedAtMs) * 10) / 10,
    });
    return response;
  };
}

function dispatch(
  request: Request,
  source: Source,
  { router, hosts, tokens, crossOrigin, pages, rates, services }: DispatchOptions,
): Response | Promise<Response> {
  const { headers, method, url } = request;
  const host = headers.get("host");
  if (!hosts.allows(host, url)) {
    const found = host === null ? "the request names none" : `the request names ${show(host)}`;
    throw new RequestError(
      "misdirected",
      `this server does not answer to that host: ${found}; the setting allowed-hosts adds names`,
    );
  }
  const preflight = crossOrigin.preflight(request);
  if (preflight !== null) return preflight;
  const { path, query } = splitUrl(url);
  const isPage = pages !== null && isPagePath(path, headers);
  const match = isPage ? NO_MATCH : router.match(method, path);
  const isOpen = match.type === "route" && match.route.scope === "open";
  const caller = isOpen
    ? STRANGER
    : pages?.identify(headers) ?? tokens.identify(headers.get("authorization"));
  if (caller === null && !isPage) throw unauthorized(query);
  if (query !== "" && TOKEN_PARAMETER.test(query)) {
    throw new RequestError("token-in-url", `${NOT_IN_URL}; it is no secret any more: revoke it`);
  }
  if (rates !== null && !isOpen) limitRate(rates, caller ?? STRANGER, source);
  if (isPage) return pages.answer({ request, path, query, caller });
  return answerMatch(match, { request, path, query, caller: caller!, services, crossOrigin });
}

const NO_MATCH: Match = { type: "no-path" };

/** Who asks what everybody may ask. */
const STRANGER: Caller = { name: "anybody", scopes: [], hasToken: false };

const TOKEN_PARAMETER = /(^|&)(access_token|token)=/i;

const NOT_IN_URL = "a token in a URL ends up in logs and histories, so it is not looked at: send " +
  "the header Authorization: Bearer TOKEN instead";

function unauthorized(query: string): RequestError {
  return new RequestError(
    "unauthorized",
    TOKEN_PARAMETER.test(query)
      ? NOT_IN_URL
      : "expected the header Authorization: Bearer TOKEN with a token that this server knows",
    { "www-authenticate": 'Bearer realm="queuectl"' },
  );
}

/** Callers without a token are told apart by their address. */
function limitRate(rates: RateLimiter, { name, hasToken }: Caller, { remoteAddr }: Source): void {
  const address = "hostname" in remoteAddr ? remoteAddr.hostname : "";
  const waitMs = rates.waitMs(hasToken ? `token ${name}` : address, performance.now());
  if (waitMs === 0) return;
  throw new RequestError(
    "too-many-requests",
    `${hasToken ? `the token ${JSON.stringify(name)}` : "this address"} makes more requests a ` +
      "second than the setting rate-limit allows",
    { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1_000))) },
  );
}

async function answerError(
  error: unknown,
  request: Request,
  { log }: Services,
): Promise<Response> {
  const code = codeOf(error);
  const facts = { method: request.method, path: splitUrl(request.url).path };
  if (code === "internal") {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    log.error("http.failed", { ...facts, message });
  } else if (code === "store-unavailable") {
    log.warn("http.unavailable", { ...facts, message: (error as Error).message });
  }
  const isBodyGone = await discardBody(request);
  const response = problemResponse(error);
  // A caller that kept the connection for its next request would find it closed.
  if (!isBodyGone || code === "too-large") response.headers.set("connection", "close");
  return response;
}

/** Path and query of a URL, as they came: no normalizing, no decoding. */
function splitUrl(url: string): { path: string; query: string } {
  const pathStart = url.indexOf("/", url.indexOf("//") + 2);
  if (pathStart === -1) return { path: "/", query: "" };
  const fragment = url.indexOf("#", pathStart);
  const end = fragment === -1 ? url.length : fragment;
  const queryStart = url.indexOf("?", pathStart);
  if (queryStart === -1 || queryStart > end) return { path: url.slice(pathStart, end), query: "" };
  return { path: url.slice(pathStart, queryStart), query: url.slice(queryStart + 1, end) };
}
