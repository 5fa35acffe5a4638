/**
 * What programs print for terminals, as pieces of text with a look. Owns the escape sequences: those
 * of colours and weight become the look, all others disappear, and other control characters become
 * visible signs. Knows no HTML.
 *
 * Invariant: the text of the pieces holds no control character but the tab.
 */
import { visible } from "./format.ts";

/** How a piece looks, as class names: `a-fg1 a-bold`. */
export interface Piece {
  readonly text: string;
  readonly look: string;
}

interface Look {
  fg: number | null;
  bg: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
}

const PLAIN: Look = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
};

/** The sixteen colours as most terminals show them, to find the nearest one. */
const PALETTE = [
  [0, 0, 0],
  [205, 49, 49],
  [13, 188, 121],
  [200, 180, 16],
  [36, 114, 200],
  [188, 63, 188],
  [17, 168, 205],
  [229, 229, 229],
  [102, 102, 102],
  [241, 76, 76],
  [35, 209, 139],
  [245, 245, 67],
  [59, 142, 234],
  [214, 112, 214],
  [41, 184, 219],
  [255, 255, 255],
] as const;

const ESCAPE = "\x1b";

/** A CSI sequence, an OSC or other string up to its end, or another escape of two characters. */
const SEQUENCE =
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  /\x1b(?:\[([0-9;:?<=>]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)/y;

/** Reads lines one after the other: a colour lasts until it is ended, over many lines. */
export class AnsiReader {
  readonly #look: Look = { ...PLAIN };

  /** The pieces of a line, which comes without its end. */
  line(text: string): Piece[] {
    const shown = overwritten(text);
    const pieces: Piece[] = [];
    let start = 0;
    while (start < shown.length) {
      const escape = shown.indexOf(ESCAPE, start);
      const end = escape === -1 ? shown.length : escape;
      if (end > start) {
        pieces.push({ text: visible(shown.slice(start, end)), look: this.#classes() });
      }
      if (escape === -1) break;
      SEQUENCE.lastIndex = escape;
      const [sequence = ESCAPE, parameters = "", final] = SEQUENCE.exec(shown) ?? [];
      if (final === "m") this.#select(parameters);
      start = escape + sequence.length;
    }
    return pieces;
  }

  /** Select Graphic Rendition (ECMA-48, 8.3.117). */
  #select(parameters: string): void {
    const codes = parameters.split(/[;:]/).map((text) => text === "" ? 0 : Number(text));
    const look = this.#look;
    for (let index = 0; index < codes.length; index++) {
      const code = codes[index]!;
      if (code === 0) Object.assign(look, PLAIN);
      else if (code === 1) look.bold = true;
      else if (code === 2) look.dim = true;
      else if (code === 3) look.italic = true;
      else if (code === 4) look.underline = true;
      else if (code === 7) look.inverse = true;
      else if (code === 22) look.bold = look.dim = false;
      else if (code === 23) look.italic = false;
      else if (code === 24) look.underline = false;
      else if (code === 27) look.inverse = false;
      else if (code >= 30 && code <= 37) look.fg = code - 30;
      else if (code === 39) look.fg = null;
      else if (code >= 40 && code <= 47) look.bg = code - 40;
      else if (code === 49) look.bg = null;
      else if (code >= 90 && code <= 97) look.fg = code - 82;
      else if (code >= 100 && code <= 107) look.bg = code - 92;
      else if (code === 38 || code === 48) {
        const { color, used } = extendedColor(codes.slice(index + 1));
        if (code === 38) look.fg = color;
        else look.bg = color;
        index += used;
      }
    }
  }

  #classes(): string {
    const { fg, bg, bold, dim, italic, underline, inverse } = this.#look;
    const front = inverse ? bg ?? "bg" : fg;
    const back = inverse ? fg ?? "fg" : bg;
    return [
      front === null ? "" : `a-fg${front}`,
      back === null ? "" : `a-bg${back}`,
      bold ? "a-bold" : "",
      dim ? "a-dim" : "",
      italic ? "a-italic" : "",
      underline ? "a-underline" : "",
    ].filter((name) => name !== "").join(" ");
  }
}

/** `5;N` or `2;R;G;B` as the nearest of the sixteen colours; null where it is neither. */
function extendedColor(codes: readonly number[]): { color: number | null; used: number } {
  if (codes[0] === 5) {
    const index = codes[1] ?? 0;
    if (index < 16) return { color: index, used: 2 };
    if (index > 231) {
      const gray = 8 + 10 * (index - 232);
      return { color: nearest(gray, gray, gray), used: 2 };
    }
    const level = (value: number) => value === 0 ? 0 : 55 + 40 * value;
    const cube = index - 16;
    return {
      color: nearest(
        level(Math.floor(cube / 36)),
        level(Math.floor(cube / 6) % 6),
        level(cube % 6),
      ),
      used: 2,
    };
  }
  if (codes[0] === 2) {
    return { color: nearest(codes[1] ?? 0, codes[2] ?? 0, codes[3] ?? 0), used: 4 };
  }
  return { color: null, used: codes.length };
}

function nearest(red: number, green: number, blue: number): number {
  let best = 0;
  let least = Infinity;
  for (const [index, [r, g, b]] of PALETTE.entries()) {
    const distance = (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

/** What a terminal shows of a line that goes back to its beginning, as progress bars do. */
function overwritten(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((part) => part !== "") ?? "";
}
