/** Attacks on connections: more of them than descriptors, idle, or in the middle of their headers. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { eventually } from "../helpers/eventually.ts";
import { peakMemoryBytes } from "../helpers/processes.ts";
import { Sandbox } from "../helpers/program.ts";

/** The descriptors that the service gets. */
const DESCRIPTORS = 300;
/** Ten seconds is the promise; the rest is for a busy machine. */
const HEALTHY_WITHIN_MS = 25_000;

/** Opens connections that say this and nothing more, until they are so many or are refused. */
async function flood(port: number, count: number, text: string): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  for (let tried = 0; tried < count; tried++) {
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      connections.push(connection);
      await connection.write(new TextEncoder().encode(text));
    } catch { /* out of descriptors over there: go on */ }
  }
  return connections;
}

const ATTACKS: readonly [name: string, text: string][] = [
  ["idle connections", "\r\n"],
  ["connections that never end their headers", "GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "],
  [
    "connections that never end their bodies",
    "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
    "Content-Length: 100000\r\n\r\n{",
  ],
];

for (const [name, text] of ATTACKS) {
  Deno.test({
    name: `more ${name} than descriptors, held open: soon healthy again, no job lost`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using sandbox = await Sandbox.create();
      const limit = `ulimit -n ${DESCRIPTORS}; exec "$@"`;
      const server = await sandbox.serve(["--workers", "1"], {
        wrapper: ["sh", "-c", limit, "sh"],
      });
      const api = apiOf(server);
      const { job_id: id } = (await api.upload("hello")).body;
      const held = await flood(server.port, 2 * DESCRIPTORS, text);
      try {
        await eventually(async () => (await api.upload("after the attack")).status === 201, {
          what: `the service took an upload again:${server.recentLog()}`,
          timeoutMs: HEALTHY_WITHIN_MS,
        });
        await eventually(async () => (await api.get(`/jobs/${id}/result`)).status === 200, {
          what: "the job from before was done",
        });
        assert.ok(peakMemoryBytes(server.pid) < 400 * 2 ** 20);
      } finally {
        for (const connection of held) connection.close();
      }
      assert.equal((await server.stop()).code, 0);
    },
  });
}
