/**
 * A few lines at the end of a terminal that are drawn again and again, below what was printed before.
 *
 * Invariant: when it is disposed, the cursor is seen again and stands below the last drawing.
 */
import type { CliIo } from "../io.ts";
import type { Colors } from "../output.ts";
import { type Line, paint, plainText, widthOf } from "./line.ts";

export class InPlace implements Disposable {
  readonly #io: CliIo;
  readonly #colors: Colors;
  /** Columns that each line of the last drawing takes. */
  #widths: readonly number[] = [];

  constructor(io: CliIo, colors: Colors) {
    this.#io = io;
    this.#colors = colors;
    io.stdout.write("\x1b[?25l");
  }

  /** At most one line less than the terminal has, since the cursor stands below the last. */
  draw(lines: readonly Line[]): void {
    const { columns, rows } = this.#io.stdout;
    const shown = lines.slice(0, rows - 1);
    // Lines that were longer than a window that was made smaller since take several rows now.
    const above = this.#widths.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / columns)),
      0,
    );
    const up = above === 0 ? "" : `\x1b[${Math.min(above, rows - 1)}A`;
    const painted = shown.map((line) => `${paint(line, columns, this.#colors)}\x1b[K\n`);
    this.#io.stdout.write(`${up}\r${painted.join("")}\x1b[J`);
    this.#widths = shown.map((line) => Math.min(columns, widthOf(plainText(line))));
  }

  [Symbol.dispose](): void {
    try {
      this.#io.stdout.write("\x1b[?25h");
    } catch {
      // The terminal is gone.
    }
  }
}
