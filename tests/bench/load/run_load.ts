/** Starts the load generator against a server and reads what it found. */
import { moduleWords, run } from "../child.ts";
import { cpuMs } from "../process_usage.ts";

export interface LoadOptions {
  readonly port: number;
  /** What each connection does over and over; `end-to-end`: submit a job, read a result. */
  readonly mode: "json" | "upload" | "status" | "end-to-end";
  readonly connections: number;
  /** Load before anything counts. */
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Over all connections, at fixed times; without it, each goes on as soon as it is answered. */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Everything done, the warm-up included. */
  readonly total: number;
  /** Answered with 429 or 5xx. */
  readonly refused: number;
  readonly generatorCpuMs: number;
}

export interface ServerLoad extends LoadResult {
  /** CPU time that the server used for one, in microseconds: little disturbed by other programs. */
  readonly serverCpuUs: number;
}

/** @throws {Error} when anything was refused, unless that is `isRefusalExpected`. */
export async function runLoad(
  server: { port: number; pid: number },
  options: Omit<LoadOptions, "port">,
): Promise<ServerLoad> {
  const cpuBeforeMs = cpuMs(server.pid);
  const json = JSON.stringify({ ...options, port: server.port } satisfies LoadOptions);
  const result: LoadResult = JSON.parse(await run(moduleWords("./load/main.ts", json)));
  const serverCpuMs = cpuMs(server.pid) - cpuBeforeMs;
  return { ...result, serverCpuUs: serverCpuMs * 1_000 / result.total };
}
