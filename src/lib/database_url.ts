/**
 * What the setting `db` names: a file, or a PostgreSQL server by its URL. Owns how such a URL is told
 * apart, taken apart and shown; opens nothing.
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
 * ```
 */
export function shownDatabase(db: string): string {
  if (!isPostgresUrl(db)) return db;
  const withoutParameters = db.replace(/[?#].*$/s, "");
  // The last "@" ends what is said of the user, should the password hold one that is not escaped.
  return withoutParameters.replace(
    /^([a-z]+:\/\/)(?:([^:@/]*)(?::.*)?@)/is,
    (_, scheme, user) => user === "" ? scheme : `${scheme}${user}@`,
  );
}

/** One of the hosts that a URL names. */
export interface DatabaseHost {
  /** As messages name it: `db1.example:5433`, or the directory of a socket. */
  readonly shown: string;
  /** The same URL, which names this host alone. */
  readonly url: string;
}

/** What a session may be wanted for, in the words of libpq; here each has to be written to. */
const WRITING = ["read-write", "primary", "any"];

/**
 * The hosts that a URL names, in its order, which is the order to try them in: several stand before
 * the name of the database, or in the parameters `host` and `port`, separated by commas.
 *
 * @throws {RangeError} saying what is wrong with the list; never with the password in it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const [one, other] = databaseHosts("postgres://app@db1,db2:5433/queue?target_session_attrs=any");
 * assert.deepEqual(one, { shown: "db1", url: "postgres://app@db1/queue" });
 * assert.deepEqual(other, { shown: "db2:5433", url: "postgres://app@db2:5433/queue" });
 * ```
 */
export function databaseHosts(url: string): DatabaseHost[] {
  const [, scheme, rest, query = ""] = /^([a-z]+:\/\/)([^?#]*)(?:\?([^#]*))?/is.exec(url)!;
  const userEnd = rest!.lastIndexOf("@") + 1;
  const [hosts, path] = splitBefore(rest!.slice(userEnd), "/");
  const parameters = query.split("&").filter((one) => one !== "");
  const wanted = parameterOf(parameters, "target_session_attrs") ?? WRITING[0]!;
  if (!WRITING.includes(wanted)) {
    throw new RangeError(
      `target_session_attrs=${wanted}: every process writes; expected one of ${WRITING.join(", ")}`,
    );
  }
  const named = parameterOf(parameters, "host");
  const others = withoutParameters(parameters, ["target_session_attrs"]);
  const build = (host: string, more: readonly string[]) =>
    `${scheme}${rest!.slice(0, userEnd)}${host}${path}` +
    (more.length > 0 ? `?${more.join("&")}` : "");
  if (named === null) {
    return hosts.split(",").map((host, index, all) => {
      if (all.length > 1) checkHost(host, index);
      return { shown: host, url: build(host, others) };
    });
  }
  const names = named.split(",");
  const ports = (parameterOf(parameters, "port") ?? "").split(",");
  if (ports.length !== 1 && ports.length !== names.length) {
    throw new RangeError(
      `${names.length} hosts and ${ports.length} ports: expected one port, or one for each host`,
    );
  }
  const common = withoutParameters(others, ["host", "port"]);
  return names.map((name, index) => {
    const port = ports[index] ?? ports[0]!;
    const shown = port === "" ? name : `${name}:${port}`;
    if (names.length > 1 && !name.startsWith("/")) checkHost(shown, index);
    const more = [`host=${encodeURIComponent(name)}`, ...(port === "" ? [] : [`port=${port}`])];
    return { shown, url: build(hosts, [...common, ...more]) };
  });
}

/** @throws {RangeError} */
function checkHost(host: string, index: number): void {
  const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(host) ?? [null, "", undefined];
  if (name === "") throw new RangeError(`host ${index + 1} of the list is empty`);
  if (port === undefined) return;
  if (/^[0-9]{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return;
  throw new RangeError(`port ${JSON.stringify(port)} of host ${name}: expected 1 to 65535`);
}

function splitBefore(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
}

function parameterOf(parameters: readonly string[], name: string): string | null {
  const value = new URLSearchParams(parameters.join("&")).get(name);
  return value === "" ? null : value;
}

/** The others as they were written, for they may hold what a second encoding would change. */
function withoutParameters(parameters: readonly string[], names: readonly string[]): string[] {
  return parameters.filter((one) => !names.includes(one.split("=")[0]!));
}
