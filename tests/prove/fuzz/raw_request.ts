/** Requests as the bytes of a connection. Knows how one is written, not what is in it. */
import { joinBytes } from "../../../src/lib/bytes.ts";
import type { Random } from "../../../src/lib/clock.ts";

export type RawRequest = (random: Random, host: string) => Uint8Array;

export interface RequestParts {
  /** Whole lines. */
  readonly headers?: readonly string[];
  /** The content type of the body. */
  readonly type?: string;
  readonly body?: Uint8Array;
}

export function request(
  host: string,
  method: string,
  path: string,
  { headers = [], type, body = new Uint8Array() }: RequestParts = {},
): Uint8Array {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...[`Host: ${host}`, "Connection: close"],
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    ...headers,
    `Content-Length: ${body.length}`,
  ];
  return joinBytes([encode(`${lines.join("\r\n")}\r\n\r\n`), body]);
}

export function encode(text: string): Uint8Array<ArrayBuffer> {
  // Deno 2.4 does not say that the buffer is not shared.
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}
