/**
 * A TCP connection that a test says anything on, and that tells when the other side has closed it.
 * Reads all the time, unless it is to be slow; knows nothing of HTTP but where an answer's head ends.
 */
import { eventually } from "./eventually.ts";

export class RawLine implements Disposable {
  /** What has come. */
  received = "";
  isClosed = false;
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number, hostname = "127.0.0.1"): Promise<RawLine> {
    const line = new RawLine(await Deno.connect({ hostname, port }));
    line.#read();
    return line;
  }

  /** An error means that the other side has closed. */
  async send(text: string): Promise<void> {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Waits for so many answers, or their heads. */
  async answers(count: number): Promise<void> {
    const heads = () => this.received.split("HTTP/1.1 ").length - 1;
    await eventually(() => heads() >= count, { what: `there were ${count} answers` });
  }

  async closed(timeoutMs?: number): Promise<void> {
    await eventually(() => this.isClosed, { what: "the connection was closed", timeoutMs });
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      while (true) {
        const length = await this.#connection.read(buffer);
        if (length === null) break;
        this.received += new TextDecoder().decode(buffer.subarray(0, length));
      }
    } catch { /* reset, or closed by ourselves */ }
    this.isClosed = true;
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch { /* closed already */ }
  }
}
