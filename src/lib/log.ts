/**
 * Messages for operators: an event name and facts, printed for people on a terminal and as JSON
 * lines elsewhere. One model; the format is chosen at the edge. Knows nothing of jobs.
 *
 * Invariant: logging never throws and never stops the program; a line is written whole or not at
 * all.
 */
import pc from "picocolors";
import type { Clock } from "./clock.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts of a message. Never put a token or a secret in one. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** The least serious level that is written. */
  readonly level: LogLevel;
  readonly format: "pretty" | "json";
  readonly hasColor: boolean;
  readonly clock: Clock;
  /** Writes a line, its line break included. */
  readonly write: (line: string) => void;
  /** Gets every message too, as a JSON line, its line break included. */
  readonly writeFile?: (line: string) => void;
}

/** A logger that writes what is at least as serious as `level`. */
export function createLog(options: LogOptions): Logger {
  const { format, hasColor, clock } = options;
  const least = LOG_LEVELS.indexOf(options.level);
  const at = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < least) return () => {};
    return (event: string, fields: LogFields = {}) => {
      const message = { atMs: clock(), level, event, fields };
      const json = format === "json" || options.writeFile ? formatJson(message) : "";
      attempt(options.write, format === "json" ? json : formatPretty(message, hasColor));
      if (options.writeFile) attempt(options.writeFile, json);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * Opens a file that lines are appended to.
 *
 * @throws what the operating system says when the file cannot be opened.
 */
export function openLogFile(path: string): { write(line: string): void } & Disposable {
  const file = Deno.openSync(path, { append: true, create: true });
  const encoder = new TextEncoder();
  return {
    write(line) {
      let bytes = encoder.encode(line);
      while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** One message; the fields that are undefined are left out. */
export interface LogMessage {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

/** `{"time":…,"level":…,"event":…,…}` and a line break. */
function formatJson({ atMs, level, event, fields }: LogMessage): string {
  const time = new Date(atMs).toISOString();
  return `${JSON.stringify({ time, level, event, ...fields })}\n`;
}

const LEVEL_COLOR = { debug: "gray", info: "green", warn: "yellow", error: "red" } as const;

/** `12:34:56.789 INFO  job.ended job=… worker=w-1` and a line break; the time is UTC. */
export function formatPretty(message: LogMessage, hasColor: boolean): string {
  const colors = pc.createColors(hasColor);
  const time = colors.dim(new Date(message.atMs).toISOString().slice(11, 23));
  const level = colors[LEVEL_COLOR[message.level]](message.level.toUpperCase().padEnd(5));
  const fields = Object.entries(message.fields).filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${colors.dim(`${key}=`)}${formatValue(value!)}`);
  return `${time} ${level} ${colors.bold(message.event)}${fields.join("")}\n`;
}

/** Quoted where it would not be one word, so that a value cannot forge a field or a line. */
function formatValue(value: string | number | boolean | null): string {
  const text = String(value);
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** A full disk or a closed terminal must not stop the queue. */
function attempt(write: (line: string) => void, line: string): void {
  try {
    write(line);
  } catch {
    // There is nowhere left to say it.
  }
}
