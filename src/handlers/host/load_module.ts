/**
 * Loads a user's module. Owns what counts as a handler: every function that it exports by name; the
 * name is the kind.
 */
import { pathToFileURL } from "node:url";
import { isExecutable } from "../../lib/self.ts";
import { messageOf } from "./messages.ts";
import { moduleFiles, packagesOf } from "./module_files.ts";

/** A function of the user's. */
export type UserFunction = (payload: unknown, ctx: unknown) => unknown;

export interface LoadedModule {
  /** By kind. */
  readonly functions: ReadonlyMap<string, UserFunction>;
  /** The module and what it imports from beside it. */
  readonly files: readonly string[];
}

/** @throws what the module throws when it is loaded, or an error saying that it has no handler. */
export async function loadModule(path: string): Promise<LoadedModule> {
  const texts = moduleFiles(path);
  const module = await importModule(path, texts);
  const functions = new Map<string, UserFunction>();
  for (const [name, value] of Object.entries(module)) {
    if (name === "default" || typeof value !== "function" || isClass(value)) continue;
    functions.set(name, value as UserFunction);
  }
  if (functions.size === 0) {
    const found = Object.keys(module).map((name) => `"${name}"`).join(", ") || "nothing";
    throw new Error(`expected an exported function by the name of each kind, got ${found}`);
  }
  return { functions, files: [...texts.keys()] };
}

async function importModule(
  path: string,
  texts: ReadonlyMap<string, string>,
): Promise<Record<string, unknown>> {
  try {
    return await import(await urlOf(path, texts));
  } catch (error) {
    const packages = isExecutable() ? packagesOf(texts) : [];
    if (packages.length === 0) throw error;
    const names = packages.map((name) => JSON.stringify(name)).join(", ");
    throw new Error(
      `${messageOf(error)}\nThe executable loads files beside the module, and node: modules; ` +
        `put ${names} into the module with a bundler`,
    );
  }
}

/** From source the runtime understands TypeScript; in the executable it does not. */
async function urlOf(path: string, texts: ReadonlyMap<string, string>): Promise<string> {
  if (!isExecutable()) return pathToFileURL(path).href;
  const { transpiledEntry } = await import("./transpile.ts");
  return pathToFileURL(await transpiledEntry(path, texts)).href;
}

function isClass(value: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}
