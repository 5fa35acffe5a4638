/**
 * The frame of every page: head, navigation, footer. Owns what is the same everywhere.
 *
 * Invariant: a page is complete and usable as it is sent; the script only makes it nicer.
 */
import type { Child } from "hono/jsx";
import { htmlAnswer } from "./answer.ts";
import { assetUrl } from "./assets.ts";
import type { Context } from "./context.ts";
import { flashOf } from "./flash.ts";
import { count, link, visible } from "./format.ts";
import { Note } from "./parts.tsx";

/** What the navigation leads to. */
const PLACES = [
  { name: "Overview", segments: [], key: "o" },
  { name: "Jobs", segments: ["jobs"], key: "j" },
  { name: "Dead letters", segments: ["dead"], key: "d" },
  { name: "Queues", segments: ["queues"], key: "q" },
  { name: "Schedules", segments: ["schedules"], key: "s" },
  { name: "Workers", segments: ["workers"], key: "w" },
  { name: "Settings", segments: ["settings"], key: "" },
  { name: "Audit", segments: ["audit"], key: "" },
] as const;

export type PlaceName = (typeof PLACES)[number]["name"];

export interface PageOptions {
  readonly title: string;
  /** The place in the navigation that it belongs to. */
  readonly place?: PlaceName;
  /** Which events it shows the effects of, as the query of `/events`; missing: it does not change. */
  readonly live?: string;
  readonly status?: number;
}

/** The page with this content. */
export async function page(
  context: Context,
  { title, place, live, status }: PageOptions,
  content: Child,
): Promise<Response> {
  const { caller, services, query } = context;
  const mayRead = caller.may("read");
  const dead = mayRead ? await deadJobs(context) : 0;
  const flash = flashOf(query);
  const places = PLACES.filter(({ name }) => mayRead && (name !== "Audit" || caller.may("admin")));
  const body = (
    <Document title={title}>
      <header class="top">
        <div class="bar">
          <a class="brand" href={mayRead ? "/ui" : link(["new"])}>
            <img src={assetUrl("icon.svg")} alt="" width="22" height="22" />
            queuectl
          </a>
          {mayRead && (
            <form class="find" action={link(["jobs"])} role="search">
              <input
                type="search"
                name="q"
                aria-label="Search jobs"
                placeholder="Search jobs: id, or words"
                maxlength={500}
              />
            </form>
          )}
          <span class="space"></span>
          <span class="live" id="live" role="status" hidden></span>
          {caller.isSignedIn && (
            <form class="inline" method="post" action={link(["logout"])}>
              <button type="submit" class="quiet">Sign out</button>
            </form>
          )}
          {caller.may("submit") && <a class="button primary" href={link(["new"])}>New job</a>}
        </div>
        {mayRead && (
          <nav aria-label="Pages" id="nav">
            {places.map(({ name, segments, key }) => (
              <a
                href={link(segments)}
                aria-current={name === place ? "page" : undefined}
                data-key={key === "" ? undefined : key}
              >
                {name}
                {name === "Dead letters" && dead > 0 && <span class="badge">{count(dead)}</span>}
              </a>
            ))}
          </nav>
        )}
      </header>
      <main id="main" tabindex={-1} data-live={live}>
        {flash !== null && <Note tone={flash.tone} role="status">{flash.text}</Note>}
        {content}
      </main>
      <footer>
        <span>queuectl {services.version}</span>
        <a href={link(["help"])}>Help and keyboard shortcuts</a>
        {mayRead && <a href="/docs">API reference</a>}
        <span class="soft">times are UTC</span>
      </footer>
    </Document>
  );
  return htmlAnswer(`<!DOCTYPE html>${body}`, { status });
}

/** The page with this content alone, for those who may not see more. */
export function barePage(title: string, status: number, content: Child): Response {
  const body = (
    <Document title={title}>
      <main id="main" class="bare" tabindex={-1}>{content}</main>
    </Document>
  );
  return htmlAnswer(`<!DOCTYPE html>${body}`, { status });
}

function Document({ title, children }: { title: string; children?: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{visible(`${title} · queuectl`)}</title>
        <link rel="icon" href={assetUrl("icon.svg")} type="image/svg+xml" />
        <link rel="stylesheet" href={assetUrl("app.css")} />
        <script src={assetUrl("app.js")} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        {children}
      </body>
    </html>
  );
}

/** For the mark in the navigation; a store that cannot be read is told of elsewhere. */
async function deadJobs({ stats }: Context): Promise<number> {
  try {
    return (await stats()).counts.dead;
  } catch {
    return 0;
  }
}
