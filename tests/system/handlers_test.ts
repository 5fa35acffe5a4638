/** Kinds of a user, run by the functions of a module. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { environmentOf, isAlive } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

/** A sandbox with this module as `handlers.ts`. */
async function withModule(text: string): Promise<Sandbox> {
  const sandbox = await Sandbox.create();
  Deno.writeTextFileSync(sandbox.path("handlers.ts"), text);
  return sandbox;
}

const HANDLERS = ["-n", "1", "--handlers", "handlers.ts", "--backoff-base", "0.1"];

/** Adds a job of a kind; returns its id. */
async function enqueue(sandbox: Sandbox, job: Record<string, unknown>): Promise<string> {
  const id = (job["id"] as string | undefined) ?? `job-${crypto.randomUUID()}`;
  await sandbox.enqueue([{ payload: null, ...job, id }]);
  return id;
}

/** Runs one job to its end; returns all about it. */
async function run(sandbox: Sandbox, job: Record<string, unknown>) {
  const id = await enqueue(sandbox, job);
  await sandbox.wait([id]);
  return await sandbox.show(id);
}

Deno.test("an exported function runs the kind of its name, and its result is the job's", async () => {
  await using sandbox = await withModule(`
    import { shout } from "./lib/shout.ts";
    enum Mark { Dot = ".", Bang = "!" }
    interface Greeting { name: string }
    export async function greet({ name }: Greeting, ctx: any): Promise<{ text: string }> {
      console.log("to stdout", { name });
      console.error("to stderr");
      ctx.log("in %s", "words");
      Deno.stdout.writeSync(new TextEncoder().encode("raw\\n"));
      return { text: shout(name) + Mark.Bang, job: ctx.job } as any;
    }
    export const limit = 5;
  `);
  Deno.mkdirSync(sandbox.path("lib"));
  Deno.writeTextFileSync(
    sandbox.path("lib/shout.ts"),
    "export const shout = (text: string): string => text.toUpperCase();",
  );
  await sandbox.worker(HANDLERS);
  const job = await run(sandbox, {
    id: "one",
    kind: "greet",
    payload: { name: "ada" },
    queue: "q",
  });
  assert.deepEqual(job["result"], {
    text: "ADA!",
    job: { id: "one", attempt: 1, maxRetries: 3, queue: "q", kind: "greet" },
  });
  assert.equal(job["output"].stdout, "to stdout { name: 'ada' }\nin words\n");
  assert.equal(job["output"].stderr, "to stderr\nraw\n", "what is printed past the console");
});

Deno.test("a function that throws is retried, and its trace stands in the output", async () => {
  await using sandbox = await withModule(`
    export function fragile(_payload, { job }) {
      if (job.attempt < 3) throw new RangeError("attempt " + job.attempt);
      return "well";
    }
  `);
  await sandbox.worker(HANDLERS);
  const job = await run(sandbox, { kind: "fragile" });
  assert.deepEqual([job["state"], job["attempts"], job["result"]], ["completed", 2, "well"]);
  const errors = job["attempt_history"].map((attempt: Record<string, unknown>) => attempt["error"]);
  assert.deepEqual(errors, ["attempt 1", "attempt 2", null]);
  const output = await sandbox.run(["logs", job["id"], "--attempt", "1"]);
  assert.match(output.stderr, /RangeError: attempt 1\n\s+at .*fragile .*handlers\.ts/);
});

Deno.test("Cancel, Snooze and RetryAfter end an attempt in their own ways", async () => {
  await using sandbox = await withModule(`
    export function never(_p, { Cancel }) { throw new Cancel("no such customer"); }
    export function later(_p, ctx) { ctx.snooze("1h"); }
    export function busy(_p, { RetryAfter }) { throw new RetryAfter(7200, "too busy"); }
  `);
  await sandbox.worker(HANDLERS);
  const never = await run(sandbox, { kind: "never" });
  assert.deepEqual([never["state"], never["attempts"]], ["cancelled", 0]);
  assert.equal(never["error"], "no such customer");

  const hours = async (kind: string) => {
    const id = await enqueue(sandbox, { kind });
    let job = await sandbox.show(id);
    await eventually(
      async () => (job = await sandbox.show(id))["started_at"] !== null && job["lease"] === null,
      {
        what: `${kind} had its attempt`,
      },
    );
    const waitMs = Date.parse(job["run_at"]) - Date.parse(job["updated_at"]);
    return [job["state"], job["attempts"], Math.round(waitMs / 3_600_000)];
  };
  assert.deepEqual(await hours("busy"), ["failed", 1, 2]);
});

