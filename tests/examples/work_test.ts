/** Proves that the examples do what they say, run as a user would: CSV, images, mail, a slow API. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";
import { Receiver } from "../helpers/receiver.ts";

const example = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Uploads a file for a kind and returns the job once it is over. */
async function upload(
  sandbox: Sandbox,
  url: string,
  { kind, payload, bytes }: { kind: string; payload: unknown; bytes: Uint8Array | string },
) {
  const form = new FormData();
  form.set("kind", kind);
  form.set("payload", JSON.stringify(payload));
  form.set("max_retries", "2");
  form.set("file", new File([bytes as Uint8Array<ArrayBuffer>], "input"));
  const response = await fetch(`${url}/jobs`, { method: "POST", body: form });
  const body = await response.json();
  assert.equal(response.status, 201, JSON.stringify(body));
  await sandbox.wait([body.job_id]);
  return await sandbox.show(body.job_id);
}

Deno.test("ingest_csv takes every good row in once, keeps the bad ones, and goes on after a kill", async () => {
  await using sandbox = await Sandbox.create();
  const flags = ["--workers", "1", "--backoff-base", "0.1"];
  const server = await sandbox.serve([...flags, "--handlers", example("ingest_csv.ts")]);
  const rows = Array.from({ length: 5_000 }, (_, n) => `${n + 1},"Customer ""${n}""",${n}.50`);
  rows.splice(1_234, 0, "not,a row");
  const csv = ["id,customer,amount", ...rows].join("\r\n");
  const into = sandbox.path("shop.db");
  const job = await upload(sandbox, server.url, {
    kind: "ingest_csv",
    payload: { into },
    bytes: csv,
  });
  assert.deepEqual(job["result"], { rows: 5_000, rejected: 1, resumed_at: 0 });
  assert.equal(
    await sandbox.ok("artifact", "get", job["id"], "rejected.csv"),
    "1236,not,a row\n",
  );
  using shop = new DatabaseSync(into);
  const sums = shop.prepare("SELECT count(*) AS n, sum(cents) AS cents FROM orders").get();
  assert.deepEqual({ ...sums }, { n: 5_000, cents: 50 * 5_000 + 100 * (4_999 * 5_000 / 2) });
  assert.equal(
    shop.prepare("SELECT customer FROM orders WHERE id = 8").get()!["customer"],
    'Customer "7"',
  );
  // As if an earlier attempt of the next job had been killed after 2,001 lines.
  shop.exec("DELETE FROM orders");
  shop.prepare("INSERT INTO ingested (job, lines) VALUES (?, ?)").run("again", 2_001);
  const form = new FormData();
  form.set("id", "again");
  form.set("kind", "ingest_csv");
  form.set("payload", JSON.stringify({ into }));
  form.set("file", new File([csv], "orders.csv"));
  await (await fetch(`${server.url}/jobs`, { method: "POST", body: form })).body?.cancel();
  assert.equal(await sandbox.wait(["again"]), 0);
  assert.equal((await sandbox.show("again"))["result"].resumed_at, 2_001);
  assert.equal(shop.prepare("SELECT min(id) AS id FROM orders").get()!["id"], 2_000);
  const senseless = await upload(sandbox, server.url, {
    kind: "ingest_csv",
    payload: {},
    bytes: csv,
  });
  assert.equal(senseless["state"], "cancelled");
  assert.match(senseless["error"], /expected \{"into"/);
});

Deno.test("resize_png makes an image smaller, and refuses what is none", async () => {
  await using sandbox = await Sandbox.create();
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const program = `${Deno.execPath()} run -A --config ${config} ${example("resize_png.mjs")}`;
  const server = await sandbox.serve([
    "--workers",
    "1",
    "--pass-env",
    "DENO_DIR",
    "--handler",
    `resize=${program}`,
  ]);
  const image = new PNG({ width: 40, height: 20 });
  for (let pixel = 0; pixel < 800; pixel++) {
    image.data.set([pixel % 40 < 20 ? 255 : 0, 0, 0, 255], 4 * pixel);
  }
  const job = await upload(sandbox, server.url, {
    kind: "resize",
    payload: { width: 10 },
    bytes: new Uint8Array(PNG.sync.write(image)),
  });
  assert.deepEqual(job["result"], { width: 10, height: 5, from: [40, 20] }, JSON.stringify(job));
  const target = sandbox.path("small.png");
  await sandbox.ok("artifact", "get", job["id"], "resized.png", "-o", target);
  const small = PNG.sync.read((await import("node:buffer")).Buffer.from(Deno.readFileSync(target)));
  assert.deepEqual([small.width, small.height, small.data[0], small.data[4 * 9]], [10, 5, 255, 0]);
  const text = await upload(sandbox, server.url, {
    kind: "resize",
    payload: { width: 10 },
    bytes: "this is text",
  });
  assert.equal(text["state"], "cancelled");
  assert.match(text["error"], /no PNG image/);
});

/** As much of SMTP as a client needs to be taken in. */
class MailServer implements AsyncDisposable {
  readonly mails: string[] = [];
  /** Answers to RCPT, one after the other; then everybody is known. */
  answers: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving = this.#serve();

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) this.#speak(connection).catch(() => {});
  }

  async #speak(connection: Deno.Conn): Promise<void> {
    const writer = connection.writable.getWriter();
    const answer = (line: string) => writer.write(new TextEncoder().encode(`${line}\r\n`));
    await answer("220 test");
    let text = "";
    let isData = false;
    for await (const piece of connection.readable.pipeThrough(new TextDecoderStream())) {
      text += piece;
      while (true) {
        const end = text.indexOf(isData ? "\r\n.\r\n" : "\r\n");
        if (end === -1) break;
        const line = text.slice(0, end);
        text = text.slice(end + (isData ? 5 : 2));
        if (isData) this.mails.push(line);
        const wasData: boolean = isData;
        isData = !wasData && line === "DATA";
        if (line.startsWith("RCPT")) await answer(this.answers.shift() ?? "250 known");
        else await answer(isData ? "354 go on" : line === "QUIT" ? "221 bye" : "250-so\r\n250 yes");
        if (line === "QUIT") return connection.close();
      }
    }
  }

  async [Symbol.asyncDispose]() {
    this.#listener.close();
    await this.#serving.catch(() => {});
  }
}

