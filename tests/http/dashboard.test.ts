/** The pages: what they show, and that everything essential works without a script. */
import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../src/job/errors.ts";
import { assertProblem } from "../helpers/http.ts";
import { addDead, pageBench } from "../helpers/pages.ts";

const PATHS = [
  "/",
  "/ui",
  "/ui/",
  "/ui?range=24h",
  "/ui/jobs",
  "/ui/dead",
  "/ui/queues",
  "/ui/schedules",
  "/ui/workers",
  "/ui/settings",
  "/ui/audit",
  "/ui/new",
  "/ui/help",
];

Deno.test("every page is there, also with nothing in the queue", async () => {
  await using bench = await pageBench();
  for (const path of PATHS) {
    const { status, headers, text } = await bench.look(path);
    assert.equal(status, 200, path);
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.match(text, /^<!DOCTYPE html><html lang="en">/);
    assert.match(text, /<h1/, path);
  }
  assert.match((await bench.look("/")).text, /No jobs yet\. Add one:/);
});

Deno.test("programs that ask for / are told that nothing is there; so they are without pages", async () => {
  await using bench = await pageBench();
  assertProblem(await bench.call("/"), 404);
  assertProblem(await bench.call("/uix", { headers: { accept: "text/html" } }), 404);
});

Deno.test("what is not there, and methods that a page does not have, are pages that say so", async () => {
  await using bench = await pageBench();
  for (
    const [path, status] of [
      ["/ui/nowhere", 404],
      ["/ui/jobs/nobody", 404],
      ["/ui/jobs/%E0%A4%A", 404],
      ["/ui/assets/000000000000/secret.txt", 404],
      ["/ui/assets/../../../deno.json", 404],
      ["/ui/bulk", 405],
    ] as const
  ) {
    const answer = await bench.look(path);
    assert.equal(answer.status, status, path);
    assert.match(answer.headers.get("content-type")!, /html|problem/);
  }
});

Deno.test("assets have addresses that change with them, and may be kept for ever", async () => {
  await using bench = await pageBench();
  const { text } = await bench.look("/");
  const urls = [...text.matchAll(/(?:href|src)="(\/ui\/assets\/[^"]+)"/g)].map(([, url]) => url!);
  assert.ok(urls.length >= 3);
  for (const url of new Set(urls)) {
    const { status, headers, text } = await bench.call(url);
    assert.equal(status, 200, url);
    assert.match(headers.get("cache-control")!, /immutable/);
    assert.ok(text.length > 100);
    if (url.endsWith(".js")) assert.ok(text.length < 15 * 1024, "the script stays small");
  }
});

Deno.test("a dead job's page says why it died, what it printed, and how to run it again", async () => {
  await using bench = await pageBench();
  const id = await addDead(bench, { command: "frobnicate --all" }, {
    message: "exit code 127: sh: frobnicate: not found",
    output: "line one\n\x1b[31mred\x1b[0m line\n",
  });
  const { status, text } = await bench.look(`/ui/jobs/${id}`);
  assert.equal(status, 200);
  assert.match(text, /This job died/);
  assert.match(text, /frobnicate: not found/);
  assert.match(text, /Its only attempt failed/);
  assert.match(text, /line one/);
  assert.match(text, /<span class="a-fg1">red<\/span>/);
  assert.match(text, /queuectl add &#39;frobnicate --all&#39; --max-retries 0/);
  assert.match(text, new RegExp(`<form method="post" action="/ui/jobs/${id}/requeue"`));

  const sent = await bench.send(`/ui/jobs/${id}/requeue`);
  assert.equal(sent.status, 303);
  const next = sent.headers.get("location")!;
  assert.match((await bench.look(next)).text, /1 job will run again/);
  assert.equal((await bench.queue.find(id)).state, "pending");
});

Deno.test("a job is edited and run again in one form; what is wrong with it is said there", async () => {
  await using bench = await pageBench({ settings: { "allow-commands": true } });
  const id = await addDead(bench, { command: "fasle", cwd: "/tmp" });
  const { text } = await bench.look(`/ui/jobs/${id}/edit`);
  assert.match(text, /<textarea[^>]*>\s*fasle<\/textarea>/);
  const wrong = await bench.send(`/ui/jobs/${id}/edit`, {
    payload: "true",
    priority: "x",
    max_retries: "2",
    timeout: "soon",
  });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /priority: expected a whole number/);
  assert.match(wrong.text, /timeout: expected/);
  assert.match(wrong.text, /<textarea[^>]*>\s*true<\/textarea>/, "what was typed is still there");
  assert.equal((await bench.queue.find(id)).state, "dead");

  const fields = { payload: "true\r\ntrue", priority: "4", max_retries: "2", timeout: "" };
  assert.equal((await bench.send(`/ui/jobs/${id}/edit`, fields)).status, 303);
  const job = await bench.queue.find(id);
  assert.deepEqual([job.state, job.priority, job.maxRetries], ["pending", 4, 2]);
  assert.deepEqual(JSON.parse(await bench.queue.payload(job) as string), {
    command: "true\ntrue",
    cwd: "/tmp",
  });
});

