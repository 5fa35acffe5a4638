/**
 * Answers of the pages. Owns what browsers are told about them: run and load nothing but our own
 * files, show them in no frame, keep no copy.
 */

/**
 * `same-origin` and not `no-referrer`: with that browsers would send forms with the origin `null`,
 * and the server could not tell them from another site's.
 */
const HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** A page as HTML. */
export function htmlAnswer(
  html: string,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Response {
  return new Response(html, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      ...HEADERS,
      ...headers,
    },
  });
}

/** Sends the browser on, as the answer to a form. The place is a path of these pages. */
export function redirect(location: string, headers: Record<string, string> = {}): Response {
  return new Response(null, {
    status: 303,
    headers: { location, "cache-control": "no-store", ...HEADERS, ...headers },
  });
}

/** A file that stays the same for as long as its address does. */
export function assetAnswer(body: string, type: string): Response {
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "public, max-age=31536000, immutable",
      ...HEADERS,
    },
  });
}