Deno.test("a snoozed job uses no attempt and comes again", async () => {
  await using sandbox = await withModule(`
    let calls = 0;
    export function patient(_p, { Snooze, job }) {
      if (++calls < 3) throw new Snooze("50ms");
      return [calls, job.attempt];
    }
  `);
  await sandbox.worker(HANDLERS);
  const job = await run(sandbox, { kind: "patient", max_retries: 0 });
  assert.deepEqual([job["result"], job["attempts"]], [[3, 1], 0]);
});

Deno.test("follow-ups come with the success of their job, or not at all", async () => {
  await using sandbox = await withModule(`
    export async function parent({ fails }, ctx) {
      const id = await ctx.enqueue({ id: "child-of-" + ctx.job.id, kind: "child", payload: 7 });
      ctx.enqueue({ command: "echo followed", id: "not-awaited-" + ctx.job.id });
      if (fails) throw new Error("after all");
      return id;
    }
    export const child = (n) => n * 6;
  `);
  await sandbox.worker(HANDLERS);
  const bad = await run(sandbox, {
    id: "bad",
    kind: "parent",
    payload: { fails: true },
    max_retries: 0,
  });
  assert.equal(bad["state"], "dead");
  const good = await run(sandbox, { id: "good", kind: "parent", payload: {} });
  assert.equal(good["result"], "child-of-good");
  assert.equal(await sandbox.wait(["child-of-good", "not-awaited-good"]), 0);
  assert.equal((await sandbox.show("child-of-good"))["result"], 42);
  for (const id of ["child-of-bad", "not-awaited-bad"]) {
    assert.equal((await sandbox.run(["show", id])).code, 3, "a failed attempt leaves none");
  }
});

Deno.test("only follow-ups that were added are logged: one of two with one id, none whose id is taken", async () => {
  await using sandbox = await withModule(`
    export async function parent(_p, ctx) {
      await ctx.enqueue({ id: "taken", command: "true" });
      for (let time = 0; time < 2; time++) await ctx.enqueue({ id: "twin", command: "true" });
    }
  `);
  await sandbox.enqueue([{ id: "taken", command: "true", delay: "1h" }]);
  const worker = await sandbox.worker([...HANDLERS, "--log-level", "debug"]);
  await run(sandbox, { kind: "parent" });
  assert.equal(await sandbox.wait(["twin"]), 0);
  const told = () => worker.stderr.split("\n").filter((line) => /job\.added/.test(line));
  await eventually(() => told().length > 0, { what: "the follow-up is logged" });
  assert.equal(told().length, 1);
  assert.match(told()[0]!, /twin/);
});

Deno.test("a follow-up that cannot be is an error where it is enqueued", async () => {
  await using sandbox = await withModule(`
    export async function caught(_p, ctx) {
      try { await ctx.enqueue({ kind: "nope", payload: 1, priority: "high" }); }
      catch (error) { return error.message; }
    }
    export function dropped(_p, ctx) { ctx.enqueue({ kind: "count" }); return 1; }
  `);
  await sandbox.worker(HANDLERS);
  const caught = await run(sandbox, { kind: "caught" });
  assert.match(
    caught["result"],
    /^enqueue: priority: expected .* got "high"; kind: expected one of/,
  );
  const dropped = await run(sandbox, { kind: "dropped", max_retries: 0 });
  assert.match(dropped["error"], /^enqueue: payload: missing/, "also when nobody looks");
});

