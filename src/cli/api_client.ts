/**
 * The few calls of a running API that `submit` makes. Owns patience: what fails for reasons that
 * may pass (no connection, 503) is tried again. Knows nothing of files or progress.
 *
 * Invariant: an upload that is tried again cannot become two jobs, because it carries its id.
 */
import { pause } from "../lib/pause.ts";
import { CommandError, EXIT } from "./exit.ts";

export interface ApiClientOptions {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | null;
  /** How long a call is tried again before it fails. */
  readonly patienceMs: number;
}

export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly content: Blob;
}

/** What became of an upload. */
export type Submitted = { readonly jobId: string } | { readonly refusal: string };

/** How far a job is. */
export type Progress =
  | { readonly status: "done"; readonly characters: number | null }
  | { readonly status: "failed" | "cancelled" | "missing"; readonly error: string }
  | { readonly status: "pending" | "started" | "processing" };

const REQUEST_LIMIT_MS = 30_000;
const RETRY_PAUSES_MS = [100, 250, 500, 1_000, 2_000];

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** @throws {CommandError} when no API answers there, or not to us. */
  async check(): Promise<void> {
    const { url } = this.#options;
    let response: Response;
    try {
      response = await this.#fetch("/stats");
    } catch (error) {
      throw new CommandError(
        EXIT.failed,
        `cannot reach the API at ${url}: ${reasonOf(error)}; is queuectl serve running there?`,
      );
    }
    await response.body?.cancel();
    if (response.status === 401 || response.status === 403) {
      throw new CommandError(
        EXIT.failed,
        `the API at ${url} refuses us (${response.status}): give its token with --token-file`,
      );
    }
  }

  async upload({ id, name, content }: Upload): Promise<Submitted> {
    let tries = 0;
    const response = await this.#patiently(() => {
      tries++;
      const body = new FormData();
      body.append("file", content, name);
      body.append("id", id);
      return this.#fetch("/jobs", { method: "POST", body });
    });
    const answer = await readJson(response);
    if (response.status === 201) return { jobId: String(answer["job_id"] ?? id) };
    // The first try got through, only its answer was lost.
    if (response.status === 409 && tries > 1) return { jobId: id };
    return { refusal: describeAnswer(response, answer) };
  }

  async progress(jobId: string): Promise<Progress> {
    const path = `/jobs/${encodeURIComponent(jobId)}/result`;
    const response = await this.#patiently(() => this.#fetch(path));
    const answer = await readJson(response);
    switch (response.status) {
      case 200: {
        const { characters } = answer;
        return { status: "done", characters: typeof characters === "number" ? characters : null };
      }
      case 202: {
        const { status } = answer;
        return { status: status === "started" || status === "processing" ? status : "pending" };
      }
      case 409:
        return {
          status: answer["status"] === "cancelled" ? "cancelled" : "failed",
          error: String(answer["error"] ?? answer["detail"] ?? "no reason given"),
        };
      case 404:
        return { status: "missing", error: "the API knows no such job any more" };
      default:
        throw new CommandError(
          EXIT.failed,
          `unexpected answer to GET ${path}: ${describeAnswer(response, answer)}`,
        );
    }
  }

  /** Tries until there is an answer other than "not now". */
  async #patiently(call: () => Promise<Response>): Promise<Response> {
    const deadlineMs = performance.now() + this.#options.patienceMs;
    for (let failures = 0;; failures++) {
      let problem: string;
      try {
        const response = await call();
        if (response.status !== 503 && response.status !== 429) return response;
        if (performance.now() > deadlineMs) return response;
        problem = `status ${response.status}`;
        await response.body?.cancel();
      } catch (error) {
        problem = reasonOf(error);
      }
      if (performance.now() > deadlineMs) {
        throw new CommandError(
          EXIT.failed,
          `lost the API at ${this.#options.url}: ${problem}`,
        );
      }
      await pause(RETRY_PAUSES_MS[Math.min(failures, RETRY_PAUSES_MS.length - 1)]!);
    }
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const { url, token } = this.#options;
    const headers: Record<string, string> = token === null
      ? {}
      : { authorization: `Bearer ${token}` };
    return await fetch(url + path, {
      ...init,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
  }
}

/** The answer's JSON object; empty when it is something else. */
async function readJson(response: Response): Promise<Record<string, unknown>> {
  try {
    const value: unknown = await response.json();
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

function describeAnswer(response: Response, answer: Record<string, unknown>): string {
  const detail = answer["detail"] ?? answer["title"];
  return detail === undefined ? `status ${response.status}` : `${response.status}: ${detail}`;
}

/** The innermost reason, which is what people can do something about. */
function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `no answer within ${REQUEST_LIMIT_MS / 1_000} s`;
  }
  let innermost = error as Error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const { message } = innermost;
  return /\(os error \d+\)/.test(message)
    ? message.replace(/^(?:.*: )?([^:]+) \(os error \d+\).*$/s, "$1").toLowerCase()
    : message;
}
