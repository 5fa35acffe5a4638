/**
 * What the setting `db` names: a file, or a PostgreSQL server by its URL. Owns how such a URL is told
 * apart and shown; opens nothing.
 *
 * Invariant: what {@link shownDatabase} returns never holds a password.
 */
import { resolve } from "node:path";

/**
 * Whether the setting names a PostgreSQL server.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(isPostgresUrl("postgres://app@db.example/queue"), true);
 * assert.equal(isPostgresUrl("./queue.db"), false);
 * ```
 */
export function isPostgresUrl(db: string): boolean {
  return /^postgres(ql)?:\/\//i.test(db);
}

/**
 * The database as any directory may name it: a path in full, a URL as it is.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(absoluteDatabase("/srv", "./queue.db"), "/srv/queue.db");
 * ```
 */
export function absoluteDatabase(cwd: string, db: string): string {
  return isPostgresUrl(db) ? db : resolve(cwd, db);
}

/**
 * The database as people may see it: a path as it is, a URL without password and parameters.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const shown = shownDatabase("postgres://app:secret@db.example/queue?sslmode=require");
 * assert.equal(shown, "postgres://app@db.example/queue");
 * assert.equal(shownDatabase("postgres://app:p@ss:@db.example/queue"), "postgres://app@db.example/queue");
 * assert.equal(shownDatabase("postgres://app:secret/queue"), "postgres://…");
 * ```
 */
export function shownDatabase(db: string): string {
  if (!isPostgresUrl(db)) return db;
  const withoutParameters = db.replace(/[?#].*$/s, "");
  const [scheme] = /^[a-z]+:\/\//i.exec(withoutParameters)!;
  const place = withoutParameters.slice(scheme.length);
  // The last "@" ends what is said of the user, should the password hold one that is not escaped.
  const userEnd = place.lastIndexOf("@");
  const user = place.slice(0, Math.max(userEnd, 0)).replace(/:.*$/s, "");
  const rest = place.slice(userEnd + 1);
  // What stands in the place of a port, but is none, is a password whose host was forgotten.
  const isPlain = rest.replace(/\/.*$/s, "").split(",")
    .every((host) => /^(?:\[[^\]]*\]|[^:]*)(?::\d{0,5})?$/.test(host));
  return `${scheme}${user === "" ? "" : `${user}@`}${isPlain ? rest : "…"}`;
}