Deno.test("progress is seen while the job runs, over HTTP and in show", async () => {
  await using sandbox = await withModule(`
    export async function slow(_p, { progress, signal }) {
      progress(0.25, "reading");
      progress(0.5, "writing");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    export function wrong(_p, { progress }) { progress(50); }
  `);
  const server = await sandbox.serve(["--workers", "1", "--handlers", "handlers.ts"]);
  const api = apiOf(server);
  await enqueue(sandbox, { id: "slow", kind: "slow" });
  await eventually(
    async () => (await api.get("/jobs/slow/status")).body.progress?.text === "writing",
    { what: "the last progress was seen" },
  );
  const { progress } = (await api.get("/jobs/slow")).body;
  assert.deepEqual([progress.value, progress.text], [0.5, "writing"]);
  assert.match(await sandbox.ok("show", "slow"), /Progress +50%: writing/);
  await sandbox.ok("cancel", "slow");
  const wrong = await run(sandbox, { kind: "wrong", max_retries: 0 });
  assert.equal(wrong["error"], "progress: value: expected a number from 0 to 1, got 50");
});

Deno.test("each worker keeps one process warm for its jobs", async () => {
  await using sandbox = await withModule(`
    let calls = 0;
    export const pid = async () => {
      Deno.writeTextFileSync("pid-" + Deno.pid, "");
      // Nobody goes on alone while the other process is only starting.
      const begun = () => [...Deno.readDirSync(".")].filter(({ name }) => name.startsWith("pid-"));
      while (begun().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      return [Deno.pid, ++calls];
    };
  `);
  await sandbox.worker(["-n", "2", "--handlers", "handlers.ts"]);
  const ids = Array.from({ length: 12 }, (_, index) => `job-${index}`);
  await sandbox.enqueue(ids.map((id) => ({ id, kind: "pid", payload: null })));
  assert.equal(await sandbox.wait(ids), 0);
  const results: [number, number][] = [];
  for (const id of ids) results.push((await sandbox.show(id))["result"]);
  const pids = new Set(results.map(([pid]) => pid));
  assert.equal(pids.size, 2);
  assert.equal(Math.max(...results.map(([, calls]) => calls)) >= 6, true);
});

Deno.test("a timeout ends a function that never yields, and whatever it has started", async () => {
  await using sandbox = await withModule(`
    export function spin() {
      new Deno.Command("sh", { args: ["-c", "sleep 1000 & setsid sleep 1000 & touch began; wait"] }).spawn();
      while (true);
    }
    export const pid = () => Deno.pid;
  `);
  await sandbox.worker(HANDLERS);
  const before = await run(sandbox, { kind: "pid" });
  const pid = before["result"] as number;
  const mark = environmentOf(pid).find((entry) => entry.startsWith("QUEUECTL_JOB_MARK="))!;
  const spin = await run(sandbox, { kind: "spin", timeout: "2s", max_retries: 0 });
  assert.equal(spin["error"], "ran longer than its timeout of 2s");
  assert.ok(sandbox.has("began"), "it had begun to work");
  const left = () => sandbox.processes().filter((other) => environmentOf(other).includes(mark));
  await eventually(() => !isAlive(pid) && left().length === 0, { what: "nothing of it was alive" });
  const after = await run(sandbox, { kind: "pid" });
  assert.notEqual(after["result"], pid);
});

Deno.test("a function that heeds its signal ends in its own way and keeps its process", async () => {
  await using sandbox = await withModule(`
    import { writeFileSync } from "node:fs";
    export async function polite(_p, { signal, job }) {
      writeFileSync("began", "");
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
    export const pid = () => Deno.pid;
  `);
  await sandbox.worker(HANDLERS);
  const first = await run(sandbox, { kind: "pid" });
  const id = await enqueue(sandbox, { kind: "polite" });
  await eventually(() => sandbox.has("began"), { what: "it ran" });
  await sandbox.ok("cancel", id);
  await eventually(async () => (await sandbox.show(id))["state"] === "cancelled", {
    what: "it was cancelled",
  });
  assert.equal((await run(sandbox, { kind: "pid" }))["result"], first["result"]);
});

Deno.test("kill -9 of the worker leaves nothing of its handlers alive", async () => {
  await using sandbox = await withModule(`
    export async function tree() {
      new Deno.Command("sh", { args: ["-c", "setsid sleep 1000 & sleep 1000 & touch began; wait"] }).spawn();
      while (true);
    }
    export const idle = () => 1;
  `);
  const worker = await sandbox.worker(["-n", "2", "--handlers", "handlers.ts"]);
  await run(sandbox, { kind: "idle" });
  await enqueue(sandbox, { kind: "tree" });
  await eventually(() => sandbox.has("began"), { what: "the tree stood" });
  await worker.kill();
  await eventually(() => sandbox.processes().length === 0, {
    what: "everything was gone",
  });
});

