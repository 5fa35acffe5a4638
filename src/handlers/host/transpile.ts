/**
 * TypeScript from outside the executable, made readable for a runtime that has no compiler: the
 * module and its files are written without types to a folder of this user's that is named by their
 * content, in the same places relative to each other. Types are not checked.
 *
 * Invariant: a folder is complete when it has its name, and nobody else can write to it.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { transform } from "sucrase";
import { IS_CODE } from "./module_files.ts";

/** Part of the folder's name: to be raised when the same text shall become another one. */
const VERSION = 1;

/** What nobody has used for so long is deleted when something new comes. */
const KEPT_MS = 30 * 86_400_000;

/** Where the transpiled module stands. */
export function transpiledEntry(entry: string, texts: ReadonlyMap<string, string>): string {
  const root = commonDirectory([...texts.keys()]);
  const folder = cacheFolder();
  const target = join(folder, hashOf(texts));
  if (!existsSync(target)) {
    const draft = `${target}.${randomUUID()}`;
    try {
      for (const [path, text] of texts) write(join(draft, relative(root, path)), path, text);
      renameSync(draft, target);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      // Another process may have been faster.
      if (!existsSync(target)) throw error;
    }
    sweep(folder, Date.now() - KEPT_MS);
  }
  const now = new Date();
  utimesSync(target, now, now);
  return join(target, relative(root, entry));
}

/** The code without types. `import.meta` goes on telling where the original stands. */
export function transpile(path: string, text: string): string {
  const isTyped = /\.[cm]?tsx?$/.test(path);
  const hasJsx = /\.[jt]sx$/.test(path);
  const transforms = [...isTyped ? ["typescript"] as const : [], ...hasJsx ? ["jsx"] as const : []];
  const code = transforms.length === 0 ? text : transform(text, {
    transforms,
    disableESTransforms: true,
    preserveDynamicImport: true,
    production: true,
    filePath: path,
  }).code;
  return code
    .replaceAll(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(path).href))
    .replaceAll(/\bimport\.meta\.filename\b/g, JSON.stringify(path))
    .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(dirname(path)));
}

function write(target: string, path: string, text: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  writeFileSync(target, IS_CODE.test(path) ? transpile(path, text) : text);
}

function sweep(folder: string, usedBeforeMs: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = lstatSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity };
    if (mtimeMs < usedBeforeMs) rmSync(path, { recursive: true, force: true });
  }
}

function hashOf(texts: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256").update(String(VERSION));
  for (const [path, text] of texts) hash.update(`\0${path}\0${text.length}\0${text}`);
  return hash.digest("hex");
}

/** In the user's cache if that is theirs alone, else a new folder for this process. */
function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ||
    join(Deno.env.get("HOME") || "/nonexistent", ".cache");
  const folder = join(base, "queuectl", "handlers");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    if (uid === Deno.uid() && (mode & 0o022) === 0) return folder;
  } catch { /* no home, or one that cannot be written */ }
  const own = mkdtempSync(join(tmpdir(), "queuectl-handlers-"));
  globalThis.addEventListener("unload", () => rmSync(own, { recursive: true, force: true }));
  return own;
}

function commonDirectory(paths: readonly string[]): string {
  let common = dirname(paths[0]!);
  for (const path of paths) {
    while (!`${path}`.startsWith(common.endsWith(sep) ? common : `${common}${sep}`)) {
      common = dirname(common);
    }
  }
  return common;
}
