/** Limits of a queue, as seen from outside: by what commands write down, over several processes. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

/** The most that ran at once, by lines that tell of each start and end in the order they happened. */
function mostAtOnce(lines: readonly string[]): number {
  let running = 0;
  let most = 0;
  for (const line of lines) {
    running += line.startsWith("start") ? 1 : -1;
    most = Math.max(most, running);
  }
  return most;
}

/** Writes down its start and its end, each in one write, so that lines stay whole. */
const TIMED =
  'echo "start $QUEUECTL_JOB_ID" >> log; sleep 0.15; echo "end $QUEUECTL_JOB_ID" >> log';

/** The same, but none ends before so many have started, however slowly processes start here. */
const timedAfter = (starts: number) =>
  TIMED.replace(
    "sleep 0.15",
    `until [ "$(grep -c start log)" -ge ${starts} ]; do sleep 0.02; done; sleep 0.15`,
  );

Deno.test("two worker processes together never run more jobs of a queue than max-running", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "set", "default", "--max-running", "3");
  const ids = Array.from({ length: 24 }, (_, index) => `job-${index}`);
  const processes = await Promise.all([sandbox.worker(["-n", "4"]), sandbox.worker(["-n", "4"])]);
  await sandbox.enqueue(ids.map((id) => ({ id, command: timedAfter(3) })));
  assert.equal(await sandbox.wait(ids), 0);
  const lines = sandbox.lines("log");
  assert.equal(lines.length, 2 * ids.length, "each ran once");
  assert.equal(mostAtOnce(lines), 3, "the limit is kept, and made use of");
  const started = () => processes.flatMap((process) => process.log("job.started"));
  await eventually(() => started().length >= ids.length, { what: "the logs told every start" });
  assert.equal(started().length, ids.length);
});

Deno.test("no more jobs of a key than key-max-running run at once, over processes", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "set", "default", "--key-max-running", "1");
  const jobs = ["ann", "bob", "eve"].flatMap((key) =>
    Array.from({ length: 5 }, (_, index) => ({
      id: `${key}-${index}`,
      key,
      command: TIMED.replaceAll(">> log", `>> ${key}`),
    }))
  );
  await sandbox.enqueue(jobs);
  await Promise.all([sandbox.worker(["-n", "4"]), sandbox.worker(["-n", "4"])]);
  assert.equal(await sandbox.wait(jobs.map(({ id }) => id)), 0);
  for (const key of ["ann", "bob", "eve"]) {
    const lines = sandbox.lines(key);
    assert.equal(lines.length, 10);
    assert.equal(mostAtOnce(lines), 1, key);
    const order = lines.filter((line) => line.startsWith("start"));
    assert.deepEqual(order, order.toSorted(), "in the order in which they were added");
  }
});

Deno.test("a rate holds over processes: in no second do more start than it says", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "set", "default", "--rate", "5/1s");
  const ids = Array.from({ length: 18 }, (_, index) => `job-${index}`);
  await Promise.all([sandbox.worker(["-n", "3"]), sandbox.worker(["-n", "3"])]);
  await sandbox.enqueue(ids.map((id) => ({ id, command: "true" })));
  assert.equal(await sandbox.wait(ids), 0);
  const jobs = JSON.parse(await sandbox.ok("list", "--state", "all", "--json"));
  const starts = jobs.map((job: { started_at: string }) => Date.parse(job.started_at)).sort();
  assert.equal(starts.length, ids.length);
  for (let index = 5; index < starts.length; index++) {
    const apartMs = starts[index] - starts[index - 5];
    assert.ok(apartMs >= 1_000, `six jobs started within ${apartMs} ms: ${starts}`);
  }
  const tookMs = starts.at(-1) - starts[0];
  assert.ok(tookMs < 20_000, `it went on as soon as it might, not after ${tookMs} ms`);
});

Deno.test("ten thousand jobs of one key do not starve ten of another", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "pause", "default");
  const jobs = (key: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: `${key}-${index}`,
      key,
      command: `echo ${key} >> log`,
    }));
  await sandbox.enqueue(jobs("ann", 10_000));
  await sandbox.enqueue(jobs("bob", 10));
  const worker = await sandbox.worker(["-n", "2"]);
  await sandbox.ok("queue", "resume", "default");
  assert.equal(await sandbox.wait(jobs("bob", 10).map(({ id }) => id)), 0);
  const lines = sandbox.lines("log");
  const before = lines.slice(0, lines.lastIndexOf("bob"));
  const others = before.filter((line) => line === "ann").length;
  assert.ok(others <= 30, `${others} of ann ran before the last of bob`);
  assert.equal((await worker.stop()).code, 0);
});

Deno.test("pause and resume, and a raised limit, are heard at once by a running worker", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "set", "mail", "--max-running", "1");
  await sandbox.ok("queue", "pause", "mail");
  await sandbox.worker(["-n", "3"]);
  const holding = (name: string) => `touch ${name}; while [ ! -e go ]; do sleep 0.02; done`;
  const ids = [
    await sandbox.add(holding("one"), "--queue", "mail"),
    await sandbox.add(holding("two"), "--queue", "mail"),
  ];
  const other = await sandbox.add("true");
  assert.equal(await sandbox.wait([other]), 0, "another queue goes on");
  assert.equal(sandbox.has("one"), false, "the paused one does not");
  assert.match(await sandbox.ok("status"), /^mail \(paused\) +2 /m);
  await sandbox.ok("queue", "resume", "mail");
  await eventually(() => sandbox.has("one"), { what: "the first job started" });
  const shown = JSON.parse(await sandbox.ok("queue", "show", "mail", "--json"));
  assert.deepEqual([shown.running, shown.jobs.pending], [1, 1]);
  assert.equal(sandbox.has("two"), false);
  await sandbox.ok("queue", "set", "mail", "--max-running", "2");
  await eventually(() => sandbox.has("two"), { what: "the second job started" });
  sandbox.touch("go");
  assert.equal(await sandbox.wait(ids), 0);
});

Deno.test("an idle worker does not look again and again at jobs that limits hold back", async () => {
  await using sandbox = await Sandbox.create();
  await sandbox.ok("queue", "set", "default", "--max-running", "1", "--rate", "1/1h");
  const ids = [
    await sandbox.add("sleep 0.1"),
    await sandbox.add("true"),
    await sandbox.add("true"),
  ];
  const worker = await sandbox.worker(["-n", "2"]);
  assert.equal(await sandbox.wait([ids[0]!]), 0);
  const usedMs = () => {
    const fields = Deno.readTextFileSync(`/proc/${worker.pid}/stat`).split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  const beforeMs = usedMs();
  const untilMs = performance.now() + 2_000;
  await eventually(() => performance.now() > untilMs, { what: "two seconds passed" });
  const usedOfTwoSecondsMs = usedMs() - beforeMs;
  assert.ok(usedOfTwoSecondsMs < 700, `${usedOfTwoSecondsMs} ms of processor time in two seconds`);
  assert.equal((await sandbox.status())["jobs"].pending, 2);
});
