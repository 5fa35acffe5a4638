/**
 * The way to one host, up to the moment when the server has let us in: TLS, password, patience, and what
 * it means when that does not work. Owns the driver's client until then; runs no statement.
 *
 * Invariant: whoever waits is told in bounded time, in one line, and never with a password in it.
 */
import { userInfo } from "node:os";
import { Socket } from "node:net";
import { messageOf } from "../../lib/error_message.ts";
import { hasSpoken, NoWay } from "./errors.ts";
import { passwordOf } from "./password_file.ts";
import type { Result, StatementGroup } from "./statement_group.ts";
import type { Host, Target } from "./target.ts";
import { certificateProblem, type TlsOptions, tlsTries } from "./tls.ts";

/** The part of the driver that is used. */
export interface Client {
  connect(): Promise<unknown>;
  query(group: StatementGroup): unknown;
  query(script: string | { text: string; query_timeout?: number }): Promise<Result | Result[]>;
  end(): Promise<void>;
  on(event: string, listener: (argument: never) => void): unknown;
  /** Of the server's process, or what a pooler says instead. */
  readonly processID: number | null;
  readonly connection?: { readonly stream?: { destroy(): void } };
}

/** A client that the server has let in. */
export interface Opened {
  readonly client: Client;
  readonly isTls: boolean;
  /** Ends it at once. */
  cut(): void;
}

/** How long the way to a host may take, unless the URL says. */
const CONNECT_MS = 5_000;

/** Where servers leave their sockets. */
const SOCKET_DIRECTORIES = ["/var/run/postgresql", "/tmp"];

/** The hosts of the target; where it names none, this machine, as `psql` finds it. */
export async function hostsOf({ hosts, port }: Target): Promise<readonly Host[]> {
  if (hosts.length > 0) return hosts;
  for (const name of SOCKET_DIRECTORIES) {
    try {
      await Deno.lstat(`${name}/.s.PGSQL.${port}`);
      return [{ shown: name, name, port, isSocket: true }];
    } catch { /* not there */ }
  }
  return [{ shown: "localhost", name: "localhost", port, isSocket: false }];
}

/** @throws {NoWay} or what the server says. */
export async function openClient(host: Host, target: Target, settings: object): Promise<Opened> {
  const home = Deno.env.get("HOME") ?? null;
  const tries = await orNoWay(() => tlsTries(target, { isSocket: host.isSocket, home }));
  for (const [index, tls] of tries.entries()) {
    try {
      return await tryOnce(host, { target, tls, settings, home });
    } catch (error) {
      if (index === tries.length - 1 || !isWorthAnotherTry(error)) throw error;
    }
  }
  throw new Error("there is always a way to try");
}

/** Whether the server may let in with TLS whom it does not without, or the other way round. */
function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof NoWay ? error.isOfTls : (error as { code?: unknown }).code === "28000";
}

async function tryOnce(
  host: Host,
  { target, tls, settings, home }: {
    target: Target;
    tls: TlsOptions;
    settings: object;
    home: string | null;
  },
): Promise<Opened> {
  const { default: pg } = await import("pg");
  const socket = new Socket();
  let isThere = false;
  let answer: string | null = null;
  let failure: unknown = null;
  socket.once("connect", () => isThere = true);
  socket.once("error", (error) => failure = error);
  socket.once("data", (bytes: Uint8Array) => answer = new TextDecoder("latin1").decode(bytes));
  const user = target.user ?? userInfo().username;
  const access = { host: host.name, port: host.port, user, database: target.database ?? user };
  const client = new pg.Client(
    {
      ...access,
      ...settings,
      password: target.password ?? (() => passwordFromFile(access, target, home)),
      options: target.options ?? undefined,
      application_name: target.applicationName,
      ssl: tls,
      sslnegotiation: target.tls.isDirect ? "direct" : "postgres",
      stream: () => socket,
    } as ConstructorParameters<typeof pg.Client>[0],
  ) as unknown as Client;
  // From here on its errors are told to whoever waits; later ones to who has it then.
  client.on("error", () => {});
  const cut = () => {
    client.connection?.stream?.destroy();
    socket.destroy();
    client.end().catch(() => {});
  };
  const patienceMs = target.connectMs ?? CONNECT_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late()), patienceMs);
  });
  try {
    await Promise.race([client.connect(), late]);
    return { client, isTls: tls !== false, cut };
  } catch (error) {
    // Deno 2.4 says that a socket is closed, and then why.
    if (!isThere) await new Promise((resolve) => setTimeout(resolve, 0));
    cut();
    const doubt = tls !== false && isDoubtful(error) ? await certificateProblem(host, tls) : null;
    const seen = isThere ? error : failure ?? error;
    const reason = doubt === null ? seen : new Error(doubt);
    const { isDirect } = target.tls;
    throw meaningOf(reason, { answer, isThere, tls, isDirect, patienceMs });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether Node's TLS has found something wrong, but not said what. */
function isDoubtful(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
}

/** Patience is over. */
class Late extends Error {}

/** The server has asked for a password that the URL and the environment do not name. */
async function passwordFromFile(
  access: Parameters<typeof passwordOf>[0],
  target: Target,
  home: string | null,
): Promise<string> {
  const path = target.passwordFile ?? (home === null ? null : `${home}/.pgpass`);
  const found = path === null
    ? null
    : await orNoWay(() => passwordOf(access, path, target.passwordFile !== null));
  if (found !== null) return found;
  throw new NoWay(
    "the server wants a password, and none was given; set PGPASSWORD, or write it into ~/.pgpass or " +
      "the URL",
  );
}

/** What is wrong with what was said is what is in the way. */
async function orNoWay<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RangeError ? new NoWay(error.message) : error;
  }
}

