/**
 * The store, the settings and the queue that a command works on. Settings are found in two steps:
 * what flags and environment say must be right before a database is opened or created; then the
 * database's `config` table has its say.
 */
import { resolveSettings, type Settings, type SettingSources } from "../config/settings.ts";
import { parseSetting, sourceOf } from "../config/settings.ts";
import { parseUserPayload, PAYLOAD_PARSERS } from "../handlers/registry.ts";
import { openTracing, type Tracing } from "../lib/tracing.ts";
import { newId } from "../lib/ids.ts";
import { Queue } from "../queue/queue.ts";
import { openStore } from "../store/open.ts";
import type { JobStore, Signature } from "../store/store.ts";
import type { Invocation } from "./command.ts";
import type { CliIo } from "./io.ts";

export interface Context {
  readonly queue: Queue;
  readonly store: JobStore;
  readonly settings: Settings;
}

/**
 * Opens the store, gives it to `use`, and closes it.
 *
 * @throws {SettingError} {@link StoreUnavailableError}
 */
export async function withQueue<T>(
  invocation: Invocation,
  use: (context: Context) => Promise<T>,
  { cwd = null }: { cwd?: string | null } = {},
): Promise<T> {
  return await withStore(invocation, async ({ store, sources }) => {
    const settings = resolveSettings(sources);
    const tracing = await openTracing(invocation.io.env);
    const queue = createQueue(store, settings, { invocation, cwd, tracing });
    return await use({ queue, store, settings });
  });
}

/** Like {@link withQueue}, for commands that must work although a stored setting is wrong. */
export async function withStore<T>(
  { flags, io, out }: Invocation,
  use: (opened: { store: JobStore; sources: SettingSources }) => Promise<T>,
): Promise<T> {
  const unstored: SettingSources = { flags, env: io.env, stored: new Map() };
  const { db, "sqlite-driver": driver } = resolveSettings(unstored);
  await using store = await openStore({
    db,
    driver,
    clock: io.clock,
    synchronous: (stored) => synchronousOf({ ...unstored, stored }),
  });
  out.clock = store.clock;
  return await use({ store, sources: { ...unstored, stored: await store.configAll() } });
}

/** The safe choice while a stored value is wrong; {@link resolveSettings} will complain of it. */
function synchronousOf(sources: SettingSources): Settings["synchronous"] {
  try {
    const { text } = sourceOf("synchronous", sources);
    return parseSetting("synchronous", text!, "synchronous") as Settings["synchronous"];
  } catch {
    return "full";
  }
}

/** What the audit log is told of a change that this command makes now. */
export function signatureOf(io: CliIo, { clock }: JobStore): Signature {
  return { by: actorOf(io), atMs: clock() };
}

/** Who runs this command: what the environment says of the user, else the user's number. */
function actorOf(io: CliIo): string {
  return `cli:${io.env("USER") || io.env("LOGNAME") || userNumber()}`;
}

function userNumber(): string {
  try {
    return String(Deno.uid() ?? "unknown");
  } catch {
    return "unknown"; // not permitted to ask
  }
}

function createQueue(
  store: JobStore,
  settings: Settings,
  { invocation, cwd, tracing }: {
    invocation: Invocation;
    cwd: string | null;
    tracing: Tracing | null;
  },
): Queue {
  const queue = new Queue({
    store,
    clock: store.clock,
    newId,
    kinds: PAYLOAD_PARSERS,
    userPayload: parseUserPayload,
    maxRetries: settings["max-retries"],
    timeoutMs: settings["job-timeout"],
    cwd,
    tracing,
    workerTimeoutMs: Math.max(settings.lease, 3 * settings.heartbeat!),
    maxDepth: settings["max-queue-depth"],
    actor: actorOf(invocation.io),
  });
  queue.acceptKinds(settings["extra-kinds"]);
  return queue;
}
