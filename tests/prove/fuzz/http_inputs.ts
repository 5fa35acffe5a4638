/** Requests that nobody should send: raw bytes, JSON and multipart bodies, paths and queries. */
import { joinBytes } from "../../../src/lib/bytes.ts";
import { between, oneOf } from "../random.ts";
import { nastyText, nastyValue, randomText, spoil } from "./junk.ts";
import { encode, type RawRequest, request } from "./raw_request.ts";

const JOB_FIELDS = [
  ...["kind", "payload", "command", "id", "queue", "priority", "run_at", "delay", "max_retries"],
  ...["timeout", "nonsense"],
];

const GOOD_FIELDS = {
  ...{ queue: "mail", priority: 5, run_at: "2030-12-01T10:00:00Z", max_retries: 2, timeout: "5s" },
};

/** Spoilt from the start line to the last byte. */
export const bytes: RawRequest = (random, host) => {
  const good = oneOf(random, [
    () => request(host, "GET", "/stats"),
    () =>
      request(host, "POST", "/jobs", {
        type: "application/json",
        body: encode('{"kind":"count","payload":""}'),
      }),
    () => request(host, "DELETE", "/jobs/abc"),
    () => chunked(host, encode('{"kind":"count","payload":"hello"}')),
    () => multipart(random, host),
  ])();
  return spoil(random, good);
};

/** A whole request whose JSON is well or badly formed, and seldom right. */
export const json: RawRequest = (random, host) => {
  const bad = Object.fromEntries(
    JOB_FIELDS.filter(() => random() < 0.1).map((field) => [field, nastyValue(random)]),
  );
  const good = Object.entries(GOOD_FIELDS).filter(() => random() < 0.3);
  const job = { kind: "count", payload: nastyText(random), ...Object.fromEntries(good), ...bad };
  const isBatch = random() < 0.3;
  const value = random() < 0.2 ? nastyValue(random) : isBatch ? [job, job] : job;
  let body = encode(JSON.stringify(value));
  if (random() < 0.4) body = spoil(random, body) as typeof body;
  const type = isBatch && random() < 0.3 ? "application/x-ndjson" : "application/json";
  return request(host, "POST", isBatch ? "/jobs/batch" : "/jobs", { type, body });
};

/** A form with the right head, and parts that are wrong in their own ways. */
export const multipart: RawRequest = (random, host) => {
  const boundary = random() < 0.8 ? "----b" : nastyText(random).replaceAll(/[\r\n\0]/g, "");
  const parts = Array.from({ length: between(random, 0, 4) }, () => {
    const names = ["file", "file", "file", "id", "queue", "priority", nastyText(random)];
    const name = oneOf(random, names);
    const filename = random() < 0.5 ? `; filename="${nastyText(random)}"` : "";
    const type = random() < 0.3 ? `\r\nContent-Type: ${nastyText(random)}` : "";
    return `------b\r\nContent-Disposition: form-data; name="${name}"${filename}${type}\r\n\r\n` +
      `${nastyText(random)}\r\n`;
  });
  let body = encode(`${parts.join("")}${random() < 0.8 ? "------b--\r\n" : ""}`);
  if (random() < 0.3) body = spoil(random, body) as typeof body;
  return request(host, "POST", "/jobs", {
    type: `multipart/form-data; boundary=${boundary}`,
    body,
  });
};

/** Paths and queries. */
export const targets: RawRequest = (random, host) => {
  const text = oneOf(random, [nastyText, randomText])(random);
  const part = random() < 0.5 ? encodeURIComponent(text.toWellFormed()) : text;
  const method = oneOf(random, ["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "BREW"]);
  const name = oneOf(random, ["state", "queue", "kind", "limit", "cursor", "stream", "attempt"]);
  const path = oneOf(random, [
    ...[`/jobs/${part}`, `/jobs/${part}/status`, `/jobs/${part}/result`, `/jobs/${part}/output`],
    ...[
      `/jobs?${name}=${part}`,
      `/jobs/x/output?${name}=${part}`,
      `/${part}`,
      `/jobs/${part}/cancel`,
    ],
  ]);
  return request(host, method, path);
};

function chunked(host: string, body: Uint8Array): Uint8Array {
  const head = `POST /jobs HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n` +
    `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const size = body.length.toString(16);
  return joinBytes([encode(`${head}${size}\r\n`), body, encode("\r\n0\r\n\r\n")]);
}
