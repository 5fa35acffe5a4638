/**
 * Which addresses a request may be sent to. Owns the list of those that are not the public internet;
 * pure, asks no resolver.
 *
 * Invariant: what is not known to be public counts as not public.
 */

/** An address as bytes: 4 of IPv4, 16 of IPv6. */
export type Bytes = readonly number[];

interface Block {
  readonly prefix: Bytes;
  readonly bits: number;
  readonly name: string;
}

/** IANA IPv4 Special-Purpose Address Registry (RFC 6890), and multicast. */
const IPV4_BLOCKS: readonly Block[] = [
  block("0.0.0.0", 8, "an unspecified"),
  block("10.0.0.0", 8, "a private"),
  block("100.64.0.0", 10, "a carrier-grade NAT"),
  block("127.0.0.0", 8, "a loopback"),
  block("169.254.0.0", 16, "a link-local"),
  block("172.16.0.0", 12, "a private"),
  block("192.0.0.0", 24, "a reserved"),
  block("192.0.2.0", 24, "a documentation"),
  block("192.88.99.0", 24, "a reserved"),
  block("192.168.0.0", 16, "a private"),
  block("198.18.0.0", 15, "a benchmarking"),
  block("198.51.100.0", 24, "a documentation"),
  block("203.0.113.0", 24, "a documentation"),
  block("224.0.0.0", 4, "a multicast"),
  block("240.0.0.0", 4, "a reserved"),
];

/** The first that matches counts. Beyond them only 2000::/3 is public (RFC 4291, section 2.4). */
const IPV6_BLOCKS: readonly Block[] = [
  block("::", 128, "an unspecified"),
  block("::1", 128, "a loopback"),
  block("::ffff:0:0", 96, "an IPv4-mapped"),
  block("fc00::", 7, "a unique-local"),
  block("fe80::", 10, "a link-local"),
  block("fec0::", 10, "a site-local"),
  block("ff00::", 8, "a multicast"),
  block("2001::", 23, "a reserved"),
  block("2001:db8::", 32, "a documentation"),
  block("2002::", 16, "a 6to4"),
  block("3fff::", 20, "a documentation"),
];

const PUBLIC_IPV6 = block("2000::", 3, "a public");

/** Behind these stands the IPv4 address in the last four bytes (RFC 6052). */
const NAT64 = block("64:ff9b::", 96, "a NAT64");

/**
 * What kind of address it is that is not public, as `a loopback`; null: it is public.
 *
 * @example
 * ```ts
 * import { findNonPublic } from "./ip_address.ts";
 * import assert from "node:assert/strict";
 * assert.equal(findNonPublic("169.254.169.254"), "a link-local");
 * assert.equal(findNonPublic("9.9.9.9"), null);
 * ```
 */
export function findNonPublic(address: string): string | null {
  const bytes = parseAddress(address);
  if (bytes === null) return "an unreadable";
  if (bytes.length === 4) return nameOf(bytes, IPV4_BLOCKS);
  if (contains(NAT64, bytes)) return nameOf(bytes.slice(12), IPV4_BLOCKS);
  return nameOf(bytes, IPV6_BLOCKS) ?? (contains(PUBLIC_IPV6, bytes) ? null : "a reserved");
}

/** Whether the text is an address of either kind, in its usual notation. */
export function isIpAddress(text: string): boolean {
  return parseAddress(text) !== null;
}

function nameOf(bytes: Bytes, blocks: readonly Block[]): string | null {
  return blocks.find((one) => contains(one, bytes))?.name ?? null;
}

function contains({ prefix, bits }: Block, bytes: Bytes): boolean {
  for (let index = 0, left = bits; left > 0; index++, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if ((bytes[index]! & mask) !== (prefix[index]! & mask)) return false;
  }
  return true;
}

function block(address: string, bits: number, name: string): Block {
  return { prefix: parseAddress(address)!, bits, name };
}

/** The bytes of an address in its usual notation; null: it is none. */
export function parseAddress(text: string): Bytes | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Four decimal numbers; what other programs take besides (octal, hexadecimal) is none here. */
function parseIpv4(text: string): Bytes | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseIpv6(text: string): Bytes | null {
  const address = text.replace(/%.*$/, ""); // a zone names an interface, not an address
  const halves = address.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map(parseGroups);
  if (groups.some((half) => half === null)) return null;
  const [head, tail = []] = groups as number[][];
  const missing = 16 - head!.length - tail.length;
  const isComplete = halves.length === 1 ? missing === 0 : missing >= 2;
  return isComplete ? [...head!, ...Array<number>(missing).fill(0), ...tail] : null;
}

/** The bytes of `a:b:c`; the last group may be an IPv4 address. */
function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const ipv4 = index === groups.length - 1 ? parseIpv4(group) : null;
    if (ipv4 === null) return null;
    bytes.push(...ipv4);
  }
  return bytes;
}
