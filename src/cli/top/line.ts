/**
 * Lines of a screen: pieces of text with a style each, cut to the width of the terminal. Pure.
 *
 * Invariant: what {@link paint} returns takes no more columns than it was given, and holds no control
 * character but those that colour it, whatever the pieces say.
 */
import stringWidth from "string-width";
import { type Colors, sanitize } from "../output.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "gray" | "inverse";

/** A piece of a line. */
export type Span = string | readonly [text: string, ...styles: Style[]];

export type Line = readonly Span[];

const ELLIPSIS = "…";

/** Columns that a text takes. */
export function widthOf(text: string): number {
  return isPlain(text) ? text.length : stringWidth(text);
}

/** The text in exactly so many columns: cut with an ellipsis, or filled with spaces. */
export function fit(text: string, width: number, align: "left" | "right" = "left"): string {
  const cut = cutText(flat(text), width);
  const room = " ".repeat(Math.max(0, width - widthOf(cut)));
  return align === "left" ? cut + room : room + cut;
}

/** The line as the terminal is to get it. */
export function paint(line: Line, columns: number, colors: Colors): string {
  const total = line.reduce((sum, span) => sum + widthOf(flat(textOf(span))), 0);
  let left = total > columns ? columns - 1 : columns;
  let painted = "";
  for (const span of line) {
    const text = cutPlain(flat(textOf(span)), left);
    left -= widthOf(text);
    painted += stylesOf(span).reduce((styled, style) => colors[style](styled), text);
    if (text.length < flat(textOf(span)).length) break;
  }
  return total > columns && columns > 0 ? painted + ELLIPSIS : painted;
}

/** What a line says, without its styles. */
export function plainText(line: Line): string {
  return line.map(textOf).join("");
}

function textOf(span: Span): string {
  return typeof span === "string" ? span : span[0];
}

function stylesOf(span: Span): readonly Style[] {
  return typeof span === "string" ? [] : span.slice(1) as Style[];
}

/** On one line, without control characters. */
function flat(text: string): string {
  return isPlain(text) ? text : sanitize(text).replace(/[\s\u200b-\u200f\u2060]/g, " ");
}

function cutText(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width <= 0 ? "" : cutPlain(text, width - 1) + ELLIPSIS;
}

const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });

/** As much of the beginning as fits. */
function cutPlain(text: string, width: number): string {
  if (width <= 0) return "";
  if (isPlain(text)) return text.slice(0, width);
  let cut = "";
  let used = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    used += widthOf(segment);
    if (used > width) break;
    cut += segment;
  }
  return cut;
}

/** Whether each character takes one column. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
