/**
 * The pages for people, at `/`, `/docs` and under `/ui`. Owns the way of a request: who looks, which page,
 * and what an error looks like; each page has its own file.
 *
 * Invariant: whatever happens, the answer is a page, and it shows no more of an unexpected error
 * than that there was one.
 */
import { InvalidInputError, QueueError } from "../job/errors.ts";
import type { PageCall, Pages } from "../lib/pages.ts";
import { answerAsset } from "./assets.ts";
import type { Context, Page, Services } from "./context.ts";
import { barePage, page } from "./layout.tsx";
import { loginPage, signIn, signOut } from "./pages/login.tsx";
import { PAGES } from "./routes.ts";

/** An unexpected failure, for the log. */
export type OnFailure = (error: unknown, path: string) => void;

/** The pages of a queue. */
export function createDashboard(services: Services, onFailure: OnFailure = () => {}): Pages {
  return {
    async answer(call) {
      try {
        return await answer(call, services);
      } catch (error) {
        const status = statusOf(error);
        if (status === 500) onFailure(error, call.path);
        return await errorPage(error, status, call, services);
      }
    },
  };
}

async function answer(call: PageCall, services: Services): Promise<Response> {
  const { path } = call;
  const method = call.request.method === "HEAD" ? "GET" : call.request.method;
  if (path.startsWith("/ui/assets/")) {
    const asset = method === "GET" ? answerAsset(path) : null;
    return asset ?? barePage("Nothing here", 404, <p>There is nothing here.</p>);
  }
  if (method === "POST" && path === "/ui/login") return await signIn(call);
  if (method === "POST" && path === "/ui/logout") return signOut(call);
  if (call.caller === null || path === "/ui/login") return loginPage(call);

  const segments = segmentsOf(path);
  const matches = segments === null ? [] : PAGES.flatMap((one) => {
    const params = paramsOf(one, segments);
    return params === null ? [] : [{ page: one, params }];
  });
  const match = matches.find((one) => one.page.method === method);
  const context = contextOf(call, services, match?.params ?? {});
  if (match === undefined) {
    return matches.length > 0
      ? await problemPage(context, 405, "Not this way", `This page does not take ${method}.`)
      : await problemPage(context, 404, "Nothing here", "There is no page at this address.");
  }
  if (!context.caller.may(match.page.scope)) {
    if (method === "GET" && segments!.length === 0 && context.caller.may("submit")) {
      return await PAGES.find(({ path }) => path === "/new")!.handler(context);
    }
    return await problemPage(
      context,
      403,
      "Not allowed",
      `This needs a token with the scope ${match.page.scope}; yours (${context.caller.name}) ` +
        "does not have it.",
    );
  }
  return await match.page.handler(context);
}

function contextOf(
  call: PageCall,
  services: Services,
  params: Readonly<Record<string, string>>,
): Context {
  const nowMs = services.queue.clock();
  let stats: ReturnType<Context["stats"]> | undefined;
  return {
    call,
    services,
    caller: call.caller!,
    params,
    query: new URLSearchParams(call.query),
    nowMs,
    stats: () => stats ??= services.queue.stats(),
  };
}

/** The decoded segments after `/ui`, or of what stands beside it; null for what is no path of ours. */
function segmentsOf(path: string): string[] | null {
  const rest = path === "/" || path === "/ui/"
    ? ""
    : path === "/docs"
    ? path
    : path.slice("/ui".length);
  try {
    return rest.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return null;
  }
}

function paramsOf({ path }: Page, segments: readonly string[]): Record<string, string> | null {
  const pattern = path.split("/").slice(1).filter((segment) => segment !== "");
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index]!;
    if (expected.startsWith("{")) {
      if (segment === "") return null;
      params[expected.slice(1, -1)] = segment;
    } else if (expected !== segment) return null;
  }
  return params;
}

/** The same statuses as the API gives. */
const STATUS = {
  "malformed": 400,
  "invalid": 422,
  "not-found": 404,
  "conflict": 409,
  "forbidden": 403,
  "too-large": 413,
  "queue-full": 429,
  "store-unavailable": 503,
} as const;

function statusOf(error: unknown): number {
  if (!(error instanceof QueueError)) return 500;
  return (STATUS as Partial<Record<string, number>>)[error.code] ?? 500;
}

async function errorPage(
  error: unknown,
  status: number,
  call: PageCall,
  services: Services,
): Promise<Response> {
  const texts = status === 500
    ? ["Something unexpected went wrong; the server's log says what."]
    : error instanceof InvalidInputError
    ? error.problems.map(({ detail }) => detail)
    : [(error as Error).message];
  const title = TITLES[status] ?? "That did not work";
  if (call.caller === null) return barePage(title, status, <Problem title={title} texts={texts} />);
  return await problemPage(contextOf(call, services, {}), status, title, ...texts);
}

const TITLES: Readonly<Record<number, string>> = {
  404: "There is no such thing",
  409: "That is not possible now",
  500: "The server failed",
  503: "The store cannot be used",
};

/** A page that says what is wrong. */
function problemPage(
  context: Context,
  status: number,
  title: string,
  ...texts: readonly string[]
): Promise<Response> {
  return page(context, { title, status }, <Problem title={title} texts={texts} />);
}

function Problem({ title, texts }: { title: string; texts: readonly string[] }) {
  return (
    <section class="problem">
      <h1>{title}</h1>
      {texts.map((text) => (
        <p>
          <bdi>{text}</bdi>
        </p>
      ))}
      <p>
        <a href="/ui">Back to the overview</a>
      </p>
    </section>
  );
}
