/** `POST /prune`: lets go of finished jobs that are old enough, or says how many would go. */
import { retentionOf } from "../../config/settings.ts";
import { InvalidInputError, type Problem } from "../../job/errors.ts";
import type { JsonSchema } from "../../job/field.ts";
import { LIMITS } from "../../job/job.ts";
import { describe, fieldsOf, parseDurationField } from "../../job/parse_values.ts";
import { describeRetention, type FinishedState, narrowRetention } from "../../job/retention.ts";
import { FINISHED_STATES } from "../../job/state.ts";
import { prune, total } from "../../maintenance/pruner.ts";
import { sweepFiles } from "../../queue/file_writer.ts";
import type { Call } from "../context.ts";
import { readJson } from "../content_type.ts";
import { json } from "../headers.ts";

/** More than the few fields need. */
const BODY_BYTES = 16 * 1024;

export const PRUNE_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    dry_run: { type: "boolean", description: "Only say how many there are." },
    older_than: {
      type: ["string", "number"],
      description: "Ended so long ago; by default what the settings say.",
      examples: ["7d"],
    },
    states: {
      type: "array",
      items: { type: "string", enum: FINISHED_STATES },
      minItems: 1,
      description: "By default completed and cancelled.",
    },
  },
  additionalProperties: false,
};

/** Says how many jobs there were, by state. */
export async function postPrune(call: Call): Promise<Response> {
  const { services: { queue, settings }, caller } = call;
  const { isDry, olderThanMs, states } = parsePrune(
    await readJson(call, { limitBytes: BODY_BYTES }),
  );
  const { store } = queue;
  const retention = narrowRetention(retentionOf(settings), { olderThanMs, states });
  const signed = { by: caller.name, atMs: queue.clock() };
  if (!isDry) await store.note("prune", describeRetention(retention), signed);
  const pruned = await prune(store, retention, { nowMs: queue.clock(), isDry });
  if (!isDry) await sweepFiles(store, queue.clock());
  return json({ dry_run: isDry, deleted: isDry ? 0 : total(pruned), jobs: pruned });
}

interface PruneRequest {
  readonly isDry: boolean;
  readonly olderThanMs?: number;
  readonly states?: readonly FinishedState[];
}

/** @throws {InvalidInputError} with every problem. */
function parsePrune(input: unknown): PruneRequest {
  const problems: Problem[] = [];
  const report = (field: string, detail: string) =>
    problems.push({ detail: `${field}: ${detail}`, pointer: `/${field}` });
  const { dry_run, older_than, states, ...others } = fieldsOf(input);
  for (const field of Object.keys(others)) {
    const known = Object.keys(PRUNE_SCHEMA["properties"] as object).join(", ");
    report(field.slice(0, 80), `there is no such field; the fields are ${known}`);
  }
  if (dry_run !== undefined && typeof dry_run !== "boolean") {
    report("dry_run", `expected true or false, got ${describe(dry_run)}`);
  }
  const age = older_than === undefined
    ? { value: undefined }
    : parseDurationField(older_than, 0, LIMITS.delayMs);
  if ("problem" in age) report("older_than", age.problem);
  const isList = states === undefined || (Array.isArray(states) && states.length > 0 &&
    states.every((state) => FINISHED_STATES.includes(state)));
  if (!isList) {
    const expected = FINISHED_STATES.map((state) => JSON.stringify(state)).join(", ");
    report("states", `expected an array of some of ${expected}, got ${describe(states)}`);
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  return {
    isDry: dry_run === true,
    ...("value" in age && age.value !== undefined ? { olderThanMs: age.value } : {}),
    ...(states === undefined ? {} : { states: states as FinishedState[] }),
  };
}
