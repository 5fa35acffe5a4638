/**
 * Clients that behave badly, each kind by itself: a server with few file descriptors must go on
 * answering others, be well again soon after, and take no more memory than it is worth.
 */
import { pause } from "../../../src/lib/pause.ts";
import { apiOf } from "../../helpers/api.ts";
import { eventually } from "../../helpers/eventually.ts";
import { peakMemoryBytes } from "../../helpers/processes.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import {
  addHeldJobs,
  changeEverything,
  followUnread,
  searchEverything,
} from "../abuse/costly_requests.ts";
import { type Experiment, type Figure, none, type ProveContext, worst } from "../experiment.ts";

const DESCRIPTORS = 256;
/** Slow or silent connections at a time: well below what the server may have open. */
const CROWD = 60;
const BODY_BYTES = 1024 ** 3;
const LIMIT_MS = 10_000;
const MIB = 1_048_576;
/** Idle it takes about 100. */
const PEAK_MIB = 400;

interface Abuse {
  readonly name: string;
  /** Goes on until the signal; resolves when every connection of it is closed. */
  run(server: Running, signal: AbortSignal): Promise<void>;
}

const HEAD = "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";

const ABUSES: readonly Abuse[] = [
  {
    name: "slow headers",
    run: ({ port }, signal) => crowd(CROWD, () => drip(port, HEAD, "X-Padding: 1\r\n", signal)),
  },
  {
    name: "slow bodies",
    run: ({ port }, signal) =>
      crowd(CROWD, () => drip(port, `${HEAD}Content-Length: 100000\r\n\r\n`, " ", signal)),
  },
  {
    name: "idle connections",
    run: ({ port }, signal) => crowd(CROWD, () => drip(port, "", "", signal)),
  },
  { name: "a chunked body of 1 GiB", run: ({ port }) => sendHugeBody(port) },
  {
    name: "more connections than descriptors",
    run: ({ port }, signal) => crowd(2 * DESCRIPTORS, () => drip(port, "", "", signal)),
  },
  { name: "followers of events that never read", run: followUnread },
  { name: "searches through everything", run: searchEverything },
  { name: "changes to everything", run: changeEverything },
];

export const abuse: Experiment = {
  name: "abuse",
  about: "slow, silent, huge, costly, far too many requests: others are served, memory is bounded",
  limitMs: ({ pick }) => pick(600_000, 120_000),

  async run({ pick, progress }: ProveContext): Promise<Figure[]> {
    await using sandbox = await Sandbox.create();
    const wrapper = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh"];
    const server = await sandbox.serve(["--workers", "1"], { wrapper });
    const figures: Figure[] = [];
    await addHeldJobs(server, pick(100_000, 10_000));
    for (const one of ABUSES) {
      progress(one.name);
      figures.push(...await suffer(one, server, pick(20_000, 1_000)));
    }
    const peakMib = Math.round(peakMemoryBytes(server.pid) / MIB);
    const { code } = await server.stop();
    return [
      ...figures,
      { what: "most memory ever taken", found: peakMib, unit: "MiB", wanted: { atMost: PEAK_MIB } },
      none("bad end of the server", code === 0 ? [] : [`exit code ${code}`]),
    ];
  },
};

async function suffer({ name, run }: Abuse, server: Running, ms: number): Promise<Figure[]> {
  const stop = new AbortController();
  const running = run(server, stop.signal);
  let duringMs: number;
  try {
    await pause(500); // let them come
    duringMs = await timeUntilServed(server, LIMIT_MS);
    await pause(ms);
  } finally {
    stop.abort();
  }
  const stoppedAtMs = performance.now();
  const afterMs = await timeUntilServed(server, LIMIT_MS);
  await running;
  const closedMs = Math.round(performance.now() - stoppedAtMs);
  return [
    worst(`${name}: others served meanwhile after`, [duringMs], LIMIT_MS),
    worst(`${name}: served afterwards after`, [afterMs], LIMIT_MS),
    { what: `${name}: all its connections closed after`, found: closedMs, unit: "ms" },
  ];
}

/** Until the service is healthy and does a whole job; twice the limit when it never is. */
async function timeUntilServed(server: Running, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  const api = apiOf(server);
  try {
    const id = await eventually(async () => {
      if ((await api.get("/healthz")).status !== 200) return undefined;
      const { status, body } = await api.upload("hello");
      return status === 201 ? body.job_id as string : undefined;
    }, { what: "a job was accepted", timeoutMs: limitMs });
    await eventually(async () => (await api.get(`/jobs/${id}/result`)).status === 200, {
      what: "it was done",
      timeoutMs: limitMs,
    });
    return performance.now() - startedMs;
  } catch {
    return 2 * limitMs;
  }
}

/** So many of them side by side; those that cannot even connect have failed to harm. */
async function crowd(size: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: size }, () => one().catch(() => {})));
}

/** Sends the beginning, then a little more again and again, and reads nothing. */
async function drip(
  port: number,
  beginning: string,
  more: string,
  signal: AbortSignal,
): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const encoder = new TextEncoder();
    await connection.write(encoder.encode(beginning));
    while (!signal.aborted) {
      await pause(200);
      if (more !== "") await connection.write(encoder.encode(more));
    }
  } finally {
    connection.close();
  }
}

/** One request whose body does not say how long it is. It ends when the server has had enough. */
async function sendHugeBody(port: number): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const encoder = new TextEncoder();
    await connection.write(encoder.encode(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`));
    const size = 64 * 1024;
    const chunk = encoder.encode(`${size.toString(16)}\r\n${"x".repeat(size)}\r\n`);
    for (let sent = 0; sent < BODY_BYTES; sent += size) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
    }
  } catch {
    /* closed by the server, as it should be */
  } finally {
    connection.close();
  }
}
