/**
 * Which other sites' pages may use the API from a browser: none, unless the setting `cors-origins`
 * names them. Owns the headers of that protocol (https://fetch.spec.whatwg.org/#http-cors-protocol).
 * Cookies play no part in it: what such a page may do, its token says.
 */
import { SECURITY_HEADERS } from "./headers.ts";

/** How long a browser may remember the answer to its question, in seconds. */
const REMEMBER_S = "600";

export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /** @param origins as the setting gives them: `https://app.example` */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins.map((origin) => origin.replace(/\/+$/, "").toLowerCase()));
  }

  /** Whether requests from this origin are welcome. */
  allows(origin: string | null): boolean {
    return origin !== null && this.#origins.has(origin);
  }

  /** The answer to a browser's question whether it may send a request; null: it is none. */
  preflight(request: Request): Response | null {
    const { headers, method } = request;
    const isQuestion = method === "OPTIONS" && headers.has("access-control-request-method");
    if (!isQuestion || !this.allows(headers.get("origin"))) return null;
    return new Response(null, {
      status: 204,
      headers: {
        ...SECURITY_HEADERS,
        "access-control-allow-methods": "GET, POST, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type, idempotency-key",
        "access-control-max-age": REMEMBER_S,
      },
    });
  }

  /** Lets the page at this origin read the answer, if it is welcome. */
  mark(response: Response, origin: string | null): Response {
    if (this.#origins.size === 0) return response;
    response.headers.append("vary", "origin");
    if (!this.allows(origin)) return response;
    response.headers.set("access-control-allow-origin", origin!);
    response.headers.set(
      "access-control-expose-headers",
      "location, retry-after, idempotency-replayed",
    );
    return response;
  }
}
