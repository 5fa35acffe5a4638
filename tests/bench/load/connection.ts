/**
 * One HTTP/1.1 connection that is kept alive. Sends bytes made beforehand and reads answers that
 * say their `content-length`: no more work than that, so that the generator is not what is
 * measured.
 */

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const BUFFER_BYTES = 64 * 1024;

const decoder = new TextDecoder("latin1");

export class Connection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  static async open(port: number): Promise<Connection> {
    return new Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends a request, or a part of one. */
  async send(bytes: Uint8Array): Promise<void> {
    let sent = await this.#connection.write(bytes);
    while (sent < bytes.length) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** The answer to the one request that has been sent. */
  async receive(): Promise<Answer> {
    let received = 0;
    let text = "";
    while (true) {
      const length = await this.#connection.read(this.#buffer.subarray(received));
      if (length === null) throw new Error("the server closed the connection");
      received += length;
      text = decoder.decode(this.#buffer.subarray(0, received));
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd !== -1 && received >= headEnd + 4 + contentLength(text)) {
        return { status: Number(text.slice(9, 12)), body: text.slice(headEnd + 4) };
      }
      if (received === this.#buffer.length) throw new Error("an answer is larger than expected");
    }
  }

  async exchange(request: Uint8Array): Promise<Answer> {
    await this.send(request);
    return await this.receive();
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Deno.serve writes header names in lower case. */
function contentLength(text: string): number {
  const start = text.indexOf("\r\ncontent-length:");
  if (start === -1) throw new Error(`an answer without content-length:\n${text}`);
  return parseInt(text.slice(start + "\r\ncontent-length:".length), 10);
}