Deno.test("new jobs are added by forms, for commands, for JSON and for uploads", async () => {
  await using bench = await pageBench({ settings: { "allow-commands": true } });
  const jobOf = async (answer: { status: number; headers: Headers; text: string }) => {
    assert.equal(answer.status, 303, answer.text);
    const id = /^\/ui\/jobs\/([^?]+)\?/.exec(answer.headers.get("location")!)![1]!;
    return await bench.queue.find(id);
  };
  const command = await jobOf(
    await bench.send("/ui/new", { form: "command", command: "echo hi", queue: "a", timeout: "5s" }),
  );
  assert.deepEqual([command.kind, command.queue, command.timeoutMs], ["command", "a", 5_000]);
  const json = await jobOf(
    await bench.send("/ui/new", { form: "json", kind: "count", payload: '"héllo"' }),
  );
  assert.equal(json.kind, "count");
  const form = new FormData();
  form.append("file", new Blob(["some text"]), "a.txt");
  const upload = await jobOf(
    await bench.call("/ui/new/upload", {
      method: "POST",
      body: form,
      redirect: "manual",
      headers: { origin: bench.server.url },
    }),
  );
  assert.equal(
    new TextDecoder().decode(await bench.queue.payload(upload) as Uint8Array),
    "some text",
  );

  const wrong = await bench.send("/ui/new", { form: "json", kind: "nope", payload: "{", id: "?" });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /payload: expected JSON/);
  const copy = await bench.look(`/ui/new?from=${command.id}`);
  assert.match(copy.text, /<textarea[^>]*>\s*echo hi<\/textarea>/);
});

Deno.test("jobs are listed newest first, narrowed down, searched and paged", async () => {
  await using bench = await pageBench();
  for (let index = 0; index < 60; index++) {
    await bench.addCount(`text ${index}`, { id: `j-${index}` });
  }
  await bench.addCount("needle", { id: "other", queue: "mail" });
  const idsOf = (text: string) => [...text.matchAll(/<tr data-row="([^"]+)"/g)].map(([, id]) => id);
  const first = await bench.look("/ui/jobs");
  assert.equal(idsOf(first.text)[0], "other");
  assert.equal(idsOf(first.text).length, 50);
  const older = /rel="next" href="([^"]+)"/.exec(first.text)![1]!;
  assert.deepEqual(idsOf((await bench.look(older)).text).at(-1), "j-0");
  assert.deepEqual(idsOf((await bench.look("/ui/jobs?queue=mail")).text), ["other"]);
  assert.deepEqual(idsOf((await bench.look("/ui/jobs?q=needle")).text), ["other"]);
  assert.deepEqual(idsOf((await bench.look("/ui/jobs?state=dead")).text), []);
  assert.equal(idsOf((await bench.look("/ui/jobs?age=1h&queue=mail")).text).length, 1);
  const found = await bench.look("/ui/jobs?q=j-17");
  assert.equal(found.headers.get("location"), "/ui/jobs/j-17", "an id leads to its job");
  assert.match((await bench.look("/ui/jobs?q=stat:dead")).text, /there is no qualifier/);
});

