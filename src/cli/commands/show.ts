/** `queuectl show`: everything about a job. */
import { commandText } from "../../job/command_text.ts";
import { HELD_MS, type Job, type OutputStream, type Payload } from "../../job/job.ts";
import { formatDuration, humanDuration } from "../../lib/duration.ts";
import { type AttemptView, joinOutput, type Queue } from "../../queue/queue.ts";
import { describeRetries } from "../../queue/extras_view.ts";
import { describeObstacle, findObstacle, type Obstacle } from "../../queue/obstacle.ts";
import { isHeldBack, jobView } from "../../queue/views.ts";
import { inputOf } from "../../queue/job_files.ts";
import type { Dependency, StoredFile, StoredProgress } from "../../store/store.ts";
import { printArtifacts } from "../artifact_table.ts";
import { hideSecretHeaders } from "../../lib/outbound/secret_headers.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { type Column, oneLine, type Output, sanitize, tail } from "../output.ts";

/** How much of each stream is shown; `logs` prints all of it. */
const OUTPUT_SHOWN = { lines: 20, characters: 4_000 };
const STREAMS = ["stdout", "stderr"] as const;

const ATTEMPT_COLUMNS: readonly Column[] = [
  { title: "#", align: "right" },
  { title: "OUTCOME" },
  { title: "WORKER" },
  { title: "STARTED" },
  { title: "TOOK", align: "right" },
  { title: "EXIT", align: "right" },
  { title: "ERROR" },
];

export function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  return withQueue(invocation, async ({ queue }) => {
    const job = await queue.find(args[0]!);
    const [payload, attempts, dependencies, output, files, progress, obstacle] = await Promise.all([
      queue.payload(job),
      queue.attempts(job),
      queue.dependencies(job),
      queue.output(job),
      queue.files(job),
      queue.progress(job),
      findObstacle(job, queue),
    ]);
    const streams = STREAMS.map((stream) => keptOutput(output, stream));
    if (out.isJson) {
      const fields = streams.flatMap(({ stream, text, isTruncated }) => [
        [stream, text],
        [`${stream}_truncated`, isTruncated],
      ]);
      const view = jobView(job, { payload, attempts, dependencies, files, progress, obstacle });
      out.json({ ...view, output: Object.fromEntries(fields) });
    } else {
      printJob(out, job, { payload, dependencies, progress, obstacle, input: inputOf(files) });
      printAttempts(out, attempts);
      printFiles(out, files);
      for (const kept of streams) printOutput(out, kept, job.id);
    }
    return EXIT.done;
  });
}

function printFiles(out: Output, files: readonly StoredFile[]): void {
  if (!files.some(({ role }) => role === "artifact")) return;
  out.line();
  out.heading("Artifacts");
  printArtifacts(out, files);
}

function printJob(
  out: Output,
  job: Job,
  { payload, dependencies, progress, obstacle, input }: {
    input: StoredFile | undefined;
    payload: Payload;
    dependencies: readonly Dependency[];
    progress: StoredProgress | null;
    obstacle: Obstacle | null;
  },
): void {
  const { key, options } = job;
  const retries = job.maxRetries === 1 ? "1 retry" : `${job.maxRetries} retries`;
  out.facts([
    ["Job", job.id],
    ["State", out.state(job.state)],
    ["Waits because", obstacle === null ? null : describeObstacle(obstacle)],
    ["Progress", progress === null ? null : describeProgress(progress)],
    ["Error", job.lastError === null ? null : oneLine(job.lastError.message, 200)],
    ["Result", job.result === null ? null : oneLine(job.result, 400)],
    ["Queue", job.queue],
    ["Kind", job.kind],
    ...(input === undefined || payload.length > 0 ? describePayload(job, payload) : []),
    ["Input", input === undefined ? null : `${oneLine(input.name!, 200)}, ${input.bytes} bytes`],
    ["Priority", String(job.priority)],
    ["Attempts", `${job.attempts} failed; ${retries} allowed`],
    ["Retries", options?.retry === undefined ? null : describeRetries(options.retry)],
    ["Timeout", job.timeoutMs === null ? null : formatDuration(job.timeoutMs)],
    ["Worker", job.worker],
    ["Created", out.fullTime(job.createdAtMs)],
    ["Run at", isHeldBack(job) ? "when the jobs that it waits for have ended" : runAt(out, job)],
    ["After", dependencies.length === 0 ? null : dependencies.map(describeDependency).join("; ")],
    ["Key", key === null ? null : oneLine(key, 300)],
    ["Unique key", options?.uniqueKey === undefined ? null : oneLine(options.uniqueKey, 300)],
    ["Callback", options?.callbackUrl === undefined ? null : oneLine(options.callbackUrl, 300)],
    ["Started", out.fullTime(job.startedAtMs)],
    ["Finished", out.fullTime(job.finishedAtMs)],
    ["Took", elapsed(job.startedAtMs, job.finishedAtMs)],
    ["Cancel asked", out.fullTime(job.cancelRequestedAtMs)],
  ]);
}

