/** A job from the parts of an upload's form. Owns the form's fields; the rules on them are the job's. */
import type { Problem } from "../job/errors.ts";
import { parseJsonBytes } from "./json_text.ts";
import type { PartHeader } from "./multipart_frame.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A part that is a field: its content is in memory. */
export interface FieldPart extends Pick<PartHeader, "name"> {
  readonly bytes: Uint8Array;
}

/** Turns a field's content into the value that it stands for in JSON. */
type FieldReader = (bytes: Uint8Array, name: string) => unknown;

/** Fields of a form, by the names that they have in JSON. */
const FORM_FIELDS: Readonly<Record<string, FieldReader>> = {
  id: asText,
  queue: asText,
  kind: asText,
  payload: asJson,
  command: asText,
  cwd: asText,
  priority: asNumberIfPossible,
  run_at: asText,
  delay: asNumberIfPossible,
  max_retries: asNumberIfPossible,
  timeout: asNumberIfPossible,
  key: asText,
  unique_key: asText,
  on_conflict: asText,
  after: asText,
  after_on: asText,
  callback_url: asText,
  backoff: asJsonIfPossible,
  jitter: asNumberIfPossible,
  retry_on: asText,
  max_age: asNumberIfPossible,
};

/** The part that is the upload. */
export const FILE_FIELD = "file";

/** What the file is for where the form does not say. */
const DEFAULT_KIND = "count";

export interface Form {
  /** The job's JSON, without the upload. */
  readonly input: Record<string, unknown>;
  /** What is wrong with it as a form. */
  readonly problems: readonly Problem[];
}

/**
 * The form as a job's JSON.
 *
 * @throws {MalformedInputError} for fields that are not UTF-8, and for a payload that is no JSON.
 */
export function readForm(parts: readonly FieldPart[]): Form {
  const input: Record<string, unknown> = {};
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const { name, bytes } of parts) {
    const pointer = `/${name.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (seen.has(name)) {
      problems.push({ detail: `${name.slice(0, 80)}: expected once, got more than one`, pointer });
    } else if (Object.hasOwn(FORM_FIELDS, name)) {
      input[name] = FORM_FIELDS[name]!(bytes, name);
    } else if (name !== FILE_FIELD) {
      const known = [FILE_FIELD, ...Object.keys(FORM_FIELDS)].join(", ");
      const detail =
        `there is no form field ${JSON.stringify(name.slice(0, 80))}; the fields are ` +
        known;
      problems.push({ detail, pointer });
    }
    seen.add(name);
  }
  if (!seen.has(FILE_FIELD)) {
    problems.push({ detail: "file: missing; expected a part with the upload", pointer: "/file" });
  }
  if (!("kind" in input) && !("command" in input)) input["kind"] = DEFAULT_KIND;
  return { input, problems };
}

/** Whether the upload is the text to count, and nothing else is said. */
export function isPlainCount({ input }: Form): boolean {
  return input["kind"] === DEFAULT_KIND && !("payload" in input) && !("command" in input);
}

/** A name for the upload that is safe as the name of a file. */
export function fileNameOf(filename: string | null): string {
  const base = (filename ?? "").split(/[/\\]/).at(-1)!
    // deno-lint-ignore no-control-regex -- what must not be in the name of a file
    .replace(/[\u0000-\u001f\u007f]/g, "_").trim();
  const name = shorten(base, 200);
  return name === "" || name === "." || name === ".." ? "input" : name;
}

/** The declared content type, where it is one. */
export function keptMediaType(declared: string | null): string | null {
  return declared !== null && /^[\w.+-]{1,60}\/[\w.+-]{1,60}(;[\x20-\x7e]{0,80})?$/.test(declared)
    ? declared
    : null;
}

/** At most so many bytes of it; the end, which tells what is in the file, stays. */
function shorten(name: string, mostBytes: number): string {
  let short = name;
  while (new TextEncoder().encode(short).length > mostBytes) short = [...short].slice(1).join("");
  return short;
}

function asText(bytes: Uint8Array, name: string): string {
  return decodeUtf8(bytes, `the field ${name}`);
}

function asJson(bytes: Uint8Array, name: string): unknown {
  return parseJsonBytes(bytes, `the field ${name}`);
}

/** Objects and lists are written as JSON, words as they are. */
function asJsonIfPossible(bytes: Uint8Array, name: string): unknown {
  return /^\s*[[{]/.test(asText(bytes, name)) ? asJson(bytes, name) : asText(bytes, name);
}

/** Text that is no number stays text, which the job's own rules then accept or refuse. */
function asNumberIfPossible(bytes: Uint8Array, name: string): string | number {
  const text = asText(bytes, name);
  return /^[+-]?\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : text;
}
