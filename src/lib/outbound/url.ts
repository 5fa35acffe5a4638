/** URLs that requests are sent to: which are taken, and how they are shown. */

const URL_CHARACTERS = 8_192;

/** What is wrong with the URL of a request, "expected …"; null: nothing. */
export function findUrlProblem(value: unknown): string | null {
  if (typeof value !== "string") return "expected a URL as a string";
  if (value.length > URL_CHARACTERS) {
    return `expected a URL of at most ${URL_CHARACTERS} characters, got ${value.length}`;
  }
  // The parser would drop some of these without a word.
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x20\x7f]/.test(value)) return "expected a URL without spaces and control characters";
  const url = URL.parse(value);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return `expected a URL that begins with http:// or https://, got ${shorten(value)}`;
  }
  if (url.username !== "" || url.password !== "") {
    return "expected a URL without a user name and password; the header Authorization is for them";
  }
  return null;
}

/**
 * The URL as lists and logs may show it: what follows the `?` may hold secrets.
 *
 * @example
 * ```ts
 * import { publicUrl } from "./url.ts";
 * import assert from "node:assert/strict";
 * assert.equal(publicUrl("https://shop.example/hook?key=1"), "https://shop.example/hook?…");
 * ```
 */
export function publicUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return "";
  return `${url.protocol}//${url.host}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
