/** Proves webhooks and http jobs from outside: the program, a receiver on loopback, and kills. */
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";
import { Receiver } from "../helpers/receiver.ts";

const ALLOW = "--allow-private-http";

Deno.test("a job's outcome is posted to its callback_url, signed with the secret that the CLI prints", async () => {
  await using sandbox = await Sandbox.create();
  await using receiver = new Receiver();
  const url = receiver.url("/in?key=hush");
  await sandbox.enqueue([
    { id: "good", command: "echo hi", callback_url: url },
    { id: "bad", command: "exit 3", max_retries: 0, callback_url: url },
  ]);
  const worker = await sandbox.worker([ALLOW]);
  await eventually(() => receiver.received.length >= 2, { what: "both outcomes arrived" });
  const webhook = new Webhook((await sandbox.ok("webhook", "secret")).trim());
  const told = receiver.received.map(({ body, headers }) =>
    webhook.verify(body, Object.fromEntries(headers)) as { type: string; data: { job_id: string } }
  );
  assert.deepEqual(
    Object.fromEntries(told.map(({ type, data }) => [data.job_id, type])),
    { good: "job.completed", bad: "job.dead" },
  );
  assert.ok(!worker.recentLog().includes("hush"));
  assert.ok(!worker.recentLog().includes("whsec_"));
});

Deno.test("kill -9 between the outcome and its delivery loses no delivery", async () => {
  await using sandbox = await Sandbox.create();
  const refusals: unknown[] = [];
  await using receiver = new Receiver((request) => {
    refusals.push(request);
    return new Response("not now", { status: 503 });
  });
  await sandbox.enqueue([{ id: "job", command: "true", callback_url: receiver.url() }]);
  const first = await sandbox.worker([ALLOW]);
  assert.equal(await sandbox.wait(["job"]), 0);
  await first.kill();
  receiver.reply = () => new Response("thanks");
  await sandbox.worker([ALLOW]);
  await eventually(() => receiver.received.length > refusals.length, {
    what: "the outcome was taken",
    timeoutMs: 60_000,
  });
  assert.equal(JSON.parse(receiver.received.at(-1)!.body).data.job_id, "job");
});

Deno.test("kill -9 while an outcome is being delivered: another process delivers it", async () => {
  await using sandbox = await Sandbox.create();
  await using receiver = new Receiver((_request, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(new Response())))
  );
  await sandbox.enqueue([{ id: "job", command: "true", callback_url: receiver.url() }]);
  const first = await sandbox.worker([ALLOW]);
  await eventually(() => receiver.received.length === 1, { what: "the delivery began" });
  receiver.reply = () => new Response();
  await first.kill();
  await sandbox.worker([ALLOW]);
  await eventually(() => receiver.received.length >= 2, {
    what: "the outcome was delivered by another",
    timeoutMs: 120_000,
  });
  const [one, other] = receiver.received;
  assert.equal(one!.headers.get("webhook-id"), other!.headers.get("webhook-id"));
});

Deno.test("webhooks are listed, shown and sent again over CLI and API", async () => {
  await using sandbox = await Sandbox.create();
  await using receiver = new Receiver(() => new Response("no", { status: 410 }));
  await sandbox.enqueue([
    { id: "job", command: "true", callback_url: receiver.url("/in?key=hush") },
  ]);
  const server = await sandbox.serve([ALLOW, "--workers", "1"]);
  const failed = async () =>
    JSON.parse(await sandbox.ok("webhook", "list", "--state", "failed", "--json"));
  await eventually(async () => (await failed()).length === 1, { what: "the receiver refused" });
  const [{ id, url, last_error }] = await failed();
  assert.ok(url.endsWith("/in?…"));
  assert.equal(last_error, "HTTP 410 Gone: no");
  assert.match(await sandbox.ok("webhook", "show", id), /"job_id": "job"/);

  receiver.reply = () => new Response();
  const base = `http://127.0.0.1:${server.port}/webhooks`;
  const replayed = await fetch(`${base}/${id}/replay`, { method: "POST" });
  assert.equal((await replayed.json()).state, "waiting");
  await eventually(
    async () => (await (await fetch(`${base}/${id}`)).json()).state === "delivered",
    {
      what: "it was delivered",
    },
  );
  await sandbox.ok("webhook", "replay", id);
  await eventually(() => receiver.received.length >= 3, { what: "it was sent once more" });
  const { webhooks, next_before } = await (await fetch(`${base}?job_id=job&limit=1`)).json();
  assert.deepEqual([webhooks.length, webhooks[0].id, next_before], [1, id, null]);
  for (const path of ["msg_none", `msg_${"0".repeat(32)}`]) {
    const response = await fetch(`${base}/${path}`);
    assert.equal(response.status, 404);
    assert.match((await response.json()).detail, /there is no webhook/);
  }
  const wrong = await fetch(`${base}?state=lost&limit=0`);
  assert.equal(wrong.status, 422);
  assert.equal((await wrong.json()).errors.length, 2);
});

