/**
 * What a form's answer tells on the page that it leads to. The address carries a word and numbers,
 * never the text itself, so that nobody can make the page say something by a link.
 */
import { counted } from "./format.ts";
import type { Tone } from "./parts.tsx";

type Text = (jobs: number, failed: number) => string;

const DONE = {
  added: () => "The job was added.",
  existing: () => "A job with this unique key is there already: this one. Nothing was added.",
  requeued: (n) => `${counted(n, "job")} will run again.`,
  edited: () => "The job was changed and will run again.",
  cancelled: (n) => `${counted(n, "job")} cancelled.`,
  cancelling: () => "The job was asked to stop.",
  deleted: (n) => `${counted(n, "job")} deleted.`,
  paused: () => "Paused.",
  resumed: () => "Resumed.",
  changed: () => "Changed.",
  removed: () => "Removed.",
  ran: () => "A job of this schedule was added, out of turn.",
  draining: () => "Asked to finish its jobs and stop.",
} as const satisfies Record<string, Text>;

export type Done = keyof typeof DONE;

/** The parameters that make the next page say this. */
export function flash(done: Done, jobs = 1, failed = 0): Record<string, string> {
  return { did: done, n: String(jobs), ...(failed > 0 ? { not: String(failed) } : {}) };
}

/** What to say on the page with this query; null: nothing. */
export function flashOf(query: URLSearchParams): { tone: Tone; text: string } | null {
  const done = query.get("did");
  if (done === null || !Object.hasOwn(DONE, done)) return null;
  const jobs = numberOf(query.get("n"));
  const failed = numberOf(query.get("not"));
  const text = (DONE[done as Done] as Text)(jobs, failed);
  if (failed === 0) return { tone: "good", text };
  return {
    tone: "warn",
    text: `${text} ${counted(failed, "job")} could not be: the state had changed meanwhile.`,
  };
}

function numberOf(text: string | null): number {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : 0;
}
