/** Numbers, times and texts as the pages write them. Pure. */

/** `1,234,567` */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** `1 job`, `2 jobs` */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** `12.3 KiB` */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  for (const [index, unit] of ["KiB", "MiB", "GiB", "TiB"].entries()) {
    const size = value / 1024 ** (index + 1);
    if (size < 1024 || unit === "TiB") {
      return `${size < 10 ? size.toFixed(1) : size.toFixed(0)} ${unit}`;
    }
  }
  return `${value} B`;
}

/** A time seen from now: `just now`, `12s ago`, `in 3m`. */
export function relative(atMs: number, nowMs: number): string {
  const ms = Math.abs(nowMs - atMs);
  if (ms < 1_500) return atMs > nowMs ? "now" : "just now";
  const text = coarse(ms);
  return atMs > nowMs ? `in ${text}` : `${text} ago`;
}

/** A duration in one unit: `12s`, `3m`, `5h`, `2d`. */
export function coarse(ms: number): string {
  if (ms < 90_000) return `${Math.round(ms / 1_000)}s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)}m`;
  if (ms < 129_600_000) return `${Math.round(ms / 3_600_000)}h`;
  return `${Math.round(ms / 86_400_000)}d`;
}

/** `2026-11-23 05:31:42 UTC` */
export function fullTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `2.1%` of the whole; `0%` of nothing. */
export function percent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0%";
  const value = (100 * part) / whole;
  return value < 0.1 ? "<0.1%" : `${value < 10 ? value.toFixed(1) : value.toFixed(0)}%`;
}

/** The beginning of a text on one line. */
export function oneLine(text: string, most: number): string {
  const line = visible(text.slice(0, most * 2).replace(/\s+/g, " ").trim());
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** An address of these pages: segments are encoded, parameters without a value left out. */
export function link(
  segments: readonly string[],
  parameters: Readonly<Record<string, string | number | null | undefined>> = {},
): string {
  const path = `/ui${segments.map((segment) => `/${encodeSegment(segment)}`).join("")}`;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** A part of a path. */
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment);
}

/** The text without the escape sequences that colour it on terminals. */
export function withoutColors(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  return text.replace(/\x1b\[[0-9;:]*m/g, "");
}

/** Control characters as the signs that Unicode has for them; tabs and ends of lines stay. */
export function visible(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex -- control characters are what this is about
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (character) => {
      const code = character.charCodeAt(0);
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : "�";
    },
  );
}
