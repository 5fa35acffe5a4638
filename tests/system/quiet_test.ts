/** The program closes connections that never get to the point, in the time that it promises. */
import assert from "node:assert/strict";
import { pause } from "../../src/lib/pause.ts";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawLine } from "../helpers/raw_line.ts";
import { Sandbox } from "../helpers/program.ts";

/** The promise is 15 to 25 s; the rest is for a busy machine. */
const CLOSED_WITHIN_MS = 60_000;

function head(request: string, ...lines: string[]): string {
  return [`${request} HTTP/1.1`, "Host: 127.0.0.1", ...lines, "", ""].join("\r\n");
}

Deno.test({
  name: "half a head is closed after 15 s; a slow upload, a wait and a stream of events live on",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using sandbox = await Sandbox.create();
    const server = await sandbox.serve(["--workers", "0", "--log-level", "debug"]);
    const api = apiOf(server);
    const { job_id: id } = (await api.upload("hello")).body;
    const open = () => RawLine.open(server.port);
    using slow = await open();
    using silent = await open();
    using waiting = await open();
    using events = await open();
    using uploading = await open();
    const openedAtMs = performance.now();
    await slow.send("GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
    await waiting.send(head(`GET /jobs/${id}/result?wait=60`));
    await events.send(head("GET /events"));
    const chunked = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    await uploading.send(head("POST /jobs", ...chunked));
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const dripping = (async () => {
      for (; !slow.isClosed; await pause(200)) await uploading.send(chunk(" "));
    })();
    await slow.closed(CLOSED_WITHIN_MS);
    const tookMs = performance.now() - openedAtMs;
    assert.ok(tookMs >= 14_900, `closed after ${tookMs} ms`);
    await silent.closed(CLOSED_WITHIN_MS);
    await dripping;

    assert.deepEqual([waiting.isClosed, events.isClosed, uploading.isClosed], [
      false,
      false,
      false,
    ]);
    await uploading.send(chunk('{"kind":"count","payload":"five!"}') + chunk(""));
    await uploading.answers(1);
    assert.match(uploading.received, /^HTTP\/1\.1 201 /);
    const added = /"job_id":"(\w+)"/.exec(uploading.received)![1]!;
    await eventually(() => events.received.includes(added), { what: "the event came" });
    await sandbox.worker();
    await waiting.answers(1);
    assert.match(waiting.received, /"characters":5/);
    assert.ok(server.log("http.quiet_connections_closed").length > 0);
    assert.equal((await server.stop()).code, 0);
  },
});
