/** What is said of jobs that were added. Shared by `add` and `enqueue`. */
import { HTTP_STATUS_OF } from "../job/state.ts";
import type { Added } from "../queue/queue.ts";
import type { Invocation } from "./command.ts";

/** One job. */
export function reportAdded(invocation: Invocation, added: Added): void {
  const { id, state, isNew } = added;
  const { out } = invocation;
  if (!out.isJson) return sayAdded(invocation, [added]);
  const more = isNew ? {} : { existing: true };
  out.json({ job_id: id, id, status: HTTP_STATUS_OF[state], state, ...more });
}

/** The jobs of a batch. */
export function reportAllAdded(invocation: Invocation, added: readonly Added[]): void {
  const { out } = invocation;
  if (!out.isJson) return sayAdded(invocation, added);
  const existing = added.filter(({ isNew }) => !isNew).map(({ id }) => id);
  const more = existing.length === 0 ? {} : { existing };
  out.json({ job_ids: added.map(({ id }) => id), ...more });
}

function sayAdded({ out, options }: Invocation, added: readonly Added[]): void {
  const isQuiet = options.isOn("quiet");
  for (const { id, state, isNew } of added) {
    if (isQuiet) out.line(id);
    else if (!isNew) out.line(`Job exists already with ID: ${id} (${state})`);
    else if (state === "pending") out.line(`Job enqueued with ID: ${id}`);
    else out.line(`Job ${state} at once, because of a job that it was to wait for, with ID: ${id}`);
  }
}