Deno.test("a shutdown lets a running function finish and costs no attempt otherwise", async () => {
  await using sandbox = await withModule(`
    export async function slow({ ms }) {
      Deno.writeTextFileSync("began", "");
      await new Promise((resolve) => setTimeout(resolve, ms));
      return "done";
    }
  `);
  const finishing = await sandbox.worker(HANDLERS);
  await enqueue(sandbox, { id: "short", kind: "slow", payload: { ms: 700 } });
  await eventually(() => sandbox.has("began"), { what: "it ran" });
  assert.equal((await finishing.stop()).code, 0);
  assert.equal((await sandbox.show("short"))["result"], "done");

  Deno.removeSync(sandbox.path("began"));
  const hurried = await sandbox.worker([...HANDLERS, "--shutdown-timeout", "100ms"]);
  await enqueue(sandbox, { id: "long", kind: "slow", payload: { ms: 60_000 } });
  await eventually(() => sandbox.has("began"), { what: "it ran" });
  assert.equal((await hurried.stop()).code, 0);
  const long = await sandbox.show("long");
  assert.deepEqual([long["state"], long["attempts"]], ["pending", 0]);
});

Deno.test("a result that is not JSON, or too large, fails the attempt and says so", async () => {
  await using sandbox = await withModule(`
    const loop = {}; loop.self = loop;
    export const cyclic = () => loop;
    export const big = () => 10n;
    export const func = () => () => 1;
    export const large = (n) => "x".repeat(n);
    export const nothing = () => {};
  `);
  await sandbox.worker([...HANDLERS, "--result-limit", "1KiB"]);
  const errorOf = async (kind: string, payload: unknown = null) => {
    const job = await run(sandbox, { kind, payload, max_retries: 0 });
    return `${job["error_code"]}: ${job["error"]}`;
  };
  assert.match(await errorOf("cyclic"), /^error: the result is not JSON: .*circular/i);
  assert.match(await errorOf("big"), /^error: the result is not JSON: .*BigInt/);
  assert.equal(await errorOf("func"), "error: the result is not JSON: it is a function");
  assert.equal(
    await errorOf("large", 1_023),
    "result: the result has 1025 bytes as JSON; expected at most 1KiB (result-limit)",
  );
  assert.match(
    await errorOf("large", 5_000_000),
    /^protocol: .* far longer than the largest result, 1KiB/,
  );
  const least = await run(sandbox, { kind: "large", payload: 1_022 });
  assert.equal(least["result"].length, 1_022);
  assert.equal((await run(sandbox, { kind: "nothing" }))["result"], null);
});

Deno.test("what nobody catches, and an exit, end the attempt; the next job is run", async () => {
  await using sandbox = await withModule(`
    export async function stray() { setTimeout(() => { throw new Error("stray"); }); await new Promise(() => {}); }
    export async function rejected() { Promise.reject(new Error("lost")); await new Promise(() => {}); }
    export function exits() { console.error("goodbye"); Deno.exit(7); }
    export const thing = () => { throw { code: 5, why: "full" }; };
    export const fine = () => "fine";
  `);
  await sandbox.worker(HANDLERS);
  const errorOf = async (kind: string) => (await run(sandbox, { kind, max_retries: 0 }))["error"];
  assert.equal(await errorOf("thing"), '{ code: 5, why: "full" }');
  assert.equal(await errorOf("stray"), "uncaught: stray");
  assert.equal(await errorOf("rejected"), "uncaught: lost");
  assert.match(await errorOf("exits"), /^handlers\.ts ended with exit code 7 before it answered/);
  assert.equal((await run(sandbox, { kind: "fine" }))["result"], "fine");
});

