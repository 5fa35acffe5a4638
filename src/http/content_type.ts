/** What a body is said to be, and bodies that have to be JSON. Knows no route. */
import type { Call } from "./context.ts";
import { parseJsonBytes } from "./json_text.ts";
import { RequestError } from "./problem.ts";

const JSON_TYPE = "application/json";

/** The type and subtype, lower-case, without parameters; empty where nothing is said. */
export function mediaTypeOf({ headers }: Request): string {
  const contentType = headers.get("content-type") ?? "";
  const end = contentType.indexOf(";");
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** The answer to another type than the expected ones: `a or b`. */
export function unsupportedType(
  { headers }: Request,
  expected: string,
  accept = expected.replace(" or ", ", "),
): RequestError {
  const found = headers.get("content-type") ?? "";
  const got = found === "" ? "none" : JSON.stringify(found.slice(0, 80));
  return new RequestError(
    "unsupported-media-type",
    `expected the content type ${expected}, got ${got}`,
    { accept },
  );
}

/**
 * The body as JSON.
 *
 * @param options.also another type that is JSON too.
 * @throws {RequestError} for other types and for too large a body; {@link MalformedInputError}.
 */
export async function readJson(
  { request, services: { bodies } }: Call,
  { limitBytes, also }: { readonly limitBytes: number; readonly also?: string },
): Promise<unknown> {
  const type = mediaTypeOf(request);
  if (type !== JSON_TYPE && (also === undefined || type !== also)) {
    const accept = also === undefined ? JSON_TYPE : `${JSON_TYPE}, ${also}`;
    throw unsupportedType(request, JSON_TYPE, accept);
  }
  return parseJsonBytes(await bodies.read(request, limitBytes), "the body");
}
