/**
 * The protocol between queuectl and a handler program: JSON lines, described for its users in
 * PROTOCOL.md. Owns the shapes of the lines and the check of what a program says; knows no process.
 *
 * Invariant: a line that is not of the protocol is told from every line that is; nothing a program
 * prints can throw.
 */
import { LIMITS } from "../job/job.ts";
import { describe, expectedDuration } from "../job/parse_values.ts";
import { parseDuration } from "../lib/duration.ts";

/** Rises when a program that follows the description would no longer work. */
export const PROTOCOL = 1;

/** Why a handler is told to stop. */
export type StopReason = "timeout" | "cancel" | "shutdown" | "lease-lost";

/** What a program is told. */
export type Told =
  | JobLine
  /** The attempt is to end now; what does not is killed. */
  | { readonly type: "abort"; readonly id: string; readonly reason: StopReason }
  /** The answers to an `enqueue` that carried a `ref`. */
  | { readonly type: "enqueued"; readonly ref: string; readonly id: string }
  | {
    readonly type: "refused";
    readonly ref: string;
    readonly errors: readonly { readonly detail: string; readonly pointer: string }[];
  };

/** One attempt to run. */
export interface JobLine {
  readonly type: "job";
  readonly protocol: typeof PROTOCOL;
  readonly id: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly max_retries: number;
  readonly queue: string;
  readonly kind: string;
  readonly payload: unknown;
  /** The file with the uploaded input; null: none was uploaded. */
  readonly input: string | null;
  /** Files left in this directory become the job's artifacts; null: they are not kept. */
  readonly output_dir: string | null;
  /** ISO 8601: when the attempt's timeout is over; null: it has none. */
  readonly deadline: string | null;
  /** The W3C trace context of the attempt; missing where attempts are not traced. */
  readonly traceparent?: string;
}

/** The ways to end an attempt. */
export type Answer =
  | { readonly type: "result"; readonly result: unknown }
  | { readonly type: "error"; readonly message: string; readonly retryAfterMs?: number }
  | { readonly type: "cancel"; readonly message: string | null }
  | { readonly type: "snooze"; readonly delayMs: number };

/** What a program says. */
export type Said =
  /** First, before any job, if at all. */
  | { readonly type: "ready"; readonly kinds: readonly string[]; readonly files: readonly string[] }
  /** Instead of `ready`: it can run nothing. */
  | { readonly type: "unusable"; readonly message: string }
  | { readonly type: "log"; readonly stream: "stdout" | "stderr"; readonly text: string }
  | { readonly type: "progress"; readonly value: number; readonly text: string | null }
  | { readonly type: "enqueue"; readonly job: unknown; readonly ref: string | null }
  | { readonly type: "artifact"; readonly path: string; readonly name: string }
  | Answer;

/** A line with the job it names, if it names one. */
export type Heard =
  | { readonly said: Said; readonly id: string | null }
  | { readonly problem: string };

/** How much of a line that makes no sense is shown. */
const SHOWN_CHARACTERS = 120;

/** The longest text beside a progress bar. */
const PROGRESS_TEXT_LENGTH = 1_000;

/** What is kept of what a handler says went wrong. */
const MESSAGE_LENGTH = 10_000;

type Fields = Readonly<Record<string, unknown>>;
type Read = { readonly said: Said } | { readonly problem: string };

