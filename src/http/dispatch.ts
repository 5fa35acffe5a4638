/**
 * The way of a request: host, route, token, origin, handler; and what every error becomes. Owns
 * the order of these checks. What is refused is refused before its body is read.
 *
 * Invariant: the answering function never rejects. An unhandled rejection would end the process.
 */
import type { Call, Route, Services } from "./context.ts";
import type { TokenGuard } from "./auth.ts";
import { discardBody } from "./body.ts";
import { foreignOrigin, type HostGuard } from "./host.ts";
import { codeOf, problemResponse, RequestError } from "./problem.ts";
import type { Router } from "./router.ts";

export interface DispatchOptions {
  readonly router: Router;
  readonly hosts: HostGuard;
  readonly tokens: TokenGuard;
  readonly services: Services;
}

/** The function that answers requests. */
export function createDispatcher(
  options: DispatchOptions,
): (request: Request) => Promise<Response> {
  const { log, settings } = options.services;
  const isLoggingRequests = settings["log-level"] === "debug";
  const answer = async (request: Request) => {
    try {
      return await dispatch(request, options);
    } catch (error) {
      return answerError(error, request, options.services);
    }
  };
  if (!isLoggingRequests) return answer;
  return async (request) => {
    const startedAtMs = performance.now();
    const response = await answer(request);
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
  { router, hosts, tokens, services }: DispatchOptions,
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
  const { path, query } = splitUrl(url);
  const match = router.match(method, path);
  const isOpen = match.type === "route" && match.route.scope === "open";
  if (!isOpen && !tokens.allows(headers.get("authorization"))) {
    throw new RequestError(
      "unauthorized",
      "expected the header Authorization: Bearer TOKEN with this server's token",
      { "www-authenticate": 'Bearer realm="queuectl"' },
    );
  }
  if (match.type === "no-path") {
    throw new RequestError("no-such-path", `there is nothing at ${show(path)}`);
  }
  if (match.type === "wrong-method") {
    const allow = match.allowed.join(", ");
    const detail = `${show(path)} answers to ${allow}, not to ${show(method)}`;
    throw new RequestError("method-not-allowed", detail, { allow });
  }
  const { route, params } = match;
  if (changesSomething(route)) {
    const foreign = foreignOrigin(headers);
    if (foreign !== null) throw new RequestError("forbidden", foreign);
  }
  const call: Call = { request, services, params, query };
  return route.handler(call);
}

function answerError(error: unknown, request: Request, { log }: Services): Response {
  const code = codeOf(error);
  const facts = { method: request.method, path: splitUrl(request.url).path };
  if (code === "internal") {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    log.error("http.failed", { ...facts, message });
  } else if (code === "store-unavailable") {
    log.warn("http.unavailable", { ...facts, message: (error as Error).message });
  }
  discardBody(request);
  return problemResponse(error);
}

function changesSomething({ method }: Route): boolean {
  return method !== "GET";
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

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
