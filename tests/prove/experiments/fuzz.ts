/**
 * Nonsense from all sides: bytes, JSON, forms and paths to a running server, to each of its routes and
 * pages, arguments to the command line, values to the settings. Each must get an answer that was meant, and cost no memory.
 */
import { runCli } from "../../../src/cli/run.ts";
import { resolveSettings, SettingError } from "../../../src/config/settings.ts";
import { fakeIo } from "../../cli/fake_io.ts";
import { apiOf } from "../../helpers/api.ts";
import { memoryBytes } from "../../helpers/processes.ts";
import { type Running, Sandbox } from "../../helpers/program.ts";
import { tempStore } from "../../helpers/temp_store.ts";
import { type Experiment, type Figure, none, type ProveContext } from "../experiment.ts";
import { commandLine, settingTexts, stdin } from "../fuzz/cli_inputs.ts";
import { bytes, json, multipart, targets } from "../fuzz/http_inputs.ts";
import type { RawRequest } from "../fuzz/raw_request.ts";
import { routes } from "../fuzz/route_inputs.ts";
import { oneOf } from "../random.ts";

/** Parts of all inputs. */
const SHARES = { http: 0.7, cli: 0.15, settings: 0.15 };

/** Of the requests: to every route and page there is. */
const ROUTES_SHARE = 0.6;

/** Connections at a time. */
const CLIENTS = 16;
/** A server that says nothing for so long waits for the rest of a request, which will not come. */
const SILENCE_MS = 100;
/** Until an answer must be there. */
const ANSWER_MS = 10_000;

/** A heap breathes; what grows with the inputs is more than this after many of them. */
const GROWTH_MIB = 64;
const MIB = 1_048_576;

const EVENT_STREAM = /^HTTP\/1\.1 200[^]*content-type: text\/event-stream/i;

const STACK = /\.ts:\d|\n\s+at \w/;

export const fuzz: Experiment = {
  name: "fuzz",
  about: "nonsense as HTTP bytes, forms, JSON, pages, arguments, settings: no crash, 5xx or leak",
  limitMs: ({ pick }) => pick(30 * 60_000, 120_000),

  async run(context: ProveContext): Promise<Figure[]> {
    const inputs = context.pick(100_000, 5_000);
    return [
      { what: "inputs", found: inputs, wanted: { is: inputs }, note: `seed ${context.seed}` },
      ...await fuzzHttp(context, inputs * SHARES.http),
      ...await fuzzCli(context, inputs * SHARES.cli),
      ...fuzzSettings(context, inputs * SHARES.settings),
    ];
  },
};

async function fuzzHttp(
  { random, progress }: ProveContext,
  inputs: number,
): Promise<Figure[]> {
  await using sandbox = await Sandbox.create();
  const server = await sandbox.serve(["--workers", "1", "--log-format", "json"]);
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  let sent = 0;
  let warmMib = 0;
  const client = async () => {
    while (sent < inputs) {
      if (++sent === Math.floor(inputs / 3)) warmMib = memoryBytes(server.pid) / MIB;
      if (sent % 10_000 === 0) progress(`${sent} requests`);
      const make = random() < ROUTES_SHARE
        ? routes
        : oneOf<RawRequest>(random, [bytes, json, multipart, targets]);
      const request = make(random, `127.0.0.1:${server.port}`);
      const problem = await ask(server.port, request, statuses);
      if (problem !== null) wrong.push(`${problem} to ${JSON.stringify(text(request))}`);
      if (server.isOver || wrong.length > 100) return;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const grownMib = server.isOver ? 0 : memoryBytes(server.pid) / MIB - warmMib;
  const failures = server.log("http.failed").map(({ message }) => String(message));
  const health = await apiOf(server).get("/healthz").then(({ status }) => status, () => 0);
  const { code } = await stop(server);
  return [
    {
      what: "requests",
      found: sent,
      note: [...statuses].sort().map(([status, count]) => `${status}: ${count}`).join(", "),
    },
    none("answers that were not meant", wrong),
    none("errors that the server had not foreseen", failures),
    none("server gone", health === 200 && code === 0 ? [] : [`${health}, exit code ${code}`]),
    {
      what: "server's memory grown over the last two thirds",
      found: Math.round(grownMib),
      unit: "MiB",
      wanted: { atMost: GROWTH_MIB },
    },
  ];
}

async function stop(server: Running): Promise<{ code: number }> {
  return await server.stop();
}

/** Sends the bytes, reads what comes; what was wrong with it, or null. */
async function ask(
  port: number,
  request: Uint8Array,
  statuses: Map<number, number>,
): Promise<string | null> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    return `no connection (${(error as Error).message})`;
  }
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    connection.close();
  }, ANSWER_MS);
  // Not at once: a server may take the end of the sending for the end of the client's interest.
  const silence = setTimeout(() => connection.closeWrite().catch(() => {}), SILENCE_MS);
  try {
    let answer = "";
    try {
      for (let rest = request; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
      for await (const piece of connection.readable) {
        answer += text(piece);
        if (EVENT_STREAM.test(answer)) break; // it would never end
      }
    } catch {
      if (isLate) return "no answer";
      // Reset while we were sending or reading: what came until then counts.
    }
    if (answer === "") return null; // closed: what was sent was no request
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status === 0 || status >= 500) return `status ${status}: ${answer.slice(0, 300)}`;
    if (STACK.test(answer)) return `a stack trace: ${answer.slice(0, 500)}`;
    return null;
  } finally {
    clearTimeout(late);
    clearTimeout(silence);
    try {
      connection.close();
    } catch { /* closed already */ }
  }
}

