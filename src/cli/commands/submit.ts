/**
 * `queuectl submit`: uploads files to a running API and waits for the results. Shows progress on a
 * terminal, prints a summary, and writes every event to a log file.
 */
import { basename } from "node:path";
import { resolveSettings } from "../../config/settings.ts";
import { humanDuration } from "../../lib/duration.ts";
import { readProblem } from "../../lib/error_message.ts";
import { newId } from "../../lib/ids.ts";
import { openLogFile } from "../../lib/log.ts";
import { ApiClient, type Progress } from "../api_client.ts";
import type { Invocation } from "../command.ts";
import { durationOption } from "../durations.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { plural } from "../../lib/plural.ts";
import { inParallel } from "../parallel.ts";
import { readToken } from "../token_file.ts";
import { pause } from "../../lib/pause.ts";

const DEFAULT_API = "http://127.0.0.1:8000";
const MOST_UPLOADS = 1_000_000;
/** Requests under way at once. */
const PARALLEL = 16;
/** Jobs asked for in one round of polling. */
const ROUND = 256;
/** Pauses between rounds in which nothing finished. */
const PAUSES_MS = [20, 50, 100, 250, 500, 1_000, 2_000];
/** How long the API may be away, for a restart. */
const PATIENCE_MS = 30_000;

interface Item {
  readonly file: string;
  readonly content: Blob;
  jobId: string | null;
  status: Progress["status"] | "refused" | "waiting";
  characters: number | null;
  error: string | null;
}

export async function run(invocation: Invocation): Promise<number> {
  const { options, io, flags } = invocation;
  const url = parseUrl(options.text("api") ?? DEFAULT_API);
  const count = options.integer("count", { least: 1, most: MOST_UPLOADS }) ?? 1;
  const timeoutMs = durationOption(invocation, "timeout") ?? Infinity;
  const { "token-file": tokenFile } = resolveSettings({ flags, env: io.env, stored: new Map() });
  const token = tokenFile === null ? null : readToken(tokenFile);
  const items = await readFiles(options.texts("file"), count);
  bypassProxy(url);
  const api = new ApiClient({ url, token, patienceMs: PATIENCE_MS });
  using log = openEvents(options.text("log"), io);
  await api.check();

  const startedMs = performance.now();
  const progress = new ProgressLine(io, items, startedMs);
  log.write("started", { api: url, uploads: items.length });
  await inParallel(items, PARALLEL, async (item) => {
    await submit(item, api, log);
    progress.draw();
  });
  const isOver = await poll(items, {
    api,
    log,
    onLook: () => progress.draw(),
    deadlineMs: startedMs + timeoutMs,
  });
  progress.clear();
  const summary = summarize(items, performance.now() - startedMs);
  log.write("finished", summary);
  print(invocation, items, summary);
  if (!isOver) {
    invocation.out.error(
      `not finished after ${humanDuration(timeoutMs)}: ${plural(summary.unfinished, "job")}`,
    );
    return EXIT.timedOut;
  }
  return summary.failed + summary.cancelled > 0 ? EXIT.failed : EXIT.done;
}

async function submit(item: Item, api: ApiClient, log: EventFile): Promise<void> {
  const { file, content } = item;
  const submitted = await api.upload({ id: newId(), name: basename(file), content });
  if ("refusal" in submitted) {
    item.status = "refused";
    item.error = submitted.refusal;
    log.write("refused", { file, error: submitted.refusal });
    return;
  }
  item.jobId = submitted.jobId;
  item.status = "pending";
  log.write("submitted", { job_id: item.jobId, file, bytes: content.size });
}

/** Asks for jobs in turn until all are finished; false when the time was over before that. */
async function poll(
  items: readonly Item[],
  { api, log, onLook, deadlineMs }: {
    api: ApiClient;
    log: EventFile;
    onLook: () => void;
    deadlineMs: number;
  },
): Promise<boolean> {
  let open = items.filter(({ jobId }) => jobId !== null);
  for (let idleRounds = 0; open.length > 0;) {
    const round = open.slice(0, ROUND);
    await inParallel(round, PARALLEL, async (item) => {
      look(item, await api.progress(item.jobId!), log);
      onLook();
    });
    const unfinished = round.filter((item) => !isOver(item));
    open = [...open.slice(ROUND), ...unfinished];
    if (open.length === 0) return true;
    if (performance.now() >= deadlineMs) return false;
    idleRounds = unfinished.length < round.length ? 0 : idleRounds + 1;
    const pauseMs = PAUSES_MS[Math.min(idleRounds, PAUSES_MS.length - 1)]!;
    await pause(Math.min(pauseMs, Math.max(0, deadlineMs - performance.now())));
  }
  return true;
}

function look(item: Item, progress: Progress, log: EventFile): void {
  if (progress.status === item.status) return;
  item.status = progress.status;
  const facts = { job_id: item.jobId, file: item.file };
  if (progress.status === "done") {
    item.characters = progress.characters;
    log.write("done", { ...facts, characters: progress.characters });
  } else if ("error" in progress) {
    item.error = progress.error;
    log.write(progress.status, { ...facts, error: progress.error });
  } else {
    log.write("status", { ...facts, status: progress.status });
  }
}

function isOver({ status }: Item): boolean {
  return !["waiting", "pending", "started", "processing"].includes(status);
}

