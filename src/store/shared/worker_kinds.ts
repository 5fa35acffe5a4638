/** The kinds that a worker runs as stores keep them: JSON, null where it has not said any. */
import type { WorkerRecord } from "../store.ts";

export function kindsText({ kinds }: WorkerRecord): string | null {
  return kinds === undefined ? null : JSON.stringify(kinds);
}

export function kindsFromText(text: unknown): Pick<WorkerRecord, "kinds"> {
  return typeof text === "string" ? { kinds: JSON.parse(text) } : {};
}
