/** Starts the servers under load, ours and the bare one, and knows when they are ready. */
import { Child, moduleWords, sourceWords, type Words } from "./child.ts";

export interface RunningServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

/**
 * `queuectl serve` on any free port, as a user would start it, its log going to a pipe; on a file in the
 * directory, or on another database.
 */
export async function startServe(
  directory: string,
  { words = sourceWords, args = [], db }: {
    words?: (...args: string[]) => Words;
    args?: readonly string[];
    db?: string;
  } = {},
): Promise<RunningServer> {
  const child = new Child(
    words("serve", "--port", "0", "--db", db ?? `${directory}/queue.db`, ...args),
    "stderr",
  );
  return await whenReady(child, (line) => {
    const message = parseJson(line);
    return message?.["event"] === "server.listening" ? portOf(String(message["url"])) : null;
  });
}

/** The bare server: one table, group commit, one row read. */
export async function startBareServer(directory: string): Promise<RunningServer> {
  const child = new Child(moduleWords("./bare/server.ts", `${directory}/bare.db`), "stdout");
  return await whenReady(child, portOf);
}

async function whenReady(
  child: Child,
  find: (line: string) => number | null,
): Promise<RunningServer> {
  try {
    const port = await child.line(find);
    child.drainLines();
    return { port, pid: child.pid, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

function portOf(url: string): number | null {
  const port = /^http:\/\/[^/]+:(\d+)/.exec(url)?.[1];
  return port === undefined ? null : Number(port);
}

function parseJson(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
