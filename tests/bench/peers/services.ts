/**
 * The two HTTP services side by side: queuectl and what it replaces. Uploads with 64 connections,
 * then uploads whose results are read, everything from outside.
 */
import { pause } from "../../../src/lib/pause.ts";
import { Connection } from "../load/connection.ts";
import { get, uploadSubmit } from "../load/requests.ts";
import { runLoad } from "../load/run_load.ts";
import { startServe } from "../servers.ts";
import { FASTAPI_GROUP } from "./catalogue.ts";
import type { Installer } from "./install.ts";
import { startFastApi } from "./peer_servers.ts";

export interface ServiceFigures extends Readonly<Record<string, number>> {
  readonly submitsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly endToEndPerSecond: number;
}

export interface Service {
  /** Under which it is chosen on the command line. */
  readonly group: string;
  readonly name: string;
  readonly settings: string;
  start(directory: string): Promise<{ port: number; pid: number } & AsyncDisposable>;
  /** Jobs for the measurement from end to end. */
  readonly jobs: number;
}

const CONNECTIONS = 64;
const WORKERS = 2;
const RETRY_MS = 2;

export function services(installer: Installer): Service[] {
  return [
    {
      group: "queuectl",
      name: "queuectl serve",
      settings: "2 workers, all defaults",
      start: (directory) => startServe(directory, { args: ["--workers", String(WORKERS)] }),
      jobs: 25_000,
    },
    {
      group: FASTAPI_GROUP,
      name: "FastAPI, sqlite3, threading.Queue",
      settings: "uvicorn with uvloop and httptools, 2 worker threads, WAL, synchronous=FULL",
      start: (directory) => startFastApi({ installer, directory }),
      jobs: 1_500,
    },
  ];
}

/** @throws {Error} saying why it cannot be started, or what it answered. */
export async function measureService(
  service: Service,
  { directories, measureMs, share }: {
    directories: () => { readonly path: string } & AsyncDisposable;
    measureMs: number;
    share: number;
  },
): Promise<ServiceFigures> {
  const submits = await withService(service, directories, (server) =>
    runLoad(server, {
      mode: "upload",
      connections: CONNECTIONS,
      warmupMs: measureMs / 2,
      measureMs,
    }));
  const jobs = Math.ceil(service.jobs * share);
  const endToEndPerSecond = await withService(
    service,
    directories,
    ({ port }) => endToEnd(port, jobs),
  );
  const { perSecond, p50Ms, p99Ms } = submits;
  return { submitsPerSecond: perSecond, p50Ms, p99Ms, endToEndPerSecond };
}

async function withService<T>(
  service: Service,
  directories: () => { readonly path: string } & AsyncDisposable,
  use: (server: { port: number; pid: number }) => Promise<T>,
): Promise<T> {
  await using directory = directories();
  await using server = await service.start(directory.path);
  return await use(server);
}

/** Uploads so many jobs and reads the result of each; jobs a second. */
async function endToEnd(port: number, jobs: number): Promise<number> {
  const submit = uploadSubmit();
  let begun = 0;
  const startMs = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    using connection = await Connection.open(port);
    const unread: string[] = [];
    while (begun++ < jobs) {
      const { status, body } = await connection.exchange(submit);
      if (status !== 201) throw new Error(`a submit was answered with ${status}: ${body}`);
      unread.push(JSON.parse(body).job_id);
    }
    for (const id of unread) {
      const read = get(`/jobs/${id}/result`);
      while (true) {
        const { status, body } = await connection.exchange(read);
        if (status === 200) break;
        if (status !== 202) throw new Error(`a result was answered with ${status}: ${body}`);
        await pause(RETRY_MS);
      }
    }
  }));
  return jobs / (performance.now() - startMs) * 1_000;
}
