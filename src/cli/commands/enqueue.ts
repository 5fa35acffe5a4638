/** `queuectl enqueue`: jobs from JSON, on the command line or from stdin, all of them or none. */
import { parseJsonText } from "../../http/json_text.ts";
import { InvalidInputError, type Problem } from "../../job/errors.ts";
import type { Added, Queue } from "../../queue/queue.ts";
import { reportAdded, reportAllAdded } from "../added.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { EXIT } from "../exit.ts";
import { readAll } from "../io.ts";
import { decodeStdin, type JsonLine, readDocument, readJsonLines } from "../json_lines.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { args, io } = invocation;
  const cwd = io.cwd();
  if (args[0] === "-") {
    const text = decodeStdin(await readAll(io.stdin.readable()));
    const jobs = readDocument(text);
    const add = (queue: Queue) => jobs === null ? enqueueLines(queue, text) : queue.addAll(jobs);
    reportAllAdded(invocation, await withQueue(invocation, ({ queue }) => add(queue), { cwd }));
    return EXIT.done;
  }
  const input = parseJsonText(args[0]!, "the argument");
  if (Array.isArray(input)) {
    const added = await withQueue(invocation, ({ queue }) => queue.addAll(input), { cwd });
    reportAllAdded(invocation, added);
    return EXIT.done;
  }
  reportAdded(invocation, await withQueue(invocation, ({ queue }) => queue.add(input), { cwd }));
  return EXIT.done;
}

/**
 * Adds the jobs of all lines.
 *
 * @throws {InvalidInputError} with the problems of all lines, each with its number.
 */
async function enqueueLines(queue: Queue, text: string): Promise<Added[]> {
  const { values, malformed } = readJsonLines(text);
  if (malformed.length > 0) {
    const others: { line: number; detail: string }[] = [];
    for (const { line, value } of values) {
      const problems = await queue.check(value);
      others.push(...problems.map(({ detail }) => ({ line, detail: `line ${line}: ${detail}` })));
    }
    const all = [...malformed, ...others].toSorted((a, b) => a.line - b.line);
    throw new InvalidInputError(all.map(({ detail }) => ({ detail, pointer: "" })));
  }
  try {
    return await queue.addAll(values.map(({ value }) => value));
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.problems.map((problem) => atLine(problem, values)));
  }
}

/** The pointer `/3/id` of a batch becomes `line 5`, where the fourth object stands. */
function atLine({ detail, pointer }: Problem, values: readonly JsonLine[]): Problem {
  const index = /^\/(\d+)/.exec(pointer)?.[1];
  const line = index === undefined ? undefined : values[Number(index)]?.line;
  return line === undefined
    ? { detail, pointer }
    : { detail: `line ${line}: ${detail}`, pointer: "" };
}
