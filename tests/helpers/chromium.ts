/**
 * The browser of the tests: Debian's Chromium, which `src/dev/run_tests.ts` sees to. Owns how it is
 * started and stopped, and what a page must not do; knows nothing of what the pages show.
 */
import assert from "node:assert/strict";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { CHROMIUM } from "../../src/dev/chromium.ts";

export interface Viewer extends AsyncDisposable {
  readonly browser: Browser;
  /** A page in a context of its own. What it logs as an error, or fails to load, is kept. */
  open(options?: Parameters<Browser["newContext"]>[0]): Promise<View>;
}

export interface View {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts, refused loads, answers with an error. */
  readonly troubles: string[];
}

/** How long anything that a person would wait for may take. */
const PATIENCE_MS = 10_000;

export async function startViewer(): Promise<Viewer> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Containers forbid the sandbox, and have little shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  return {
    browser,
    async open(options) {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error") troubles.push(`console: ${message.text()}`);
      });
      page.on("dialog", (dialog) => {
        troubles.push(`dialog: ${dialog.message()}`);
        dialog.dismiss().catch(() => {});
      });
      page.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        const isOwn = protocol === "data:" || hostname === "127.0.0.1" || hostname === "localhost";
        if (!isOwn) troubles.push(`asked another server: ${request.url()}`);
      });
      return { page, context, troubles };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
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
