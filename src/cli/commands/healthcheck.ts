/**
 * `queuectl healthcheck`: whether the service that these settings describe answers. For containers
 * and supervisors, which have no curl; it opens no database, so that it disturbs nothing.
 */
import { get } from "node:http";
import { resolveSettings } from "../../config/settings.ts";
import { urlOf } from "../../http/listener.ts";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit.ts";

/** A service that takes longer is not well. */
const ANSWER_LIMIT_MS = 4_000;

export async function run({ flags, io, out }: Invocation): Promise<number> {
  const { host, port } = resolveSettings({ flags, env: io.env, stored: new Map() });
  const url = `${urlOf(host, port)}/healthz`;
  const problem = await problemOf(url);
  if (out.isJson) out.json({ ok: problem === null, url, problem });
  else if (problem === null) out.line(`ok: ${url}`);
  else out.error(`${url}: ${problem}`);
  return problem === null ? EXIT.done : EXIT.failed;
}

/**
 * Why the answer is not 200, or null. By `node:http` rather than `fetch`, which would take the way
 * through a proxy that the environment names.
 */
function problemOf(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      response.on("end", () => finish(response.statusCode));
      response.on("error", (error) => finish(error));
    });
    const timer = setTimeout(() => {
      finish(`no answer within ${ANSWER_LIMIT_MS / 1_000} s`);
      request.destroy();
    }, ANSWER_LIMIT_MS);
    request.on("error", (error) => finish(error));

    function finish(outcome: number | string | Error | undefined): void {
      clearTimeout(timer);
      if (outcome instanceof Error) resolve(outcome.message);
      else if (outcome === 200) resolve(null);
      else resolve(typeof outcome === "string" ? outcome : `expected 200, got ${outcome}`);
    }
  });
}
