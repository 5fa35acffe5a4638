/** Several machines with one server: what holds on one holds over all of them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { assertStartsAtOnce } from "../helpers/at_once.ts";
import { eventually } from "../helpers/eventually.ts";
import { assertCompleted } from "../helpers/load.ts";
import { type Machine, Network } from "../helpers/machines.ts";
import { execute, startPostgres, tempSchema } from "../helpers/postgres.ts";
import { type Running, Sandbox } from "../helpers/program.ts";

const network = new Network(3);
const [one, two, three] = network.machines as [Machine, Machine, Machine];
const server = await startPostgres({
  isOwn: true,
  settings: [`listen_addresses = '${[...new Set(["127.0.0.1", network.gateway])]}'`],
  access: [`host all all ${network.subnet} trust`],
});

const WORKER = ["--reap-interval", "300ms", "--backoff-base", "0.1"];

/** Starts a clock that is off before the program, which runs from source then. */
const skewedBy = (ms: number, { wrapper }: Machine) => ({
  wrapper: [
    ...wrapper,
    ...["sh", "-c", 'deno=$1; shift 2; exec "$deno" run --preload "$0" "$@"'],
    fileURLToPath(import.meta.resolve("../helpers/skewed_clock.ts")),
  ],
  env: { SKEW_MS: String(ms) },
});

function test(
  promise: string,
  prove: (sandbox: Sandbox, url: string) => Promise<void>,
  { ignore = false } = {},
): void {
  if (server === null) return;
  Deno.test(promise, { ignore }, async () => {
    await using schema = await tempSchema(server);
    await using sandbox = await Sandbox.create(
      schema.url.replace("@127.0.0.1:", `@${network.gateway}:`),
    );
    await prove(sandbox, schema.url);
  });
}

const serveOn = (sandbox: Sandbox, { address, wrapper }: Machine, ...flags: string[]) =>
  sandbox.serve(["--host", address, "--insecure", ...WORKER, ...flags], { wrapper });

async function post(api: Running, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.url}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** The most that ran at once, by lines that begin with + and - and name what ran. */
function mostAtOnce(lines: readonly string[]): Map<string, number> {
  const [running, most] = [new Map<string, number>(), new Map<string, number>()];
  for (const line of lines) {
    const [sign, what] = [line[0]!, line.slice(1)];
    running.set(what, (running.get(what) ?? 0) + (sign === "+" ? 1 : -1));
    most.set(what, Math.max(most.get(what) ?? 0, running.get(what)!));
  }
  return most;
}

test(
  "schedules, limits of queues and of keys, unique keys and repeated requests hold over machines",
  async (sandbox, url) => {
    await sandbox.ok("queue", "set", "narrow", "--max-running", "2");
    await sandbox.ok("queue", "set", "keyed", "--key-max-running", "1");
    const apis = await Promise.all([
      serveOn(sandbox, one, "--workers", "2"),
      serveOn(sandbox, two, "--workers", "2"),
      serveOn(sandbox, three, "--workers", "2"),
    ]);
    await sandbox.ok("schedule", "add", "tick", "--cron", "* * * * * *", "true");
    const command = (what: string) => `echo +${what} >> runs; sleep 0.1; echo -${what} >> runs`;
    await sandbox.enqueue([
      ...Array.from({ length: 16 }, () => ({ command: command("narrow"), queue: "narrow" })),
      ...Array.from({ length: 12 }, (_, n) => {
        const key = `key${n % 2}`;
        return { command: command(key), queue: "keyed", key };
      }),
    ]);

    // The same request to all of them at once makes one job, and a unique key lets one job in.
    for (let round = 0; round < 5; round++) {
      const body = { kind: "count", payload: `${round}` };
      const header = { "idempotency-key": `"request ${round}"` };
      const answers = await Promise.all(apis.map((api) => post(api, body, header)));
      const ids = answers.filter(({ status }) => status === 201).map(({ body }) => body.job_id);
      assert.ok(ids.length > 0, JSON.stringify(answers));
      assert.equal(new Set(ids).size, 1, JSON.stringify(answers));
      assert.ok(
        answers.every(({ status }) => [201, 409].includes(status)),
        JSON.stringify(answers),
      );

      const only = { ...body, queue: "unique", delay: "1h", unique_key: `only ${round}` };
      const taken = await Promise.all(apis.map((api) => post(api, only)));
      assert.deepEqual(taken.map(({ status }) => status).sort(), [200, 200, 201]);
    }
    const counted = await execute(
      url,
      "SELECT queue, count(*)::int AS jobs FROM jobs WHERE kind = 'count' GROUP BY queue ORDER BY queue",
    );
    assert.deepEqual(counted, [{ queue: "default", jobs: 5 }, { queue: "unique", jobs: 5 }]);

    await eventually(() => sandbox.lines("runs").length === 56, {
      what: "all have run",
      timeoutMs: 90_000,
    });
    const most = mostAtOnce(sandbox.lines("runs"));
    assert.deepEqual(Object.fromEntries(most), { narrow: 2, key0: 1, key1: 1 });

    const timesOf = "SELECT options::json ->> 'scheduledAtMs' AS time FROM jobs " +
      "WHERE options::json ->> 'schedule' = 'tick'";
    await eventually(async () => (await execute(url, timesOf)).length >= 4, {
      what: "the schedule has run four times",
      timeoutMs: 60_000,
      everyMs: 200,
    });
    await sandbox.ok("schedule", "remove", "tick");
    const times = (await execute(url, timesOf)).map(({ time }) => time);
    assert.equal(new Set(times).size, times.length, `${times}`);
  },
);

