/** Adding jobs: one as an upload or as JSON, or many at once. */
import { InvalidInputError, type Problem } from "../../job/errors.ts";
import { NO_FILE } from "../../job/job.ts";
import type { Added } from "../../queue/queue.ts";
import type { NewFile } from "../../store/store.ts";
import type { Call } from "../context.ts";
import { HTTP_STATUS_OF } from "../../job/state.ts";
import { checkCommand } from "../command_right.ts";
import { mediaTypeOf, unsupportedType } from "../content_type.ts";
import { JSON_HEADERS, SECURITY_HEADERS } from "../headers.ts";
import type { KeyedRequest } from "../idempotency.ts";
import { BATCH_READERS, nameLines } from "../job_batch.ts";
import { announcedBytes } from "../body_wire.ts";
import {
  FILE_FIELD,
  fileNameOf,
  type Form,
  isPlainCount,
  keptMediaType,
  readForm,
} from "../job_form.ts";
import { parseJsonBytes } from "../json_text.ts";
import { parseMultipart } from "../multipart.ts";
import type { PartHeader } from "../multipart_frame.ts";
import { receiveForm, uploadTooLarge } from "../upload_stream.ts";
import { assertUtf8 } from "../utf8.ts";

/** What the frame of a multipart body and its other fields may take, besides the upload. */
const FRAME_BYTES = 64 * 1024;

/** Uploads that may be larger than this go into the store while they come. */
const MEMORY_BYTES = 1024 * 1024;

/** JSON is read as a whole, so it never may be larger than this, whatever uploads may. */
const JSON_BYTES = 64 * 1024 * 1024;

/** How many times larger than a single job a batch may be, and how large at most. */
const BATCH_FACTOR = 16;
const BATCH_BYTES = 256 * 1024 * 1024;

/** The largest body that is read into memory, where uploads may be so large. */
export function mostBytesInMemory(uploadLimitBytes: number): number {
  return Math.min(uploadLimitBytes * BATCH_FACTOR, BATCH_BYTES);
}

/** 201 with the job's id, once it is durable; 200 with that of the live job with its unique key. */
export function postJob(call: Call): Promise<Response> {
  return call.services.requests.handle(call, addJob);
}

/** 201 with the ids: all jobs, or none. */
export function postBatch(call: Call): Promise<Response> {
  return call.services.requests.handle(call, addBatch);
}

function addJob(call: Call, keyed: KeyedRequest | null): Promise<Response> {
  switch (mediaTypeOf(call.request)) {
    case "multipart/form-data":
      return addUpload(call, keyed);
    case "application/json":
      return addJson(call, keyed);
    default:
      throw unsupportedType(call.request, "multipart/form-data or application/json");
  }
}

async function addBatch(call: Call, keyed: KeyedRequest | null): Promise<Response> {
  const { request, services: { bodies, queue, settings } } = call;
  const read = BATCH_READERS.get(mediaTypeOf(request));
  if (read === undefined) {
    throw unsupportedType(request, "application/json or application/x-ndjson");
  }
  const bytes = await bodies.read(request, mostBytesInMemory(settings["upload-limit"]));
  keyed?.cover(bytes);
  const { inputs, lines } = read(bytes);
  inputs.forEach((input) => checkCommand(input, call));
  try {
    return createdAll(await queue.addAll(inputs, keyed?.end()));
  } catch (error) {
    throw error instanceof InvalidInputError && lines !== null ? nameLines(error, lines) : error;
  }
}

async function addJson(call: Call, keyed: KeyedRequest | null) {
  const { request, services: { bodies, queue, settings } } = call;
  const bytes = await bodies.read(request, Math.min(settings["upload-limit"], JSON_BYTES));
  const input = parseJsonBytes(bytes, "the body");
  checkCommand(input, call);
  keyed?.cover(bytes);
  return created(await queue.add(input, { request: keyed?.end() }));
}

/** Small uploads are read into memory; what may be larger goes into the store while it comes. */
function addUpload(call: Call, keyed: KeyedRequest | null): Promise<Response> {
  const { request, services: { settings } } = call;
  const contentType = request.headers.get("content-type")!;
  const limitBytes = settings["upload-limit"] + FRAME_BYTES;
  const mayHaveBytes = Math.min(announcedBytes(request.headers) ?? Infinity, limitBytes);
  return mayHaveBytes <= MEMORY_BYTES + FRAME_BYTES
    ? addSmallUpload(call, contentType, keyed)
    : addLargeUpload(call, contentType, keyed);
}

