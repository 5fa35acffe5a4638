/** A job from the parts of an upload's form. Owns the form's fields; the rules on them are the job's. */
import type { Problem } from "../job/errors.ts";
import type { Part } from "./multipart.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Fields of a form, each with the value that its text stands for in JSON. */
const FORM_FIELDS: Readonly<Record<string, (text: string) => unknown>> = {
  id: asText,
  queue: asText,
  priority: asNumberIfPossible,
  run_at: asText,
  delay: asNumberIfPossible,
  max_retries: asNumberIfPossible,
  timeout: asNumberIfPossible,
};

/**
 * The form as a job's JSON, and what is wrong with it as a form. Where the file is missing the
 * input has an empty one, so that its other fields can still be checked.
 */
export function readForm(
  parts: readonly Part[],
): { input: Record<string, unknown>; problems: Problem[] } {
  const input: Record<string, unknown> = { kind: "count", payload: new Uint8Array() };
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const { name, bytes } of parts) {
    const pointer = `/${name.slice(0, 80).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (seen.has(name)) {
      problems.push({ detail: `${name.slice(0, 80)}: expected once, got more than one`, pointer });
    } else if (name === "file") {
      input["payload"] = bytes;
    } else if (Object.hasOwn(FORM_FIELDS, name)) {
      input[name] = FORM_FIELDS[name]!(decodeUtf8(bytes, `the field ${name}`));
    } else {
      const known = ["file", ...Object.keys(FORM_FIELDS)].join(", ");
      const detail =
        `there is no form field ${JSON.stringify(name.slice(0, 80))}; the fields are ` +
        known;
      problems.push({ detail, pointer });
    }
    seen.add(name);
  }
  if (!seen.has("file")) {
    problems.push({ detail: "file: missing; expected a part with the upload", pointer: "/file" });
  }
  return { input, problems };
}

function asText(text: string): string {
  return text;
}

/** Text that is no number stays text, which the job's own rules then accept or refuse. */
function asNumberIfPossible(text: string): string | number {
  return /^[+-]?\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : text;
}
