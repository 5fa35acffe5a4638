/**
 * One line that says how far the work is: redrawn in place on a terminal, elsewhere a new line now
 * and then. Knows nothing of where the counts come from.
 */

export interface Progress {
  readonly done: number;
  readonly dead: number;
  readonly running: number;
  /** Failed, and will run again. */
  readonly retrying: number;
  readonly waiting: number;
}

/** The whole line must fit into 80 columns, or redrawing it would not work. */
const BAR_WIDTH = 12;
/** Without a terminal, the least time between two lines. */
const PLAIN_INTERVAL_MS = 500;

export class ProgressLine {
  readonly #isTerminal = Deno.stdout.isTerminal();
  #shown = "";
  #shownAtMs = -Infinity;

  /** Shows the counts; the last call of a run says so, and ends the line. */
  show(progress: Progress, { isLast }: { isLast: boolean }): void {
    const text = progressText(progress);
    if (this.#isTerminal) {
      write(`\r\x1b[2K${text}${isLast ? "\n" : ""}`);
      return;
    }
    const nowMs = performance.now();
    const isDue = nowMs - this.#shownAtMs >= PLAIN_INTERVAL_MS;
    if (text === this.#shown || (!isDue && !isLast)) return;
    this.#shown = text;
    this.#shownAtMs = nowMs;
    write(`${text}\n`);
  }
}

/** `[###---------]  6/22  5 done  1 dead  2 running  1 to retry  13 waiting`. */
export function progressText({ done, dead, running, retrying, waiting }: Progress): string {
  const finished = done + dead;
  const total = finished + running + retrying + waiting;
  const filled = total === 0 ? 0 : Math.floor(BAR_WIDTH * finished / total);
  const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
  const count = `${String(finished).padStart(String(total).length)}/${total}`;
  return `[${bar}] ${count}  ${done} done  ${dead} dead  ${running} running  ` +
    `${retrying} to retry  ${waiting} waiting`;
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
