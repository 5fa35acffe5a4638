/**
 * Connections to the hosts of URLs. A name is resolved once, its addresses are checked, and the
 * connection goes to an address that passed: whatever the name means a moment later, nothing else is
 * called. Over TLS the certificate must be for the name in the URL.
 *
 * Plain sockets on purpose: the runtime's clients resolve names themselves, each version in its own
 * way, and some follow proxies and redirects.
 */
import { messageOf } from "../error_message.ts";
import { findNonPublic, isIpAddress } from "./ip_address.ts";
import { RequestFailedError } from "./errors.ts";

/** The addresses of a host name. Throws when there are none. */
export type Resolver = (name: string) => Promise<readonly string[]>;

export interface ConnectOptions {
  /** Whether addresses may be called that are not public. */
  readonly allowsPrivate: boolean;
  /** Certificates (PEM) that are trusted besides those of the runtime. */
  readonly caCerts: readonly string[];
  /** By default that of the operating system. */
  readonly resolve?: Resolver;
}

/** More addresses than this are not tried. */
const MOST_ADDRESSES = 4;

/** For all addresses together, certificates included. */
const CONNECT_MS = 10_000;

/**
 * A connection to the URL's host.
 *
 * @throws {RequestFailedError} when no address may be called, or none answers; the signal's reason,
 * at once, when it is aborted.
 */
export async function connect(
  url: URL,
  signal: AbortSignal,
  options: ConnectOptions,
): Promise<Deno.Conn> {
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = await permittedAddresses(name, signal, options);
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const limitMs = CONNECT_MS / addresses.length;
  let failure = "";
  for (const address of addresses) {
    signal.throwIfAborted();
    using attempt = new Attempt(signal, limitMs);
    try {
      const connection = await attempt.take(Deno.connect({ hostname: address, port }));
      if (url.protocol === "http:") return attempt.keep(connection);
      const { caCerts } = options;
      const hostname = name.replace(/\.$/, "");
      const secured = Deno.startTls(connection as Deno.TcpConn, {
        hostname,
        caCerts: [...caCerts],
      });
      const tls = await attempt.take(secured);
      await tls.handshake();
      return attempt.keep(tls);
    } catch (error) {
      signal.throwIfAborted();
      failure = attempt.isLate ? `no answer within ${limitMs / 1_000} s` : reasonOf(error);
    }
  }
  throw new RequestFailedError("connect", `cannot connect to ${url.host}: ${failure}`);
}

/** The addresses that the host means and that may be called; at least one. */
export async function permittedAddresses(
  name: string,
  signal: AbortSignal,
  { allowsPrivate, resolve = systemResolver }: ConnectOptions,
): Promise<string[]> {
  const all = isIpAddress(name) ? [name] : await resolveWithin(name, signal, resolve);
  if (all.length === 0) {
    throw new RequestFailedError("connect", `there is no address for the host ${name}`);
  }
  const permitted = allowsPrivate ? all : all.filter((one) => findNonPublic(one) === null);
  if (permitted.length > 0) return [...new Set(permitted)].slice(0, MOST_ADDRESSES);
  const [address] = all;
  const what = `${findNonPublic(address!)} address`;
  const found = address === name ? `${name} is ${what}` : `${name} has ${what}`;
  throw new RequestFailedError(
    "address",
    `${found}, and only public ones are called unless allow-private-http is on`,
  );
}

/** The name's addresses; none when it has none, or when nobody tells them in time. */
async function resolveWithin(
  name: string,
  signal: AbortSignal,
  resolve: Resolver,
): Promise<readonly string[]> {
  signal.throwIfAborted();
  let giveUp = () => {};
  const givenUp = new Promise<readonly string[]>((settle) => giveUp = () => settle([]));
  const timer = setTimeout(giveUp, CONNECT_MS);
  signal.addEventListener("abort", giveUp);
  try {
    const addresses = await Promise.race([resolve(name).catch(() => []), givenUp]);
    signal.throwIfAborted();
    return addresses;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/**
 * As other programs on the machine resolve it, `/etc/hosts` included. Loaded when it is needed: the
 * command line never does. (`node:dns/promises` makes the executable warn on stderr.)
 */
async function systemResolver(name: string): Promise<string[]> {
  const { lookup } = await import("node:dns");
  return await new Promise((resolve, reject) =>
    lookup(name, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses.map(({ address }) => address));
    })
  );
}

/** One try: closes what it has opened unless that is kept, in time or when it is aborted. */
class Attempt implements Disposable {
  isLate = false;
  #connection: Deno.Conn | null = null;
  #isOver = false;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #signal: AbortSignal;
  #giveUp: (reason: Error) => void = () => {};
  readonly #givenUp: Promise<never>;

  constructor(signal: AbortSignal, limitMs: number) {
    this.#givenUp = new Promise((_, reject) => this.#giveUp = reject);
    this.#givenUp.catch(() => {});
    this.#signal = signal;
    signal.addEventListener("abort", this.#end);
    this.#timer = setTimeout(() => {
      this.isLate = true;
      this.#end();
    }, limitMs);
  }

  /** Waits for a connection; one that comes too late is closed. */
  async take<C extends Deno.Conn>(opening: Promise<C>): Promise<C> {
    this.#connection = null;
    opening.then((connection) => {
      if (this.#isOver) close(connection);
    }, () => {});
    const connection = await Promise.race([opening, this.#givenUp]);
    this.#connection = connection;
    return connection;
  }

  keep(connection: Deno.Conn): Deno.Conn {
    this.#connection = null;
    return connection;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#end);
    this.#isOver = true;
    if (this.#connection !== null) close(this.#connection);
  }

  readonly #end = () => {
    this.#isOver = true;
    this.#giveUp(new Error("given up"));
    if (this.#connection !== null) close(this.#connection);
    this.#connection = null;
  };
}

/** Closes a connection that may be closed already. */
export function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch { /* it is */ }
}

/** What the operating system or the certificate check says, without the number of the error. */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  return message.replace(/ \(os error \d+\)$/, "");
}
