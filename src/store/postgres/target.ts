/**
 * What a URL and the environment say of the way to a PostgreSQL server, in the words that `psql` and
 * all of libpq understand. Pure: reads no file, opens nothing.
 *
 * Invariant: what is said of a mistake never quotes what may be a password: neither a value, nor a port.
 */

/** One of the hosts, in the order in which they are tried. */
export interface Host {
  /** As messages name it: `db1.example:5433`, or the directory of a socket. */
  readonly shown: string;
  /** A name, an address, or the directory of a socket. */
  readonly name: string;
  readonly port: number;
  readonly isSocket: boolean;
}

const TLS_MODES = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
] as const;
export type TlsMode = typeof TLS_MODES[number];

/** What was said of TLS. Null: nothing, so what is usual holds. */
export interface TlsWish {
  readonly mode: TlsMode;
  /** A file of authorities; `system`: those that everybody trusts. */
  readonly authorities: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly keyPassword: string | null;
  /** TLS from the first byte on. */
  readonly isDirect: boolean;
}

export interface Target {
  /** None: the usual sockets of this machine are looked at. */
  readonly hosts: readonly Host[];
  readonly port: number;
  /** Null: whoever runs this program. */
  readonly user: string | null;
  /** Null: named as the user. */
  readonly database: string | null;
  /** Null: the password file may know it. */
  readonly password: string | null;
  /** Null: the usual one. */
  readonly passwordFile: string | null;
  readonly options: string | null;
  readonly applicationName: string;
  /** How long opening a connection may take; null: as long as is usual. */
  readonly connectMs: number | null;
  readonly tls: TlsWish;
}

/** What may stand in the URL, and the variables that say the same where it does not. */
const PARAMETERS: Readonly<Record<string, string | null>> = {
  host: "PGHOST",
  port: "PGPORT",
  dbname: "PGDATABASE",
  user: "PGUSER",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  connect_timeout: "PGCONNECT_TIMEOUT",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslpassword: null,
  sslnegotiation: "PGSSLNEGOTIATION",
};

/** Parameters of other programs' URLs that ask for nothing but what is done anyway. */
const SILENT: Readonly<Record<string, readonly string[]>> = {
  uselibpqcompat: ["true"],
  channel_binding: ["disable", "prefer"],
  gssencmode: ["disable", "prefer"],
  client_encoding: ["utf8", "utf-8", "auto"],
  load_balance_hosts: ["disable"],
  keepalives: ["1"],
};

/** What a session may be wanted for; here each has to be written to. */
const WRITING = ["read-write", "primary", "any"];

const DEFAULT_PORT = 5432;
const MOST_CONNECT_S = 600;

const EXPECTED = "expected postgres://user@host:port/database?name=value";

/**
 * @param env the environment, by name.
 * @throws {RangeError} naming everything that is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const url = "postgres://app:a%40b@db1,db2:5433/queue?sslmode=verify-full";
 * const target = parseTarget(url, () => undefined);
 * assert.deepEqual(target.hosts.map(({ shown }) => shown), ["db1", "db2:5433"]);
 * assert.deepEqual([target.user, target.password, target.database], ["app", "a@b", "queue"]);
 * assert.equal(target.tls.mode, "verify-full");
 * assert.throws(() => parseTarget("postgres://app@db/queue?sslmod=require", () => undefined), {
 *   message: /^unknown parameter sslmod/,
 * });
 * ```
 */
export function parseTarget(url: string, env: (name: string) => string | undefined): Target {
  const problems: string[] = [];
  const said = readUrl(url, problems);
  const value = (name: string): string | null => {
    const inUrl = said.get(name);
    if (inUrl !== undefined && inUrl !== "") return inUrl;
    const variable = PARAMETERS[name];
    return (variable == null ? undefined : env(variable)) || null;
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], usual: T): T => {
    const given = value(name) ?? usual;
    const found = allowed.find((one) => one === given);
    if (found === undefined) problems.push(`${name}: expected one of ${allowed.join(", ")}`);
    return found ?? usual;
  };
  const hosts = readHosts(value("host") ?? "", value("port") ?? "", problems);
  const seconds = value("connect_timeout");
  if (seconds !== null && !isNumber(seconds, MOST_CONNECT_S)) {
    problems.push(`connect_timeout: expected seconds, from 1 to ${MOST_CONNECT_S}`);
  }
  if (!WRITING.includes(value("target_session_attrs") ?? WRITING[0]!)) {
    problems.push(
      `target_session_attrs: every process writes, so expected one of ${WRITING.join(", ")}`,
    );
  }
  const authorities = value("sslrootcert");
  // Whoever trusts everybody's authorities has to look at the name: anybody can get a certificate.
  const mode = oneOf("sslmode", TLS_MODES, authorities === "system" ? "verify-full" : "prefer");
  if (authorities === "system" && mode !== "verify-full") {
    problems.push("sslrootcert=system: expected sslmode=verify-full with it");
  }
  const negotiation = oneOf("sslnegotiation", ["postgres", "direct"], "postgres");
  if (negotiation === "direct" && ["disable", "allow", "prefer"].includes(mode)) {
    problems.push("sslnegotiation=direct: expected sslmode=require or stricter with it");
  }
  const options = value("options");
  const target: Target = {
    ...hosts,
    user: value("user"),
    database: value("dbname"),
    password: value("password"),
    passwordFile: value("passfile"),
    // Whoever has built the URL by a form's rules has written spaces so; no option needs a plus.
    options: options?.replaceAll("+", " ") ?? null,
    applicationName: value("application_name") ?? "queuectl",
    connectMs: seconds === null ? null : Number(seconds) * 1_000,
    tls: {
      mode,
      authorities,
      certificate: value("sslcert"),
      key: value("sslkey"),
      keyPassword: value("sslpassword"),
      isDirect: negotiation === "direct",
    },
  };
  if (problems.length > 0) throw new RangeError(problems.join("; "));
  return target;
}

