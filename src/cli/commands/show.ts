/** `queuectl show`: everything about a job. */
import type { Job, Payload } from "../../job/job.ts";
import { formatDuration, humanDuration } from "../../lib/duration.ts";
import { type AttemptView, joinOutput } from "../../queue/queue.ts";
import { jobView } from "../../queue/views.ts";
import type { StoredChunk } from "../../store/store.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { commandText } from "../job_table.ts";
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
    const [payload, attempts, output] = await Promise.all([
      queue.payload(job),
      queue.attempts(job),
      queue.output(job),
    ]);
    const chunks = output?.chunks ?? [];
    if (out.isJson) {
      const text = Object.fromEntries(STREAMS.map((stream) => [stream, textOf(chunks, stream)]));
      out.json({ ...jobView(job, { payload, attempts }), output: text });
    } else {
      printJob(out, job, payload);
      printAttempts(out, attempts);
      printOutput(out, chunks, job.id);
    }
    return EXIT.done;
  });
}

function printJob(out: Output, job: Job, payload: Payload): void {
  const retries = job.maxRetries === 1 ? "1 retry" : `${job.maxRetries} retries`;
  out.facts([
    ["Job", job.id],
    ["State", out.state(job.state)],
    ["Error", job.lastError === null ? null : oneLine(job.lastError.message, 200)],
    ["Result", job.result === null ? null : oneLine(job.result, 400)],
    ["Queue", job.queue],
    ["Kind", job.kind],
    ...describePayload(job, payload),
    ["Priority", String(job.priority)],
    ["Attempts", `${job.attempts} failed; ${retries} allowed`],
    ["Timeout", job.timeoutMs === null ? null : formatDuration(job.timeoutMs)],
    ["Worker", job.worker],
    ["Created", out.fullTime(job.createdAtMs)],
    ["Run at", out.fullTime(job.runAtMs)],
    ["Started", out.fullTime(job.startedAtMs)],
    ["Finished", out.fullTime(job.finishedAtMs)],
    ["Took", elapsed(job.startedAtMs, job.finishedAtMs)],
    ["Cancel asked", out.fullTime(job.cancelRequestedAtMs)],
  ]);
}

function describePayload(job: Job, payload: Payload): [string, string | null][] {
  if (job.kind === "command") {
    const { cwd } = JSON.parse(payload as string) as { cwd: string | null };
    return [
      ["Command", sanitize(commandText(payload) ?? "").replaceAll("\n", "\n  ")],
      ["Directory", cwd === null ? null : sanitize(cwd)],
    ];
  }
  if (typeof payload === "string") return [["Payload", oneLine(payload, 400)]];
  return [["Payload", `${payload.byteLength} bytes`]];
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

function printOutput(out: Output, chunks: readonly StoredChunk[], id: string): void {
  for (const stream of STREAMS) {
    const { text, isCut } = tail(textOf(chunks, stream), OUTPUT_SHOWN);
    if (text === "") continue;
    out.line();
    const more = isCut ? `, its end (all of it: queuectl logs ${id} --stream ${stream})` : "";
    out.heading(`${stream} of the last attempt${more}`);
    out.line(sanitize(text));
  }
}

function textOf(chunks: readonly StoredChunk[], stream: "stdout" | "stderr"): string {
  return new TextDecoder().decode(joinOutput(chunks, stream));
}

function elapsed(fromMs: number | null, toMs: number | null): string | null {
  return fromMs === null || toMs === null ? null : humanDuration(Math.max(0, toMs - fromMs));
}
