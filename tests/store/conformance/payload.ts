/** Payloads come back as they were given: from `payload()` and to the worker that claims. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Payload } from "../../../src/job/job.ts";
import { newJob, T0 } from "../../helpers/jobs.ts";
import { bytesOf, claimJobs, type Suite } from "./harness.ts";

const MEBIBYTE = 1_048_576;

const PAYLOADS: Record<string, Payload> = {
  "no bytes": new Uint8Array(),
  "NUL bytes": new Uint8Array([0, 65, 0, 0, 66, 0]),
  "every byte": Uint8Array.from({ length: 256 }, (_, byte) => byte),
  "a text with a byte-order mark": bytesOf("\uFEFFä"),
  "a mebibyte of bytes": new Uint8Array(MEBIBYTE).fill(0xc3),
  "a little more than a page": new Uint8Array(4_097).fill(1),
  "JSON null": "null",
  "a JSON string with NUL": JSON.stringify("a\0b"),
  "a JSON string with a lone surrogate": JSON.stringify("\ud800!"),
  "a JSON string of characters of four bytes": JSON.stringify("\u{1F600}".repeat(2_000)),
  "a JSON text of a mebibyte": JSON.stringify("x".repeat(MEBIBYTE)),
  "JSON with quotes": JSON.stringify({ sql: "'; DROP TABLE jobs; --", "": ['"'] }),
};

export function payloadPromises({ test }: Suite): void {
  for (const [name, payload] of Object.entries(PAYLOADS)) {
    test(`a payload of ${name} comes back unchanged`, async (store) => {
      await store.add([newJob({ payload })], T0);
      const [job] = await claimJobs(store);
      assert.deepEqual(plain(job!.payload), plain(payload));
      assert.deepEqual(plain(await store.payload(job!.seq)), plain(payload));
    });
  }

  test("any JSON and any bytes come back unchanged", async (store) => {
    const json = fc.jsonValue({ depthSize: "small" }).map((value) => JSON.stringify(value));
    const payload = fc.oneof(json, fc.uint8Array({ size: "large", maxLength: 3_000 }));
    const payloads = fc.sample(payload, { numRuns: 200 });
    await store.add(payloads.map((one, index) => newJob({ id: `p${index}`, payload: one })), T0);
    for (const job of await claimJobs(store, { free: 200 })) {
      const given = payloads[Number(job.id.slice(1))]!;
      assert.deepEqual(plain(job.payload), plain(given));
      assert.deepEqual(plain(await store.payload(job.seq)), plain(given));
    }
  });

  test("a payload survives every change of its job's state", async (store) => {
    for (
      const [id, payload] of [["small", '"x"'], ["large", new Uint8Array(9_000).fill(3)]] as const
    ) {
      await store.add([newJob({ id, payload })], T0);
      await store.cancel(id, T0);
      await store.requeue(id, T0);
      const [job] = await claimJobs(store);
      assert.deepEqual(plain(job!.payload), plain(payload));
    }
  });
}

/** Drivers may give other kinds of byte arrays; text and bytes are told apart all the same. */
function plain(payload: Payload): string | number[] {
  return typeof payload === "string" ? payload : [...payload];
}
