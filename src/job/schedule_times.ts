/**
 * Which of a schedule's times are run when: pure decisions from what is stored and what the clock
 * says. Knows no storage.
 *
 * Invariant: every function here is bounded in time, however long nobody looked and however often a
 * schedule runs.
 */
import { Cron } from "./cron.ts";
import { type Schedule, SCHEDULE_LIMITS, type Timing } from "./schedule.ts";
import { Zone } from "./zone.ts";

/** What is to happen to a schedule now. */
export interface Plan {
  /** The times to run now, oldest first. */
  readonly timesMs: readonly number[];
  readonly nextAtMs: number | null;
  /** Whether older times are passed over. */
  readonly isAnyMissed: boolean;
}

/** A time that passed so recently is run although missed times are skipped: a restart takes a while. */
const PUNCTUAL_MS = 60_000;

/**
 * A clock that was set back by less than this makes a schedule wait: a time that was run is not run
 * again. By more, the clock must have been wrong before.
 */
const SET_BACK_MS = 3 * 3_600_000;

/** The first time after an instant; null: there is none. */
export function nextTime(timing: Timing, afterMs: number, startMs: number): number | null {
  return timesOf(timing, startMs)(afterMs);
}

/** The first so many times after an instant. */
export function nextTimes(
  { timing, createdAtMs }: Pick<Schedule, "timing" | "createdAtMs">,
  afterMs: number,
  count: number,
): number[] {
  const next = timesOf(timing, createdAtMs);
  const times: number[] = [];
  for (let atMs = next(afterMs); atMs !== null && times.length < count; atMs = next(atMs)) {
    times.push(atMs);
  }
  return times;
}

/** What to do with a schedule whose next time has come. */
export function planRun(schedule: Schedule, nowMs: number): Plan {
  const { timing, createdAtMs, nextAtMs, overlap } = schedule;
  if (nextAtMs === null || nextAtMs > nowMs) {
    return { timesMs: [], nextAtMs, isAnyMissed: false };
  }
  const next = timesOf(timing, createdAtMs);
  // Jobs that may not run beside each other are not piled up.
  const catchUp = overlap === "skip" && schedule.catchUp === "all" ? "once" : schedule.catchUp;
  const most = catchUp === "all" ? SCHEDULE_LIMITS.caughtUp : 1;
  const { timesMs, isAnyOlder } = lastTimes(next, { fromMs: nextAtMs, toMs: nowMs, most });
  const isDropped = catchUp === "skip" && nowMs - timesMs.at(-1)! > PUNCTUAL_MS;
  return {
    timesMs: isDropped ? [] : timesMs,
    nextAtMs: next(nowMs),
    isAnyMissed: isAnyOlder || isDropped,
  };
}

/**
 * Whether the next time was decided by a clock that was far ahead of what it says now: then it has to
 * be decided anew, or the schedule would sleep until then.
 */
export function isDecidedByWrongClock(schedule: Schedule, nowMs: number): boolean {
  const { timing, nextAtMs, decidedAtMs } = schedule;
  if (nextAtMs === null) return false;
  if (decidedAtMs - nowMs > SET_BACK_MS) return true;
  // An interval is a distance, not a time of day: it never waits longer than it is long.
  return timing.type === "every" && nextAtMs - nowMs > timing.everyMs;
}

type Next = (afterMs: number) => number | null;

function timesOf(timing: Timing, startMs: number): Next {
  if (timing.type === "every") {
    // In step with its start, for ever and before it too, whatever happens to the clock.
    const { everyMs } = timing;
    return (afterMs) => afterMs + everyMs - modulo(afterMs - startMs, everyMs);
  }
  const cron = new Cron(timing.cron);
  const zone = new Zone(timing.tz);
  return (afterMs) => cron.next(afterMs, zone);
}

/** The last so many times of a span that begins with one, oldest first. */
function lastTimes(
  next: Next,
  { fromMs, toMs, most }: { fromMs: number; toMs: number; most: number },
): { timesMs: number[]; isAnyOlder: boolean } {
  /** Times after an instant, up to one more than are wanted. */
  const timesAfter = (afterMs: number): number[] => {
    const times: number[] = [];
    let atMs = next(afterMs);
    while (atMs !== null && atMs <= toMs && times.length <= most) {
      times.push(atMs);
      atMs = next(atMs);
    }
    return times;
  };
  const all = timesAfter(fromMs - 1);
  if (all.length <= most) return { timesMs: all, isAnyOlder: false };
  let [tooMany, few] = [fromMs - 1, toMs];
  while (few - tooMany > 1) {
    const middle = Math.floor((tooMany + few) / 2);
    if (timesAfter(middle).length > most) tooMany = middle;
    else few = middle;
  }
  return { timesMs: timesAfter(few), isAnyOlder: true };
}

/** The remainder that is never negative. */
function modulo(dividend: number, divisor: number): number {
  return ((dividend % divisor) + divisor) % divisor;
}
