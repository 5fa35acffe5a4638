/**
 * How results look: tables, facts, times, colours, JSON. Data goes to stdout, messages to stderr.
 * Knows the terminal, not the queue.
 *
 * Invariant: colours and relative times appear only on a terminal, and no control character of a
 * job reaches it except through `raw`.
 */
import type { Clock } from "../lib/clock.ts";
import Table from "cli-table3";
import pc from "picocolors";
import type { JobState } from "../job/state.ts";
import { humanDuration } from "../lib/duration.ts";
import type { CliIo } from "./io.ts";

export type Colors = ReturnType<typeof pc.createColors>;

export interface Column {
  readonly title: string;
  readonly align?: "right";
}

export class Output {
  readonly isJson: boolean;
  readonly colors: Colors;
  readonly #io: CliIo;
  /** What distances from now are counted from; a store that is opened brings its own. */
  clock: Clock;

  constructor(io: CliIo, { isJson }: { isJson: boolean }) {
    this.#io = io;
    this.clock = io.clock;
    this.isJson = isJson;
    this.colors = pc.createColors(hasColor(io, io.stdout));
  }

  /** Whether people look at the data as it comes. */
  get isTerminal(): boolean {
    return this.#io.stdout.isTerminal;
  }

  /** A line of data. */
  line(text = ""): void {
    this.#io.stdout.write(`${text}\n`);
  }

  /** Bytes of data as they are. */
  raw(bytes: Uint8Array): void {
    this.#io.stdout.write(bytes);
  }

  /** The one JSON document, or one of a stream of them. */
  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A message; left out when the data is JSON. */
  note(text: string): void {
    if (!this.isJson) this.message(text);
  }

  /** A message that matters even then. */
  message(text: string): void {
    writeMessage(this.#io, text);
  }

  error(text: string): void {
    writeError(this.#io, text);
  }

  /** Columns without borders. What a cell says stays on one line. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    this.line(renderTable(columns, rows, this.colors));
  }

  /** Names and values, one pair a line; pairs without a value are left out. */
  facts(pairs: readonly (readonly [string, string | null])[]): void {
    const shown = pairs.filter(([, value]) => value !== null);
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value] of shown) {
      this.line(`${this.colors.bold(name.padEnd(width))}  ${value}`);
    }
  }

  heading(text: string): void {
    this.line(this.colors.bold(text));
  }

  state(state: JobState): string {
    const color = STATE_COLOR[state];
    return color === null ? state : this.colors[color](state);
  }

  /** An instant: relative on a terminal, else ISO 8601; `-` where there is none. */
  time(atMs: number | null): string {
    if (atMs === null) return "-";
    return this.isTerminal ? relativeTime(atMs, this.clock()) : new Date(atMs).toISOString();
  }

  /** An instant in full, on a terminal with the distance from now. */
  fullTime(atMs: number | null): string | null {
    if (atMs === null) return null;
    const iso = new Date(atMs).toISOString();
    return this.isTerminal ? `${iso} (${relativeTime(atMs, this.clock())})` : iso;
  }

  /** Characters that fit beside `used` others in a line; piped output is cut more generously. */
  room(used: number): number {
    return this.isTerminal ? Math.max(20, this.#io.stdout.columns - used) : 80;
  }
}

/** Null: as other text. */
export const STATE_COLOR = {
  pending: null,
  started: "cyan",
  processing: "cyan",
  completed: "green",
  failed: "yellow",
  dead: "red",
  cancelled: "gray",
} as const satisfies Record<JobState, keyof Colors | null>;

/** Whether the stream takes colours: a terminal, and `NO_COLOR` (no-color.org) is not set. */
export function hasColor(io: CliIo, stream: { readonly isTerminal: boolean }): boolean {
  return stream.isTerminal && !io.env("NO_COLOR") && io.env("TERM") !== "dumb";
}

/** Writes a message to stderr; that nobody reads it is no reason to fail. */
export function writeMessage(io: CliIo, text: string): void {
  try {
    io.stderr.write(`${text}\n`);
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

export function writeError(io: CliIo, text: string): void {
  const colors = pc.createColors(hasColor(io, io.stderr));
  writeMessage(io, `${colors.red("error:")} ${text}`);
}

function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colors: Colors,
): string {
  const table = new Table({
    head: columns.map(({ title }) => colors.bold(title)),
    colAligns: columns.map(({ align }) => align ?? "left"),
    chars: BORDERLESS,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString().split("\n").map((line) => line.trimEnd()).join("\n");
}

const BORDERLESS = {
  "top": "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  "bottom": "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  "left": "",
  "left-mid": "",
  "mid": "",
  "mid-mid": "",
  "right": "",
  "right-mid": "",
  "middle": "  ",
};

/** `3m 20s ago`, `in 5m`, `now`. */
export function relativeTime(atMs: number, nowMs: number): string {
  const distanceMs = Math.abs(atMs - nowMs);
  if (distanceMs < 1_000) return "now";
  const distance = humanDuration(Math.floor(distanceMs / 1_000) * 1_000);
  return atMs > nowMs ? `in ${distance}` : `${distance} ago`;
}

/** A text on one line, without control characters, at most `width` characters long. */
export function oneLine(text: string, width = 80): string {
  const flat = sanitize(text.slice(0, width * 4)).replace(/\s+/g, " ").trim();
  const characters = [...flat];
  const isCut = characters.length > width || text.length > width * 4;
  return isCut ? `${characters.slice(0, width - 1).join("")}…` : flat;
}

/** A text that cannot move the cursor or change colours: line breaks and tabs alone are kept. */
export function sanitize(text: string): string {
  return text.replaceAll("\r\n", "\n")
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** The last lines of a text, within a number of characters. */
export function tail(
  text: string,
  { lines, characters }: { lines: number; characters: number },
): { text: string; isCut: boolean } {
  const cut = text.slice(-characters);
  const kept = cut.replace(/\n$/, "").split("\n").slice(-lines).join("\n");
  return { text: kept, isCut: kept.length < text.replace(/\n$/, "").length };
}