interface Summary {
  readonly jobs: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly unfinished: number;
  readonly characters: number;
  readonly elapsed_ms: number;
}

function summarize(items: readonly Item[], elapsedMs: number): Summary {
  const count = (...statuses: Item["status"][]) =>
    items.filter(({ status }) => statuses.includes(status)).length;
  return {
    jobs: items.length,
    done: count("done"),
    failed: count("failed", "missing", "refused"),
    cancelled: count("cancelled"),
    unfinished: items.filter((item) => !isOver(item)).length,
    characters: items.reduce((sum, { characters }) => sum + (characters ?? 0), 0),
    elapsed_ms: Math.round(elapsedMs),
  };
}

/** The most failures that are told one by one. */
const FAILURES_SHOWN = 10;

function print({ out }: Invocation, items: readonly Item[], summary: Summary): void {
  const failures = items.filter(({ error }) => error !== null);
  for (const { jobId, file, status, error } of failures.slice(0, FAILURES_SHOWN)) {
    out.error(`${file}: ${status}${jobId === null ? "" : ` (job ${jobId})`}: ${error}`);
  }
  const rest = failures.length - FAILURES_SHOWN;
  if (rest > 0) out.message(`and ${rest} more failed`);
  if (out.isJson) {
    const results = items.map(({ file, jobId, status, characters, error }) => ({
      job_id: jobId,
      file,
      status,
      characters,
      error,
    }));
    return out.json({ ...summary, results });
  }
  const perSecond = summary.done / Math.max(0.001, summary.elapsed_ms / 1_000);
  out.facts([
    ["Job", items.length === 1 ? items[0]!.jobId : null],
    ["Jobs", String(summary.jobs)],
    ["Done", String(summary.done)],
    ["Failed", String(summary.failed)],
    ["Cancelled", summary.cancelled === 0 ? null : String(summary.cancelled)],
    ["Unfinished", summary.unfinished === 0 ? null : String(summary.unfinished)],
    ["Characters", String(summary.characters)],
    ["Elapsed", `${humanDuration(summary.elapsed_ms)} (${perSecond.toFixed(1)} jobs/s)`],
  ]);
}

/** One line on stderr that is drawn over and over; nothing where that is no terminal. */
class ProgressLine {
  readonly #io: CliIo;
  readonly #items: readonly Item[];
  readonly #startedMs: number;
  #drawnMs = -Infinity;

  constructor(io: CliIo, items: readonly Item[], startedMs: number) {
    this.#io = io;
    this.#items = items;
    this.#startedMs = startedMs;
  }

  draw(): void {
    const nowMs = performance.now();
    if (!this.#io.stderr.isTerminal || nowMs - this.#drawnMs < 100) return;
    this.#drawnMs = nowMs;
    const { jobs, done, failed } = summarize(this.#items, nowMs - this.#startedMs);
    const submitted = this.#items.filter(({ status }) => status !== "waiting").length;
    const elapsed = humanDuration(nowMs - this.#startedMs);
    const line = `${submitted}/${jobs} submitted, ${done} done, ${failed} failed, ${elapsed}`;
    this.#io.stderr.write(`\r\x1b[K${line.slice(0, this.#io.stderr.columns - 1)}`);
  }

  clear(): void {
    if (this.#io.stderr.isTerminal) this.#io.stderr.write("\r\x1b[K");
  }
}

interface EventFile extends Disposable {
  write(event: string, fields: object): void;
}

/** Events as JSON lines with their time; nowhere when there is no file. */
function openEvents(path: string | undefined, { clock }: CliIo): EventFile {
  if (path === undefined) return { write: () => {}, [Symbol.dispose]: () => {} };
  let file: ReturnType<typeof openLogFile>;
  try {
    file = openLogFile(path);
  } catch (error) {
    throw new UsageError(`--log: cannot write ${path}: ${(error as Error).message}`);
  }
  return {
    write(event, fields) {
      const time = new Date(clock()).toISOString();
      file.write(`${JSON.stringify({ time, event, ...fields })}\n`);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

async function readFiles(paths: readonly string[], count: number): Promise<Item[]> {
  if (paths.length === 0) throw new UsageError("expected --file PATH, what to upload");
  if (paths.length * count > MOST_UPLOADS) {
    throw new UsageError(`expected at most ${MOST_UPLOADS} uploads, got ${paths.length * count}`);
  }
  const items: Item[] = [];
  for (const file of paths) {
    const content = new Blob([await readFile(file)], { type: "text/plain" });
    for (let number = 0; number < count; number++) {
      items.push({
        file,
        content,
        jobId: null,
        status: "waiting",
        characters: null,
        error: null,
      });
    }
  }
  return items;
}

async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new UsageError(`--file: cannot read ${path}: ${readProblem(error)}`);
  }
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    return (url.origin + url.pathname).replace(/\/+$/, "");
  }
  throw new UsageError(
    `--api: expected a URL such as ${DEFAULT_API}, got ${JSON.stringify(text)}`,
  );
}

/** A proxy cannot reach this machine's loopback. */
function bypassProxy(url: string): void {
  const { hostname } = new URL(url);
  if (hostname !== "localhost" && hostname !== "[::1]" && !hostname.startsWith("127.")) return;
  const others = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy");
  const value = [others, hostname.replace(/^\[|\]$/g, "")].filter(Boolean).join(",");
  Deno.env.set("NO_PROXY", value);
  Deno.env.set("no_proxy", value);
}