Deno.test("an http job calls only public addresses unless that is allowed, whatever name it is given", async () => {
  await using sandbox = await Sandbox.create();
  await using receiver = new Receiver();
  const job = (id: string, host: string) => ({
    id,
    kind: "http",
    payload: { url: receiver.url("/", host) },
    max_retries: 0,
  });
  await sandbox.enqueue([job("number", "127.0.0.1"), job("name", "localhost")]);
  const strict = await sandbox.worker();
  assert.equal(await sandbox.wait(["number", "name"]), 1);
  assert.equal((await sandbox.show("name")).error_code, "address");
  await strict.stop();
  assert.deepEqual(receiver.received, []);

  await sandbox.ok("requeue", "number", "name");
  await sandbox.worker([ALLOW]);
  assert.equal(await sandbox.wait(["number", "name"]), 0);
  assert.equal((await sandbox.show("name")).result.body, "thanks");
});

Deno.test("cancelling an http job ends its request, and a large answer is cut", async () => {
  await using sandbox = await Sandbox.create();
  let aborted = 0;
  await using receiver = new Receiver(({ path }, signal) => {
    if (path === "/large") return new Response("x".repeat(1_000_000));
    return new Promise((resolve) =>
      signal.addEventListener("abort", () => {
        aborted++;
        resolve(new Response());
      })
    );
  });
  await sandbox.enqueue([
    {
      id: "slow",
      kind: "http",
      payload: { url: receiver.url("/slow"), headers: { Authorization: "Bearer hush" } },
    },
    { id: "large", kind: "http", payload: { url: receiver.url("/large") } },
  ]);
  const worker = await sandbox.worker([ALLOW, "-n", "2", "--http-response-limit", "1KiB"]);
  await eventually(() => receiver.received.some(({ path }) => path === "/slow"), {
    what: "the slow request came",
  });
  await sandbox.ok("cancel", "slow");
  await eventually(() => aborted > 0, { what: "the request was aborted" });
  await eventually(async () => (await sandbox.show("slow")).state === "cancelled", {
    what: "the job was cancelled",
  });
  assert.equal(await sandbox.wait(["large"]), 0);
  const { result } = await sandbox.show("large");
  assert.deepEqual([result.body.length, result.body_truncated], [1_024, true]);
  const shown = await sandbox.ok("show", "slow") + await sandbox.ok("list", "--state", "all");
  assert.ok(!(shown + worker.recentLog()).includes("hush"));
});

Deno.test("a secret or certificate file that cannot be used is refused at the start", async () => {
  await using sandbox = await Sandbox.create();
  sandbox.touch("empty");
  for (const setting of ["webhook-secret-file", "http-ca-file"]) {
    for (const [file, message] of [["empty", /expected/], ["missing", /no such file/]] as const) {
      const { code, stderr } = await sandbox.run(["worker", `--${setting}`, sandbox.path(file)]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  }
  const { code, stderr } = await sandbox.run(["webhook", "show", "x"]);
  assert.equal(code, 3);
  assert.match(stderr, /there is no webhook with the id "x"/);
});