test("a job that is added on one machine starts at once on another", async (sandbox) => {
  const api = await serveOn(sandbox, one, "--workers", "0");
  const worker = await sandbox.worker(["-n", "1", ...WORKER], { wrapper: two.wrapper });
  await assertStartsAtOnce(
    worker,
    async () => (await post(api, { kind: "count", payload: "four" })).body.job_id,
  );
});

test(
  "a process is not taken for another one of its number on another machine, dead or alive",
  async (sandbox, url) => {
    // Each is number 1 of a machine of the same name; no process here has started when they did.
    const flags = ["-n", "1", "--lease", "10s", ...WORKER];
    const lives = await sandbox.worker(flags, { wrapper: one.wrapper });
    const job = await sandbox.add("echo begun >> lives; sleep 3; echo over >> lives");
    await eventually(() => sandbox.has("lives"), { what: "it was begun" });
    const others = [
      await sandbox.worker(flags, { wrapper: two.wrapper }),
      await sandbox.worker(flags),
    ];
    await assertCompleted(url, [job]);
    assert.deepEqual(sandbox.lines("lives"), ["begun", "over"]);

    for (const other of others) await other.kill();
    const doomed = await sandbox.add("echo begun >> doomed; sleep 30");
    await eventually(() => sandbox.has("doomed"), { what: "it was begun" });
    const watcher = await serveOn(sandbox, three, "--workers", "0");
    await lives.kill();
    const [row] = await execute(
      url,
      `SELECT lease_expires_at::float8 AS until FROM jobs WHERE id = '${doomed}'`,
    );
    // Nobody but its lease can tell.
    const { time, attempt } = await watcher.sees("job.reaped", { timeoutMs: 60_000 });
    const earlyMs = row!["until"] as number - Date.parse(time);
    assert.ok(row!["until"] && earlyMs <= 0, `attempt ${attempt} ended ${earlyMs} ms before that`);
    await sandbox.run(["cancel", doomed]);
  },
  { ignore: !network.isReal },
);

test(
  "clocks of machines that are minutes apart take no lease, hold nobody up, and start nothing early",
  async (sandbox, url) => {
    const flags = ["-n", "1", "--lease", "20s", ...WORKER];
    const ahead = await sandbox.worker(flags, skewedBy(600_000, one));
    const behind = await sandbox.worker(flags, skewedBy(-600_000, two));
    const right = await sandbox.worker(flags, { wrapper: three.wrapper });
    const offMs = ({ time }: { time?: string }) => Date.parse(time!) - Date.now();
    assert.ok(offMs(ahead.log("service.started")[0]) > 500_000);
    assert.ok(offMs(behind.log("service.started")[0]) < -500_000);

    // One on each of them.
    const ids = [1, 2, 3].map((n) => `long-${n}`);
    await sandbox.enqueue(ids.map((id) => ({ id, command: `echo ${id} >> begun; sleep 3` })));
    await eventually(() => sandbox.lines("begun").length === 3, { what: "all were begun" });
    await sandbox.enqueue([{ id: "later", command: "true", delay: "2s" }]);
    await assertCompleted(url, [...ids, "later"]);
    assert.deepEqual(sandbox.lines("begun").toSorted(), ids);
    for (const worker of [ahead, behind, right]) {
      assert.equal(worker.log("job.reaped").length, 0, worker.recentLog());
      assert.equal(worker.log("lease.lost").length, 0, worker.recentLog());
    }
    const times = await execute(
      url,
      "SELECT id, started_at - created_at AS waited, created_at FROM jobs ORDER BY id",
    );
    for (const { id, waited, created_at } of times) {
      assert.ok(Math.abs(Number(created_at) - Date.now()) < 100_000, `${id}: ${created_at}`);
      assert.ok(Number(waited) >= (id === "later" ? 2_000 : 0), `${id}: ${waited}`);
      assert.ok(Number(waited) < 100_000, `${id}: ${waited}`);
    }
  },
  { ignore: Deno.env.get("QUEUECTL") !== undefined },
);
