/**
 * Which files belong to a module: itself and what it imports by relative names, found by the look of
 * their text. One file too many does no harm, so comments and strings are not told apart from code.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Texts by path, the module itself first. Files that cannot be read are left to the import. */
export function moduleFiles(entry: string): Map<string, string> {
  const texts = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (texts.has(path) || !isFile(path)) continue;
    const text = readFileSync(path, "utf8");
    texts.set(path, text);
    if (!IS_CODE.test(path)) continue;
    for (const specifier of specifiersOf(text)) waiting.push(resolve(dirname(path), specifier));
  }
  return texts;
}

/** What the files import from elsewhere, but for what the runtime has itself: packages, addresses. */
export function packagesOf(texts: ReadonlyMap<string, string>): string[] {
  const found = [...texts].flatMap(([path, text]) => {
    if (!IS_CODE.test(path)) return [];
    return IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!));
  });
  return [...new Set(found)].filter((name) => !/^(?:\.{0,2}\/|node:|file:|data:)/.test(name));
}

/** What is read for further imports. */
export const IS_CODE = /\.[cm]?[jt]sx?$/;

const PATTERNS = [
  /\bfrom\s*["'](\.{1,2}\/[^"'\n]+)["']/g,
  /\bimport\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g,
];

/** At the beginning of a line, where sentences rarely have them. */
const IMPORTS = [
  /^\s*(?:import|export)\b[^"';]*\bfrom\s*["']([^"'\s]+)["']/gm,
  /^\s*import\s*["']([^"'\s]+)["']/gm,
];

function specifiersOf(text: string): string[] {
  return PATTERNS.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!));
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
