/** What browsers send with forms: names and values, each name possibly several times. */
import { MalformedInputError } from "../job/errors.ts";
import type { PageCall } from "../lib/pages.ts";

/** Forms with a job's payload are the largest. */
const FRAME_BYTES = 64 * 1024;

/**
 * The fields of a form that was sent without files.
 *
 * @throws {MalformedInputError} when it is something else.
 */
export async function readForm(call: PageCall, limitBytes = FRAME_BYTES): Promise<URLSearchParams> {
  const type = call.request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) {
    throw new MalformedInputError(
      "expected the fields of a form (application/x-www-form-urlencoded)",
    );
  }
  // An encoded character takes up to three times its bytes.
  const bytes = await call.body(3 * limitBytes);
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

/** The value of a field without blanks around it; undefined when it is missing or empty. */
export function fieldOf(form: URLSearchParams, name: string): string | undefined {
  const value = form.get(name)?.trim();
  return value === undefined || value === "" ? undefined : value;
}

/** A path of these pages that a form names, so that nobody can send people elsewhere by it. */
export function pathOf(form: URLSearchParams, name: string, fallback = "/ui"): string {
  const value = form.get(name) ?? "";
  return /^\/ui(?:[/?][\x21-\x5b\x5d-\x7e]*)?$/.test(value) ? value : fallback;
}
