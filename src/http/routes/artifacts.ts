/** The files of a job: what it was given, and what it has left. */
import { FileNotFoundError } from "../../job/errors.ts";
import type { Job } from "../../job/job.ts";
import { findArtifact, inputOf } from "../../queue/job_files.ts";
import { artifactsView } from "../../queue/views.ts";
import type { StoredFile } from "../../store/store.ts";
import type { Call } from "../context.ts";
import { json, SECURITY_HEADERS } from "../headers.ts";
import { findJob } from "./job.ts";

/** What the last attempt that left files has left, and what of it was not kept. */
export async function getArtifacts(call: Call): Promise<Response> {
  const job = await findJob(call);
  return json({ job_id: job.id, ...artifactsView(await call.services.queue.files(job)) });
}

export async function getArtifact(call: Call): Promise<Response> {
  const job = await findJob(call);
  const files = await call.services.queue.files(job);
  return download(call, findArtifact(files, { jobId: job.id, name: call.params["name"]! }));
}

/** The bytes that the job was given. */
export async function getInput(call: Call): Promise<Response> {
  const { queue } = call.services;
  const job = await findJob(call);
  const input = inputOf(await queue.files(job));
  if (input !== undefined) return download(call, input);
  const payload = await queue.payload(job);
  if (typeof payload === "string") throw noInput(job);
  return new Response(payload as Uint8Array<ArrayBuffer>, {
    headers: downloadHeaders("input.txt", payload.length),
  });
}

function noInput({ id }: Job): FileNotFoundError {
  return new FileNotFoundError(`the job ${id} was added without a file`);
}

/** The file, piece by piece, as fast as it is taken. */
function download({ request, services: { queue, log } }: Call, file: StoredFile): Response {
  const headers = downloadHeaders(file.name ?? "file", file.bytes);
  if (request.method === "HEAD") return new Response(null, { headers });
  const pieces = queue.readFile(file);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (!done) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
      } catch (error) {
        // What was announced does not come: the runtime breaks the connection off.
        log.warn("http.download_broken", { file: file.name, message: (error as Error).message });
      }
      controller.close();
    },
    async cancel() {
      await pieces.return(undefined);
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers });
}

/**
 * Whatever the bytes are, browsers save them and do not show them: a page among them would have
 * the rights of this server's own pages.
 */
function downloadHeaders(name: string, bytes: number): Record<string, string> {
  const base = name.split("/").at(-1)!;
  const plain = base.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  return {
    "content-type": "application/octet-stream",
    "content-length": String(bytes),
    "content-disposition": `attachment; filename="${plain}"; filename*=UTF-8''${encode(base)}`,
    ...SECURITY_HEADERS,
  };
}

/** As RFC 8187 wants it. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