Deno.test("--watch loads changed handlers; what runs finishes on the old ones", async () => {
  await using sandbox = await withModule(`import { version } from "./version.ts";
    export async function tell() {
      Deno.writeTextFileSync("began", "");
      while (version === 1) try { Deno.statSync("go"); break; } catch { await new Promise((r) => setTimeout(r, 20)); }
      return version;
    }`);
  Deno.writeTextFileSync(sandbox.path("version.ts"), "export const version: number = 1;");
  const worker = await sandbox.worker([...HANDLERS, "--watch"]);
  await enqueue(sandbox, { id: "old", kind: "tell" });
  await eventually(() => sandbox.has("began"), { what: "it ran" });

  Deno.writeTextFileSync(sandbox.path("version.ts"), "export const version: number = ;");
  const refused = await worker.sees("handlers.refused");
  assert.match(refused["message"], /^--handlers handlers\.ts: it does not load/);
  Deno.writeTextFileSync(sandbox.path("version.ts"), "export const version: number = 2;");
  await worker.sees("handlers.reloaded");
  sandbox.touch("go");
  await sandbox.wait(["old"]);
  assert.equal((await sandbox.show("old"))["result"], 1);
  assert.equal((await run(sandbox, { kind: "tell" }))["result"], 2);

  Deno.writeTextFileSync(sandbox.path("handlers.ts"), "export const fresh = () => 'new kind';");
  await worker.sees("handlers.reloaded", { fits: (line) => line["kinds"] === "fresh" });
  assert.equal((await run(sandbox, { kind: "fresh" }))["result"], "new kind");
});

Deno.test("--watch: a file that does not load costs no attempts; its jobs run when it is mended", async () => {
  await using sandbox = await withModule("export const tell = () => 1;");
  const worker = await sandbox.worker([...HANDLERS, "--watch"]);
  Deno.writeTextFileSync(sandbox.path("handlers.ts"), "export const tell = ;");
  await worker.sees("handlers.refused");
  // No process is warm, so that the broken file is what would be started.
  for (const id of ["a", "b"]) await enqueue(sandbox, { id, kind: "tell", max_retries: 0 });
  await eventually(async () => {
    const jobs = await Promise.all(["a", "b"].map((id) => sandbox.show(id)));
    return jobs.every(({ state, run_at, created_at }) =>
      state === "pending" && run_at > created_at
    );
  }, { what: "both were put off" });
  Deno.writeTextFileSync(sandbox.path("handlers.ts"), "export const tell = () => 2;");
  await worker.sees("handlers.reloaded");
  await sandbox.wait(["a", "b"]);
  for (const id of ["a", "b"]) {
    const { state, result, attempts } = await sandbox.show(id);
    assert.deepEqual([state, result, attempts], ["completed", 2, 0]);
  }
});

Deno.test("a module that cannot be used is refused at the start, with the reason", async () => {
  await using sandbox = await Sandbox.create();
  const refusal = async (text: string | null, ...flags: string[]) => {
    if (text !== null) Deno.writeTextFileSync(sandbox.path("h.ts"), text);
    const { code, stderr, stdout } = await sandbox.run(["worker", "--handlers", "h.ts", ...flags]);
    assert.equal(code, 2, stderr);
    assert.doesNotMatch(stderr, /\n\s+at (?!file:)/, "no stack trace");
    assert.equal(stdout, "");
    return stderr;
  };
  assert.match(await refusal(null), /--handlers: there is no file "h\.ts"/);
  assert.match(await refusal("export const a = ;"), /--handlers h\.ts: it does not load: .*h\.ts/s);
  assert.match(await refusal("throw new Error('no database');"), /it does not load: no database/);
  assert.match(await refusal("import './gone.ts';"), /it does not load: .*gone\.ts/s);
  assert.match(
    await refusal("export default () => 1; export const n = 5;"),
    /expected an exported function by the name of each kind, got "default", "n"|got "n", "default"/,
  );
  assert.match(await refusal("export const count = () => 1;"), /the kind "count" is built in/);
  assert.match(await refusal("Deno.exit(3);"), /it ended with exit code 3 while it was loaded/);
  const two = await refusal(
    "export const a = () => 1;",
    "--handler",
    "a=sh x",
    "--handler",
    "b=nope",
  );
  assert.match(two, /there is no program "nope"/);
});