/** What the URL says, by the names of parameters. */
function readUrl(url: string, problems: string[]): Map<string, string> {
  const said = new Map<string, string>();
  const [, place, query = ""] = /^[a-z]+:\/\/([^?#]*)(?:\?([^#]*))?/is.exec(url) ?? [null, "", ""];
  if (
    url.includes("#") || !place!.includes("@") && /^[^?]*:[^?]*\?.*@/s.test(place + "?" + query)
  ) {
    problems.push(
      "the URL cannot be read: in a password, write # as %23, ? as %3F, / as %2F and @ as %40; " +
        EXPECTED,
    );
    return said;
  }
  const text = (encoded: string, what: string): string => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      problems.push(`${what}: a % that is no %XX of UTF-8; write % itself as %25`);
      return "";
    }
  };
  const userEnd = place!.lastIndexOf("@");
  const [user, password] = cut(place!.slice(0, Math.max(userEnd, 0)), ":");
  const [hosts, database] = cut(place!.slice(userEnd + 1), "/");
  said.set("user", text(user, "the user")).set("password", text(password, "the password"));
  said.set("dbname", text(database, "the name of the database"));
  const list = hosts === "" ? [] : hosts.split(",").map((one) => {
    const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(one) ?? [null, "", ""];
    return { name: text(name!, "the host"), port: port ?? "" };
  });
  said.set("host", list.map(({ name }) => name).join(","));
  if (list.some(({ port }) => port !== "")) {
    said.set("port", list.map(({ port }) => port).join(","));
  }
  const unknown: string[] = [];
  for (const part of query.split("&").filter((part) => part !== "")) {
    const [name, encoded] = cut(part, "=");
    const value = text(encoded, name);
    if (Object.hasOwn(PARAMETERS, name)) said.set(name, value);
    else if (!Object.hasOwn(SILENT, name)) unknown.push(name);
    else if (!SILENT[name]!.includes(value.toLowerCase())) {
      problems.push(`${name}: expected ${SILENT[name]!.join(" or ")}, or nothing of it`);
    }
  }
  if (unknown.length > 0) {
    const known = Object.keys(PARAMETERS).join(", ");
    const names = unknown.map((name) => name.slice(0, 40)).join(", ");
    problems.push(`unknown parameter${unknown.length > 1 ? "s" : ""} ${names}; there are ${known}`);
  }
  return said;
}

function readHosts(
  hosts: string,
  ports: string,
  problems: string[],
): Pick<Target, "hosts" | "port"> {
  const names = hosts === "" ? [] : hosts.split(",");
  const given = ports.split(",");
  if (given.length > 1 && given.length !== names.length) {
    problems.push(
      `${names.length} hosts and ${given.length} ports: expected one port, or one for each host`,
    );
  }
  const portOf = (index: number, ofWhat: string): number => {
    const port = given.length > 1 ? given[index] ?? "" : given[0]!;
    if (port === "") return DEFAULT_PORT;
    if (!isNumber(port, 65_535)) {
      // Not quoted: with the host forgotten, the password stands in its place.
      const problem = `the port ${ofWhat} is no number from 1 to 65535; ${EXPECTED}`;
      if (!problems.includes(problem)) problems.push(problem);
    }
    return Number(port);
  };
  if (names.length === 0) return { hosts: [], port: portOf(0, "of the URL") };
  const list = names.map((written, index): Host => {
    if (written === "" && names.length > 1) problems.push(`host ${index + 1} of the list is empty`);
    const isSocket = written.startsWith("/");
    const name = written.replace(/^\[(.*)\]$/, "$1");
    const port = portOf(index, `of host ${written}`);
    return { shown: port === DEFAULT_PORT ? written : `${written}:${port}`, name, port, isSocket };
  });
  return { hosts: list, port: list[0]!.port };
}

function isNumber(text: string, most: number): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}

/** What stands before the first separator, and what after it. */
function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
