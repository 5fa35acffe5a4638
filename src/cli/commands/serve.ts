/** `queuectl serve`: the API, workers, supervisor and reaper in one process. */
import type { Settings } from "../../config/settings.ts";
import { isLoopbackAddress } from "../../http/host.ts";
import { startServer } from "../../http/server.ts";
import type { Invocation } from "../command.ts";
import { UsageError } from "../exit.ts";
import { runService, type Side, type SideOptions } from "../service.ts";
import { readToken } from "../token_file.ts";
import { VERSION } from "../version.ts";

export function run(invocation: Invocation): Promise<number> {
  return runService(invocation, { role: "serve", startSide: startApi });
}

async function startApi({ queue, settings, log, isDraining }: SideOptions): Promise<Side> {
  const token = findToken(settings);
  if (settings.insecure && token === null && !isLoopbackAddress(settings.host)) {
    log.warn("server.insecure", {
      message: `everyone who can reach ${settings.host} may use this queue`,
    });
  }
  const server = await startServer({ queue, settings, log, token, isDraining, version: VERSION });
  return {
    ready: { event: "server.listening", fields: { url: server.url } },
    close: () => server.close(),
  };
}

/** @throws {UsageError} when the address can be reached from elsewhere and nothing guards it. */
function findToken(settings: Settings): string | null {
  const { host, insecure, "token-file": path } = settings;
  if (path !== null) return readToken(path);
  if (isLoopbackAddress(host) || insecure) return null;
  throw new UsageError(
    `refusing to listen on ${host}, which other machines may reach, without a token`,
    "give --token-file FILE (or QUEUECTL_TOKEN_FILE) with a token of at least 16 characters,\n" +
      "or say --insecure if everyone who can reach the address may use the queue",
  );
}
