/**
 * Time zones: what a clock on the wall shows at an instant, and back. Owns the two awkward hours of
 * a year; knows no schedule. A wall time is written as the milliseconds since 1970 that UTC would
 * have if its clocks showed it.
 *
 * Invariant: pure; the rules come from the runtime's own copy of the zone database.
 */

/** The largest step of any clock: across the date line. Zones change at most once in such a span. */
const LONGEST_STEP_MS = 25 * 3_600_000;

/** Clocks are set at full quarters of an hour alone: what holds in one of them is looked up once. */
const QUARTER_MS = 900_000;
const CACHED_QUARTERS = 1_000;

export class Zone {
  /** As the zone database spells it. */
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #offsetsMs = new Map<number, number>();

  /** @throws {RangeError} when there is no such zone. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    this.name = this.#format.resolvedOptions().timeZone;
  }

  /** How far the wall clock is ahead of UTC. */
  offsetMs(atMs: number): number {
    const quarterMs = Math.floor(atMs / QUARTER_MS) * QUARTER_MS;
    let offsetMs = this.#offsetsMs.get(quarterMs);
    if (offsetMs !== undefined) return offsetMs;
    if (this.#offsetsMs.size >= CACHED_QUARTERS) this.#offsetsMs.clear();
    this.#offsetsMs.set(quarterMs, offsetMs = this.#lookUp(quarterMs));
    return offsetMs;
  }

  #lookUp(atMs: number): number {
    const parts: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(atMs)) parts[type] = Number(value);
    const { year, month, day, hour, minute, second } = parts as Record<string, number>;
    return Date.UTC(year!, month! - 1, day, hour, minute, second) - atMs;
  }

  wallMs(atMs: number): number {
    return atMs + this.offsetMs(atMs);
  }

  /**
   * What the wall time stands for: one instant; two, where clocks were set back over it; none, where
   * they were set forward over it.
   */
  instants(wallMs: number): number[] {
    const offsets = [wallMs - LONGEST_STEP_MS, wallMs + LONGEST_STEP_MS].map((atMs) =>
      this.offsetMs(atMs)
    );
    return [...new Set(offsets)].map((offsetMs) => wallMs - offsetMs)
      .filter((atMs) => this.wallMs(atMs) === wallMs)
      .sort((one, other) => one - other);
  }

  /** The first instant after a change of offset between the two; null: it does not change. */
  changeBetween(fromMs: number, toMs: number): number | null {
    const before = this.offsetMs(fromMs);
    if (this.offsetMs(toMs) === before) return null;
    let [low, high] = [fromMs, toMs];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetMs(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }

  /** The instant at which clocks jumped over a wall time that never was. */
  endOfGap(wallMs: number): number {
    const change = this.changeBetween(wallMs - LONGEST_STEP_MS, wallMs + LONGEST_STEP_MS);
    if (change === null) throw new Error(`the wall time ${wallMs} is not missing in ${this.name}`);
    return change;
  }

  /** When clocks are next set back within the longest step; null: they are not. */
  nextSetBack(afterMs: number): number | null {
    const change = this.changeBetween(afterMs, afterMs + LONGEST_STEP_MS);
    if (change === null) return null;
    return this.offsetMs(change) < this.offsetMs(afterMs) ? change : null;
  }

  /** The instant as the wall shows it, with its distance from UTC: `2026-03-29T03:00:00+02:00`. */
  format(atMs: number): string {
    const offsetMs = this.offsetMs(atMs);
    const minutes = Math.abs(Math.round(offsetMs / 60_000));
    const sign = offsetMs < 0 ? "-" : "+";
    const distance = [Math.floor(minutes / 60), minutes % 60]
      .map((part) => String(part).padStart(2, "0")).join(":");
    return `${new Date(atMs + offsetMs).toISOString().slice(0, 19)}${sign}${distance}`;
  }
}

/** A zone that ends like the word that was not found, as `Europe/Berlin` for `berlin`. */
export function similarZone(word: string): string | undefined {
  const end = `/${word.trim().replaceAll(" ", "_").toLowerCase()}`;
  return Intl.supportedValuesOf("timeZone").find((name) => name.toLowerCase().endsWith(end));
}
