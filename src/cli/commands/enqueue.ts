/** `queuectl enqueue`: jobs from JSON, on the command line or from stdin, all of them or none. */
import { InvalidInputError, type Problem } from "../../job/errors.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { withQueue } from "../context.ts";
import { readAll } from "../io.ts";
import { readJsonLines } from "../json_lines.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { args, io } = invocation;
  return args[0] === "-"
    ? await enqueueLines(invocation)
    : await enqueueJson(invocation, parseJson(args[0]!), io.cwd());
}

async function enqueueJson(invocation: Invocation, input: unknown, cwd: string): Promise<number> {
  const { out } = invocation;
  if (Array.isArray(input)) {
    report(invocation, await withQueue(invocation, ({ queue }) => queue.addAll(input), { cwd }));
    return EXIT.done;
  }
  const { id, state } = await withQueue(invocation, ({ queue }) => queue.add(input), { cwd });
  if (out.isJson) out.json({ job_id: id, id, status: "pending", state });
  else report(invocation, [id]);
  return EXIT.done;
}

async function enqueueLines(invocation: Invocation): Promise<number> {
  const { io } = invocation;
  const lines = readJsonLines(await readAll(io.stdin.readable()));
  const cwd = io.cwd();
  try {
    const ids = await withQueue(
      invocation,
      ({ queue }) => queue.addAll(lines.map(({ value }) => value)),
      { cwd },
    );
    report(invocation, ids);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.problems.map((problem) => atLine(problem, lines)));
  }
  return EXIT.done;
}

function report({ out, options }: Invocation, ids: readonly string[]): void {
  if (out.isJson) return out.json({ job_ids: ids });
  const isQuiet = options.isOn("quiet");
  for (const id of ids) out.line(isQuiet ? id : `Job enqueued with ID: ${id}`);
}

/** The pointer `/3/id` of a batch becomes `line 5`, where the fourth object stands. */
function atLine({ detail, pointer }: Problem, lines: readonly { line: number }[]): Problem {
  const index = /^\/(\d+)/.exec(pointer)?.[1];
  const line = index === undefined ? undefined : lines[Number(index)]?.line;
  return line === undefined
    ? { detail, pointer }
    : { detail: `line ${line}: ${detail}`, pointer: "" };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `expected JSON such as {"command":"echo hi"}: ${(error as Error).message}`,
    );
  }
}
