/** Commands that take several ids: each is tried, each is reported, the worst exit code counts. */
import type { Invocation } from "./command.ts";
import { exitCodeOf, isExpected } from "./exit.ts";

/** What became of one job: a sentence for people, fields for JSON. */
export interface ChangeReport {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Does the same to every job; an id named twice is tried once. */
export async function changeEach(
  { args, out }: Invocation,
  change: (id: string) => Promise<ChangeReport>,
): Promise<number> {
  const ids = [...new Set(args)];
  const outcomes = await Promise.allSettled(ids.map((id) => change(id)));
  const documents: unknown[] = [];
  let worst = 0;
  for (const [index, outcome] of outcomes.entries()) {
    const id = ids[index]!;
    if (outcome.status === "fulfilled") {
      documents.push({ id, job_id: id, ok: true, ...outcome.value.fields });
      if (!out.isJson) out.line(outcome.value.text);
      continue;
    }
    const error: unknown = outcome.reason;
    if (!isExpected(error)) throw error;
    const { message } = error as Error;
    documents.push({ id, job_id: id, ok: false, error: message });
    out.error(message);
    worst = Math.max(worst, exitCodeOf(error));
  }
  if (out.isJson) out.json(documents);
  return worst;
}
