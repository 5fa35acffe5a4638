/**
 * Ends connections of this process by the numbers of their sockets. The runtime has no way to do
 * that to a connection that it serves, so the C library is asked: `shutdown(2)`, after which the
 * runtime reads the connection's end and lets go of it.
 *
 * Invariant: a descriptor is named to the C library only in the turn of the event loop in which it
 * was seen to be that socket. Numbers are used again, but the thread that would do so runs this.
 */
import { pause } from "../lib/pause.ts";
import { descriptors, socketOf } from "./own_sockets.ts";

/** GNU's name, then musl's. The process has loaded one of them, so nothing is searched for. */
const LIBRARIES = ["libc.so.6", "libc.so"];

const SYMBOLS = { shutdown: { parameters: ["i32", "i32"], result: "i32" } } as const;

/** Neither reads nor writes any more: Linux' SHUT_RDWR. */
const BOTH_WAYS = 2;

/** So many descriptors are looked at in one turn of the event loop; one takes up to 10 µs. */
const IN_ONE_TURN = 200;

export class SocketCloser implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  /** Whether this process may do it at all. Asks nobody, and loads nothing yet. */
  static isAllowed(): boolean {
    return Deno.build.os === "linux" &&
      Deno.permissions.querySync({ name: "ffi" }).state === "granted";
  }

  /** Null where there is no such library. */
  static open(): SocketCloser | null {
    for (const name of LIBRARIES) {
      try {
        return new SocketCloser(Deno.dlopen(name, SYMBOLS));
      } catch { /* the next one */ }
    }
    return null;
  }

  /**
   * Closes the connections that are due, and says how many they were.
   *
   * @param isDue whether the socket of this number is to be closed at this very moment
   */
  async close(isDue: (inode: number) => boolean): Promise<number> {
    let closed = 0;
    for (const [index, descriptor] of (await descriptors()).entries()) {
      if (index % IN_ONE_TURN === IN_ONE_TURN - 1) await pause(0);
      const inode = socketOf(descriptor);
      if (inode === null || !isDue(inode)) continue;
      if (this.#library.symbols.shutdown(Number(descriptor), BOTH_WAYS) === 0) closed++;
    }
    return closed;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
