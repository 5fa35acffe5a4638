/** What the API says to bad input: the second table of the contract, row by row. */
import assert from "node:assert/strict";
import { assertProblem, httpBench, rawCall } from "../helpers/http.ts";

const POST = { method: "POST" };

Deno.test("an id that no job has, and one that no job can have, is 404", async () => {
  await using bench = await httpBench();
  const ids = [
    "0".repeat(32),
    "no-such",
    "a".repeat(65),
    "a%20b",
    "a%2Fb",
    "%00",
    "%zz",
    "%ff",
    "é",
  ];
  for (const id of ids) {
    for (const tail of ["", "/status", "/result", "/output"]) {
      assertProblem(await bench.call(`/jobs/${id}${tail}`), 404);
    }
    for (const verb of ["cancel", "requeue"]) {
      assertProblem(await bench.call(`/jobs/${id}/${verb}`, POST), 404);
    }
    assertProblem(await bench.call(`/jobs/${id}`, { method: "DELETE" }), 404);
  }
});

Deno.test("a path that does not exist is 404", async () => {
  await using bench = await httpBench();
  for (const path of ["/", "/job", "/jobs/", "/jobs/a/", "/jobs/a/b", "/jobs//status", "//jobs"]) {
    assertProblem(await bench.call(path), 404);
  }
});

Deno.test("odd request targets are 404, not an error of the server", async () => {
  await using bench = await httpBench();
  const { port } = bench.server;
  for (const path of ["/jobs/%00", "/%", "/jobs/%e2%28", "/../jobs/../x", "/jobs;x=1", "/\\jobs"]) {
    const answer = await rawCall(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    assertProblem(answer, 404);
  }
});

const WRONG_METHODS: [method: string, path: string, allow: string][] = [
  ["PUT", "/jobs", "GET, HEAD, POST"],
  ["DELETE", "/jobs", "GET, HEAD, POST"],
  ["PATCH", "/jobs/a", "DELETE, GET, HEAD"],
  ["POST", "/jobs/a", "DELETE, GET, HEAD"],
  ["PUT", "/jobs/batch", "DELETE, GET, HEAD, POST"],
  ["POST", "/jobs/a/status", "GET, HEAD"],
  ["DELETE", "/jobs/a/result", "GET, HEAD"],
  ["POST", "/jobs/a/output", "GET, HEAD"],
  ["GET", "/jobs/a/cancel", "POST"],
  ["HEAD", "/jobs/a/requeue", "POST"],
  ["POST", "/stats", "GET, HEAD"],
  ["POST", "/queues", "GET, HEAD"],
  ["POST", "/workers", "GET, HEAD"],
  ["POST", "/healthz", "GET, HEAD"],
  ["POST", "/readyz", "GET, HEAD"],
  ["OPTIONS", "/jobs", "GET, HEAD, POST"],
];

for (const [method, path, allow] of WRONG_METHODS) {
  Deno.test(`${method} ${path} is 405 and allows ${allow}`, async () => {
    await using bench = await httpBench();
    const answer = await bench.call(path, { method });
    assert.equal(answer.headers.get("allow"), allow);
    if (method === "HEAD") assert.equal(answer.status, 405);
    else assertProblem(answer, 405);
  });
}

Deno.test("a job may be named like a path: batch", async () => {
  await using bench = await httpBench();
  await bench.addCount("x", { id: "batch" });
  assert.equal((await bench.call("/jobs/batch")).body.id, "batch");
  assert.equal((await bench.call("/jobs/batch/status")).status, 200);
  assert.equal((await bench.call("/jobs/batch", { method: "DELETE" })).status, 200);
});

Deno.test("a content type that is not understood is 415, and so is none", async () => {
  await using bench = await httpBench();
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonx",
    "constructor",
  ];
  for (const type of [...types, ""]) {
    for (const path of ["/jobs", "/jobs/batch"]) {
      const init = { ...POST, body: new Uint8Array([123, 125]), headers: { "content-type": type } };
      assertProblem(await bench.call(path, type === "" ? { ...init, headers: {} } : init), 415);
    }
  }
  assertProblem(await bench.call("/jobs", POST), 415);
  const lines = { ...POST, body: "{}", headers: { "content-type": "application/x-ndjson" } };
  assertProblem(await bench.call("/jobs", lines), 415);
});

