/** What a job does, in a line. Owns what is shown of a payload; knows no HTML. */
import { commandText } from "../job/command_text.ts";
import type { Job, Payload } from "../job/job.ts";
import { bytes, oneLine, withoutColors } from "./format.ts";

/** How much of an upload is looked at. */
const HEAD_BYTES = 400;

/** The job's work in at most so many characters. */
export function aboutJob(job: Job, payload: Payload, most = 120): string {
  if (typeof payload !== "string") {
    const head = new TextDecoder().decode(payload.subarray(0, HEAD_BYTES));
    return oneLine(`${bytes(payload.byteLength)}: ${head}`, most);
  }
  if (job.kind === "command") return oneLine(commandText(payload) ?? "", most);
  if (job.kind === "http") {
    const { method = "GET", url } = JSON.parse(payload) as { method?: string; url?: string };
    if (typeof url === "string") return oneLine(`${method} ${url}`, most);
  }
  return payload === "null" ? "" : oneLine(payload, most);
}

/** Numbers, but for those that say what kind of error it is. */
const TELLING_NUMBER = /\b(exit code|status|HTTP|signal|errno) \d+|\d+(?:[.:,]\d+)*/gi;

/** The error without what differs from job to job, so that the same mistake looks the same. */
export function errorGroup(message: string): string {
  return oneLine(
    withoutColors(message)
      .replace(/\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b/gi, "<id>")
      .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, "<id>")
      .replace(TELLING_NUMBER, (found, word) => word === undefined ? "<n>" : found),
    160,
  );
}
