/** Adding jobs: one as an upload or as JSON, or many at once. */
import { ForbiddenError, InvalidInputError, TooLargeError } from "../../job/errors.ts";
import type { Added } from "../../queue/queue.ts";
import type { Call } from "../context.ts";
import { allows } from "../../job/scope.ts";
import { missingScope } from "../auth.ts";
import { JSON_HEADERS, SECURITY_HEADERS } from "../headers.ts";
import { BATCH_READERS, nameLines } from "../job_batch.ts";
import { readForm } from "../job_form.ts";
import { parseJsonBytes } from "../json_text.ts";
import { parseMultipart } from "../multipart.ts";
import { RequestError } from "../problem.ts";
import { assertUtf8 } from "../utf8.ts";

/** What the frame of a multipart body and its other fields may take, besides the upload. */
const FRAME_BYTES = 64 * 1024;

/** How many times larger than a single upload a batch may be. */
export const BATCH_FACTOR = 16;

/** 201 with the job's id, once it is durable. */
export function postJob(call: Call): Promise<Response> {
  const contentType = call.request.headers.get("content-type") ?? "";
  switch (mediaType(contentType)) {
    case "multipart/form-data":
      return postUpload(call, contentType);
    case "application/json":
      return postJson(call);
    default:
      throw unsupported(contentType, "multipart/form-data or application/json");
  }
}

/** 201 with the ids: all jobs, or none. */
export async function postBatch(call: Call): Promise<Response> {
  const { request, services: { bodies, queue, settings } } = call;
  const contentType = request.headers.get("content-type") ?? "";
  const read = BATCH_READERS.get(mediaType(contentType));
  if (read === undefined) {
    throw unsupported(contentType, "application/json or application/x-ndjson");
  }
  const bytes = await bodies.read(request, settings["upload-limit"] * BATCH_FACTOR);
  const { inputs, lines } = read(bytes);
  inputs.forEach((input) => checkCommand(input, call));
  try {
    const ids = await queue.addAll(inputs);
    return new Response(JSON.stringify({ job_ids: ids }), { status: 201, headers: JSON_HEADERS });
  } catch (error) {
    throw error instanceof InvalidInputError && lines !== null ? nameLines(error, lines) : error;
  }
}

async function postJson(call: Call) {
  const { request, services: { bodies, queue, settings } } = call;
  const bytes = await bodies.read(request, settings["upload-limit"]);
  const input = parseJsonBytes(bytes, "the body");
  checkCommand(input, call);
  return created(await queue.add(input));
}

async function postUpload(
  { request, services: { bodies, queue, settings } }: Call,
  contentType: string,
) {
  const limitBytes = settings["upload-limit"];
  const body = await bodies.read(request, limitBytes + FRAME_BYTES);
  const { input, problems } = readForm(parseMultipart(body, contentType));
  if (problems.length > 0) throw new InvalidInputError([...problems, ...queue.check(input)]);
  const upload = input["payload"] as Uint8Array;
  if (upload.length > limitBytes) {
    throw new TooLargeError(
      `expected an upload of at most ${limitBytes} bytes, got ${upload.length}`,
    );
  }
  assertUtf8(upload, "the upload");
  return created(await queue.add(input));
}

function created({ id }: Added): Response {
  return new Response(`{"job_id":"${id}","status":"pending"}`, {
    status: 201,
    headers: {
      "content-type": "application/json",
      "location": `/jobs/${id}`,
      ...SECURITY_HEADERS,
    },
  });
}

/**
 * Commands run whatever they are told to: over HTTP only where the operator wants that, and only
 * from those who were given the right.
 */
function checkCommand(input: unknown, { caller, services: { settings } }: Call): void {
  if (typeof input !== "object" || input === null) return;
  const isCommand = Object.hasOwn(input, "command") || Object.hasOwn(input, "cwd") ||
    (input as { kind?: unknown }).kind === "command";
  if (!isCommand) return;
  if (!settings["allow-commands"]) {
    throw new ForbiddenError(
      "command jobs are refused over HTTP unless the server was started with --allow-commands",
    );
  }
  if (!allows(caller.scopes, "command")) throw missingScope(caller, "command");
}

/** The type and subtype, lower-case, without parameters. */
function mediaType(contentType: string): string {
  const end = contentType.indexOf(";");
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function unsupported(found: string, expected: string): RequestError {
  const got = found === "" ? "none" : JSON.stringify(found.slice(0, 80));
  return new RequestError(
    "unsupported-media-type",
    `expected the content type ${expected}, got ${got}`,
    { accept: expected.replace(" or ", ", ") },
  );
}
