/**
 * A PostgreSQL server for a scenario, on the disk of the other databases and with its default settings
 * (fsync and synchronous_commit are on). Owns the server, and a database of its own for each measurement.
 */
import { execute } from "../helpers/postgres.ts";
import { Installer } from "./peers/install.ts";
import { startPostgres } from "./peers/peer_servers.ts";
import type { Scratch } from "./scratch.ts";

export interface PostgresServer extends AsyncDisposable {
  readonly pid: number;
  /** The URL of a database that nobody has used. */
  database(): Promise<string>;
}

/** @throws {Error} saying why there is none. */
export async function startPostgresServer(scratch: Scratch): Promise<PostgresServer> {
  const directory = scratch.directory();
  // The server refuses to run as root; as another user it must be able to reach its data.
  for (const path of [scratch.path, directory.path]) await Deno.chmod(path, 0o755);
  const installer = new Installer(scratch.path);
  const server = await startPostgres({ installer, directory: directory.path });
  const url = (name: string) => `postgres://queue@127.0.0.1:${server.port}/${name}`;
  let used = 0;
  return {
    pid: server.pid,
    async database() {
      const name = `bench_${++used}`;
      await execute(url("postgres"), `CREATE DATABASE ${name}`);
      return url(name);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