async function addSmallUpload(
  call: Call,
  contentType: string,
  keyed: KeyedRequest | null,
): Promise<Response> {
  const { request, services: { bodies, queue, settings } } = call;
  const limitBytes = settings["upload-limit"];
  const parts = parseMultipart(await bodies.read(request, limitBytes + FRAME_BYTES), contentType);
  for (const { name, bytes } of parts) keyed?.cover(bytes, name);
  const upload = parts.find(({ name }) => name === FILE_FIELD);
  const form = readForm(parts);
  checkCommand(form.input, call);
  if (isPlainCount(form)) {
    const input = { ...form.input, payload: upload?.bytes ?? new Uint8Array() };
    await assertForm(form, () => queue.check(input));
    assertSize(upload!.bytes.length, limitBytes);
    assertUtf8(upload!.bytes, "the upload");
    return created(await queue.add(input, { request: keyed?.end() }));
  }
  await assertForm(form, () => queue.check(form.input, NO_FILE));
  assertSize(upload!.bytes.length, limitBytes);
  await queue.assertValid(form.input, NO_FILE);
  const file = await queue.stageFile(newFile(upload!, upload!.bytes.length), [upload!.bytes]);
  return created(await queue.addWithFile(form.input, file, keyed?.end()));
}

async function addLargeUpload(
  call: Call,
  contentType: string,
  keyed: KeyedRequest | null,
): Promise<Response> {
  const { request, services: { uploads, queue, settings } } = call;
  const limitBytes = settings["upload-limit"];
  const hash = keyed?.hash();
  const { parts, file } = await receiveForm(uploads.read(request, limitBytes + FRAME_BYTES), {
    contentType,
    limitBytes,
    onFileBytes: (bytes) => hash?.update(bytes),
    beginFile: (header) => queue.beginFile(newFile(header, announcedBytes(request.headers) ?? 0)),
  });
  for (const { name, bytes } of parts) {
    if (name === FILE_FIELD) keyed?.coverHash(hash!, name);
    else keyed?.cover(bytes, name);
  }
  let form: Form;
  try {
    form = readForm(parts);
    checkCommand(form.input, call);
    await assertForm(form, () => queue.check(form.input, file ?? NO_FILE));
  } catch (error) {
    if (file !== null) await queue.giveUpFile(file);
    throw error;
  }
  return created(await queue.addWithFile(form.input, file!, keyed?.end()));
}

/** @throws {InvalidInputError} with what is wrong with the form, and with the job that it says. */
async function assertForm(
  { problems }: Form,
  checkJob: () => Promise<readonly Problem[]>,
): Promise<void> {
  if (problems.length > 0) throw new InvalidInputError([...problems, ...await checkJob()]);
}

function assertSize(bytes: number, limitBytes: number): void {
  if (bytes > limitBytes) throw uploadTooLarge(limitBytes, `got ${bytes}`);
}

function newFile({ filename, mediaType }: PartHeader, expectedBytes: number): NewFile {
  return {
    role: "input",
    name: fileNameOf(filename),
    mediaType: keptMediaType(mediaType),
    expectedBytes,
  };
}

function created({ id, state, isNew, isReplay }: Added): Response {
  const more = isNew ? "" : ',"existing":true';
  return new Response(`{"job_id":"${id}","status":"${HTTP_STATUS_OF[state]}"${more}}`, {
    status: isNew ? 201 : 200,
    headers: {
      "content-type": "application/json",
      "location": `/jobs/${id}`,
      ...SECURITY_HEADERS,
      ...(isReplay ? REPLAYED : undefined),
    },
  });
}

/** 200 where every one of the jobs was there already. */
function createdAll(added: readonly Added[]): Response {
  const existing = added.filter(({ isNew }) => !isNew).map(({ id }) => id);
  const body = {
    job_ids: added.map(({ id }) => id),
    ...(existing.length === 0 ? undefined : { existing }),
  };
  return new Response(JSON.stringify(body), {
    status: existing.length === added.length ? 200 : 201,
    headers: { ...JSON_HEADERS, ...(added[0]!.isReplay ? REPLAYED : undefined) },
  });
}

/** Nothing was added: this is the answer of the request that came first. */
const REPLAYED = { "idempotency-replayed": "true" } as const;
