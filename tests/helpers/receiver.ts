/**
 * HTTP servers on loopback for the tests of what queuectl sends: one that remembers requests, and
 * one that answers with exactly these bytes. Invariant: disposed means closed.
 */
import { within } from "../../src/lib/pause.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./tls.ts";

/** A request as it came. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export type Reply = (
  request: Received,
  signal: AbortSignal,
) => Response | Promise<Response>;

/** A server that answers as it is told, and remembers what it was sent. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  reply: Reply;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #closing = new AbortController();
  readonly #over: Promise<void>[] = [];
  readonly #scheme: string;

  constructor(reply: Reply = () => new Response("thanks"), options: ReceiverOptions = {}) {
    this.reply = reply;
    this.#scheme = options.isSecure === true ? "https" : "http";
    const tls = options.isSecure === true ? { key: TEST_KEY, cert: TEST_CERTIFICATE } : {};
    this.#server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port: options.port ?? 0,
        signal: this.#closing.signal,
        onListen: () => {},
        ...tls,
      },
      (request) => this.#answer(request),
    ) as Deno.HttpServer<Deno.NetAddr>;
  }

  get port(): number {
    return this.#server.addr.port;
  }

  url(path = "/", host = this.#scheme === "https" ? "localhost" : "127.0.0.1"): string {
    return `${this.#scheme}://${host}:${this.port}${path}`;
  }

  async #answer(request: Request): Promise<Response> {
    // The runtime says so of every request in the end, however it was answered.
    const { promise, resolve } = Promise.withResolvers<void>();
    request.signal.addEventListener("abort", () => resolve());
    this.#over.push(promise);
    const { pathname, search } = new URL(request.url);
    const body = await request.text().catch(() => null);
    if (body === null) return new Response(); // given up by its sender
    const received = {
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      body,
    };
    this.received.push(received);
    return await this.reply(received, request.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections that a test left hanging do not end by themselves.
    this.#closing.abort();
    await this.#server.finished;
    await within(Promise.all(this.#over), 2_000);
  }
}

export interface ReceiverOptions {
  readonly port?: number;
  /** With the certificate of `tls.ts`. */
  readonly isSecure?: boolean;
}

/** A server that answers every connection with what `speak` writes, whatever it was asked. */
export class RawServer implements AsyncDisposable {
  /** What came on each connection before the answer. */
  readonly heard: string[] = [];
  /** Connections whose other side has closed. */
  closed = 0;
  readonly #listener: Deno.TcpListener;
  readonly #serving: Promise<void>;
  readonly #open = new Set<Deno.Conn>();

  constructor(speak: (connection: Deno.Conn) => Promise<void>) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#serving = this.#serve(speak);
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #serve(speak: (connection: Deno.Conn) => Promise<void>): Promise<void> {
    const talks: Promise<void>[] = [];
    try {
      for await (const connection of this.#listener) talks.push(this.#talk(connection, speak));
    } catch { /* closed */ }
    await Promise.all(talks);
  }

  async #talk(connection: Deno.Conn, speak: (connection: Deno.Conn) => Promise<void>) {
    this.#open.add(connection);
    try {
      const buffer = new Uint8Array(64 * 1024);
      const count = await connection.read(buffer);
      this.heard.push(new TextDecoder().decode(buffer.subarray(0, count ?? 0)));
      await speak(connection);
    } catch { /* the other side has closed */ }
    this.closed++;
    this.#open.delete(connection);
    try {
      connection.close();
    } catch { /* it is */ }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch { /* it is */ }
    }
    await this.#serving;
  }
}

/** Says these bytes and closes. */
export function says(text: string): (connection: Deno.Conn) => Promise<void> {
  return async (connection) => {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
  };
}

/** Says nothing until the other side closes. */
export async function staysSilent(connection: Deno.Conn): Promise<void> {
  while (await connection.read(new Uint8Array(1_024)) !== null);
}
