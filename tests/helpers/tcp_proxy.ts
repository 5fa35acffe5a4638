/** A TCP connection that can be cut. Owns its listener and what goes through; knows no protocol. */
import { freePort } from "./free_port.ts";

/**
 * A network between a program and a server that can be cut: connections are reset and refused, or
 * nothing gets through any more, in either direction, without anybody being told. What was swallowed
 * arrives when the network is whole again, as TCP sees to by sending it once more.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #port: number;
  readonly #links = new Set<Link>();
  #listener: Deno.TcpListener | null;
  #isOpen = Promise.withResolvers<void>();
  #lost: string | null = null;
  /** Of its listening side. */
  readonly port: number;

  /** @param port of the server, on this machine. */
  constructor(port: number) {
    this.#port = port;
    this.#isOpen.resolve();
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
    this.port = this.#listener.addr.port;
    this.#accept(this.#listener);
  }

  /** The same URL by way of this network. */
  through(url: string): string {
    return url.replace(`:${this.#port}/`, `:${this.port}/`);
  }

  /** From now on connections are refused, and those that exist are over. */
  reset(): void {
    this.#listener?.close();
    this.#listener = null;
    for (const link of this.#links) link.end();
  }

  /** From now on nothing gets through. Connections can still be opened, as into a queue nobody reads. */
  swallow(): void {
    this.#isOpen = Promise.withResolvers<void>();
  }

  /** The next answer of the server that holds this is lost, with its connection. */
  loseAnswer(text: string): void {
    this.#lost = text;
  }

  restore(): void {
    this.#isOpen.resolve();
    if (this.#listener !== null) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accept(this.#listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    this.#isOpen.resolve();
    return Promise.resolve();
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const near of listener) this.#connect(near).catch(() => {});
    } catch { /* closed */ }
  }

  async #connect(near: Deno.TcpConn): Promise<void> {
    await this.#isOpen.promise;
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const link = new Link(near, far);
    this.#links.add(link);
    await Promise.allSettled([this.#pump(near, far), this.#pump(far, near, true)]);
    link.end();
    this.#links.delete(link);
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn, isAnswer = false): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    while (true) {
      const length = await from.read(buffer);
      await this.#isOpen.promise;
      if (length === null) return await to.closeWrite();
      if (isAnswer && this.#isLost(buffer.subarray(0, length))) {
        from.close();
        return to.close();
      }
      for (let at = 0; at < length;) at += await to.write(buffer.subarray(at, length));
    }
  }

  #isLost(answer: Uint8Array): boolean {
    if (this.#lost === null) return false;
    if (!new TextDecoder("latin1").decode(answer).includes(this.#lost)) return false;
    this.#lost = null;
    return true;
  }
}

class Link {
  readonly #ends: readonly Deno.TcpConn[];

  constructor(...ends: Deno.TcpConn[]) {
    this.#ends = ends;
  }

  end(): void {
    for (const end of this.#ends) {
      try {
        end.close();
      } catch { /* it is closed */ }
    }
  }
}
