/** Proves that modules from outside the executable become ones that need no compiler. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { moduleFiles, packagesOf } from "../../src/handlers/host/module_files.ts";
import { transpile, transpiledEntry } from "../../src/handlers/host/transpile.ts";

async function folder(files: Record<string, string>): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "queuectl-test-" }));
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(join(dir, name, ".."), { recursive: true });
    await Deno.writeTextFile(join(dir, name), text);
  }
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

/** Runs with the user's cache inside of the directory. */
async function withCache<T>(dir: string, work: () => T | Promise<T>): Promise<T> {
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", join(dir, "cache"));
  try {
    return await work();
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
  }
}

Deno.test("types, enums, parameter properties and satisfies go; what runs stays", () => {
  const code = transpile(
    "/x/a.ts",
    `import type { T } from "./t.ts";
    enum Colour { Red = 1, Green }
    interface I { a: number }
    class P { constructor(readonly n: number) {} }
    abstract class Q<T> extends P { declare z: T; abstract y(): void; }
    export const f = async <T,>(x: T): Promise<I> => ({ a: (x as unknown as number)! } satisfies I);
    export const g = Colour.Green + new P(5).n + (typeof Q).length;`,
  );
  assert.doesNotMatch(code, /interface|satisfies|readonly|\.\/t\.ts|abstract|declare/);
  const g = new Function(`${code.replaceAll("export ", "")}; return g;`)();
  assert.equal(g, 2 + 5 + "function".length);
});

Deno.test("a module goes on knowing where it stands", () => {
  const code = transpile("/x/a b.ts", "export const u = [import.meta.url, import.meta.dirname];");
  assert.match(code, /\["file:\/\/\/x\/a%20b\.ts", "\/x"\]/);
});

Deno.test("the files of a module are itself and what it imports from beside it", async () => {
  await using made = await folder({
    "main.ts":
      `import { a } from "./lib/a.ts"; import data from './data.json' with { type: "json" };
      import "node:fs"; import x from "npm:x"; await import("./late.js"); export { z } from "./gone.ts";`,
    "lib/a.ts": `export * from "../b.ts";`,
    "b.ts": `import "./main.ts"; export const b = 1;`,
    "data.json": `{"from": "./other.ts"}`,
    "late.js": "",
    "other.ts": "",
  });
  const files = [...moduleFiles(join(made.dir, "main.ts")).keys()];
  assert.deepEqual(
    files.map((path) => path.slice(made.dir.length + 1)).sort(),
    ["b.ts", "data.json", "late.js", "lib/a.ts", "main.ts"],
  );
  assert.equal(files[0], join(made.dir, "main.ts"));
});

Deno.test("the transpiled copy runs, is found again, and is another one after a change", async () => {
  await using made = await folder({
    "src/main.ts": `import { n } from "../lib.ts"; export const twice: number = n * 2;`,
    "lib.ts": `export const n: number = 21;`,
  });
  const entry = join(made.dir, "src/main.ts");
  await withCache(made.dir, async () => {
    const first = transpiledEntry(entry, moduleFiles(entry));
    assert.equal((await import(pathToFileURL(first).href)).twice, 42);
    assert.doesNotMatch(await Deno.readTextFile(first), /: number/);
    assert.equal(transpiledEntry(entry, moduleFiles(entry)), first);
    await Deno.writeTextFile(join(made.dir, "lib.ts"), `export const n: number = 50;`);
    const second = transpiledEntry(entry, moduleFiles(entry));
    assert.notEqual(second, first);
    assert.equal((await import(pathToFileURL(second).href)).twice, 100);
  });
});

Deno.test("what nobody has used for a month is deleted when something new comes", async () => {
  await using made = await folder({ "a.ts": "export const a = 1;", "b.ts": "export const b = 1;" });
  const copyOf = (name: string) => {
    const entry = join(made.dir, name);
    return transpiledEntry(entry, moduleFiles(entry));
  };
  await withCache(made.dir, async () => {
    const [old, used] = [copyOf("a.ts"), copyOf("b.ts")];
    const longAgo = new Date(Date.now() - 31 * 86_400_000);
    for (const path of [old, used]) await Deno.utime(join(path, ".."), longAgo, longAgo);
    assert.equal(copyOf("b.ts"), used);
    await Deno.writeTextFile(join(made.dir, "c.ts"), "export const c = 1;");
    const fresh = copyOf("c.ts");
    const exists = [old, used, fresh].map((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
    assert.deepEqual(exists, [false, true, true]);
  });
});

Deno.test("a cache that others can write to is not used", async () => {
  await using made = await folder({ "main.ts": "export const a = 1;" });
  const shared = join(made.dir, "cache", "queuectl", "handlers");
  await Deno.mkdir(shared, { recursive: true });
  await Deno.chmod(shared, 0o777);
  const entry = join(made.dir, "main.ts");
  const target = await withCache(made.dir, () => transpiledEntry(entry, moduleFiles(entry)));
  assert.ok(!target.startsWith(shared), target);
  await Deno.remove(join(target, "../.."), { recursive: true });
});

Deno.test("what a module imports from elsewhere is known by name", () => {
  const text = `
    import a, { b } from "npm:left-pad@1"; import type { T } from "./t.ts";
    import "https://example.com/x.ts";
    import {
      c,
    } from 'zod';
    export * from "jsr:@std/csv"; import fs from "node:fs"; import z from "../z.ts";
    // taken from "nowhere", not imported
    const text = 'from "here"';
  `;
  const texts = new Map([["/x/a.ts", text], ["/x/b.json", 'import "no";']]);
  assert.deepEqual(packagesOf(texts).toSorted(), [
    "https://example.com/x.ts",
    "jsr:@std/csv",
    "npm:left-pad@1",
    "zod",
  ]);
});
