/** Answers in few words, for people; never with what may be secret. */
import { type Answer, headerOf } from "./response_reader.ts";
import { publicUrl } from "./url.ts";

/** The status of an answer that is no success, and what the server said about it. */
export function explainAnswer({ status, reason, headers, body }: Answer): string {
  const title = oneLine(`HTTP ${status} ${reason}`);
  const location = status >= 300 && status < 400 ? headerOf(headers, "location") : null;
  if (location !== null) {
    const target = oneLine(publicUrl(location)) || "another place";
    return `${title}: redirects are not followed, and this one leads to ${target}`;
  }
  const words = oneLine(new TextDecoder().decode(body.subarray(0, 1_024)));
  return words === "" ? title : `${title}: ${words}`;
}

/** Whether the request was done. */
export function isSuccess({ status }: Pick<Answer, "status">): boolean {
  return status >= 200 && status < 300;
}

function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const flat = text.replace(/[\x00-\x20\x7f]+/g, " ").trim();
  return flat.length > 200 ? `${flat.slice(0, 199)}…` : flat;
}
