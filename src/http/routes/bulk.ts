/** `POST /jobs/bulk`: one change to many jobs, named or found. */
import { fieldsOf } from "../../job/parse_values.ts";
import { InvalidInputError, type Problem } from "../../job/errors.ts";
import { LIMITS } from "../../job/job.ts";
import { parseRateText, RATE_EXPECTED } from "../../job/limits.ts";
import type { JsonSchema } from "../../job/field.ts";
import { describe, ID_PATTERN, NAME_SCHEMA } from "../../job/parse.ts";
import { BULK_ACTIONS, type BulkAction, type BulkRequest, changeMany } from "../../queue/bulk.ts";
import { readJson } from "../content_type.ts";
import type { Call } from "../context.ts";
import { json } from "../headers.ts";

/** Room for the ids of as many jobs as a batch adds. */
const BODY_BYTES = 1024 * 1024;

/** What {@link parseBulk} reads. */
export const BULK_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    action: { type: "string", enum: BULK_ACTIONS },
    ids: { type: "array", items: NAME_SCHEMA, maxItems: LIMITS.batchJobs },
    q: { type: "string", description: "A search; an empty one finds every job." },
    pace: {
      type: "string",
      description: "For requeue: so many fall due in a time.",
      examples: ["10/1m"],
    },
    dry_run: { type: "boolean", description: "Only say how many there are." },
  },
  required: ["action"],
  oneOf: [{ required: ["ids"] }, { required: ["q"] }],
  additionalProperties: false,
};

/** Says how many jobs there are and how many were changed. */
export async function postBulk(call: Call): Promise<Response> {
  const { services: { queue }, caller } = call;
  const input = await readJson(call, { limitBytes: BODY_BYTES });
  const change = parseBulk(input);
  const { matched, allowed, changed, hasMore } = await changeMany(queue, {
    ...change,
    by: caller.name,
  });
  return json({
    action: change.action,
    dry_run: change.isDryRun,
    matched,
    allowed,
    changed,
    has_more: hasMore,
  });
}

/** @throws {InvalidInputError} with every problem. */
function parseBulk(input: unknown): Omit<BulkRequest, "by"> {
  const problems: Problem[] = [];
  const report = (field: string, detail: string) =>
    problems.push({ detail: `${field}: ${detail}`, pointer: `/${field}` });
  const { action, ids, q, pace, dry_run, ...others } = fieldsOf(input);
  for (const field of Object.keys(others)) {
    const known = "action, ids, q, pace, dry_run";
    report(field.slice(0, 80), `there is no such field; the fields are ${known}`);
  }
  if (!BULK_ACTIONS.includes(action as BulkAction)) {
    report("action", `expected one of ${BULK_ACTIONS.join(", ")}, got ${describe(action)}`);
  }
  if ((ids === undefined) === (q === undefined)) {
    report("ids", "give either ids or q, a search; an empty search finds every job");
  }
  if (ids !== undefined) {
    const isList = Array.isArray(ids) && ids.length <= LIMITS.batchJobs &&
      ids.every((id) => typeof id === "string" && ID_PATTERN.test(id));
    if (!isList) {
      report("ids", `expected an array of at most ${LIMITS.batchJobs} ids, got ${describe(ids)}`);
    }
  }
  if (q !== undefined && typeof q !== "string") {
    report("q", `expected a search as text, got ${describe(q)}`);
  }
  const rate = pace === undefined || typeof pace !== "string" ? null : parseRateText(pace);
  if (pace !== undefined && (rate === null || action !== "requeue")) {
    report("pace", `expected, for requeue, ${RATE_EXPECTED}, got ${describe(pace)}`);
  }
  if (dry_run !== undefined && typeof dry_run !== "boolean") {
    report("dry_run", `expected true or false, got ${describe(dry_run)}`);
  }
  if (problems.length > 0) throw new InvalidInputError(problems);
  return {
    action: action as BulkAction,
    jobs: q === undefined ? { ids: ids as string[] } : { search: q as string },
    pace: rate,
    isDryRun: dry_run === true,
  };
}
