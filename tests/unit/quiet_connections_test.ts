/** Which connections have been quiet for too long, decided by a clock that stands still until told. */
import assert from "node:assert/strict";
import { type Activity, QuietConnections } from "../../src/http/quiet_connections.ts";
import { connectionsTo, kernelAddress, type TcpConnection } from "../../src/http/tcp_table.ts";

const HEAD_MS = 15_000;
const IDLE_MS = 75_000;

/** Connections of one host, each by its port, which also is the number of its socket. */
class Scene {
  nowMs = 1_000_000;
  readonly quiet = new QuietConnections({ headMs: HEAD_MS, idleMs: IDLE_MS });
  readonly open = new Map<number, TcpConnection>();

  connect(port: number, inode = port): void {
    const remoteHost = kernelAddress("192.0.2.7");
    this.open.set(port, { inode, remoteHost, remotePort: port, hasBytesWaiting: false });
  }

  begin(port: number): Activity {
    return this.quiet.begin("192.0.2.7", port);
  }

  ask(port: number): void {
    this.quiet.end(this.begin(port));
  }

  /** The ports whose connections are to be closed, so much later. */
  after(ms: number): number[] {
    this.nowMs += ms;
    return this.quiet.look([...this.open.values()], this.nowMs).map((one) => one.remotePort);
  }
}

Deno.test("a connection without a request is due headMs after it was seen first", () => {
  const scene = new Scene();
  scene.connect(1);
  assert.deepEqual(scene.after(0), []);
  scene.connect(2);
  assert.deepEqual(scene.after(HEAD_MS - 1), []);
  assert.deepEqual(scene.after(1), [1]);
  assert.deepEqual(scene.after(HEAD_MS - 1), [2]);
});

Deno.test("one that could not be closed is due again, but not at every look", () => {
  const scene = new Scene();
  scene.connect(1);
  scene.after(0);
  assert.deepEqual(scene.after(HEAD_MS), [1]);
  assert.deepEqual(scene.after(HEAD_MS - 1), []);
  assert.deepEqual(scene.after(1), [1]);
});

Deno.test("a request under way protects its connection, however long, and no other one", () => {
  const scene = new Scene();
  scene.connect(1);
  scene.connect(2);
  const request = scene.begin(1);
  scene.after(0);
  assert.deepEqual(scene.after(HEAD_MS), [2]);
  for (let hour = 0; hour < 5; hour++) assert.ok(!scene.after(3_600_000).includes(1));
  scene.quiet.end(request);
  assert.ok(!scene.after(1).includes(1));
  scene.open.delete(2);
  assert.deepEqual(scene.after(IDLE_MS - 1), []);
  assert.deepEqual(scene.after(1), [1]);
});

Deno.test("several requests on a connection (HTTP/2): the last one counts", () => {
  const scene = new Scene();
  scene.connect(1);
  const [one, other] = [scene.begin(1), scene.begin(1)];
  scene.after(0);
  scene.quiet.end(one);
  assert.deepEqual(scene.after(10 * IDLE_MS), []);
  assert.deepEqual(scene.after(10 * IDLE_MS), []);
  scene.quiet.end(other);
  scene.after(0);
  assert.deepEqual(scene.after(IDLE_MS), [1]);
});

Deno.test("a request between two looks counts, and the idle time starts anew", () => {
  const scene = new Scene();
  scene.connect(1);
  scene.after(0);
  for (let turn = 0; turn < 10; turn++) {
    scene.ask(1);
    assert.deepEqual(scene.after(IDLE_MS * 0.9), []);
  }
  assert.deepEqual(scene.after(IDLE_MS), [1]);
});

Deno.test("a request on a connection that is not listed yet gives it the longer time", () => {
  const scene = new Scene();
  scene.ask(1);
  scene.after(0);
  scene.connect(1);
  scene.after(1);
  assert.deepEqual(scene.after(HEAD_MS), []);
  assert.deepEqual(scene.after(IDLE_MS), [1]);
});

Deno.test("a request under way is kept although its connection was missing from a list", () => {
  const scene = new Scene();
  scene.begin(1);
  scene.after(0);
  scene.after(5_000);
  scene.connect(1);
  for (let look = 0; look < 20; look++) assert.deepEqual(scene.after(HEAD_MS), []);
});

