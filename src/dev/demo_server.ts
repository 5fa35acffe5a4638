/**
 * A queuectl service for the demonstration: a child process on a database of its own. Owns its start,
 * its end and its temporary directory; knows nothing of what is done with it.
 *
 * Invariant: after `stop()` neither the process nor the directory is there any more.
 */
import { join } from "node:path";
import { selfCommand } from "../lib/self.ts";

/** How long the service may take to say where it listens; the first start downloads its packages. */
const START_LIMIT_MS = 60_000;
/** How long it may take to end after it was asked to. */
const STOP_LIMIT_MS = 15_000;
/** How much of its log is shown when something went wrong. */
const LOG_LINES_SHOWN = 20;

export interface DemoServer {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  readonly db: string;
  /** The last lines of its log. */
  recentLog(): string;
  /** Asks it to end, waits until it has, and removes its files; whether it ended as it should. */
  stop(): Promise<boolean>;
}

/**
 * Starts `queuectl serve` from source, on any free port of loopback.
 *
 * @throws {Error} with its log when it does not come up; nothing is left behind then.
 */
export async function startServer(options: readonly string[]): Promise<DemoServer> {
  const directory = await Deno.makeTempDir({ prefix: "queuectl-demo-" });
  const db = join(directory, "queue.db");
  const { command, args } = selfCommand();
  const child = new Deno.Command(command, {
    args: [...args, "serve", "--db", db, "--port", "0", "--log-format", "json", ...options],
    // Its own process group: Ctrl-C reaches the demonstration alone, which then ends it in order.
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();

  const log: string[] = [];
  const recentLog = () => log.slice(-LOG_LINES_SHOWN).join("\n");
  const stop = async () => {
    const isDone = await end(child);
    await Deno.remove(directory, { recursive: true });
    return isDone;
  };
  const url = await listenUrl(child, log);
  if (url !== null) return { url, db, recentLog, stop };
  await stop();
  throw new Error(`the service did not start:\n${recentLog()}`);
}

/** The first address in the log; null when the service ends, or says none in time. */
function listenUrl(child: Deno.ChildProcess, log: string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), START_LIMIT_MS);
    const found = (url: string | null) => {
      clearTimeout(timer);
      resolve(url);
    };
    readLines(child.stderr, (line) => {
      log.push(line);
      if (log.length > 1_000) log.shift();
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (url !== null) found(url[0]);
    }).then(() => found(null), () => found(null));
  });
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
}

/** Ends the process, gracefully if it can; whether it ended with success. */
async function end(child: Deno.ChildProcess): Promise<boolean> {
  signal(child, "SIGTERM");
  const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_LIMIT_MS);
  const { success } = await child.status;
  clearTimeout(timer);
  return success;
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // It has ended already.
  }
}
