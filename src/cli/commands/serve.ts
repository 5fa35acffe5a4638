/** `queuectl serve`: the API, workers, supervisor and reaper in one process. */
import { isLoopbackAddress } from "../../http/host.ts";
import { startServer } from "../../http/server.ts";
import type { Pages } from "../../lib/pages.ts";
import type { Queue } from "../../queue/queue.ts";
import { isValidAt } from "../../queue/tokens.ts";
import type { Invocation } from "../command.ts";
import { UsageError } from "../exit.ts";
import { runService, type Side, type SideOptions } from "../service.ts";
import { describeWeakness, readToken } from "../token_file.ts";
import { VERSION } from "../version.ts";

export function run(invocation: Invocation): Promise<number> {
  return runService(invocation, { role: "serve", startSide: startApi });
}

async function startApi({ queue, settings, log, isDraining }: SideOptions): Promise<Side> {
  const { host, insecure, "token-file": path } = settings;
  const token = path === null ? null : readToken(path);
  const weakness = token === null ? null : describeWeakness(token, path!);
  if (weakness !== null) log.warn("token.weak", { message: weakness });
  const isReachable = !isLoopbackAddress(host);
  if (isReachable && !insecure && token === null) await requireToken(host, queue);
  if (isReachable && insecure && token === null) {
    log.warn("server.insecure", {
      message: `everyone who can reach ${host} may use this queue`,
    });
  }
  const pages = openPages({ queue, settings, log, isDraining });
  const version = VERSION;
  const server = await startServer({ queue, settings, log, token, isDraining, version, pages });
  return {
    ready: { event: "server.listening", fields: { url: server.url } },
    close: () => server.close(),
  };
}

/** The pages, loaded when somebody looks at the first one: most servers start without a reader. */
function openPages({ queue, settings, log }: SideOptions): Pages {
  let loading: Promise<Pages> | undefined;
  const load = async () => {
    const { createDashboard } = await import("../../dashboard/dashboard.tsx");
    return createDashboard({ queue, settings, version: VERSION }, (error, path) => {
      const message = error instanceof Error ? error.stack ?? error.message : String(error);
      log.error("page.failed", { path, message });
    });
  };
  return { answer: async (call) => await (await (loading ??= load())).answer(call) };
}

/** @throws {UsageError} when the address can be reached from elsewhere and nothing guards it. */
async function requireToken(host: string, queue: Queue): Promise<void> {
  const nowMs = queue.clock();
  if ((await queue.store.tokens()).some((token) => isValidAt(token, nowMs))) return;
  throw new UsageError(
    `refusing to listen on ${host}, which other machines may reach, without a token`,
    "make one with queuectl token create, or give --token-file FILE (or QUEUECTL_TOKEN_FILE)\n" +
      "with a token in it, or say --insecure if everyone who can reach the address may use the queue",
  );
}
