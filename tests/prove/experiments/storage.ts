/**
 * What disks and other programs do to a database while jobs are submitted and run: the answer must be
 * the documented one (503, or the commands' exit code 5), nothing acknowledged may be lost, and it
 * must work again by itself once the cause is gone.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pause } from "../../../src/lib/pause.ts";
import { apiOf } from "../../helpers/api.ts";
import { eventually } from "../../helpers/eventually.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { allFinished, audit, look } from "../books.ts";
import { SmallDisk } from "../disks.ts";
import { type Experiment, type Figure, isReached, none, type ProveContext } from "../experiment.ts";
import { Submitter } from "../submitter.ts";

const FLAGS = ["--workers", "2", "--backoff-base", "0.1", "--max-retries", "1000"];

/** How long after the cause is gone it may take until the service is ready again. */
const RECOVERY_MS = 10_000;

/** Where a trouble happens. */
interface Place {
  readonly sandbox: Sandbox;
  readonly disk: SmallDisk;
  readonly db: string;
  readonly server: Running;
}

interface Trouble {
  readonly name: string;
  /** Before the server's command line. */
  readonly wrapper?: readonly string[];
  /** Brings the trouble; returns what takes it away again. */
  begin(place: Place): Promise<() => Promise<void> | void>;
  /** What the refusal must say; null: nothing is refused, submits only wait or fail to connect. */
  readonly says: RegExp | null;
  /** Takes longer than `--quick` has time. */
  readonly isLong?: boolean;
}

function lock({ db }: Place): Promise<() => void> {
  const other = new DatabaseSync(db);
  other.exec("PRAGMA busy_timeout = 10000");
  other.exec("BEGIN IMMEDIATE");
  return Promise.resolve(() => other.close());
}

const TROUBLES: readonly Trouble[] = [
  {
    name: "disk full",
    says: /disk is full/,
    begin({ disk }) {
      disk.fill();
      return Promise.resolve(() => disk.makeSpace());
    },
  },
  {
    name: "file moved away and put back",
    says: /deleted while it was in use/,
    begin({ db }) {
      Deno.renameSync(db, `${db}.away`);
      return Promise.resolve(() => Deno.renameSync(`${db}.away`, db));
    },
  },
  {
    name: "file replaced by another and put back",
    says: /replaced while it was in use/,
    begin({ db }) {
      Deno.renameSync(db, `${db}.away`);
      Deno.writeTextFileSync(db, "another file");
      return Promise.resolve(() => Deno.renameSync(`${db}.away`, db));
    },
  },
  { name: "locked for a moment by another program", says: null, begin: lock },
  {
    name: "locked for long by another program",
    says: /another program has kept it locked/,
    isLong: true,
    begin: lock,
  },
  {
    name: "descriptors used up",
    wrapper: ["sh", "-c", 'ulimit -n 96; exec "$@"', "sh"],
    says: null,
    async begin({ server }) {
      const connections = await connectAll(server.port, 200);
      return () => {
        for (const connection of connections) connection.close();
      };
    },
  },
];

export const storage: Experiment = {
  name: "storage",
  about:
    "disk full, file gone, replaced, locked or damaged, descriptors used up: told and survived",
  isAboutTheFile: true,
  limitMs: ({ pick }) => pick(10 * 60_000, 180_000),

  async run(context: ProveContext): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const trouble of TROUBLES) {
      if (trouble.isLong && context.isQuick) continue;
      context.progress(trouble.name);
      figures.push(...await suffer(trouble, context));
    }
    context.progress("read-only disk, deleted file, damaged page");
    figures.push(...await startWhereNothingCanBeWritten());
    figures.push(...await deleted(context));
    figures.push(...await damaged());
    return figures;
  },
};

