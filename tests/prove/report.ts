/** What came out, for people and for programs. Knows no experiment. */
import { type Figure, isReached } from "./experiment.ts";

export interface Result {
  readonly experiment: string;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  /** Why it broke off. */
  readonly error?: string;
  /** Why this machine cannot do it. */
  readonly skipped?: string;
}

/** Whether the promises held, as far as the experiment could tell. */
export function isGood({ error, figures }: Result): boolean {
  return error === undefined && figures.every((figure) => isReached(figure) !== false);
}

export function formatResult(result: Result): string {
  const { experiment, seconds, figures, error, skipped } = result;
  const word = skipped !== undefined ? "SKIPPED" : isGood(result) ? "holds" : "FAILED";
  const lines = [`${experiment}: ${word} (${seconds.toFixed(1)} s)`, ...figures.map(formatFigure)];
  if (skipped !== undefined) lines.push(`  ${skipped}`);
  if (error !== undefined) lines.push(`  broke off: ${error}`);
  return lines.join("\n");
}

function formatFigure(figure: Figure): string {
  const { what, found, unit, wanted, note } = figure;
  const mark = { true: "ok  ", false: "FAIL", null: "    " }[String(isReached(figure))];
  const number = found.toLocaleString("en-US", { maximumFractionDigits: 1 });
  const value = unit === undefined ? number : `${number} ${unit}`;
  const bound = wanted === undefined ? "" : `  (${formatWanted(wanted)})`;
  return `  ${mark} ${what.padEnd(52)} ${value.padStart(12)}${bound}${note ? `  ${note}` : ""}`;
}

function formatWanted(wanted: NonNullable<Figure["wanted"]>): string {
  const number = (value: number) => value.toLocaleString("en-US");
  if ("is" in wanted) return `must be ${number(wanted.is)}`;
  return "atMost" in wanted
    ? `at most ${number(wanted.atMost)}`
    : `at least ${number(wanted.atLeast)}`;
}

export function asJson(result: Result): unknown {
  const { figures, ...rest } = result;
  return {
    ...rest,
    good: isGood(result),
    figures: figures.map((figure) => ({ ...figure, reached: isReached(figure) })),
  };
}