/** How answers of a server begin: to the wish for TLS, and to one who wants to come in. */
const TO_TLS = /^(?:[SN]$|E)/;
const TO_STARTUP = /^[RENv]/;

function meaningOf(
  error: unknown,
  { answer, isThere, tls, isDirect, patienceMs }: {
    answer: string | null;
    isThere: boolean;
    tls: TlsOptions;
    isDirect: boolean;
    patienceMs: number;
  },
): unknown {
  const isTls = tls !== false;
  if (error instanceof NoWay || hasSpoken(error)) return error;
  if (isTls && isDirect && isThere && !(error instanceof Late)) {
    return new NoWay(`${tlsReason(error, tls)}; sslnegotiation=direct needs PostgreSQL 17`);
  }
  if (answer !== null && !(isTls ? TO_TLS : TO_STARTUP).test(answer)) {
    return new NoWay(`what answers there is no PostgreSQL: it says ${quoted(answer)}`);
  }
  if (error instanceof Late) {
    const what = !isThere
      ? "could not be reached"
      : answer === null
      ? "takes connections, but did not answer"
      : "did not let us in";
    return new NoWay(`it ${what} within ${patienceMs / 1_000} s`);
  }
  if (isTls && answer === "N") {
    return new NoWay("the server does not speak TLS, which sslmode asks for", { isOfTls: true });
  }
  if (isTls && answer === "S") return new NoWay(tlsReason(error, tls), { isOfTls: true });
  if (isThere && answer === null) {
    return new NoWay("what listens there has closed the connection without an answer", {
      isOfTls: isTls,
    });
  }
  return error;
}

/** What went wrong between two sides that both speak TLS. */
function tlsReason(error: unknown, tls: TlsOptions): string {
  const message = messageOf(error);
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const text = `${code} ${message}`;
  const [reason, hint] = /expired/i.test(text)
    ? ["the server's certificate has expired", ""]
    : /not valid for name|ALTNAME|does not match/i.test(text)
    ? [
      "the server's certificate is for another name",
      tls !== false && tls.checkServerIdentity !== undefined
        ? `Deno ${Deno.version.deno} looks at the name with sslmode=verify-ca, too`
        : "name the host as the certificate does",
    ]
    : /UnknownIssuer|self.signed|unable to (get|verify)|UNABLE_TO/i.test(text)
    ? [
      "the server's certificate was made by an authority that is not trusted",
      "name its file as sslrootcert",
    ]
    : /NotValidYet|not yet valid/i.test(text)
    ? ["the server's certificate is not valid yet", "look at the clocks"]
    : ["TLS failed", ""];
  return `no secure connection: ${reason} (${message})${hint === "" ? "" : `; ${hint}`}`;
}

/** The beginning of a foreign answer, as people may see it. */
function quoted(answer: string): string {
  return JSON.stringify(answer.slice(0, 40).replace(/[^\x20-\x7e]+/g, " ").trim());
}
