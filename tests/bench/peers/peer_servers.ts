/** Starts the servers that peers need: each on a loopback port of its own, its data in `directory`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Installer } from "./install.ts";
import { freePort, ServerProcess } from "./server_process.ts";

export interface PeerServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

interface Place {
  readonly installer: Installer;
  readonly directory: string;
}

/** Where Debian's packages keep libraries, below the root. */
const LIBRARIES = `usr/lib/${Deno.build.arch}-linux-gnu`;

export async function startRedis(
  { installer, directory }: Place,
  { isFsynced }: { isFsynced: boolean },
): Promise<PeerServer> {
  const { program, env } = await redisProgram(installer);
  const port = freePort();
  const durability = isFsynced
    ? ["--appendonly", "yes", "--appendfsync", "always"]
    : ["--appendonly", "no"];
  const server = new ServerProcess(program, {
    args: [
      ...["--bind", "127.0.0.1", "--port", String(port), "--dir", directory, "--save", ""],
      ...durability,
    ],
    cwd: directory,
    env,
  });
  return await whenListening(server, port);
}

export function redisProgram(installer: Installer): Promise<DebianProgram> {
  return debianProgram(installer, "redis-server", "usr/bin/redis-server");
}

export async function startPostgres({ installer, directory }: Place): Promise<PeerServer> {
  const init = await postgresProgram(installer, "initdb");
  const { program, env } = await postgresProgram(installer, "postgres");
  const user = await unprivilegedUser();
  if (user.uid !== undefined) await Deno.chown(directory, user.uid, user.gid!);
  const data = join(directory, "data");
  const port = freePort();
  await using initdb = new ServerProcess(init.program, {
    args: ["--pgdata", data, "--auth", "trust", "--username", "queue", "--encoding", "UTF8"],
    cwd: directory,
    env: init.env,
    ...user,
  });
  const { success } = await initdb.child.status;
  if (!success) throw new Error(`initdb failed: ${await initdb.errors()}`);
  const server = new ServerProcess(program, {
    args: [
      ...["-D", data, "-p", String(port), "-k", directory],
      ...["-c", "listen_addresses=127.0.0.1"],
    ],
    cwd: directory,
    env,
    ...user,
    // Its immediate shutdown: what it leaves behind is thrown away.
    stopSignal: "SIGQUIT",
  });
  return await whenListening(server, port);
}

export function postgresProgram(installer: Installer, name: string): Promise<DebianProgram> {
  return debianProgram(installer, "postgresql-15", `usr/lib/postgresql/15/bin/${name}`);
}

/** PostgreSQL refuses to run as root; then it runs as its own user, or as nobody. */
async function unprivilegedUser(): Promise<{ uid?: number; gid?: number }> {
  if (Deno.uid() !== 0) return {};
  const users = await Deno.readTextFile("/etc/passwd");
  for (const name of ["postgres", "nobody"]) {
    const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m").exec(users) ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("there is no user that PostgreSQL could run as");
}

export async function startBunqueue(
  { installer, directory }: Place,
  packages: readonly string[],
): Promise<PeerServer> {
  const bun = await installer.bun();
  const modules = await installer.modules(packages);
  const port = freePort();
  const server = new ServerProcess(bun, {
    args: [
      join(modules, "node_modules/bunqueue/dist/main.js"),
      "start",
      ...["--host", "127.0.0.1", "--tcp-port", String(port), "--http-port", String(freePort())],
      ...["--data-path", join(directory, "bunqueue.db")],
    ],
    cwd: directory,
    env: { LOG_LEVEL: "error" },
  });
  return await whenListening(server, port);
}

export const FASTAPI_PACKAGES = [
  "python3-fastapi",
  "python3-uvicorn",
  "python3-multipart",
  "python3-uvloop",
  "python3-httptools",
] as const;

export async function startFastApi({ installer, directory }: Place): Promise<PeerServer> {
  const root = await installer.debian(FASTAPI_PACKAGES);
  const port = freePort();
  const server = new ServerProcess("/usr/bin/python3", {
    args: [
      ...["-m", "uvicorn", "service:app", "--app-dir", SERVICE],
      ...["--host", "127.0.0.1", "--port", String(port)],
      ...["--no-access-log", "--log-level", "warning"],
    ],
    cwd: directory,
    env: {
      PYTHONPATH: join(root, "usr/lib/python3/dist-packages"),
      PYTHONDONTWRITEBYTECODE: "1",
      LD_LIBRARY_PATH: join(root, LIBRARIES),
      JOBS_DB: join(directory, "jobs.db"),
    },
  });
  return await whenListening(server, port);
}

const SERVICE = fileURLToPath(new URL("./fastapi", import.meta.url));

export interface DebianProgram {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The program that is installed, or else the one unpacked from its package. */
async function debianProgram(
  installer: Installer,
  name: string,
  path: string,
): Promise<DebianProgram> {
  if (existsSync(`/${path}`)) return { program: `/${path}`, env: {} };
  const root = await installer.debian([name]);
  return { program: join(root, path), env: { LD_LIBRARY_PATH: join(root, LIBRARIES) } };
}

async function whenListening(server: ServerProcess, port: number): Promise<PeerServer> {
  try {
    await server.listens(port);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return { port, pid: server.pid, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
