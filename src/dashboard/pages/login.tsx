/**
 * Signing in with a token and out again. The token goes to the server once; what the browser keeps
 * is the cookie of the session.
 */
import type { PageCall } from "../../lib/pages.ts";
import { htmlAnswer, redirect } from "../answer.ts";
import { assetUrl } from "../assets.ts";
import { barePage } from "../layout.tsx";
import { fieldOf, pathOf, readForm } from "../forms.ts";

/** Tokens are short; whoever sends more than this does not send one. */
const MOST_BYTES = 4_096;

/** Asks for a token, and leads back to where it was asked for. */
export function loginPage(call: PageCall): Response {
  const { request, path, query } = call;
  if (call.caller === null && comesFromElsewhere(request.headers)) return comeAgain();
  const isRead = request.method === "GET" && path !== "/ui/login";
  const next = isRead && path.startsWith("/ui")
    ? (query === "" ? path : `${path}?${query}`)
    : "/ui";
  return form(next, call.caller === null && isRead ? 401 : 200, null);
}

export async function signIn(call: PageCall): Promise<Response> {
  const fields = await readForm(call, MOST_BYTES);
  const token = fieldOf(fields, "token");
  const next = pathOf(fields, "next");
  const cookie = token === undefined ? null : call.signIn(token);
  if (cookie !== null) return redirect(next, { "set-cookie": cookie });
  return form(
    next,
    403,
    token === undefined
      ? "Type or paste a token first."
      : "This server does not know that token. It may have expired or been revoked.",
  );
}

export function signOut(call: PageCall): Response {
  return redirect("/ui/login", { "set-cookie": call.signOut() });
}

function form(next: string, status: number, problem: string | null): Response {
  return barePage(
    "Sign in",
    status,
    <section class="login">
      <h1>
        <img src={assetUrl("icon.svg")} alt="" width="28" height="28" /> queuectl
      </h1>
      {problem !== null && <div class="note bad" role="alert">{problem}</div>}
      <form method="post" action="/ui/login">
        <input type="hidden" name="next" value={next} />
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          aria-describedby="token-hint"
        />
        <p class="hint" id="token-hint">
          On the server: <code>queuectl token create --name NAME --scopes read,submit,admin</code>
        </p>
        <button type="submit" class="primary">Sign in</button>
      </form>
    </section>,
  );
}

/**
 * Whether a link on another site's page led here. Then the browser keeps the cookie of the session
 * to itself, although there may be one.
 */
function comesFromElsewhere(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return (site === "cross-site" || site === "same-site") &&
    headers.get("sec-fetch-mode") === "navigate";
}

/** Makes the browser ask once more, now from our own page. */
function comeAgain(): Response {
  const html = "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>queuectl</title>" +
    '<meta http-equiv="refresh" content="0"><p>One moment…</p></html>';
  return htmlAnswer(html, { headers: { vary: "sec-fetch-site" } });
}