const BAD_JSON: [body: string | Uint8Array, says: RegExp][] = [
  ["", /line 1, column 1, found the end/],
  ["{", /line 1, column 2, found the end/],
  ['{"kind":"count",\n "payload": nope}', /expected a value at line 2, column 13, found "n"/],
  ['{"kind":"count" "payload":1}', /line 1, column 17/],
  ['{"kind":"count",}', /line 1, column 17, found "}"/],
  ["{kind:1}", /a name in quotes.*line 1, column 2/],
  ['{"a":1}{', /nothing more.*line 1, column 8/],
  ['{"a":"\t"}', /control character.*column 7/],
  ['{"a":"\\x"}', /escape.*column 7/],
  ["[1,2", /column 5, found the end/],
  [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), /byte 2 \(0xff\)/],
];

for (const [body, says] of BAD_JSON) {
  Deno.test(`malformed JSON ${JSON.stringify(body)} is 400, saying where`, async () => {
    await using bench = await httpBench();
    const headers = { "content-type": "application/json" };
    const init = { ...POST, body: body as BodyInit, headers };
    assertProblem(await bench.call("/jobs", init), 400, says);
    assertProblem(await bench.call("/jobs/batch", init), 400, says);
  });
}

Deno.test("JSON nested deeper than any stack is refused, not an error of the server", async () => {
  await using bench = await httpBench();
  const depth = 200_000;
  for (const end of ["", "]".repeat(depth)]) {
    const body = `{"kind":"count","payload":${"[".repeat(depth)}${end}}`;
    const headers = { "content-type": "application/json" };
    const answer = await bench.call("/jobs", { ...POST, body, headers });
    assertProblem(answer, end === "" ? 400 : 422);
  }
});

const FORM_TYPE = "multipart/form-data; boundary=XX";
const FILE_PART = 'Content-Disposition: form-data; name="file"; filename="a.txt"';

const BAD_FORMS: [what: string, type: string, body: string, says: RegExp][] = [
  ["without a boundary", "multipart/form-data", "--XX--\r\n", /names no boundary/],
  ["with a boundary that is too long", `multipart/form-data; boundary=${"x".repeat(71)}`, "", /70/],
  ["that is empty", FORM_TYPE, "", /"--XX" does not occur \(byte 0\)/],
  ["with another boundary", FORM_TYPE, "--YY\r\n\r\n\r\n--YY--\r\n", /does not occur/],
  ["cut off in a header", FORM_TYPE, `--XX\r\n${FILE_PART}\r\n`, /header of a part/],
  ["cut off in a part", FORM_TYPE, `--XX\r\n${FILE_PART}\r\n\r\nhalf`, /"file" does not end/],
  [
    "cut off in the last delimiter",
    FORM_TYPE,
    `--XX\r\n${FILE_PART}\r\n\r\nwhole\r\n--XX-`,
    /does not end/,
  ],
  ["with a part without a name", FORM_TYPE, "--XX\r\nA: b\r\n\r\nx\r\n--XX--\r\n", /Disposition/],
  ["with a broken header", FORM_TYPE, "--XX\r\nrubbish\r\n\r\nx\r\n--XX--\r\n", /no header line/],
  [
    "with base64 in it",
    FORM_TYPE,
    `--XX\r\n${FILE_PART}\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--XX--\r\n`,
    /base64/,
  ],
  [
    "with a part's header that is too long",
    FORM_TYPE,
    `--XX\r\n${FILE_PART}\r\nX-A: ${"a".repeat(9_000)}\r\n\r\nx\r\n--XX--\r\n`,
    /longer than 8192 bytes/,
  ],
  [
    "with too many parts",
    FORM_TYPE,
    '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'.repeat(65) + "--XX--\r\n",
    /more than 64 parts/,
  ],
];

for (const [what, type, body, says] of BAD_FORMS) {
  Deno.test(`multipart ${what} is 400, saying where, and stores nothing`, async () => {
    await using bench = await httpBench();
    const answer = await bench.call("/jobs", { ...POST, body, headers: { "content-type": type } });
    assertProblem(answer, 400, says);
    assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
  });
}

const NOT_UTF8: [bytes: number[], offset: number][] = [
  [[0xff], 0],
  [[0x61, 0x62, 0xc3], 2],
  [[0x61, 0xc3, 0x28], 1],
  [[0xe2, 0x82, 0xac, 0xed, 0xa0, 0x80], 3],
  [[0xc0, 0x80], 0],
  [[0xf4, 0x90, 0x80, 0x80], 0],
  [[...new TextEncoder().encode("é".repeat(500)), 0x80], 1_000],
];

