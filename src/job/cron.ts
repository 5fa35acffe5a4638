/**
 * Cron expressions. `croner` reads them and finds the next time that a clock on the wall shows; what
 * that means where clocks are set is decided here:
 *
 * - A schedule that names every hour goes by elapsed time: nothing of the hour that is left out in
 *   spring, everything twice in the hour that comes twice in autumn.
 * - Any other schedule runs once for each time that it names: in the hour that is left out, at its
 *   end, once for all of it; in the hour that comes twice, the first time.
 *
 * Invariant: pure, and bounded in time for any text.
 */
import { Cron as Croner } from "croner";
import type { Zone } from "./zone.ts";

/** Longer expressions are refused. */
const LONGEST = 200;

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** What is accepted, for messages. */
export const CRON_EXPECTED =
  "five fields (minute hour day month weekday, as 30 2 * * MON-FRI), six with seconds before them, " +
  `or one of ${Object.keys(NICKNAMES).filter((name) => name !== "@annually").join(" ")}`;

/** Words that make croner's complaints our own. */
const CRONER_PREFIX = /^Cron(Pattern|Date)?: (Syntax error, )?/;

export class Cron {
  readonly text: string;
  readonly #times: Croner;
  readonly #isHourly: boolean;

  /** @throws {RangeError} saying what is wrong with the text. */
  constructor(text: string) {
    this.text = text.trim().replace(/\s+/g, " ");
    if (this.text.length > LONGEST) {
      throw new RangeError(`it is longer than ${LONGEST} characters`);
    }
    const expression = NICKNAMES[this.text.toLowerCase()] ?? this.text;
    const fields = expression.split(" ");
    if (fields.length !== 5 && fields.length !== 6) {
      throw new RangeError(`it has ${fields.length === 1 ? "1 field" : `${fields.length} fields`}`);
    }
    this.#isHourly = /^(\*|\*\/1|0-23)$/.test(fields.at(-4)!);
    try {
      this.#times = new Croner(expression, { utcOffset: 0, paused: true });
    } catch (error) {
      throw new RangeError((error as Error).message.replace(CRONER_PREFIX, ""));
    }
  }

  /** The first instant after this one; null: there is none, as for the 30th of February. */
  next(afterMs: number, zone: Zone): number | null {
    return this.#isHourly ? this.#nextElapsed(afterMs, zone) : this.#nextNamed(afterMs, zone);
  }

  #nextElapsed(afterMs: number, zone: Zone): number | null {
    let wallMs = this.#nextWall(zone.wallMs(afterMs));
    if (wallMs === null) return null;
    if (zone.instants(wallMs).length === 0) {
      // The first time after the gap; perhaps the very moment of its end.
      wallMs = this.#nextWall(zone.wallMs(zone.endOfGap(wallMs)) - 1);
      if (wallMs === null) return null;
    }
    const first = zone.instants(wallMs).find((atMs) => atMs > afterMs)!;
    const setBack = zone.nextSetBack(afterMs);
    if (setBack === null || setBack > first) return first;
    // What the wall has shown before comes again, and sooner than what it has not shown.
    const again = this.#nextWall(zone.wallMs(setBack) - 1);
    return again === null ? first : Math.min(first, again - zone.offsetMs(setBack));
  }

  #nextNamed(afterMs: number, zone: Zone): number | null {
    let wallMs = zone.wallMs(afterMs);
    while (true) {
      const next = this.#nextWall(wallMs);
      if (next === null) return null;
      const instants = zone.instants(next);
      const atMs = instants[0] ?? zone.endOfGap(next);
      if (atMs > afterMs) return atMs;
      // A time that was met already: in the second pass of an hour, or at the end of a gap.
      const isSecondPass = instants.length === 2;
      wallMs = isSecondPass ? zone.wallMs(zone.changeBetween(atMs, instants[1]!)! - 1) : next;
    }
  }

  #nextWall(afterMs: number): number | null {
    try {
      return this.#times.nextRun(new Date(afterMs))?.getTime() ?? null;
    } catch (error) {
      // It looks for a day that no year has by calling itself until there is no more room.
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
}
