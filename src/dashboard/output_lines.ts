/**
 * The output of an attempt as lines, in the order in which they were printed. Owns how the two
 * streams are put together again, and what is found in them; knows no HTML.
 */
import type { OutputChunk, OutputStream } from "../job/job.ts";
import { AnsiReader, type Piece } from "./ansi.ts";

export interface OutputLine {
  readonly stream: OutputStream;
  readonly pieces: readonly FoundPiece[];
  readonly isFound: boolean;
}

export interface FoundPiece extends Piece {
  /** Whether it is what was searched for. */
  readonly isFound: boolean;
}

export interface OutputView {
  /** The last ones that there are, or that were found. */
  readonly lines: readonly OutputLine[];
  /** How many lines come before these. */
  readonly left: number;
  /** How many lines hold what was searched for. */
  readonly found: number;
}

export interface OutputChoice {
  /** Missing: both. */
  readonly stream?: OutputStream;
  /** What to look for, in any case; empty: nothing. */
  readonly find: string;
  /** Leave out the lines in which it is not. */
  readonly isOnlyFound: boolean;
  readonly mostLines: number;
}

/** A line that never ends is cut into such pieces. */
const LONGEST_LINE = 4_000;

/** The lines of these chunks, at most the last `mostLines` of them. */
export function outputLines(chunks: readonly OutputChunk[], choice: OutputChoice): OutputView {
  const raw = splitLines(chunks, choice.stream);
  const readers = { stdout: new AnsiReader(), stderr: new AnsiReader() };
  const wanted = choice.find.toLowerCase();
  const lines: OutputLine[] = [];
  let found = 0;
  // Colours may last from the first line on, so that every line is read; few are kept.
  const readFrom = wanted === "" ? Math.max(0, raw.length - choice.mostLines) : 0;
  for (const [index, { stream, text }] of raw.entries()) {
    if (index < readFrom && !text.includes("\x1b")) continue;
    const pieces = readers[stream].line(text);
    if (index < readFrom) continue;
    const line = mark(stream, pieces, wanted);
    if (line.isFound) found++;
    if (!choice.isOnlyFound || wanted === "" || line.isFound) lines.push(line);
  }
  const all = readFrom + lines.length;
  const kept = lines.slice(-choice.mostLines);
  return { lines: kept, left: all - kept.length, found };
}

function splitLines(
  chunks: readonly OutputChunk[],
  only: OutputStream | undefined,
): { stream: OutputStream; text: string }[] {
  const lines: { stream: OutputStream; text: string }[] = [];
  const rests = { stdout: "", stderr: "" };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const take = (stream: OutputStream, text: string) => {
    const parts = (rests[stream] + text).split("\n");
    rests[stream] = parts.pop()!;
    while (rests[stream].length > LONGEST_LINE) {
      parts.push(rests[stream].slice(0, LONGEST_LINE));
      rests[stream] = rests[stream].slice(LONGEST_LINE);
    }
    for (const part of parts) lines.push({ stream, text: part.replace(/\r$/, "") });
  };
  for (const { stream, bytes } of chunks) {
    if (only !== undefined && stream !== only) continue;
    take(stream, decoders[stream].decode(bytes, { stream: true }));
  }
  for (const stream of ["stdout", "stderr"] as const) {
    take(stream, decoders[stream].decode());
    if (rests[stream] !== "") lines.push({ stream, text: rests[stream] });
  }
  return lines;
}

/** Cuts the pieces where what is searched for begins and ends, also across their borders. */
function mark(stream: OutputStream, pieces: readonly Piece[], wanted: string): OutputLine {
  const none = () => pieces.map((piece) => ({ ...piece, isFound: false }));
  if (wanted === "") return { stream, pieces: none(), isFound: false };
  const text = pieces.map((piece) => piece.text).join("").toLowerCase();
  const cuts: number[] = [];
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) {
    cuts.push(at, at + wanted.length);
  }
  if (cuts.length === 0) return { stream, pieces: none(), isFound: false };
  const marked: FoundPiece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const end = at + piece.text.length;
    const borders = [at, ...cuts.filter((cut) => cut > at && cut < end), end];
    for (let index = 0; index + 1 < borders.length; index++) {
      const [from, to] = [borders[index]!, borders[index + 1]!];
      const before = cuts.filter((cut) => cut <= from).length;
      marked.push({
        text: piece.text.slice(from - at, to - at),
        look: piece.look,
        isFound: before % 2 === 1,
      });
    }
    at = end;
  }
  return { stream, pieces: marked, isFound: true };
}