Deno.test("a connection whose answer is still being sent is not idle", () => {
  const scene = new Scene();
  scene.connect(1);
  scene.ask(1);
  scene.after(0);
  const sending = { ...scene.open.get(1)!, hasBytesWaiting: true };
  const [connection] = scene.open.values();
  scene.open.set(1, sending);
  for (let look = 0; look < 20; look++) assert.deepEqual(scene.after(IDLE_MS), []);
  scene.open.set(1, connection!);
  assert.deepEqual(scene.after(IDLE_MS - 1), []);
  assert.deepEqual(scene.after(1), [1]);
});

Deno.test("a new connection from the same address does not inherit the age of the old one", () => {
  const scene = new Scene();
  scene.connect(1, 100);
  scene.after(0);
  assert.deepEqual(scene.after(HEAD_MS - 1), []);
  scene.connect(1, 101);
  assert.deepEqual(scene.after(1), []);
  assert.deepEqual(scene.after(HEAD_MS), [1]);
});

Deno.test("who asks at the last moment is not closed", () => {
  const scene = new Scene();
  scene.connect(1);
  scene.after(0);
  scene.nowMs += HEAD_MS;
  const [due] = scene.quiet.look([...scene.open.values()], scene.nowMs);
  assert.ok(scene.quiet.isStillQuiet(due!));
  scene.ask(1);
  assert.ok(!scene.quiet.isStillQuiet(due!));
});

Deno.test("callers that have gone are forgotten, and a hundred thousand of them cost little", () => {
  const scene = new Scene();
  for (let port = 0; port < 100_000; port++) scene.quiet.end(scene.quiet.begin("::1", port));
  const held = scene.begin(7);
  scene.after(0);
  scene.after(0);
  assert.equal(scene.quiet.callers, 1);
  scene.quiet.end(held);
  scene.after(0);
  scene.after(0);
  assert.equal(scene.quiet.callers, 0);
});

Deno.test("an address is written as the kernel writes it", () => {
  const pairs = {
    "127.0.0.1": "0100007F",
    "192.0.2.255": "FF0200C0",
    "::1": "00000000000000000000000001000000",
    "::": "00000000000000000000000000000000",
    "::ffff:127.0.0.1": "0000000000000000FFFF00000100007F",
    "2001:db8::ff00:42:8329": "B80D01200000000000FF000029834200",
  };
  for (const [address, written] of Object.entries(pairs)) {
    assert.equal(kernelAddress(address), written, address);
  }
  assert.throws(() => kernelAddress("localhost"), /not an address: localhost/);
});

Deno.test("of the kernel's list the live, accepted connections to the port are taken", () => {
  const rest = "00:00000000 00000000     0        0";
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    `   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 ${rest} 10 1 000000005c0ae151 100 0 0`,
    `   1: 0100007F:1F40 0100007F:A526 01 00000000:00000000 ${rest} 11 1 000000009a49e1d3 20 4 30`,
    `   2: 0100007F:A526 0100007F:1F40 01 00000000:00000000 ${rest} 12 2 0000000035dd9c44 20 0 0`,
    `1003: 0100007F:1F40 050200C0:0050 08 00000000:00000011 01:0000001E 00000000 65534        0 13 1 0`,
    `   4: 0100007F:1F40 0100007F:A528 06 00000000:00000000 03:00000C5F 00000000     0        0 0 3 0`,
    `   5: 0100007F:1F40 0100007F:A529 01 00000000:00000000 ${rest} 0 1 000000009a49e1d3 20 4 30`,
    `   6: 0100007F:1F41 0100007F:A530 01 00000000:00000000 ${rest} 14 1 000000009a49e1d3 20 4 30`,
    `   7: 0100007F:1F40 0100007F:A531 04 00000000:00000000 ${rest} 15 1 000000009a49e1d3 20 4 30`,
    `   8: 00000000000000000000000001000000:1F40 00000000000000000000000001000000:B758 01 ` +
    `00040000:00000000 ${rest} 16 1 000000009a49e1d3 20 4 30`,
    "",
  ].join("\n");
  const ipv6 = "00000000000000000000000001000000";
  assert.deepEqual(connectionsTo(8000, table), [
    { inode: 11, remoteHost: "0100007F", remotePort: 0xA526, hasBytesWaiting: false },
    { inode: 13, remoteHost: "050200C0", remotePort: 80, hasBytesWaiting: true },
    { inode: 16, remoteHost: ipv6, remotePort: 0xB758, hasBytesWaiting: true },
  ]);
  assert.deepEqual(connectionsTo(8000, ""), []);
});
