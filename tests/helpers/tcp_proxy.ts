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
  /** Of its listening side. */
  readonly port: number;

  /** @param port of the server, on this machine. */
  constructor(port: number) {
    this.#port = port;
    this.#isOpen.resolve();
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
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
    await Promise.allSettled([this.#pump(near, far), this.#pump(far, near)]);
    link.end();
    this.#links.delete(link);
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    while (true) {
      const length = await from.read(buffer);
      await this.#isOpen.promise;
      if (length === null) return await to.closeWrite();
      for (let at = 0; at < length;) at += await to.write(buffer.subarray(at, length));
    }
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
