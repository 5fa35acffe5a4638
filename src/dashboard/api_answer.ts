/** Answers of the API as pages see them. Owns how its problems are read. */
import { type ErrorCode, InvalidInputError, QueueError } from "../job/errors.ts";
import type { ApiCall, PageCall } from "../lib/pages.ts";

export type ApiResult =
  // deno-lint-ignore no-explicit-any -- the API's JSON has many shapes
  | { readonly isOk: true; readonly status: number; readonly body: any }
  | {
    readonly isOk: false;
    readonly status: number;
    readonly code: string;
    /** What was wrong: every problem. */
    readonly problems: readonly string[];
  };

/** Calls the API in the caller's name. */
export async function callApi(call: PageCall, request: ApiCall): Promise<ApiResult> {
  const response = await call.api(request);
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const body = isJson && text !== "" ? JSON.parse(text) : null;
  const { status } = response;
  if (response.ok) return { isOk: true, status, body };
  const errors = Array.isArray(body?.errors) ? body.errors : [];
  const details = errors.map(({ detail }: { detail: string }) => detail);
  return {
    isOk: false,
    status,
    code: String(body?.type ?? "").split(":").at(-1)!,
    problems: details.length > 0 ? details : [String(body?.detail ?? `status ${status}`)],
  };
}

/** The body of a call that must succeed. @throws {QueueError} */
// deno-lint-ignore no-explicit-any -- the API's JSON has many shapes
export async function mustApi(call: PageCall, request: ApiCall): Promise<any> {
  const result = await callApi(call, request);
  if (result.isOk) return result.body;
  if (result.code === "invalid") {
    throw new InvalidInputError(result.problems.map((detail) => ({ detail, pointer: "" })));
  }
  const code = result.status === 404 ? "not-found" : result.code;
  throw new QueueError(code as ErrorCode, result.problems.join("; "));
}