Deno.test("selected jobs, and all that match, are changed after their number was shown", async () => {
  await using bench = await pageBench();
  for (const id of ["a", "b", "c", "d"]) await bench.addCount("x", { id, queue: "q" });
  await bench.queue.cancel("d");
  const fields: [string, string][] = [["action", "cancel"], ["which", "selected"]];
  const ids: [string, string][] = [["id", "a"], ["id", "d"]];
  const asked = await bench.send("/ui/bulk", [...fields, ...ids]);
  assert.match(asked.text, /Cancel: 1 job\?/);
  assert.match(asked.text, /Of 2 jobs, 1 is left out/);
  assert.equal((await bench.queue.find("a")).state, "pending", "not before it was confirmed");
  const done = await bench.send("/ui/bulk", [...fields, ...ids, ["sure", "1"]]);
  assert.equal(done.status, 303);
  assert.equal((await bench.queue.find("a")).state, "cancelled");

  const all = { action: "delete", which: "all", q: "queue:q" };
  assert.match((await bench.send("/ui/bulk", all)).text, /Delete: 4 jobs\?/);
  assert.equal((await bench.send("/ui/bulk", { ...all, sure: "1" })).status, 303);
  assert.equal((await bench.queue.stats()).counts.pending, 0);
  assert.match((await bench.send("/ui/bulk", { action: "cancel" })).text, /No jobs were selected/);
});

Deno.test("dead jobs stand together by what they died of, and run again together", async () => {
  await using bench = await pageBench();
  for (const number of [1, 2, 3]) {
    await addDead(bench, { id: `same-${number}` }, {
      message: `exit code 1: order ${number} of 01a2064d19e072a68602a463509e30d${number} is lost`,
    });
  }
  await addDead(bench, { id: "single" }, { message: "exit code 2: other" });
  const { text } = await bench.look("/ui/dead");
  const groups = [...text.matchAll(/class="group-count"[^>]*>(\d+)</g)].map(([, jobs]) => jobs);
  assert.deepEqual(groups, ["3", "1"]);
  const key = /name="group" value="([^"]*order[^"]*)"/.exec(text)![1]!
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">");
  const inside = await bench.look(`/ui/dead?${new URLSearchParams({ group: key })}`);
  assert.match(inside.text, /same-2/);
  assert.doesNotMatch(inside.text, /single/);

  const sent = await bench.send("/ui/dead", { group: key, action: "requeue", pace: "1/1m" });
  assert.equal(sent.status, 303, sent.text);
  const times: number[] = [];
  for (const number of [1, 2, 3]) {
    const job = await bench.queue.find(`same-${number}`);
    assert.equal(job.state, "pending");
    times.push(job.runAtMs);
  }
  assert.deepEqual(times.map((ms) => Math.round((ms - times[0]!) / 60_000)), [0, 1, 2]);
  assert.equal((await bench.queue.find("single")).state, "dead");

  const all = { group: "", action: "delete" };
  assert.match((await bench.send("/ui/dead", all)).text, /Delete 1 dead job\?/);
  assert.equal((await bench.send("/ui/dead", { ...all, sure: "1" })).status, 303);
  assert.equal((await bench.queue.stats()).counts.dead, 0);
});

