/** The types that a setting's value can have: how each is read from text, written and explained. */
import { DURATION_EXPECTED, formatDuration, parseDuration } from "../lib/duration.ts";
import { formatSize, parseSize, SIZE_EXPECTED } from "../lib/size.ts";

export interface ValueType<T> {
  /** For error messages and the documentation: "expected ...". */
  readonly expected: string;
  /** The value, or undefined when the text does not say one. */
  parse(text: string): T | undefined;
  format(value: T): string;
  /** Flags that are given without a value: `--insecure`. */
  readonly isSwitch?: boolean;
  /** Flags that may be given several times: what stands between their values as one text. */
  readonly joiner?: string;
  /** What the help shows in the place of a value. */
  readonly word?: string;
}

export const text: ValueType<string> = {
  expected: "a text that is not empty",
  parse: (value) => value === "" || value.includes("\0") ? undefined : value,
  format: (value) => value,
};

/** An address of http or https. */
export const url: ValueType<string> = {
  expected: "an http or https URL without a user name",
  parse: (value) => {
    const parsed = URL.parse(value);
    const isHttp = parsed?.protocol === "http:" || parsed?.protocol === "https:";
    return isHttp && parsed.username === "" && parsed.password === "" ? parsed.href : undefined;
  },
  format: (value) => value,
};

/** Several names, separated by commas. */
export const list: ValueType<readonly string[]> = {
  expected: "names separated by commas",
  parse: (value) => value.split(",").map((part) => part.trim()).filter((part) => part !== ""),
  format: (value) => value.join(","),
};

/** Several kinds of jobs, separated by commas. */
export const kindNames: ValueType<readonly string[]> = {
  ...list,
  expected: "kinds of 1 to 64 characters of A-Z a-z 0-9 . _ : -, separated by commas",
  word: "names",
  parse: (value) => {
    const kinds = list.parse(value)!;
    return kinds.every((kind) => /^[A-Za-z0-9._:-]{1,64}$/.test(kind)) ? kinds : undefined;
  },
};

/** Several files, separated by commas. */
export const paths: ValueType<readonly string[]> = {
  ...list,
  expected: "paths separated by commas",
  joiner: ",",
  word: "path",
};

/** Several `kind=command`, one a line. */
export const kindCommands: ValueType<readonly string[]> = {
  expected: "kind=command, one a line",
  joiner: "\n",
  word: "kind=command",
  parse: (value) => {
    const lines = value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    return lines.every((line) => /^[^=]+=./.test(line)) ? lines : undefined;
  },
  format: (value) => value.join("\n"),
};

export function integer(least: number, most: number): ValueType<number> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    parse: (value) => {
      if (!/^[+-]?\d{1,15}$/.test(value.trim())) return undefined;
      const number = Number(value);
      return number >= least && number <= most ? number : undefined;
    },
    format: String,
  };
}

/** Any number above 0. */
export const positiveNumber: ValueType<number> = {
  expected: "a number above 0",
  parse: (value) => {
    const number = parsePlainNumber(value);
    return number !== undefined && number > 0 ? number : undefined;
  },
  format: String,
};

/** A number from 0 to 1. */
export const probability: ValueType<number> = {
  expected: "a probability from 0 to 1",
  parse: (value) => {
    const number = parsePlainNumber(value);
    return number !== undefined && number >= 0 && number <= 1 ? number : undefined;
  },
  format: String,
};

/** In milliseconds. */
export function duration(leastMs: number, mostMs: number): ValueType<number> {
  return {
    expected: `${DURATION_EXPECTED}, from ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`,
    parse: (value) => {
      const ms = parseDuration(value);
      return ms !== null && ms >= leastMs && ms <= mostMs ? ms : undefined;
    },
    format: formatDuration,
  };
}

/** In milliseconds; `forever` is infinite. */
export function durationOrForever(mostMs: number): ValueType<number> {
  const { expected, parse } = duration(0, mostMs);
  return {
    expected: `${expected}, or forever`,
    parse: (value) => value.trim() === "forever" ? Infinity : parse(value),
    format: (ms) => ms === Infinity ? "forever" : formatDuration(ms),
  };
}

/** In bytes. */
export function size(leastBytes: number, mostBytes: number): ValueType<number> {
  return {
    expected: `${SIZE_EXPECTED}, from ${formatSize(leastBytes)} to ${formatSize(mostBytes)}`,
    parse: (value) => {
      const bytes = parseSize(value);
      return bytes !== null && bytes >= leastBytes && bytes <= mostBytes ? bytes : undefined;
    },
    format: formatSize,
  };
}

export const onOff: ValueType<boolean> = {
  expected: "on or off",
  isSwitch: true,
  parse: (value) => {
    const word = value.trim().toLowerCase();
    if (["on", "true", "yes", "1"].includes(word)) return true;
    if (["off", "false", "no", "0"].includes(word)) return false;
    return undefined;
  },
  format: (value) => value ? "on" : "off",
};

export function choice<const W extends string>(...words: W[]): ValueType<W> {
  return {
    expected: `one of ${words.join(", ")}`,
    parse: (value) => words.find((word) => word === value),
    format: (value) => value,
  };
}

function parsePlainNumber(value: string): number | undefined {
  return /^[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})(e[+-]?\d{1,2})?$/i.test(value.trim())
    ? Number(value)
    : undefined;
}
