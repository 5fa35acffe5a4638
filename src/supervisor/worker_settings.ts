/** What the settings of a process mean to its workers. The only place that translates them. */
import type { Settings } from "../config/settings.ts";
import type { HandlerSettings } from "../handlers/handler.ts";
import { HANDLERS } from "../handlers/registry.ts";
import type { WorkerInit } from "./slot.ts";

/** What every worker thread is told, whichever it is. */
export function workerSettings(
  settings: Settings,
): Pick<WorkerInit, "heartbeatMs" | "settings" | "artifacts" | "faults"> {
  return {
    heartbeatMs: settings["heartbeat"]!,
    settings: handlerSettings(settings),
    artifacts: {
      fileBytes: settings["artifact-limit"],
      totalBytes: settings["artifact-total"],
      count: settings["artifact-count"],
    },
    faults: {
      fail: settings["fault-fail"],
      crash: settings["fault-crash"],
      hang: settings["fault-hang"],
    },
  };
}

/** How many jobs of a kind may go to a worker at once. */
export function chunkSizes(settings: Settings): Record<string, number> {
  // An injected fault is to hit one job, and simulated work takes long.
  const hasFaults = settings["fault-crash"] + settings["fault-hang"] > 0;
  return Object.fromEntries([...HANDLERS].map(([kind, handler]) => [
    kind,
    hasFaults ? 1 : handler.chunk(handlerSettings(settings)),
  ]));
}

function handlerSettings(settings: Settings): HandlerSettings {
  return {
    resultLimitBytes: settings["result-limit"],
    outputLimitBytes: settings["output-limit"],
    simulatedWorkMs: settings["simulated-work"],
    passEnv: settings["pass-env"],
    http: {
      allowsPrivate: settings["allow-private-http"],
      timeoutMs: settings["http-timeout"],
      responseLimitBytes: settings["http-response-limit"],
      caFile: settings["http-ca-file"],
    },
  };
}
