/** Headers whose values are nobody's business: they are sent, and never shown. */

/** What is shown in the place of a secret. */
export const HIDDEN = "[hidden]";

/**
 * Whether a header of this name holds a secret, as far as its name tells.
 *
 * @example
 * ```ts
 * import { isSecretHeader } from "./secret_headers.ts";
 * import assert from "node:assert/strict";
 * assert.ok(isSecretHeader("Authorization") && isSecretHeader("X-Api-Key"));
 * assert.ok(!isSecretHeader("Idempotency-Key"));
 * ```
 */
export function isSecretHeader(name: string): boolean {
  return /authori[sz]ation|cookie|token|secret|passw|signature|credential|api-?key|access-?key/i
    .test(name);
}

/** A stored request, as it may be shown. */
export function hideSecretHeaders(request: unknown): unknown {
  const { headers } = request as { headers: Record<string, string> };
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    isSecretHeader(name) ? HIDDEN : value,
  ]);
  return { ...(request as object), headers: Object.fromEntries(shown) };
}
