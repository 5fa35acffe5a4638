/** Everything about a job as lines of a page. Pure. */
import { HELD_MS } from "../../job/job.ts";
import { hideSecretHeaders } from "../../lib/outbound/secret_headers.ts";
import { humanDuration } from "../../lib/duration.ts";
import { relativeTime } from "../output.ts";
import type { JobPage } from "./content.ts";
import { fit, type Line, type Span } from "./line.ts";
import { stateSpan } from "./overview.ts";

/** How much of a payload is shown. */
const PAYLOAD_CHARACTERS = 2_000;

export function jobLines(page: JobPage, { columns, nowMs }: { columns: number; nowMs: number }) {
  return [
    ...facts(page, columns, nowMs),
    ...attemptLines(page, nowMs),
    ...fileLines(page),
    ...page.output.flatMap(({ stream, text }) => outputLines(stream, text, columns)),
  ];
}

function facts({ job, ...page }: JobPage, columns: number, nowMs: number): Line[] {
  const at = (atMs: number | null) =>
    atMs === null ? null : `${new Date(atMs).toISOString()} (${relativeTime(atMs, nowMs)})`;
  const isWaiting = job.state === "pending" || job.state === "failed";
  const waitsFor = page.dependencies.map(({ id, condition, isMet }) =>
    `${id} (on ${condition}${isMet ? ", met" : ""})`
  );
  const pairs: [string, Span | null][] = [
    ["Job", job.id],
    ["State", stateSpan(job.state)],
    ["Asked to stop", at(job.cancelRequestedAtMs)],
    ["Error", job.lastError === null ? null : [job.lastError.message, "red"]],
    ["Result", job.result],
    ["Progress", progressText(page.progress)],
    ["Queue", job.key === null ? job.queue : `${job.queue}, key ${job.key}`],
    ["Kind", job.kind],
    [job.kind === "command" ? "Command" : "Payload", payloadText({ job, ...page })],
    ["Priority", String(job.priority)],
    ["Attempts", `${job.attempts} failed of ${job.maxRetries + 1} allowed`],
    ["Worker", job.worker],
    ["Created", at(job.createdAtMs)],
    ["Runs", isWaiting && job.runAtMs !== HELD_MS ? at(job.runAtMs) : null],
    ["Waits for", waitsFor.length === 0 ? null : waitsFor.join("; ")],
    ["Started", at(job.startedAtMs)],
    ["Finished", at(job.finishedAtMs)],
  ];
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.flatMap(([name, value]) => {
    if (value === null) return [];
    const [text, ...styles] = typeof value === "string" ? [value] : value;
    return wrap(text, columns - width - 2).map((part, index): Line => [
      [index === 0 ? name.padEnd(width) : " ".repeat(width), "bold"],
      "  ",
      [part, ...styles],
    ]);
  });
}

function payloadText({ job, payload, work }: Pick<JobPage, "job" | "payload" | "work">) {
  if (job.kind === "command") return work.slice(0, PAYLOAD_CHARACTERS);
  if (typeof payload !== "string") {
    const head = new TextDecoder().decode(payload.subarray(0, PAYLOAD_CHARACTERS));
    return payload.length === 0 ? null : `${payload.byteLength} bytes: ${head}`;
  }
  const shown = job.kind === "http"
    ? JSON.stringify(hideSecretHeaders(JSON.parse(payload)))
    : payload;
  return shown.slice(0, PAYLOAD_CHARACTERS);
}

function progressText(progress: JobPage["progress"]): string | null {
  if (progress === null) return null;
  const percent = `${Math.round(progress.value * 100)}%`;
  return progress.text === null ? percent : `${percent}: ${progress.text}`;
}

function attemptLines({ attempts }: JobPage, nowMs: number): Line[] {
  if (attempts.length === 0) return [];
  return [
    [],
    [["Attempts", "bold"]],
    ...attempts.map((one): Line => {
      const { startedAtMs, finishedAtMs } = one;
      const took = startedAtMs === null
        ? ""
        : humanDuration(Math.max(0, (finishedAtMs ?? nowMs) - startedAtMs));
      const exit = one.signal ?? (one.exitCode === null ? "" : `exit ${one.exitCode}`);
      return [
        `${String(one.attempt).padStart(3)}  `,
        [fit(one.outcome, 9), ...(one.outcome === "failed" ? ["yellow"] as const : [])],
        `  ${fit(one.worker ?? "-", 5)}  ${fit(took, 8, "right")}  ${fit(exit, 8)}  `,
        one.error?.message ?? "",
      ];
    }),
  ];
}

function fileLines({ files }: JobPage): Line[] {
  if (files.length === 0) return [];
  return [
    [],
    [["Files", "bold"]],
    ...files.map(({ role, name, bytes, problem }): Line => [
      `  ${role}  ${name ?? "several files"}, ${bytes} bytes`,
      problem === null ? "" : [`; not kept: ${problem}`, "yellow"],
    ]),
  ];
}

function outputLines(stream: string, text: string, columns: number): Line[] {
  if (text === "") return [];
  const lines = text.replace(/\n$/, "").split("\n");
  return [
    [],
    [[`${stream} of the last attempt`, "bold"]],
    ...lines.flatMap((line) => wrap(expandTabs(line.replace(/\r$/, "")), columns)).map((
      part,
    ): Line => [part]),
  ];
}

/** The text in pieces of so many characters. */
function wrap(text: string, width: number): string[] {
  const most = Math.max(10, width);
  const pieces: string[] = [];
  for (const line of text.split("\n")) {
    for (let start = 0; start === 0 || start < line.length; start += most) {
      pieces.push(line.slice(start, start + most));
    }
  }
  return pieces;
}

function expandTabs(line: string): string {
  let expanded = "";
  for (const part of line.split("\t")) expanded += part + " ".repeat(8 - part.length % 8);
  return expanded.trimEnd();
}
