/**
 * The part of `deno.lock` that the program itself needs. `deno compile` puts every package of the
 * lock into the executable, test tools included, so it is given this smaller lock instead. Owns the
 * walk through the lock's packages; knows neither files nor the compiler.
 *
 * Invariant: what stays is byte for byte what the full lock pins; nothing is resolved anew.
 */

/** A lock file, as far as packages from npm are concerned; everything else is passed through. */
export interface Lock {
  readonly version: string;
  /** What the code asks for, by requirement: `npm:a@1.2.3` to `1.2.3`. */
  readonly specifiers?: Readonly<Record<string, string>>;
  /** What was found, by package id: `a@1.2.3`. */
  readonly npm?: Readonly<Record<string, LockedPackage>>;
  readonly [other: string]: unknown;
}

interface LockedPackage {
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
  readonly [other: string]: unknown;
}

/** The layout of the lock that this walk understands. */
const LOCK_VERSION = "5";

/**
 * The lock with only the packages that `reached` names (ids as `a@1.2.3`) and what they need.
 *
 * @throws {Error} when the lock has another layout or lacks a package that is reached.
 */
export function productionLock(lock: Lock, reached: Iterable<string>): Lock {
  if (lock.version !== LOCK_VERSION) {
    throw new Error(`deno.lock has version ${lock.version}; expected ${LOCK_VERSION}`);
  }
  const packages = lock.npm ?? {};
  const kept = withDependencies(packages, reached);
  const isKept = ([requirement, version]: [string, string]) =>
    !requirement.startsWith("npm:") || kept.has(packageId(requirement, version));
  return {
    ...lock,
    specifiers: Object.fromEntries(Object.entries(lock.specifiers ?? {}).filter(isKept)),
    npm: Object.fromEntries(Object.entries(packages).filter(([id]) => kept.has(id))),
  };
}

function withDependencies(
  packages: Readonly<Record<string, LockedPackage>>,
  reached: Iterable<string>,
): Set<string> {
  const kept = new Set<string>();
  const waiting = [...reached];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (kept.has(id)) continue;
    const found = packages[id];
    if (found === undefined) {
      throw new Error(`deno.lock has no package ${id}; expected every package that src/ imports`);
    }
    kept.add(id);
    const needs = [...found.dependencies ?? [], ...found.optionalDependencies ?? []];
    waiting.push(...needs.map((need) => idOf(need, packages)));
  }
  return kept;
}

/**
 * The id that a dependency entry means. The lock writes the bare name where it holds one version of
 * the package, `name@version` where it holds several, and `alias@npm:name@version` for an alias.
 */
function idOf(need: string, packages: Readonly<Record<string, LockedPackage>>): string {
  const target = need.includes("@npm:") ? need.slice(need.indexOf("@npm:") + 5) : need;
  if (Object.hasOwn(packages, target)) return target;
  return Object.keys(packages).find((id) => nameOf(id) === target) ?? target;
}

/** `npm:@scope/a@^1` and `1.2.3` to `@scope/a@1.2.3`. */
function packageId(requirement: string, version: string): string {
  return `${nameOf(requirement.slice("npm:".length))}@${version}`;
}

/** The name in `name@anything`; a scope's own `@` stands at the start. */
function nameOf(id: string): string {
  const at = id.indexOf("@", 1);
  return at === -1 ? id : id.slice(0, at);
}