function runAt(out: Output, { runAtMs }: Job): string | null {
  return runAtMs === HELD_MS ? null : out.fullTime(runAtMs);
}

function describeDependency({ id, condition, isMet }: Dependency): string {
  return `${id} (on ${condition}): ${isMet ? "met" : "not met"}`;
}

function describeProgress({ value, text }: StoredProgress): string {
  const percent = `${Math.round(value * 100)}%`;
  return text === null ? percent : `${percent}: ${oneLine(text, 200)}`;
}

function describePayload(job: Job, payload: Payload): [string, string | null][] {
  if (job.kind === "command") {
    const { cwd } = JSON.parse(payload as string) as { cwd: string | null };
    return [
      ["Command", sanitize(commandText(payload) ?? "").replaceAll("\n", "\n  ")],
      ["Directory", cwd === null ? null : sanitize(cwd)],
    ];
  }
  if (typeof payload === "string") {
    const shown = job.kind === "http"
      ? JSON.stringify(hideSecretHeaders(JSON.parse(payload)))
      : payload;
    return [["Payload", oneLine(shown, 400)]];
  }
  const head = new TextDecoder().decode(payload.subarray(0, 400));
  return [["Payload", `${payload.byteLength} bytes: ${oneLine(head, 80)}`]];
}

function printAttempts(out: Output, attempts: readonly AttemptView[]): void {
  if (attempts.length === 0) return;
  out.line();
  out.heading("Attempts");
  out.table(
    ATTEMPT_COLUMNS,
    attempts.map((attempt) => [
      String(attempt.attempt),
      attempt.outcome,
      attempt.worker ?? "-",
      out.time(attempt.startedAtMs),
      elapsed(attempt.startedAtMs, attempt.finishedAtMs) ?? "-",
      attempt.signal ?? attempt.exitCode?.toString() ?? "-",
      oneLine(attempt.error?.message ?? "", 120),
    ]),
  );
}

interface KeptOutput {
  readonly stream: OutputStream;
  readonly text: string;
  readonly bytes: number;
  /** More was printed than was kept. */
  readonly isTruncated: boolean;
}

function keptOutput(
  output: Awaited<ReturnType<Queue["output"]>>,
  stream: OutputStream,
): KeptOutput {
  const bytes = joinOutput(output?.chunks ?? [], stream);
  const printed = output?.attempt[`${stream}Bytes`] ?? 0;
  return {
    stream,
    text: new TextDecoder().decode(bytes),
    bytes: bytes.length,
    isTruncated: printed > bytes.length,
  };
}

function printOutput(out: Output, { stream, text, bytes, isTruncated }: KeptOutput, id: string) {
  const { text: shown, isCut } = tail(text, OUTPUT_SHOWN);
  if (shown === "") return;
  const notes = [
    ...(isTruncated ? [`truncated: only the first ${bytes} bytes were kept`] : []),
    ...(isCut ? [`here its end; all of it: queuectl logs ${id} --stream ${stream}`] : []),
  ];
  out.line();
  out.heading(`${stream} of the last attempt${notes.map((note) => ` (${note})`).join("")}`);
  out.line(sanitize(shown));
}

function elapsed(fromMs: number | null, toMs: number | null): string | null {
  return fromMs === null || toMs === null ? null : humanDuration(Math.max(0, toMs - fromMs));
}