/** Every type of line that a program may say. To add one, add a row. */
const READERS: Readonly<Record<string, (fields: Fields) => Read>> = {
  ready({ protocol, kinds = [], files = [] }) {
    if (protocol !== PROTOCOL) {
      return problem(`protocol: expected ${PROTOCOL}, got ${describe(protocol)}`);
    }
    if (!isTexts(kinds)) return problem(`kinds: expected an array of names`);
    if (!isTexts(files)) return problem(`files: expected an array of paths`);
    return { said: { type: "ready", kinds, files } };
  },
  unusable({ message }) {
    return { said: { type: "unusable", message: messageOf(message) ?? "it does not say why" } };
  },
  log({ text, stream = "stdout" }) {
    if (typeof text !== "string") return problem(expectedText("text", text));
    if (stream === "stdout" || stream === "stderr") return { said: { type: "log", stream, text } };
    return problem(`stream: expected "stdout" or "stderr", got ${describe(stream)}`);
  },
  progress({ value, text = null }) {
    const found = problemOfProgress(value, text);
    if (found !== null) return problem(found);
    return { said: { type: "progress", value: value as number, text: text as string | null } };
  },
  enqueue({ job, ref = null }) {
    if (ref === null || typeof ref === "string") return { said: { type: "enqueue", job, ref } };
    return problem(expectedText("ref", ref));
  },
  artifact({ path, name }) {
    if (typeof path !== "string" || path === "") return problem(expectedText("path", path));
    const own = name ?? path.slice(path.lastIndexOf("/") + 1);
    const found = problemOfName(own);
    if (found !== null) return problem(found);
    return { said: { type: "artifact", path, name: own as string } };
  },
  result({ result = null }) {
    return { said: { type: "result", result } };
  },
  error({ message, retry_after }) {
    if (typeof message !== "string") return problem(expectedText("message", message));
    const said = { type: "error", message: messageOf(message)! } as const;
    if (retry_after === undefined || retry_after === null) return { said };
    const retryAfterMs = delayMsOf(retry_after);
    if (retryAfterMs === null) return problem(expectedDelay("retry_after", retry_after));
    return { said: { ...said, retryAfterMs } };
  },
  cancel({ message }) {
    return { said: { type: "cancel", message: messageOf(message) } };
  },
  snooze({ delay }) {
    const delayMs = delayMsOf(delay);
    if (delayMs === null) return problem(expectedDelay("delay", delay));
    return { said: { type: "snooze", delayMs } };
  },
};

/** Reads a line of a program. */
export function hear(line: string): Heard {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: `printed a line that is not JSON: ${shown(line)}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problem: `printed ${shown(line)}; expected a JSON object with a "type"` };
  }
  const fields = value as Fields;
  const { type, id = null } = fields;
  const read = typeof type === "string" && Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (read === undefined) {
    const types = Object.keys(READERS).join(", ");
    return { problem: `printed a line of the type ${describe(type)}; expected one of ${types}` };
  }
  if (id !== null && typeof id !== "string") {
    return { problem: `printed a "${type}" whose ${expectedText("id", id)}` };
  }
  const heard = read(fields);
  if ("problem" in heard) return { problem: `printed a "${type}" whose ${heard.problem}` };
  return { said: heard.said, id };
}

/** Whether it ends the attempt. */
export function isAnswer(said: Said): said is Answer {
  return ["result", "error", "cancel", "snooze"].includes(said.type);
}

/** What is wrong with a report of progress; null: nothing. */
export function problemOfProgress(value: unknown, text: unknown): string | null {
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) {
    return `value: expected a number from 0 to 1, got ${describe(value)}`;
  }
  if (text === null) return null;
  if (typeof text !== "string") return expectedText("text", text);
  if (text.length <= PROGRESS_TEXT_LENGTH) return null;
  return `text: expected at most ${PROGRESS_TEXT_LENGTH} characters, got ${text.length}`;
}

/** What is wrong with the name of an artifact; null: nothing. */
export function problemOfName(name: unknown): string | null {
  const isName = typeof name === "string" && name !== "" && name !== "." && name !== ".." &&
    // deno-lint-ignore no-control-regex -- they are what is refused
    name.length <= 255 && !/[\x00-\x1f\x7f/\\]/.test(name);
  if (isName) return null;
  return `name: expected a file name of at most 255 characters without / and \\, got ` +
    describe(name);
}

/** A delay in milliseconds, from a duration as people write it or a number of seconds. */
export function delayMsOf(value: unknown): number | null {
  const ms = typeof value === "string"
    ? parseDuration(value)
    : typeof value === "number"
    ? Math.round(value * 1_000)
    : null;
  return ms !== null && ms >= 0 && ms <= LIMITS.delayMs ? ms : null;
}

export function expectedDelay(name: string, value: unknown): string {
  return `${name}: ${expectedDuration(value)}`;
}

/** The beginning of what was printed, so that people recognize it. */
export function shown(line: string): string {
  const text = line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}...` : line;
  return JSON.stringify(text);
}

function problem(text: string): { problem: string } {
  return { problem: text };
}

function expectedText(name: string, value: unknown): string {
  return `${name}: expected a text, got ${describe(value)}`;
}

function messageOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value.slice(0, MESSAGE_LENGTH) : null;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
