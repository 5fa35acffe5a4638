/**
 * queuectl as a service: everything goes over HTTP to `queuectl serve`. Jobs are added to one
 * without workers; to drain them it is started again with two. The handler runs in the server, so
 * the latency is that from submit to a status that says done.
 */
import { Connection } from "../../load/connection.ts";
import { get, jsonSubmit } from "../../load/requests.ts";
import { type RunningServer, startServe } from "../../servers.ts";
import type { OpenOptions, PeerQueue } from "../driver.ts";

const WORKERS = 2;
const submit = jsonSubmit();

export async function open({ directory }: OpenOptions): Promise<PeerQueue> {
  const start = (workers: number) =>
    startServe(directory, { args: ["--workers", String(workers)] });
  let server: RunningServer = await start(0);
  let idle: Connection[] = [];

  async function exchange(request: Uint8Array, expected: number): Promise<string> {
    const connection = idle.pop() ?? await Connection.open(server.port);
    const { status, body } = await connection.exchange(request);
    idle.push(connection);
    if (status !== expected) throw new Error(`expected ${expected}, got ${status}: ${body}`);
    return body;
  }

  async function stopServer(): Promise<void> {
    for (const connection of idle) connection[Symbol.dispose]();
    idle = [];
    await server[Symbol.asyncDispose]();
  }

  return {
    add: () => exchange(submit, 201),
    addMany: (texts) => exchange(batchSubmit(texts), 201),
    async work() {
      await stopServer();
      server = await start(WORKERS);
      return { isRemote: true, stop: () => Promise.resolve() };
    },
    async unfinished() {
      const { jobs } = JSON.parse(await exchange(get("/stats"), 200));
      if (jobs.dead > 0) throw new Error(`${jobs.dead} jobs have failed`);
      return jobs.pending + jobs.started + jobs.processing + jobs.failed;
    },
    async submitToStartMs() {
      const sentMs = performance.now();
      const { job_id } = JSON.parse(await exchange(submit, 201));
      const status = get(`/jobs/${job_id}/status`);
      while (JSON.parse(await exchange(status, 200)).status !== "done");
      return performance.now() - sentMs;
    },
    serverPids: () => [server.pid],
    close: stopServer,
  };
}

const encoder = new TextEncoder();

function batchSubmit(texts: readonly string[]): Uint8Array {
  const body = encoder.encode(
    JSON.stringify(texts.map((text) => ({ kind: "count", payload: text }))),
  );
  const head = encoder.encode(
    "POST /jobs/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n`,
  );
  const request = new Uint8Array(head.length + body.length);
  request.set(head);
  request.set(body, head.length);
  return request;
}
