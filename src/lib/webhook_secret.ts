/** Secrets that sign webhooks, as Standard Webhooks writes them. Never logged. */
import { readProblem } from "./error_message.ts";

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** What receivers accept, in bytes. */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/** A new secret: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return PREFIX + btoa(String.fromCharCode(...bytes));
}

/**
 * The secrets in the file, one a line: all of them sign, so that one can take the place of another
 * without a gap. Read each time, so that a changed file counts.
 *
 * @throws {Error} with a message for people, which shows nothing of what stands in the file.
 */
export function readWebhookSecrets(path: string): string[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read the webhook secret file ${path}: ${readProblem(error)}`);
  }
  const secrets = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  if (secrets.length > 0 && secrets.every(isWebhookSecret)) return secrets;
  throw new Error(
    `the webhook secret file ${path}: expected whsec_ and ${LEAST_BYTES} to ${MOST_BYTES} bytes ` +
      "in base64 on each line",
  );
}

function isWebhookSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  try {
    const { length } = atob(text.slice(PREFIX.length));
    return length >= LEAST_BYTES && length <= MOST_BYTES;
  } catch {
    return false;
  }
}
