/** `queuectl serve`: the API, workers, supervisor and reaper in one process. */
import { isLoopbackAddress } from "../../http/host.ts";
import { startServer } from "../../http/server.ts";
import type { Queue } from "../../queue/queue.ts";
import { isValidAt } from "../../queue/tokens.ts";
import type { Invocation } from "../command.ts";
import { UsageError } from "../exit.ts";
import { runService, type Side, type SideOptions } from "../service.ts";
import { readToken } from "../token_file.ts";
import { VERSION } from "../version.ts";

export function run(invocation: Invocation): Promise<number> {
  return runService(invocation, { role: "serve", startSide: startApi });
}

async function startApi({ queue, settings, log, isDraining }: SideOptions): Promise<Side> {
  const { host, insecure, "token-file": path } = settings;
  const token = path === null ? null : readToken(path);
  const isReachable = !isLoopbackAddress(host);
  if (isReachable && !insecure && token === null) await requireToken(host, queue);
  if (isReachable && insecure && token === null) {
    log.warn("server.insecure", {
      message: `everyone who can reach ${host} may use this queue`,
    });
  }
  const server = await startServer({ queue, settings, log, token, isDraining, version: VERSION });
  return {
    ready: { event: "server.listening", fields: { url: server.url } },
    close: () => server.close(),
  };
}

/** @throws {UsageError} when the address can be reached from elsewhere and nothing guards it. */
async function requireToken(host: string, queue: Queue): Promise<void> {
  const nowMs = queue.clock();
  if ((await queue.store.tokens()).some((token) => isValidAt(token, nowMs))) return;
  throw new UsageError(
    `refusing to listen on ${host}, which other machines may reach, without a token`,
    "make one with queuectl token create, or give --token-file FILE (or QUEUECTL_TOKEN_FILE)\n" +
      "with a token of at least 16 characters, or say --insecure if everyone who can reach the\n" +
      "address may use the queue",
  );
}
