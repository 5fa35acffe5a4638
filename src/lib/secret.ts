/**
 * Secrets that cannot be guessed, and what is kept of them. Knows nothing of who uses them.
 *
 * A secret is 256 random bits, so that its hash needs no slow function: slow hashes make guessing
 * words that people choose expensive, and nobody guesses 256 bits however fast the hash is.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const SECRET_BYTES = 32;

/** Scanners that look for leaked secrets, and people, know by it what they have found. */
const SECRET_PREFIX = "qctl_";

/** A new secret: the prefix and 43 characters of `A-Z a-z 0-9 _ -`. */
export function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const text = btoa(String.fromCharCode(...bytes));
  return SECRET_PREFIX + text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** A short random name: 12 hexadecimal digits. */
export function newShortId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(6)));
}

/** SHA-256 of the text: 32 bytes. Measured: by way of hexadecimal digits it takes a third. */
export function hashSecret(text: string): Uint8Array {
  return Buffer.from(createHash("sha256").update(text).digest("hex"), "hex");
}

/** The bytes as hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
