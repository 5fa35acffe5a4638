/**
 * What is known of a request's body before and while it comes: its announced length, the errors of
 * bodies that are too long or end too soon, and how the rest of a refused one is taken off the wire.
 */
import { MalformedInputError, TooLargeError } from "../job/errors.ts";
import { within } from "../lib/pause.ts";

/** How much of a refused body is still taken off the wire, so that its sender reads the answer. */
const DISCARD_BYTES = 64 * 1024 * 1024;
const DISCARD_MS = 5_000;

/** How much of a body of unknown length may come before its refusal is told. */
const HELD_BYTES = 16 * 1024 * 1024;
/** The refusal waits no longer than this, and not once nothing has come for `QUIET_MS`. */
const HELD_MS = 2_000;
const QUIET_MS = 200;

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
 * Takes a refused body off the wire, up to a limit of bytes and time: a sender that finds its
 * connection reset in the middle of sending never reads why. Resolves when it is time to answer:
 * the body has come, or pauses, or is too long to wait for; the rest is taken behind the answer.
 * (Deno 2.4 closes the connection as soon as a body that has not come whole is answered.)
 *
 * @returns whether the whole body is off the wire; else the connection is of no use afterwards
 */
export async function discardBody(request: Request): Promise<boolean> {
  const { headers, body, bodyUsed } = request;
  if (body === null || bodyUsed) return true;
  return await discard(body.getReader(), announcedBytes(headers));
}

/** Likewise for a body that somebody has begun to read; `announced` is its whole length. */
export async function discard(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  announced: number | null,
): Promise<boolean> {
  const taken = { bytes: 0, isOver: false };
  const cancel = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, DISCARD_MS);
  const held = take(reader, taken, announced ?? HELD_BYTES);
  void held.then(() => take(reader, taken, DISCARD_BYTES)).then(() => {
    clearTimeout(timer);
    if (!taken.isOver) cancel();
  });
  if (announced !== null && announced > DISCARD_BYTES) return false;
  let isHeld = true;
  void held.then(() => isHeld = false);
  const deadlineMs = performance.now() + HELD_MS;
  for (let before = -1; isHeld && before < taken.bytes && performance.now() < deadlineMs;) {
    before = taken.bytes;
    await within(held, QUIET_MS);
  }
  return taken.isOver;
}

/** Reads on until more than `bytes` were taken, or there is no more. */
async function take(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  taken: { bytes: number; isOver: boolean },
  bytes: number,
): Promise<void> {
  try {
    while (!taken.isOver && taken.bytes <= bytes) {
      const { done, value } = await reader.read();
      if (done) taken.isOver = true;
      else taken.bytes += value.length;
    }
  } catch {
    // The connection is gone, or the runtime has taken the body back: nothing is left to discard.
    taken.isOver = true;
  }
}
