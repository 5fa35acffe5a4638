/**
 * Many uploads at the same time: sends half of each, says so, waits for the end of its input, sends
 * the rest and reads the answers. Prints one line for each of these steps.
 */
import { Connection } from "./connection.ts";
import { uploadSubmit } from "./requests.ts";
import type { HoldOptions } from "../scenarios/memory.ts";

const { port, uploads, uploadBytes }: HoldOptions = JSON.parse(Deno.args[0]!);

/** Connections opened at once: a listener's queue is short. */
const AT_ONCE = 100;

const request = uploadSubmit("a".repeat(uploadBytes));
const half = request.length >> 1;
const connections: Connection[] = [];
while (connections.length < uploads) {
  const count = Math.min(AT_ONCE, uploads - connections.length);
  const opened = await Promise.all(Array.from({ length: count }, () => Connection.open(port)));
  await Promise.all(opened.map((connection) => connection.send(request.subarray(0, half))));
  connections.push(...opened);
}
console.log("held");

for await (const _ of Deno.stdin.readable);

await Promise.all(connections.map(async (connection) => {
  await connection.send(request.subarray(half));
  const { status, body } = await connection.receive();
  if (status !== 201) throw new Error(`expected the status 201, got ${status}: ${body}`);
}));
console.log("answered");
