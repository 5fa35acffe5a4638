/**
 * Proves that the source is built as its map says: rooms import one way, SQL stands in the store
 * alone, and only the entry ends the process.
 */
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../../src/", import.meta.url));

/** Rooms from the top down. Those of one row are siblings and do not import each other. */
const LAYERS = [
  ["main.ts"],
  ["cli"],
  ["supervisor", "http", "dashboard"],
  ["worker", "maintenance"],
  ["queue", "handlers"],
  ["store"],
  ["job"],
  ["lib"],
];

/** Beside the layers: anybody above `lib` may read settings, and they import only `lib`. */
const CONFIG = "config";

/** Tools for building and testing; no part of the program, so nothing imports them. */
const DEV = "dev";

interface SourceFile {
  /** Relative to `src/`. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** Specifiers of static and dynamic imports, re-exports and worker entries. */
  readonly imports: readonly string[];
}

async function sourceFiles(): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const visit = async (directory: string) => {
    for await (const entry of Deno.readDir(directory)) {
      const full = join(directory, entry.name);
      if (entry.isDirectory) await visit(full);
      else if (/\.tsx?$/.test(entry.name)) {
        const path = relative(SRC, full);
        const text = await Deno.readTextFile(full);
        files.push({ path, room: roomOf(path), text, imports: importsOf(text) });
      }
    }
  };
  await visit(SRC);
  assert.ok(files.length > 20, `found only ${files.length} files in src/`);
  return files.sort((one, other) => one.path < other.path ? -1 : 1);
}

function roomOf(path: string): string {
  return path.split("/")[0]!;
}

function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const patterns = [
    /\bfrom\s*["']([^"'\n]+)["']/g,
    /^\s*import\s*["']([^"'\n]+)["']/gm,
    /\bimport\(\s*["']([^"'\n]+)["']/g,
    /\bnew URL\(\s*["'](\.[^"'\n]+\.ts)["']\s*,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
}

/** Examples in comments import what code may not. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** The room that a relative import of a file leads to; null for packages and built-ins. */
function importedRoom(file: SourceFile, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const target = relative(SRC, join(SRC, dirname(file.path), specifier));
  if (target === "../deno.json") return null; // holds the version
  return target.startsWith("..") ? target : roomOf(target);
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === DEV) return true;
  if (to === DEV) return false;
  if (from === CONFIG) return to === "lib";
  const layerOf = (room: string) => LAYERS.findIndex((rooms) => rooms.includes(room));
  if (to === CONFIG) return from !== "lib";
  return layerOf(to) > layerOf(from);
}

Deno.test("every file of src/ stands in a room that the map knows", async () => {
  const known = new Set([...LAYERS.flat(), CONFIG, DEV]);
  const strays = (await sourceFiles()).filter(({ room }) => !known.has(room));
  assert.deepEqual(strays.map(({ path }) => path), []);
});

Deno.test("imports point one way, and siblings do not import each other", async () => {
  const wrong: string[] = [];
  for (const file of await sourceFiles()) {
    for (const specifier of file.imports) {
      const room = importedRoom(file, specifier);
      if (room !== null && !mayImport(file.room, room)) wrong.push(`${file.path} -> ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the domain is pure: job/ reads no clock, no randomness, no environment", async () => {
  const impure = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bDeno\.|\bfetch\(|\bsetTimeout\(/;
  const wrong = (await sourceFiles())
    .filter(({ room, text }) => room === "job" && impure.test(withoutComments(text)));
  assert.deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("SQL stands in store/ and nowhere else", async () => {
  // In quotes, and in capitals as this code writes it: prose may say "update" or "delete from".
  const sql =
    /["'`]\s*(SELECT\s|INSERT\s+(OR\s|INTO\s)|UPDATE\s|DELETE\s+FROM\s|PRAGMA\s|BEGIN\b|COMMIT\b|CREATE\s+(TABLE|INDEX|UNIQUE)|WITH\s+\w+\s+AS)/;
  const found = (await sourceFiles()).filter(({ text }) => sql.test(withoutComments(text)));
  assert.deepEqual(
    found.map(({ path, room }) => room === "store" ? "store" : path)
      .filter((path) => path !== "store"),
    [],
  );
  assert.ok(found.length > 0, "the pattern finds no SQL at all, so it proves nothing");
});

Deno.test("node:sqlite is imported by one file", async () => {
  const users = (await sourceFiles()).filter(({ imports }) => imports.includes("node:sqlite"));
  assert.deepEqual(users.map(({ path }) => path), ["store/sqlite/connection.ts"]);
});

Deno.test("only store/open.ts imports a backend, and none imports the other", async () => {
  for (const backend of ["sqlite/", "postgres/"]) {
    const users = (await sourceFiles()).filter(({ path, imports }) =>
      !path.startsWith(`store/${backend}`) && imports.some((one) => one.includes(backend))
    );
    assert.deepEqual(users.map(({ path }) => path), ["store/open.ts"]);
  }
});

Deno.test("what describes the API is loaded only when somebody asks for it", async () => {
  const describes = (path: string) => path.startsWith("http/openapi/");
  const users = (await sourceFiles()).filter(({ path, text }) =>
    !describes(path) && /^(import|export)[^;]*["'][^"']*openapi\/\w+\.ts["']/m.test(text)
  );
  assert.deepEqual(users.map(({ path }) => path), []);
});

Deno.test("only main.ts ends the process", async () => {
  const users = (await sourceFiles())
    .filter(({ text }) => /\b(Deno|process)\.exit\b/.test(withoutComments(text)));
  assert.deepEqual(users.map(({ path }) => path), ["main.ts"]);
});

Deno.test("nothing is imported from JSR or by URL", async () => {
  const wrong = (await sourceFiles()).flatMap(({ path, imports }) =>
    imports.filter((one) => /^(jsr|https?):/.test(one)).map((one) => `${path} -> ${one}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("every file of src/ begins by saying what it is", async () => {
  const wrong = (await sourceFiles()).filter(({ text }) => !text.startsWith("/**"));
  assert.deepEqual(wrong.map(({ path }) => path), []);
});

Deno.test("files are named in snake_case", async () => {
  const wrong = (await sourceFiles())
    .filter(({ path }) => !/^([a-z0-9_]+\/)*[a-z0-9_]+\.tsx?$/.test(path));
  assert.deepEqual(wrong.map(({ path }) => path), []);
});
