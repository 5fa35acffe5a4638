/** The pages over a real API server, for tests that act as a browser without a script would. */
import assert from "node:assert/strict";
import { createDashboard } from "../../src/dashboard/dashboard.tsx";
import type { PageCall, Pages } from "../../src/lib/pages.ts";
import {
  type Answer,
  type HttpBench,
  httpBench,
  type HttpBenchOptions,
  testSettings,
} from "./http.ts";

export interface PageBench extends HttpBench {
  /** Asks for a page as a browser does; redirects are not followed. */
  look(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a form as a browser does from one of our own pages. */
  send(
    path: string,
    fields?: Record<string, string> | [string, string][],
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

/** A server with pages. Failures of pages that nobody expects fail the test. */
export async function pageBench(options: HttpBenchOptions = {}): Promise<PageBench> {
  const created: { pages?: Pages } = {};
  const bench = await httpBench({
    ...options,
    pages: { answer: (call: PageCall) => created.pages!.answer(call) },
  });
  const failures: unknown[] = [];
  created.pages = createDashboard(
    { queue: bench.queue, settings: testSettings(options.settings), version: "9.9.9" },
    (error) => failures.push(error),
  );
  const origin = bench.server.url;
  return {
    ...bench,
    look: (path, headers = {}) =>
      bench.call(path, { redirect: "manual", headers: { accept: "text/html", ...headers } }),
    send: (path, fields = {}, headers = {}) =>
      bench.call(path, {
        method: "POST",
        redirect: "manual",
        body: new URLSearchParams(fields),
        headers: { accept: "text/html", origin, "sec-fetch-site": "same-origin", ...headers },
      }),
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      assert.deepEqual(failures, []);
    },
  };
}

/** Runs a command job in name only, so that it dies with this error and output. */
export async function addDead(
  bench: HttpBench,
  job: Record<string, unknown>,
  { message = "exit code 1: broken", output = "" } = {},
): Promise<string> {
  const { id } = await bench.queue.add({ command: "false", max_retries: 0, ...job });
  const bytes = new TextEncoder().encode(output);
  const exit = { exitCode: 1, signal: null, stdoutBytes: bytes.length, stderrBytes: 0 };
  await bench.settle(
    { event: "bury", error: { code: "exit", message }, exit },
    { output: [{ stream: "stdout", bytes }] },
  );
  return id;
}
