/**
 * A pooler as PgBouncer is one, as small as can be: lets everybody in itself, and hands what clients send
 * to sessions of a server that it keeps. Knows of the protocol where messages end, and no more.
 *
 * Invariant: a session serves one client at a time: for the length of a transaction, or of a connection.
 */

/** A kind of message and what it says, without its length. */
interface Message {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

export interface Pooler extends AsyncDisposable {
  readonly port: number;
}

type Mode = "session" | "transaction";

const SSL_REQUEST = 80_877_103;
const PROTOCOL = 196_608;

/** Pools the sessions of the server on this port of loopback, which trusts this user. */
export function startPooler(
  mode: Mode,
  { serverPort, user, database }: { serverPort: number; user: string; database: string },
): Pooler {
  const free: Upstream[] = [];
  const open: { close(): void }[] = [];
  const take = async () => {
    const upstream = free.pop();
    if (upstream !== undefined) return upstream;
    const fresh = await Upstream.open(serverPort, { user, database });
    open.push(fresh);
    return fresh;
  };

  const serve = async (client: Deno.Conn) => {
    const input = new Reader(client);
    if (await input.startup() === SSL_REQUEST) {
      await writeAll(client, new TextEncoder().encode("N"));
      await input.startup();
    }
    for (const message of WELCOME) await writeAll(client, message);
    let mine: Upstream | null = null;
    try {
      while (true) {
        const message = await input.message();
        if (message === null || message.kind === "X") return;
        mine ??= await take();
        await writeAll(mine.connection, message.bytes);
        if (message.kind !== "Q" && message.kind !== "S") continue;
        const status = await mine.answerTo(client);
        if (mode === "session" || status !== "I") continue;
        free.push(mine);
        mine = null;
      }
    } finally {
      if (mine !== null) mine.close(); // what it was in the midst of must not reach others
      client.close();
    }
  };

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const client of listener) {
      open.push(client);
      serve(client).catch(() => {}); // one of the two sides has gone
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      for (const one of open) {
        try {
          one.close();
        } catch { /* it is closed */ }
      }
    },
  };
}

/** A session of the server. */
class Upstream {
  readonly #input: Reader;

  private constructor(readonly connection: Deno.Conn) {
    this.#input = new Reader(connection);
  }

  static async open(
    port: number,
    { user, database }: { user: string; database: string },
  ): Promise<Upstream> {
    const upstream = new Upstream(await Deno.connect({ hostname: "127.0.0.1", port }));
    const words = `user\0${user}\0database\0${database}\0\0`;
    await writeAll(upstream.connection, framed("", [...int32(PROTOCOL), ...encoded(words)]));
    while ((await upstream.#input.message())!.kind !== "Z");
    return upstream;
  }

  /** Passes on all of it; returns how the transaction stands. */
  async answerTo(client: Deno.Conn): Promise<string> {
    while (true) {
      const message = await this.#input.message();
      if (message === null) throw new Error("the server has ended the session");
      await writeAll(client, message.bytes);
      if (message.kind === "Z") return String.fromCharCode(message.bytes[5]!);
    }
  }

  close(): void {
    try {
      this.connection.close();
    } catch { /* it is closed */ }
  }
}

/** Takes messages from a connection. */
class Reader {
  readonly #connection: Deno.Conn;
  #bytes = new Uint8Array(0);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** What a client wants to begin. */
  async startup(): Promise<number> {
    await this.#want(4);
    const length = int32At(this.#bytes, 0);
    await this.#want(length);
    return int32At(this.#take(length), 4);
  }

  /** Null: the connection has ended. */
  async message(): Promise<Message | null> {
    if (!await this.#want(5)) return null;
    const length = 1 + int32At(this.#bytes, 1);
    if (!await this.#want(length)) return null;
    const bytes = this.#take(length);
    return { kind: String.fromCharCode(bytes[0]!), bytes };
  }

  async #want(count: number): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    while (this.#bytes.length < count) {
      const read = await this.#connection.read(chunk);
      if (read === null) return false;
      const bytes = new Uint8Array(this.#bytes.length + read);
      bytes.set(this.#bytes);
      bytes.set(chunk.subarray(0, read), this.#bytes.length);
      this.#bytes = bytes;
    }
    return true;
  }

  #take(count: number): Uint8Array {
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }
}

/** It lets in, names a process that is none of the server's, and is ready. */
const WELCOME = [
  framed("R", int32(0)),
  framed("K", [...int32(1_000_001), ...int32(7)]),
  framed("Z", encoded("I")),
];

function framed(kind: string, content: ArrayLike<number>): Uint8Array {
  return new Uint8Array([...encoded(kind), ...int32(4 + content.length), ...Array.from(content)]);
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function int32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

function int32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(at);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
