/**
 * A real API server over a real temporary database, for tests that speak HTTP. Owns the server and
 * the store; no workers run, so a test moves jobs through their states by {@link HttpBench.settle}.
 */
import assert from "node:assert/strict";
import { PAYLOAD_PARSERS } from "../../src/handlers/registry.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import { type Server, type ServerOptions, startServer } from "../../src/http/server.ts";
import type { LeasedJob } from "../../src/job/job.ts";
import type { Outcome } from "../../src/job/outcome.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { newId } from "../../src/lib/ids.ts";
import { silentLog } from "./silent_log.ts";
import { Queue } from "../../src/queue/queue.ts";
import type { EndedAttempt, JobStore } from "../../src/store/store.ts";
import { assertDescribed } from "./described.ts";
import { tempStore } from "./temp_store.ts";

export interface HttpBenchOptions extends Partial<Omit<ServerOptions, "settings" | "queue">> {
  readonly settings?: Partial<Settings>;
  /** How many jobs may wait for a worker. */
  readonly maxDepth?: number;
  /** Stands between the queue and the store, to make it fail. */
  readonly wrapStore?: (store: JobStore) => JobStore;
}

export interface HttpBench extends AsyncDisposable {
  readonly server: Server;
  readonly queue: Queue;
  readonly store: JobStore;
  /** Of the database. */
  readonly path: string;
  /** Sends a request to a path of the server and reads the whole answer. */
  call(path: string, init?: RequestInit): Promise<Answer>;
  /** Sends a value as JSON by POST. */
  post(path: string, value: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a form by POST /jobs; a text under `file` becomes an upload. */
  upload(fields: Record<string, string | Uint8Array>): Promise<Answer>;
  /** Adds a job of kind `count` and returns its id. */
  addCount(text?: string, fields?: Record<string, unknown>): Promise<string>;
  /** Leases the next due job, as a worker would. */
  claim(): Promise<LeasedJob>;
  /** Leases the next due job, runs it in name only, and ends its attempt so. */
  settle(outcome: Outcome, ended?: Partial<EndedAttempt>): Promise<LeasedJob>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- tests look into bodies of many shapes
  readonly body: any;
}

const HOLDER = "test-holder";

/** The default settings, but any free port and small limits, with these changes. */
export function testSettings(changes: Partial<Settings> = {}): Settings {
  const defaults = resolveSettings({ flags: {}, env: () => undefined, stored: new Map() });
  return { ...defaults, port: 0, ...changes };
}

export async function httpBench(options: HttpBenchOptions = {}): Promise<HttpBench> {
  const { settings: changes, wrapStore, maxDepth, ...rest } = options;
  const temp = await tempStore();
  const settings = testSettings(changes);
  const queue = new Queue({
    store: wrapStore?.(temp.store) ?? temp.store,
    clock: systemClock,
    newId,
    kinds: PAYLOAD_PARSERS,
    maxRetries: settings["max-retries"],
    timeoutMs: settings["job-timeout"],
    cwd: "/",
    workerTimeoutMs: 60_000,
    maxDepth,
  });
  let server: Server;
  try {
    server = await startServer({
      queue,
      settings,
      log: silentLog,
      token: null,
      isDraining: () => false,
      version: "9.9.9",
      ...rest,
    });
  } catch (error) {
    await temp[Symbol.asyncDispose]();
    throw error;
  }

  const call: HttpBench["call"] = async (path, init = {}) => {
    const answer = await readAnswer(await fetch(`${server.url}${path}`, init));
    const { method = "GET", body, headers } = init;
    const contentType = new Headers(headers).get("content-type");
    assertDescribed({ method, path, body, contentType }, answer);
    return answer;
  };
  const claim = async () => {
    const nowMs = Date.now();
    const claimed = await temp.store.claim(() => ({
      holder: HOLDER,
      nowMs,
      leaseExpiresAtMs: nowMs + 60_000,
      slots: ["w-1"],
      chunk: {},
      chunkBytes: 1_000_000,
    }));
    const job = claimed.slots[0]?.jobs[0];
    assert.ok(job, "no job was due");
    return job;
  };

  return {
    server,
    queue,
    store: temp.store,
    path: temp.path,
    call,
    post: (path, value, headers = {}) =>
      call(path, {
        method: "POST",
        body: JSON.stringify(value),
        headers: { "content-type": "application/json", ...headers },
      }),
    upload(fields) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) {
        if (name !== "file") form.append(name, value as string);
        else form.append(name, new Blob([value as Uint8Array<ArrayBuffer>]), "upload.txt");
      }
      return call("/jobs", { method: "POST", body: form });
    },
    async addCount(text = "hello", fields = {}) {
      return (await queue.add({ kind: "count", payload: text, ...fields })).id;
    },
    claim,
    async settle(outcome, ended = {}) {
      const job = await claim();
      const nowMs = Date.now();
      await temp.store.begin([job], HOLDER, nowMs);
      const attempt = { seq: job.seq, token: job.token, outcome, ...ended };
      const { answers } = await temp.store.settle([attempt], HOLDER, nowMs);
      assert.deepEqual(answers, ["settled"]);
      return job;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

/**
 * Whether the server knows the token, although it may be open: whoever sends another one is refused
 * as soon as it knows any.
 */
export async function isTokenKnown(
  { call }: HttpBench,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> {
  const status = async (authorization: string) =>
    (await call("/nowhere", { headers: { authorization } })).status;
  return await status("Bearer nobodys") === 401 && await status(headers["authorization"]!) === 404;
}

/** Reads an answer to its end; its body as JSON where it says that it is. */
export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const body = isJson && text !== "" ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, body };
}

/** Checks that the answer is a problem (RFC 9457) with this status, and returns its body. */
// deno-lint-ignore no-explicit-any -- tests look into problems of many shapes
export function assertProblem(answer: Answer, status: number, detail?: RegExp): any {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.equal(answer.body.status, status);
  for (const member of ["type", "title", "detail"]) {
    assert.equal(typeof answer.body[member], "string", `the problem's ${member}`);
  }
  assert.doesNotMatch(answer.text, /\.ts:\d|\bat \w+ \(/, "a problem shows no stack trace");
  if (detail !== undefined) assert.match(answer.body.detail, detail);
  return answer.body;
}

/** A TCP connection for requests that no well-behaved client sends. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received = "";
  /** The answer that is being waited for; it goes on when somebody has not waited for its end. */
  #coming: Promise<Answer> | null = null;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text or bytes; an error means that the other side has closed. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Says that nothing more will be sent. */
  async endSending(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** The next answer, complete by its `content-length`. */
  async answer(timeoutMs = 30_000): Promise<Answer> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`no answer; received ${JSON.stringify(this.#received)}`));
      timer = setTimeout(late, timeoutMs);
    });
    this.#coming ??= this.#read();
    this.#coming.catch(() => {}); // told of below, or by the next call
    try {
      const answer = await Promise.race([this.#coming, deadline]);
      this.#coming = null;
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(): Promise<Answer> {
    const buffer = new Uint8Array(16 * 1024);
    while (true) {
      const answer = this.#parse();
      if (answer !== null) return answer;
      const length = await this.#connection.read(buffer);
      if (length === null) {
        throw new Error(`closed; received ${JSON.stringify(this.#received)}`);
      }
      this.#received += new TextDecoder().decode(buffer.subarray(0, length));
    }
  }

  #parse(): Answer | null {
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd === -1) return null;
    const [statusLine, ...lines] = this.#received.slice(0, headEnd).split("\r\n");
    const headers = new Headers(
      lines.map((line) => line.split(/:\s*(.*)/).slice(0, 2) as [string, string]),
    );
    const length = Number(headers.get("content-length") ?? 0);
    const text = this.#received.slice(headEnd + 4, headEnd + 4 + length);
    if (text.length < length) return null;
    this.#received = this.#received.slice(headEnd + 4 + length);
    const isJson = /json/.test(headers.get("content-type") ?? "");
    return {
      status: Number(statusLine!.split(" ")[1]),
      headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** One request as bytes, one answer; the connection is closed afterwards. */
export async function rawCall(port: number, ...pieces: (string | Uint8Array)[]): Promise<Answer> {
  using connection = await RawConnection.open(port);
  for (const piece of pieces) await connection.send(piece);
  return await connection.answer();
}
