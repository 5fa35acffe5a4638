/**
 * The table in which Linux lists TCP connections, as text and as values. Owns its format; reads no
 * file and does not know which of the connections are ours.
 *
 * Invariant: an address is written here as the kernel writes it, so that texts can be compared.
 */
import { parseAddress } from "../lib/outbound/ip_address.ts";

/** A connection that was made and that neither side has ended for good. */
export interface TcpConnection {
  /** The number of its socket. */
  readonly inode: number;
  /** The other side, as {@link kernelAddress} writes it. */
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Whether bytes wait in the kernel: for the other side to take them, or for us. */
  readonly hasBytesWaiting: boolean;
}

/** The table that lists connections to a listener on this address. */
export function tcpTableOf(listenAddress: string): string {
  return `/proc/self/net/${listenAddress.includes(":") ? "tcp6" : "tcp"}`;
}

/**
 * The connections to a local port. Those that nobody has accepted yet are left out: no process has
 * them.
 *
 * @example
 * ```ts
 * import { connectionsTo } from "./tcp_table.ts";
 * import assert from "node:assert/strict";
 * const table = "   4: 0100007F:1F40 0100007F:A526 01 00000000:00000000 00:00000000 00000000 " +
 *   "    0        0 12570230 1 000000009a49e1d3 20 4 30 10 -1\n";
 * assert.deepEqual(connectionsTo(8000, table), [
 *   { inode: 12570230, remoteHost: "0100007F", remotePort: 42278, hasBytesWaiting: false },
 * ]);
 * ```
 */
export function connectionsTo(port: number, table: string): TcpConnection[] {
  const localPort = port.toString(16).toUpperCase().padStart(4, "0");
  // Established, or closed by the other side alone; then queues, two timers, the user, a time-out.
  const row = new RegExp(
    `:${localPort} ([0-9A-F]+):([0-9A-F]{4}) 0[18] ([0-9A-F]{8}:[0-9A-F]{8}) ` +
      String.raw`\S+ \S+ +\d+ +\d+ (\d+) `,
    "g",
  );
  return Array.from(table.matchAll(row), ([, host, remotePort, queues, inode]) => ({
    inode: Number(inode),
    remoteHost: host!,
    remotePort: parseInt(remotePort!, 16),
    hasBytesWaiting: queues !== "00000000:00000000",
  })).filter(({ inode }) => inode !== 0);
}

/**
 * An address as the table has it: words of four bytes in the processor's order, which is the little
 * endian one wherever this runtime exists.
 *
 * @throws {TypeError} for what is no address.
 */
export function kernelAddress(address: string): string {
  const bytes = parseAddress(address);
  if (bytes === null) throw new TypeError(`not an address: ${address}`);
  const inWords = bytes.map((_, index) => bytes[index - index % 4 + 3 - index % 4]!);
  return inWords.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join("");
}
