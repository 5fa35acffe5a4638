/**
 * The last steps of a request whose sender is known: what its path leads to, the scope that this
 * asks for, the origin of the page that sends it. Shared by requests that come over the network and
 * those that pages make in a caller's name.
 */
import { allows } from "../job/scope.ts";
import { type Caller, missingScope } from "./auth.ts";
import type { Call, Services } from "./context.ts";
import type { CrossOrigin } from "./cors.ts";
import { foreignOrigin } from "./host.ts";
import { RequestError } from "./problem.ts";
import type { Match } from "./router.ts";

export interface KnownCall {
  readonly request: Request;
  readonly path: string;
  readonly query: string;
  readonly caller: Caller;
  readonly services: Services;
  readonly crossOrigin: CrossOrigin;
}

/**
 * The answer of the route that was matched.
 *
 * @throws {RequestError} {@link ForbiddenError} when there is none or the caller may not use it.
 */
export function answerMatch(
  match: Match,
  { request, path, query, caller, services, crossOrigin }: KnownCall,
): Response | Promise<Response> {
  if (match.type === "no-path") {
    throw new RequestError("no-such-path", `there is nothing at ${show(path)}`);
  }
  if (match.type === "wrong-method") {
    const allow = match.allowed.join(", ");
    const detail = `${show(path)} answers to ${allow}, not to ${show(request.method)}`;
    throw new RequestError("method-not-allowed", detail, { allow });
  }
  const { route, params } = match;
  if (route.scope !== "open" && !allows(caller.scopes, route.scope)) {
    throw missingScope(caller, route.scope);
  }
  if (route.method !== "GET" && !crossOrigin.allows(request.headers.get("origin"))) {
    const foreign = foreignOrigin(request.headers);
    if (foreign !== null) throw new RequestError("forbidden", foreign);
  }
  const call: Call = { request, services, params, query, caller };
  return route.handler(call);
}

/** A caller's text in a message: quoted, and not all of it when it is long. */
export function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
