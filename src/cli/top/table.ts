/** Rows in columns that share the width of a screen. Pure. */
import { fit, type Line, type Style, widthOf } from "./line.ts";

export interface TableColumn {
  readonly title: string;
  readonly align?: "right";
  /** Gets what the others leave; there is one. */
  readonly isWide?: true;
  /** Left out when there is too little room: the highest number first. */
  readonly leaveOut?: number;
  /** Never wider than this. */
  readonly most?: number;
}

export type Cell = string | readonly [text: string, ...styles: Style[]];

/** The wide column has at least so much room, or others are left out. */
const LEAST_WIDE = 16;
const GAP = "  ";

/** The head, and a line for each row. */
export function tableLines(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  width: number,
): { readonly head: Line; readonly lines: readonly Line[] } {
  let shown = columns.map((_, index) => index);
  const widths = columns.map(({ title, most = 64 }, index) =>
    Math.min(most, Math.max(title.length, ...rows.map((row) => widthOf(textOf(row[index] ?? "")))))
  );
  const restFor = (indexes: readonly number[]) =>
    indexes.filter((index) => !columns[index]!.isWide)
      .reduce((rest, index) => rest - widths[index]! - GAP.length, width);
  while (restFor(shown) < LEAST_WIDE) {
    const least = shown.toSorted((one, other) =>
      (columns[other]!.leaveOut ?? 0) - (columns[one]!.leaveOut ?? 0)
    )[0]!;
    if (columns[least]!.leaveOut === undefined) break;
    shown = shown.filter((index) => index !== least);
  }
  const rest = Math.max(LEAST_WIDE, restFor(shown));
  const lineOf = (cells: readonly Cell[], isHead: boolean): Line =>
    shown.flatMap((index, position) => {
      const { align, isWide } = columns[index]!;
      const cell = cells[index] ?? "";
      const text = fit(textOf(cell), isWide ? rest : widths[index]!, align);
      const styles: Style[] = isHead
        ? ["bold"]
        : typeof cell === "string"
        ? []
        : cell.slice(1) as Style[];
      return [...(position === 0 ? [] : [GAP]), [text, ...styles] as const];
    });
  return {
    head: lineOf(columns.map(({ title }) => title), true),
    lines: rows.map((row) => lineOf(row, false)),
  };
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell[0];
}
