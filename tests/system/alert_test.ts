/** Somebody is told when something is wrong with the queue. */
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";
import { Receiver } from "../helpers/receiver.ts";

Deno.test("jobs that are due while no worker lives are told of, once, and signed", async () => {
  await using sandbox = await Sandbox.create();
  await using receiver = new Receiver();
  const flags = ["--workers", "0", "--allow-private-http", "--alert-url", receiver.url("/alerts")];
  await sandbox.serve(flags);
  await sandbox.serve(["--port", "0", ...flags]);
  await sandbox.add("true");
  await eventually(() => receiver.received.length > 0, {
    what: "the alert came",
    timeoutMs: 60_000,
  });
  const [{ body, headers }] = receiver.received as [typeof receiver.received[number]];
  const webhook = new Webhook((await sandbox.ok("webhook", "secret")).trim());
  const told = webhook.verify(body, Object.fromEntries(headers)) as {
    type: string;
    data: { alert: string; message: string };
  };
  assert.equal(told.type, "alert.firing");
  assert.equal(told.data.alert, "no-workers");
  assert.match(told.data.message, /no worker/);
  const { body: list } = { body: JSON.parse(await sandbox.ok("webhook", "list", "--json")) };
  assert.equal(list.length, 1);
});