for (const [bytes, offset] of NOT_UTF8) {
  Deno.test(`an upload that is not UTF-8 at byte ${offset} of ${bytes.length} is 400`, async () => {
    await using bench = await httpBench();
    const answer = await bench.upload({ file: Uint8Array.from(bytes) });
    assertProblem(answer, 400, new RegExp(`not UTF-8 text: byte ${offset} `));
    assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
  });
}

/** The pointers of a 422, and a check that nothing was stored. */
async function pointersOf(
  send: (bench: Awaited<ReturnType<typeof httpBench>>) => Promise<unknown>,
): Promise<string[]> {
  await using bench = await httpBench();
  const answer = await send(bench) as Parameters<typeof assertProblem>[0];
  const { errors } = assertProblem(answer, 422);
  for (const error of errors) assert.equal(typeof error.detail, "string");
  assert.equal((await bench.call("/jobs")).body.jobs.length, 0);
  return errors.map((error: { pointer: string }) => error.pointer).sort();
}

Deno.test("an upload without the part file is 422 and names /file", async () => {
  assert.deepEqual(await pointersOf((bench) => bench.upload({ id: "a" })), ["/file"]);
});

Deno.test("a form with several mistakes is 422 and names every one", async () => {
  const pointers = await pointersOf((bench) =>
    bench.upload({
      id: "not an id",
      priority: "high",
      max_retries: "-1",
      delay: "soon",
      run_at: "2030-01-01T00:00:00Z",
      timeout: "0s",
      colour: "red",
      payload: "1",
    })
  );
  assert.deepEqual(pointers, [
    "/colour",
    "/delay",
    "/delay",
    "/file",
    "/id",
    "/max_retries",
    "/payload",
    "/priority",
    "/timeout",
  ]);
});

Deno.test("a form field given twice is 422", async () => {
  const pointers = await pointersOf((bench) => {
    const form = new FormData();
    for (const text of ["a", "b"]) form.append("file", new Blob([text]), "a.txt");
    for (const text of ["1", "2"]) form.append("priority", text);
    return bench.call("/jobs", { ...POST, body: form });
  });
  assert.deepEqual(pointers, ["/file", "/priority"]);
});

const BAD_JOBS: [job: unknown, pointers: string[]][] = [
  [[], [""]],
  [null, [""]],
  ["x", [""]],
  [{}, ["/kind"]],
  [{ kind: "count" }, ["/payload"]],
  [{ kind: "count", payload: 5 }, ["/payload"]],
  [{ kind: "nope", payload: "x" }, ["/kind"]],
  [{ kind: "count", payload: "x", id: "" }, ["/id"]],
  [{ kind: "count", payload: "x", id: "a b" }, ["/id"]],
  [{ kind: "count", payload: "x", id: "a".repeat(65) }, ["/id"]],
  [{ kind: "count", payload: "x", "a/b~c": 1, colour: "red" }, ["/a~1b~0c", "/colour"]],
  [{ kind: "count", payload: "x", priority: "1", queue: "", max_retries: 1.5 }, [
    "/max_retries",
    "/priority",
    "/queue",
  ]],
  [{ kind: "count", payload: "x", priority: 1_000_001, max_retries: 1_001, timeout: 0 }, [
    "/max_retries",
    "/priority",
    "/timeout",
  ]],
  [{ kind: "count", payload: "x", run_at: "tomorrow", delay: -1 }, ["/delay", "/delay", "/run_at"]],
];

for (const [job, pointers] of BAD_JOBS) {
  const shown = JSON.stringify(job).slice(0, 70);
  Deno.test(`the job ${shown} is 422 at ${pointers.join(" ") || "the whole"}`, async () => {
    assert.deepEqual(await pointersOf((bench) => bench.post("/jobs", job)), pointers);
  });
}

Deno.test("__proto__ as a field of a job is an unknown field like any other", async () => {
  const pointers = await pointersOf((bench) => {
    const body = '{"kind":"count","payload":"x","__proto__":{"priority":5}}';
    return bench.call("/jobs", { ...POST, body, headers: { "content-type": "application/json" } });
  });
  assert.deepEqual(pointers, ["/__proto__"]);
});

Deno.test("an id that is in use is 409, from an upload and from JSON, and changes nothing", async () => {
  await using bench = await httpBench();
  await bench.addCount("first", { id: "taken" });
  assertProblem(await bench.upload({ file: "second", id: "taken" }), 409, /"taken"/);
  const again = { kind: "count", payload: "third", id: "taken" };
  assertProblem(await bench.post("/jobs", again), 409, /"taken"/);
  assert.equal((await bench.call("/jobs/taken")).body.payload, "first");
});
