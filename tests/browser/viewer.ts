/**
 * A service and a browser that looks at it. Owns how both are started and stopped, and what a page
 * must never do; knows nothing of what the pages show. The browser is Debian's Chromium, which
 * `src/dev/run_tests.ts` sees to.
 */
import assert from "node:assert/strict";
import axe from "axe-core";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { CHROMIUM } from "../../src/dev/chromium.ts";
import { type Api, apiOf } from "../helpers/api.ts";
import { type Service, spawnServer, tempDir } from "../helpers/cli.ts";

/** A service with two workers that takes commands, and a browser. */
export interface Bench {
  /** Where the service is, without a slash at the end. */
  readonly url: string;
  readonly api: Api;
  readonly service: Service;
  readonly db: string;
  open(options?: BrowserContextOptions): Promise<Page>;
}

/** How long anything may take that a person would wait for, on a machine with much else to do. */
const PATIENCE_MS = 45_000;

/**
 * A test in a browser. It fails when a page logs an error, opens a dialog or asks another server,
 * unless `allowed` says that this error is what the test is about.
 */
export function browserTest(
  promise: string,
  prove: (bench: Bench) => Promise<void>,
  { args = ["--allow-commands"], allowed }: { args?: readonly string[]; allowed?: RegExp } = {},
): void {
  Deno.test({
    name: promise,
    // The driver keeps timers and the pipes to its browser until the very end.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using temp = await tempDir();
      await using service = await spawnServer(
        ["--workers", "2", "--backoff-base", "0.5", ...args],
        { db: temp.db },
      );
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        // Containers forbid the sandbox, and have little shared memory.
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
      });
      const troubles: string[] = [];
      try {
        const open = async (options?: BrowserContextOptions) => {
          const context = await browser.newContext(options);
          context.setDefaultTimeout(PATIENCE_MS);
          const page = await context.newPage();
          watch(page, service.url, troubles);
          return page;
        };
        await prove({ url: service.url, api: apiOf(service), service, db: temp.db, open });
        assert.deepEqual(troubles.filter((trouble) => !allowed?.test(trouble)), []);
      } finally {
        await browser.close();
      }
    },
  });
}

function watch(page: Page, url: string, troubles: string[]): void {
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`)) troubles.push(`asked elsewhere: ${request.url()}`);
  });
}

/** Waits until the page's main part says so. */
export async function sees(page: Page, text: string | RegExp): Promise<void> {
  await page.locator("main").getByText(text).first().waitFor();
}

/** Checks that axe finds nothing wrong with the page as it is now. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // By way of the debugger, which the page's policy for scripts does not bind.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    // deno-lint-ignore no-explicit-any -- axe stands in the page's own global object
    (globalThis as any).axe.run({ resultTypes: ["violations"] })
  );
  const found = violations.map((
    { id, help, nodes }: {
      id: string;
      help: string;
      nodes: { html: string; failureSummary: string }[];
    },
  ) =>
    `${id}: ${help}\n${
      nodes.slice(0, 4).map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join(
        "\n",
      )
    }`
  );
  assert.deepEqual(found, [], what);
}
