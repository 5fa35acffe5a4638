/**
 * The bare server: Deno.serve and group commit, nothing else. Takes a job as JSON or as an upload,
 * writes id and payload, answers once that is durable; reads by its id the row that a status is made
 * of. No validation, no limits, no checks of who asks, no headers that protect: what queuectl's submit
 * and status would cost if they did nothing more.
 */
import { setImmediate } from "node:timers";
import { bareId, openBare, SUBMITTED } from "./database.ts";

const database = openBare(Deno.args[0]!, SUBMITTED);
const begin = database.prepare("BEGIN IMMEDIATE");
const commit = database.prepare("COMMIT");
const insert = database.prepare("INSERT INTO jobs (id, payload) VALUES (?, ?)");
const find = database.prepare(
  "SELECT id AS job_id, state AS status, state, queue, kind, priority, attempts, max_retries, " +
    "worker AS processing_by, run_at, created_at, updated_at, started_at, finished_at, error " +
    "FROM jobs WHERE id = ?",
);

interface Waiting {
  readonly id: string;
  readonly payload: Uint8Array;
  readonly resolve: () => void;
}

let waiting: Waiting[] = [];

/** Resolves once the commit is durable that everything of this turn shares. */
function add(id: string, payload: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push({ id, payload, resolve }) === 1) setImmediate(commitAll);
  });
}

function commitAll(): void {
  const batch = waiting;
  waiting = [];
  begin.run();
  for (const { id, payload } of batch) insert.run(id, payload);
  commit.run();
  for (const { resolve } of batch) resolve();
}

const encoder = new TextEncoder();
const END_OF_HEADER = encoder.encode("\r\n\r\n");

/** The content of the only part: between its header and the last delimiter. */
function uploadOf(body: Uint8Array): Uint8Array {
  const start = indexOf(body, END_OF_HEADER) + 4;
  const firstLine = body.indexOf(13);
  return body.subarray(start, body.length - firstLine - "\r\n--\r\n".length);
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let index = bytes.indexOf(wanted[0]!); index !== -1;) {
    if (wanted.every((byte, offset) => bytes[index + offset] === byte)) return index;
    index = bytes.indexOf(wanted[0]!, index + 1);
  }
  throw new Error("the upload has no header");
}

async function post(request: Request): Promise<Response> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const payload = request.headers.get("content-type") === "application/json"
    ? encoder.encode(JSON.parse(new TextDecoder().decode(bytes)).payload)
    : uploadOf(bytes);
  const id = bareId();
  await add(id, payload);
  return new Response(`{"job_id":"${id}","status":"pending"}`, {
    status: 201,
    headers: { "content-type": "application/json", "location": `/jobs/${id}` },
  });
}

function getStatus(url: string): Response {
  const id = url.slice(0, -"/status".length).split("/").at(-1)!;
  const row = find.get(id);
  if (row === undefined) return new Response(null, { status: 404 });
  return new Response(JSON.stringify(row), { headers: { "content-type": "application/json" } });
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, (request) => request.method === "POST" ? post(request) : getStatus(request.url));