/** Submits go on before, during and after the trouble. */
async function suffer(
  { name, wrapper, begin, says }: Trouble,
  { random, pick }: ProveContext,
): Promise<Figure[]> {
  await using sandbox = await Sandbox.create();
  await using disk = await SmallDisk.mount(sandbox.path("disk"), "64m");
  const db = join(disk.path, "queue.db");
  const server = await sandbox.serve(FLAGS, { db, wrapper });
  const api = apiOf(server);
  const submitter = new Submitter({ url: () => server.url, clients: 4, random, pauseMs: 10 });
  const refused: string[] = [];
  let recoveredMs = 0;
  try {
    await moreAcknowledged(submitter, 20);
    const end = await begin({ sandbox, disk, db, server });
    try {
      if (says !== null) {
        const { status, text } = await eventually(async () => {
          const answer = await api.post("/jobs", { kind: "count", payload: "hello" });
          return answer.status === 201 ? undefined : answer;
        }, { what: "a submit was refused", timeoutMs: 20_000 });
        if (status !== 503 || !says.test(text)) refused.push(`${status} ${text}`);
        const { status: readiness } = await api.get("/readyz");
        if (readiness !== 503) refused.push(`/readyz: ${readiness}`);
        if ((await api.get("/healthz")).status !== 200) refused.push("/healthz");
      }
      await pause(pick(3_000, 500));
    } finally {
      await end();
    }
    const endedAtMs = performance.now();
    await eventually(async () => (await api.get("/readyz")).status === 200, {
      what: `the server was ready again after: ${name}`,
      timeoutMs: 3 * RECOVERY_MS,
    });
    recoveredMs = performance.now() - endedAtMs;
    await moreAcknowledged(submitter, 20);
  } finally {
    await submitter.stop();
  }
  const store = await look(db);
  await allFinished(store, 60_000);
  const audited = await audit(store, submitter.promised);
  await store[Symbol.asyncDispose]();
  const { code } = await server.stop();
  if (says === null && submitter.refusals > 0) refused.push(`${submitter.refusals} answers 503`);
  const bad = audited.filter((figure) => isReached(figure) === false);
  return [
    {
      what: `${name}: acknowledged jobs lost`,
      found: bad.reduce((sum, { found }) => sum + found, 0),
      wanted: { is: 0 },
      note: `${submitter.promised.size} acknowledged, ${submitter.refusals} refused` +
        bad.map(({ what, note }) => `; ${what}: ${note}`).join(""),
    },
    none(`${name}: other answers than the documented`, [...refused, ...submitter.strange]),
    {
      what: `${name}: ready again after`,
      found: Math.round(recoveredMs),
      unit: "ms",
      wanted: { atMost: RECOVERY_MS },
    },
    none(`${name}: bad end of the server`, code === 0 ? [] : [`exit code ${code}`]),
  ];
}

/** A read-only file system: every command says so, with exit code 5. */
async function startWhereNothingCanBeWritten(): Promise<Figure[]> {
  await using sandbox = await Sandbox.create();
  await using disk = await SmallDisk.mount(sandbox.path("disk"), "64m");
  const db = join(disk.path, "queue.db");
  const { code: before } = await sandbox.run(["add", "true", "--id", "early"], { db });
  await disk.setReadOnly(true);
  const wrong: string[] = [];
  for (const args of [["add", "true"], ["worker", "-n", "1"], ["serve", "--port", "0"]]) {
    const { code, stderr } = await sandbox.run(args, { db });
    if (code !== 5 || !/read-only/i.test(stderr)) wrong.push(`${args[0]}: ${code} ${stderr}`);
  }
  await disk.setReadOnly(false);
  const { code: after } = await sandbox.run(["show", "early"], { db });
  return [
    none("read-only disk: other ends than exit code 5 with the reason", wrong),
    none("read-only disk: job from before lost", before === 0 && after === 0 ? [] : ["early"]),
  ];
}

