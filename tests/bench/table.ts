/** The result for people: one table. Pure. */
import { isMet, ratioOf, type Row } from "./scenario.ts";

const HEAD = ["scenario", "what", "unit", "queuectl", "bare", "ratio", "wanted", "met"] as const;

/** Columns that hold numbers. */
const RIGHT = new Set([3, 4, 5, 6]);

/** What a scenario brought: its lines, or why there are none. */
export interface ScenarioResult {
  readonly scenario: string;
  readonly rows: readonly Row[];
  readonly error?: string;
}

export function formatTable(results: readonly ScenarioResult[]): string {
  const lines: (readonly string[])[] = [HEAD];
  for (const { scenario, rows, error } of results) {
    if (error !== undefined) lines.push([scenario, `FAILED: ${error}`, "", "", "", "", "", ""]);
    for (const [index, row] of rows.entries()) {
      lines.push([index === 0 ? scenario : "", ...cells(row)]);
    }
  }
  const widths = HEAD.map((_, column) =>
    Math.max(
      ...lines.filter((line) => !line[1]!.startsWith("FAILED"))
        .map((line) => line[column]!.length),
    )
  );
  const formatted = lines.map((line) =>
    line.map((cell, column) =>
      RIGHT.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
  formatted.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  const notes = results.flatMap(({ scenario, rows }) =>
    rows.filter(({ note }) => note !== undefined)
      .map(({ what, note }) => `  ${scenario}, ${what}: ${note}`)
  );
  if (notes.length > 0) formatted.push("", "Notes:", ...notes);
  return formatted.join("\n");
}

function cells(row: Row): string[] {
  const ratio = ratioOf(row);
  const met = isMet(row);
  return [
    row.what,
    row.unit,
    formatNumber(row.ours),
    row.bare === null ? "" : formatNumber(row.bare),
    ratio === null ? "" : ratio.toFixed(2),
    formatWanted(row),
    met === null ? "" : met ? "yes" : "NO",
  ];
}

function formatWanted({ wanted, better }: Row): string {
  if (wanted === null) return "";
  const sign = better === "higher" ? ">=" : "<=";
  return "value" in wanted
    ? `${sign} ${formatNumber(wanted.value)}`
    : `${sign} ${wanted.ratio.toFixed(2)}x`;
}

/** Three digits that count: 12,345, 123, 12.3, 1.23, 0.123. */
function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
}