Deno.test("queues are paused, limited and resumed; schedules paused, run and removed", async () => {
  await using bench = await pageBench({ settings: { "allow-commands": true } });
  await bench.addCount("x", { queue: "mail" });
  const rules = async () => (await bench.queue.stats()).queues[0]!.rules;
  assert.equal((await bench.send("/ui/queues/mail/pause")).status, 303);
  assert.notEqual((await rules()).pausedAtMs, null);
  assert.match((await bench.look("/ui/queues")).text, /paused/);
  assert.equal((await bench.send("/ui/queues/mail/resume")).status, 303);
  assert.equal((await rules()).pausedAtMs, null);
  const limits = { max_running: "2", rate: "10/1m", key_max_running: "" };
  assert.equal((await bench.send("/ui/queues/mail/limits", limits)).status, 303);
  assert.match((await bench.look("/ui/queues")).text, /at most 2 at once, at most 10\/1m started/);
  const wrong = await bench.send("/ui/queues/mail/limits", { ...limits, rate: "lots" });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /rate: expected/);

  const schedule = { name: "nightly", cron: "0 3 * * *", tz: "UTC", job: { command: "true" } };
  assert.equal((await bench.post("/schedules", schedule)).status, 201);
  assert.match((await bench.look("/ui/schedules")).text, /every day at 03:00/);
  assert.equal((await bench.send("/ui/schedules/nightly/pause")).status, 303);
  assert.match((await bench.look("/ui/schedules")).text, /makes no jobs until it is resumed/);
  assert.equal((await bench.send("/ui/schedules/nightly/run")).status, 303);
  assert.match((await bench.send("/ui/schedules/nightly/remove")).text, /Remove the schedule/);
  assert.equal((await bench.send("/ui/schedules/nightly/remove", { sure: "1" })).status, 303);
  assert.match((await bench.look("/ui/schedules")).text, /No schedules yet/);
});

Deno.test("what the state of a job does not allow is a page that says so", async () => {
  await using bench = await pageBench();
  const id = await bench.addCount();
  const answer = await bench.send(`/ui/jobs/${id}/requeue`);
  assert.equal(answer.status, 409);
  assert.match(answer.text, /expected one that is dead or cancelled/);
  assert.equal((await bench.send("/ui/jobs/nobody/cancel")).status, 404);
});

Deno.test("a store that cannot be read is a page too, with 503", async () => {
  await using bench = await pageBench({
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          if (name === "list" || name === "stats") {
            return () => Promise.reject(new StoreUnavailableError("the disk is on fire"));
          }
          const value = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
  });
  const answer = await bench.look("/ui/jobs");
  assert.equal(answer.status, 503);
  assert.match(answer.text, /the disk is on fire/);
});

Deno.test("pages of a usual queue take the server a few milliseconds", async () => {
  await using bench = await pageBench();
  for (let index = 0; index < 60; index++) await bench.addCount(`text ${index}`);
  for (const path of ["/ui", "/ui/jobs", "/ui/dead"]) {
    const times: number[] = [];
    for (let round = 0; round < 15; round++) {
      const startMs = performance.now();
      await bench.look(path);
      times.push(performance.now() - startMs);
    }
    // Ten is the aim. The fastest counts: the others may have waited for other programs.
    const leastMs = Math.min(...times);
    assert.ok(leastMs < 100, `${path} took ${leastMs} ms`);
  }
});

Deno.test("a job that was run again shows every attempt, each with its own output", async () => {
  await using bench = await pageBench();
  const id = await addDead(bench, { command: "false" }, { output: "the first time\n" });
  await bench.queue.requeue(id);
  const outcome = { event: "bury", error: { code: "exit", message: "exit code 2" } } as const;
  const bytes = new TextEncoder().encode("the second time\n");
  await bench.settle(outcome, { output: [{ stream: "stdout", bytes }] });
  const { text } = await bench.look(`/ui/jobs/${id}`);
  assert.match(text, />run again</);
  assert.match(text, /the second time/);
  assert.doesNotMatch(text, /the first time/);
  const earlier = /href="([^"]+\?run=[^"]+)#output"/.exec(text)![1]!;
  const before = await bench.look(earlier);
  assert.match(before.text, /the first time/);
  assert.doesNotMatch(before.text, /the second time|Raw:/);
});
