/**
 * The terminal while a view takes all of it: the alternate screen, keys as they are pressed, the
 * hidden cursor. Writes only the lines that have changed.
 *
 * Invariant: when it is disposed, the terminal is as it was before.
 */
import type { CliIo } from "../io.ts";
import type { Colors } from "../output.ts";
import { type Line, paint } from "./line.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";

export class FullScreen implements Disposable {
  readonly #io: CliIo;
  readonly #colors: Colors;
  #drawn: string[] = [];
  #columns = 0;

  constructor(io: CliIo, colors: Colors) {
    this.#io = io;
    this.#colors = colors;
    io.stdin.setRaw(true);
    io.stdout.write(ENTER);
  }

  draw(lines: readonly Line[]): void {
    const { columns } = this.#io.stdout;
    if (columns !== this.#columns) this.#drawn = []; // a terminal that changes its width rearranges
    const isNew = this.#drawn.length !== lines.length;
    this.#columns = columns;
    let text = isNew ? "\x1b[2J" : "";
    const painted = lines.map((line) => paint(line, columns, this.#colors));
    for (const [row, line] of painted.entries()) {
      if (isNew || line !== this.#drawn[row]) text += `\x1b[${row + 1};1H${line}\x1b[K`;
    }
    this.#drawn = painted;
    if (text !== "") this.#io.stdout.write(text);
  }

  [Symbol.dispose](): void {
    try {
      this.#io.stdout.write(LEAVE);
      this.#io.stdin.setRaw(false);
    } catch {
      // The terminal is gone.
    }
  }
}