Deno.test("send_mail sends, tries again what is refused for now, and gives up what is refused for good", async () => {
  await using sandbox = await Sandbox.create();
  await using server = new MailServer();
  const env = { SMTP_HOST: "127.0.0.1", SMTP_PORT: String(server.port) };
  const flags = [
    "-n",
    "1",
    "--handlers",
    example("send_mail.ts"),
    "--pass-env",
    "SMTP_HOST,SMTP_PORT",
  ];
  await sandbox.worker(flags, { env });
  const send = async (mail: unknown) => {
    const add = ["add", "--quiet", "--kind", "send_mail", "--backoff", "100ms", "--payload"];
    const id = (await sandbox.ok(...add, JSON.stringify(mail))).trim();
    await sandbox.wait([id]);
    return await sandbox.show(id);
  };
  const mail = { to: "ada@example.org", subject: "Grüße", text: "Hi!\n.hidden\nbye" };
  server.answers = ["450 try later"];
  const sent = await send(mail);
  assert.equal(sent["state"], "completed", JSON.stringify(sent));
  assert.equal(sent["attempts"], 1);
  assert.equal(server.mails.length, 1);
  assert.match(server.mails[0]!, new RegExp(`Message-ID: <${sent["id"]}@queuectl>`));
  assert.match(server.mails[0]!, /\r\n\.\.hidden\r\nbye$/);
  server.answers = ["550 nobody here"];
  const refused = await send(mail);
  assert.equal(refused["state"], "cancelled");
  assert.match(refused["error"], /refuses it for good: 550 nobody here/);
  assert.equal((await send({ to: "nobody" }))["state"], "cancelled");
});

Deno.test("call_slow_api keeps to the rate, hears when it is told later, and stops when cancelled", async () => {
  await using sandbox = await Sandbox.create();
  await using api = new Receiver();
  let isFirst = true;
  api.reply = ({ body }) => {
    if (isFirst) {
      isFirst = false;
      return new Response("later", { status: 429, headers: { "retry-after": "0" } });
    }
    if (body === "hang") return new Promise(() => {});
    return new Response(body.toUpperCase());
  };
  await sandbox.ok("queue", "set", "api", "--rate", "1000/1s", "--max-running", "2");
  await sandbox.worker(["-n", "3", "--handlers", example("call_slow_api.ts")]);
  const call = async (text: string) =>
    (await sandbox.ok(
      "add",
      "--quiet",
      "--kind",
      "translate",
      "--queue",
      "api",
      "--payload",
      JSON.stringify({ url: api.url("/translate"), text }),
    )).trim();
  const ids = await Promise.all(["one", "two", "three"].map(call));
  assert.equal(await sandbox.wait(ids), 0);
  const results = await Promise.all(ids.map(async (id) => await sandbox.show(id)));
  assert.deepEqual(results.map((job) => job["result"].translated).sort(), ["ONE", "THREE", "TWO"]);
  assert.ok(results.every((job) => job["attempts"] === 0), "being told later costs no attempt");
  const hanging = await call("hang");
  await eventually(() => api.received.some(({ body }) => body === "hang"), {
    what: "the API was called",
  });
  await sandbox.ok("cancel", hanging);
  await eventually(async () => (await sandbox.show(hanging))["state"] === "cancelled", {
    what: "the call was cancelled",
  });
});