async function fuzzCli({ random, progress }: ProveContext, inputs: number): Promise<Figure[]> {
  await using temp = await tempStore();
  const wrong: string[] = [];
  const codes = new Map<number, number>();
  let warmMib = 0;
  for (let sent = 0; sent < inputs; sent++) {
    if (sent === Math.floor(inputs / 3)) warmMib = Deno.memoryUsage().rss / MIB;
    if (sent % 5_000 === 4_999) progress(`${sent} command lines`);
    const words = commandLine(random);
    // At this level an error that nobody foresaw shows its stack trace.
    const env = { QUEUECTL_DB: temp.path, QUEUECTL_LOG_LEVEL: "debug" };
    const io = fakeIo({ env, stdin: stdin(random), cwd: temp.dir, nowMs: Date.now() });
    const said = `queuectl ${words.map((word) => JSON.stringify(word.slice(0, 80))).join(" ")}`;
    try {
      const code = await runCli(words, io);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code < 0 || code > 5) wrong.push(`exit code ${code}: ${said}`);
      if (STACK.test(io.printed.stderr)) wrong.push(`${said}: ${io.printed.stderr.slice(0, 400)}`);
    } catch (error) {
      wrong.push(`${said} threw ${(error as Error).stack}`);
    }
  }
  return [
    {
      what: "command lines",
      found: inputs,
      note: [...codes].sort().map(([code, count]) => `exit ${code}: ${count}`).join(", "),
    },
    none("ends that were not meant", wrong),
    {
      what: "memory grown over the last two thirds",
      found: Math.round(Deno.memoryUsage().rss / MIB - warmMib),
      unit: "MiB",
      wanted: { atMost: GROWTH_MIB },
    },
  ];
}

function fuzzSettings({ random }: ProveContext, inputs: number): Figure[] {
  const wrong: string[] = [];
  let refused = 0;
  for (let sent = 0; sent < inputs; sent++) {
    const [flags, env, stored] = [settingTexts(random), settingTexts(random), settingTexts(random)];
    try {
      resolveSettings({
        flags,
        env: (variable) =>
          new Map(
            Object.entries(env).map(([name, value]) => [
              `QUEUECTL_${name.toUpperCase().replaceAll("-", "_")}`,
              value,
            ]),
          ).get(variable),
        stored: new Map(Object.entries(stored)),
      });
    } catch (error) {
      refused++;
      const isMeant = error instanceof SettingError && /expected .+, got/.test(error.message);
      if (!isMeant) wrong.push((error as Error).stack!);
    }
  }
  return [
    { what: "sets of settings", found: inputs, note: `${refused} refused` },
    none("refusals that were not meant", wrong),
  ];
}

function text(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
