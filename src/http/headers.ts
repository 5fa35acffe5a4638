/**
 * The headers that every answer carries, made once. Owns what browsers are told about our answers:
 * never guess a type, run nothing, show it in no frame, keep no copy.
 */

export const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
} as const;

export const JSON_HEADERS = { "content-type": "application/json", ...SECURITY_HEADERS } as const;

/** Answers 200 with the value as JSON. */
export function json(value: unknown): Response {
  return new Response(JSON.stringify(value), { headers: JSON_HEADERS });
}
