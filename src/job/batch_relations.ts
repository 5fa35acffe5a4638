/**
 * What the jobs of one batch say of each other: who waits for whom, who wants which unique key. Owns
 * what must hold between them; knows nothing of jobs that are stored already.
 */
import type { Problem } from "./errors.ts";
import type { NewJob } from "./job.ts";
import { quote } from "./parse_values.ts";

/** So many ids of a cycle are named. */
const SHOWN = 10;

/** So many cycles are named: there may be as many as there are pairs of jobs. */
const MOST_CYCLES = 20;

/** Everything that is wrong between the jobs; `indexes` are their places in the batch. */
export function relationProblems(
  jobs: readonly NewJob[],
  indexes: readonly number[],
): Problem[] {
  return [...sharedKeys(jobs, indexes), ...cycleProblems(jobs, indexes)];
}

function sharedKeys(jobs: readonly NewJob[], indexes: readonly number[]): Problem[] {
  const problems: Problem[] = [];
  const firstWithKey = new Map<string, number>();
  for (const [position, { extras }] of jobs.entries()) {
    const key = extras?.unique?.key;
    if (key === undefined) continue;
    const index = indexes[position]!;
    const first = firstWithKey.get(key);
    if (first === undefined) {
      firstWithKey.set(key, index);
      continue;
    }
    const detail = `unique_key: the key ${quote(key)} stands twice in the batch, first in job ` +
      `${first + 1}`;
    problems.push({ detail, pointer: `/${index}/unique_key` });
  }
  return problems;
}

function cycleProblems(jobs: readonly NewJob[], indexes: readonly number[]): Problem[] {
  const problems: Problem[] = [];
  for (const { position, ids } of cyclesIn(jobs)) {
    problems.push({ detail: describeCycle(ids()), pointer: `/${indexes[position]!}/after` });
    if (problems.length === MOST_CYCLES) break;
  }
  return problems;
}

/**
 * The cycles that a walk along `after` comes upon: the job that closes each, and the ids on it.
 * Without these jobs there is no cycle left.
 */
export function* cyclesIn(
  jobs: readonly NewJob[],
): Generator<{ readonly position: number; readonly ids: () => string[] }> {
  const positions = new Map<string, number>();
  for (const [position, { id, isIdFresh }] of jobs.entries()) {
    if (!isIdFresh) positions.set(id, position);
  }
  const next = (position: number): readonly number[] =>
    (jobs[position]!.extras?.after?.ids ?? []).flatMap((id) => positions.get(id) ?? []);
  const seen = new Set<number>();
  for (const start of jobs.keys()) {
    if (seen.has(start) || jobs[start]!.extras?.after == null) continue;
    // A stack of our own: chains may be longer than the program's stack is deep.
    const path: { position: number; rest: number[] }[] = [];
    const onPath = new Map<number, number>();
    const enter = (position: number) => {
      seen.add(position);
      onPath.set(position, path.length);
      path.push({ position, rest: [...next(position)] });
    };
    enter(start);
    while (path.length > 0) {
      const { position, rest } = path.at(-1)!;
      const step = rest.shift();
      if (step === undefined) {
        path.pop();
        onPath.delete(position);
      } else if (onPath.has(step)) {
        const ids = () => path.slice(onPath.get(step)).map((entry) => jobs[entry.position]!.id);
        yield { position, ids };
      } else if (!seen.has(step)) {
        enter(step);
      }
    }
  }
}

function describeCycle(ids: readonly string[]): string {
  const shown = ids.length <= SHOWN
    ? [...ids, ids[0]!]
    : [...ids.slice(0, SHOWN), `(${ids.length - SHOWN} more)`, ids[0]!];
  return `after: these jobs wait for each other, so that none could ever run: ${
    shown.join(" -> ")
  }`;
}
