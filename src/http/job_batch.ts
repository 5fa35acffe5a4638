/** Many jobs from one body: a JSON array, or a JSON value a line. Owns the formats only. */
import { InvalidInputError } from "../job/errors.ts";
import { LIMITS } from "../job/job.ts";
import { parseJsonBytes, parseJsonText } from "./json_text.ts";
import { decodeUtf8 } from "./utf8.ts";

interface Batch {
  readonly inputs: readonly unknown[];
  /** The line of each job, where the format has lines. */
  readonly lines: readonly number[] | null;
}

/** The readers of a batch by media type. */
export const BATCH_READERS: ReadonlyMap<string, (bytes: Uint8Array) => Batch> = new Map([
  ["application/json", readJsonBatch],
  ["application/x-ndjson", readLines],
  ["application/ndjson", readLines],
  ["application/jsonl", readLines],
]);

function readJsonBatch(bytes: Uint8Array): Batch {
  const inputs = parseJsonBytes(bytes, "the body");
  if (!Array.isArray(inputs)) {
    throw new InvalidInputError([{ detail: "expected a JSON array of jobs", pointer: "" }]);
  }
  return { inputs, lines: null };
}

/** One JSON value a line; empty lines are skipped. */
function readLines(bytes: Uint8Array): Batch {
  const inputs: unknown[] = [];
  const lines: number[] = [];
  for (const [index, line] of decodeUtf8(bytes, "the body").split("\n").entries()) {
    if (line.trim() === "") continue;
    if (inputs.length === LIMITS.batchJobs) {
      const detail = `expected at most ${LIMITS.batchJobs} jobs at once, got more`;
      throw new InvalidInputError([{ detail, pointer: "" }]);
    }
    inputs.push(parseJsonText(line, `line ${index + 1}`));
    lines.push(index + 1);
  }
  return { inputs, lines };
}

/** Says the line besides the position: people count lines, and empty ones are not jobs. */
export function nameLines(error: InvalidInputError, lines: readonly number[]): InvalidInputError {
  return new InvalidInputError(error.problems.map(({ detail, pointer }) => {
    const line = lines[Number(/^\/(\d+)/.exec(pointer)?.[1] ?? NaN)];
    return { detail: line === undefined ? detail : `line ${line}: ${detail}`, pointer };
  }));
}
