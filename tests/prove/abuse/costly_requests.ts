/**
 * Requests that anybody may send and that cost much: searches through all jobs, changes to all of
 * them, followers of events that never read. Knows nothing of what others are served meanwhile.
 *
 * Invariant: each goes on until its signal, and has no request under way when it resolves.
 */
import { pause } from "../../../src/lib/pause.ts";
import { type Api, apiOf } from "../../helpers/api.ts";
import type { Running } from "../../helpers/program.ts";

const CLIENTS = 6;
const FOLLOWERS = 60;

/** Jobs of a batch. */
const BATCH = 5_000;

/** Between two batches of those who keep followers busy. */
const BATCH_EVERY_MS = 50;
const BUSY_BATCH = 200;

/** They wait for ever, in a queue of their own. */
const HELD = { kind: "count", payload: "x".repeat(80), queue: "held", delay: "5000h" };

/** Adds so many jobs that are not to run. */
export async function addHeldJobs(server: Running, count: number): Promise<void> {
  const api = apiOf(server);
  for (let added = 0; added < count; added += BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, count - added) }, () => HELD);
    const { status, text } = await api.post("/jobs/batch", jobs);
    if (status !== 201) throw new Error(`the jobs were not added: ${status} ${text}`);
  }
}

/** As many terms as there may be, none of which a job has: each look goes through everything. */
export function searchEverything(server: Running, signal: AbortSignal): Promise<void> {
  const words = Array.from({ length: 19 }, (_, index) => `-error:${"e".repeat(20)}${index}`);
  const query = encodeURIComponent(`${words.join(" ")} nowhere`);
  const paths = [`/jobs?q=${query}&limit=1000`, `/ui/jobs?q=${query}`];
  return again(server, signal, (api, turn) => api.get(paths[turn % paths.length]!));
}

/** Every job is cancelled, given back and counted, all at the same time. */
export function changeEverything(server: Running, signal: AbortSignal): Promise<void> {
  const everything = { q: "queue:held" };
  const changes = [
    { action: "cancel", ...everything },
    { action: "requeue", pace: "1/1h", ...everything },
    { action: "delete", dry_run: true, ...everything },
  ];
  return again(server, signal, (api, turn) =>
    api.call("/jobs/bulk", {
      method: "POST",
      body: JSON.stringify(changes[turn % changes.length]),
      headers: { "content-type": "application/json" },
      signal,
    }));
}

/** Many follow what happens, and read nothing of it. */
export async function followUnread(server: Running, signal: AbortSignal): Promise<void> {
  const jobs = Array.from({ length: BUSY_BATCH }, () => ({ kind: "count", payload: "x" }));
  const followers = Array.from({ length: FOLLOWERS }, async () => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const head = `GET /events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`;
    await connection.write(new TextEncoder().encode(head));
    while (!signal.aborted) await pause(100);
  });
  const api = apiOf(server);
  while (!signal.aborted) {
    await api.post("/jobs/batch", jobs).catch(() => {});
    await pause(BATCH_EVERY_MS);
  }
  await Promise.all(followers.map((follower) => follower.catch(() => {})));
}

async function again(
  server: Running,
  signal: AbortSignal,
  send: (api: Api, turn: number) => Promise<unknown>,
): Promise<void> {
  const api = apiOf(server);
  await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
    // What is refused, or late, has failed to harm.
    for (let turn = client; !signal.aborted; turn++) await send(api, turn).catch(() => pause(100));
  }));
}