/** What is acknowledged must be in a file that can be found: none after the file was deleted. */
async function deleted({ random }: ProveContext): Promise<Figure[]> {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(FLAGS);
  const submitter = new Submitter({ url: () => server.url, clients: 4, random, pauseMs: 1 });
  let late = 0;
  try {
    await moreAcknowledged(submitter, 20);
    for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(sandbox.db + suffix);
    // What is on its way is answered before this call, and what was decided before the deletion.
    await apiOf(server).get("/healthz");
    const deletedAtMs = performance.now();
    await eventually(() => submitter.refusals >= 8, { what: "submits were refused" });
    late = [...submitter.promised.values()]
      .filter(({ acknowledgedAtMs }) => acknowledgedAtMs > deletedAtMs).length;
  } finally {
    await submitter.stop();
  }
  return [
    { what: "file deleted: jobs acknowledged afterwards", found: late, wanted: { is: 0 } },
    none("file deleted: other answers than the documented", submitter.strange),
  ];
}

const PAGE_BYTES = 4_096;
const JOBS_ON_PAGES = 2_000;

/** Damage shows when a page of it is read. From then on nothing is acknowledged, and that is said. */
async function damaged(): Promise<Figure[]> {
  await using sandbox = await Sandbox.create();
  const payload = "x".repeat(300);
  const ids = Array.from({ length: JOBS_ON_PAGES }, (_, index) => `job-${index}`);
  await sandbox.enqueue(ids.map((id) => ({ id, kind: "count", payload })));
  Deno.copyFileSync(sandbox.db, `${sandbox.db}.backup`);
  const { size } = Deno.statSync(sandbox.db);
  {
    using file = Deno.openSync(sandbox.db, { write: true });
    file.seekSync(Math.floor(size / PAGE_BYTES / 2) * PAGE_BYTES, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(PAGE_BYTES).fill(0xa5));
  }
  const wrong: string[] = [];
  const server = await sandbox.serve(FLAGS);
  const api = apiOf(server);
  // The workers come to the page sooner or later, and so does whoever reads all jobs.
  await server.sees("store.unavailable", { fits: ({ message }) => /damaged/.test(message) });
  for (const path of ["/jobs", "/jobs/batch"]) {
    const job = { kind: "count", payload: "hello" };
    const { status, text } = await api.post(path, path === "/jobs" ? job : [job]);
    if (status !== 503 || !/damaged/.test(text)) wrong.push(`${path}: ${status} ${text}`);
  }
  if ((await api.get("/readyz")).status !== 503) wrong.push("/readyz");
  if ((await api.get("/healthz")).status !== 200) wrong.push("/healthz");
  if ((await api.get("/jobs/job-0/status")).status !== 200) wrong.push("a whole page's job");
  const { code } = await server.stop();
  if (code !== 0) wrong.push(`exit code ${code}`);

  for (const suffix of ["", "-wal", "-shm"]) {
    await Deno.remove(sandbox.db + suffix).catch(() => {});
  }
  Deno.renameSync(`${sandbox.db}.backup`, sandbox.db);
  const again = await sandbox.serve(FLAGS);
  const store = await look(sandbox.db);
  await allFinished(store, 60_000);
  const { counts } = await store.stats(Date.now());
  await store[Symbol.asyncDispose]();
  await again.stop();
  return [
    none("damaged page: other answers than the documented", wrong),
    {
      what: "damaged page: jobs done after a backup was restored",
      found: counts.completed,
      wanted: { is: JOBS_ON_PAGES },
    },
  ];
}

async function moreAcknowledged(submitter: Submitter, count: number): Promise<void> {
  const goal = submitter.promised.size + count;
  await eventually(() => submitter.promised.size >= goal, {
    what: `${count} more jobs were acknowledged`,
    timeoutMs: 30_000,
  });
}

/** Opens connections and says nothing on them, until the server takes no more. */
async function connectAll(port: number, count: number): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  try {
    while (connections.length < count) {
      connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    }
  } catch { /* it has lost its listener */ }
  return connections;
}
