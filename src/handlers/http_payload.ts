/**
 * What a job of the kind `http` is told: from something unknown to a request, or to every problem
 * at once. Pure; sends nothing.
 */
import { describe, escapePointer, type PayloadProblem } from "../job/parse.ts";
import { isObject } from "../job/parse_values.ts";
import { findHeaderProblem } from "../lib/outbound/request.ts";
import { findUrlProblem } from "../lib/outbound/url.ts";

/** As stored. */
export interface HttpPayload {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON; null: no body. */
  readonly body: unknown;
}

const HTTP_LIMITS = {
  headers: 64,
  /** Of all names and values together. */
  headerBytes: 16 * 1024,
} as const;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
const BODILESS: readonly string[] = ["GET", "HEAD"];
const FIELDS = ["url", "method", "headers", "body"] as const;

export function parseHttpPayload(
  payload: unknown,
): { request: HttpPayload } | { problems: readonly PayloadProblem[] } {
  if (!isObject(payload)) {
    const detail = `expected an object {url, method, headers, body}, got ${describe(payload)}`;
    return { problems: [{ path: "", detail }] };
  }
  const problems: PayloadProblem[] = [];
  const report = (path: string, detail: string) => problems.push({ path, detail });

  for (const field of Object.keys(payload)) {
    if ((FIELDS as readonly string[]).includes(field)) continue;
    const detail = `there is no field ${describe(field)}; the fields are ${FIELDS.join(", ")}`;
    report(`/${escapePointer(field)}`, detail);
  }
  const { url, headers = {}, body = null } = payload;
  const method = payload["method"] ?? (body === null ? "GET" : "POST");
  const urlProblem = url === undefined ? "missing" : findUrlProblem(url);
  if (urlProblem !== null) report("/url", urlProblem);

  if (!(METHODS as readonly unknown[]).includes(method)) {
    report("/method", `expected one of ${METHODS.join(", ")}, got ${describe(method)}`);
  } else if (body !== null && BODILESS.includes(method as string)) {
    report("/body", `a ${method} request has no body; expected another method, or no body`);
  }
  if (isObject(headers)) reportHeaders(headers, report);
  else report("/headers", `expected an object of names and values, got ${describe(headers)}`);

  if (problems.length > 0) return { problems };
  return {
    request: {
      url: url as string,
      method: method as string,
      headers: headers as Record<string, string>,
      body,
    },
  };
}

/** Values are not quoted in problems: they may be secrets. */
function reportHeaders(
  headers: Record<string, unknown>,
  report: (path: string, detail: string) => void,
): void {
  const names = Object.keys(headers);
  if (names.length > HTTP_LIMITS.headers) {
    report("/headers", `expected at most ${HTTP_LIMITS.headers} headers, got ${names.length}`);
    return;
  }
  let bytes = 0;
  const seen = new Set<string>();
  for (const name of names) {
    const value = headers[name];
    const path = `/headers/${escapePointer(name)}`;
    const problem = findHeaderProblem(name, value);
    if (problem !== null) report(path, problem);
    else if (seen.has(name.toLowerCase())) report(path, "this header stands twice");
    seen.add(name.toLowerCase());
    bytes += name.length + (typeof value === "string" ? value.length : 0);
  }
  if (bytes > HTTP_LIMITS.headerBytes) {
    const detail = `expected at most ${HTTP_LIMITS.headerBytes} bytes of headers, got ${bytes}`;
    report("/headers", detail);
  }
}
