/**
 * What is known of a request's body before and while it comes: its announced length, the errors of
 * bodies that are too long or end too soon, and how the rest of a refused one is taken off the wire.
 */
import { MalformedInputError, TooLargeError } from "../job/errors.ts";

/** How much of a refused body is still taken off the wire, so that its sender reads the answer. */
const DISCARD_BYTES = 32 * 1024 * 1024;
const DISCARD_MS = 5_000;

/** The announced length; null for a body in chunks. */
export function announcedBytes(headers: Headers): number | null {
  const length = headers.get("content-length");
  if (length !== null) return Number(length);
  return headers.has("transfer-encoding") ? null : 0;
}

export function tooLarge(limitBytes: number, found: string): TooLargeError {
  return new TooLargeError(`expected a body of at most ${limitBytes} bytes, but ${found}`);
}

export function cutOff(when: string): MalformedInputError {
  return new MalformedInputError(`the body was cut off ${when}`);
}

/**
 * Takes a refused body off the wire, up to a limit of bytes and time, while the answer is already
 * on its way: a sender that finds its connection reset in the middle of sending never reads why.
 */
export function discardBody(request: Request): void {
  if (request.body === null || request.bodyUsed) return;
  void discard(request.body.getReader());
}

/** Likewise for a body that somebody has begun to read. */
export async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const deadlineMs = performance.now() + DISCARD_MS;
  const timer = setTimeout(() => reader.cancel().catch(() => {}), DISCARD_MS);
  try {
    let bytes = 0;
    while (bytes <= DISCARD_BYTES && performance.now() < deadlineMs) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
    }
    await reader.cancel();
  } catch {
    // The connection is gone, or the runtime has taken the body back: nothing is left to discard.
  } finally {
    clearTimeout(timer);
  }
}
