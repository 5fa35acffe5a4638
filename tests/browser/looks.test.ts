/**
 * How the pages look: complete in light and dark and on a phone, and nothing that axe finds wrong.
 * Where QUEUECTL_SHOTS names a directory, a picture of each is left there for people to look at.
 */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { assertAccessible, type Bench, browserTest } from "./viewer.ts";

const MODES = {
  light: { colorScheme: "light", viewport: { width: 1200, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1200, height: 800 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 } },
} as const;

const PAGES = [
  "/",
  "/ui/jobs",
  "/ui/jobs?q=no-such-word",
  "/ui/jobs?q=state:nonsense",
  "/ui/jobs/broken",
  "/ui/jobs/broken?find=line&only=1",
  "/ui/jobs/broken/edit",
  "/ui/jobs/waiting",
  "/ui/jobs/counted",
  "/ui/dead",
  "/ui/queues",
  "/ui/schedules",
  "/ui/workers",
  "/ui/settings",
  "/ui/audit",
  "/ui/new",
  "/ui/help",
  "/docs",
];

/** Pages that are laid out in another way on a phone. */
const CARDS = ["/", "/ui/jobs", "/ui/jobs/broken", "/ui/dead", "/ui/workers"];

async function fill({ api }: Bench): Promise<void> {
  const command = "printf '\\033[32mgreen\\033[0m line\\n\\033[1;31mred\\033[0m line\\n'; " +
    "printf '\\033[43;30mwarning\\033[0m \\033[7minverse\\033[0m\\n' >&2; exit 3";
  await api.post("/jobs", { id: "broken", command, max_retries: 1 });
  for (const id of ["one", "two"]) {
    await api.post("/jobs", { id, command: `echo no ${id} >&2; exit 1`, max_retries: 0 });
  }
  await api.post("/jobs", { id: "waiting", command: "true", delay: "2h", queue: "later" });
  await api.post("/jobs", { id: "counted", kind: "count", payload: "häß" });
  await api.post("/jobs", { id: "gone", command: "sleep 60", queue: "other" });
  await api.post("/jobs/gone/cancel");
  await api.post("/queues/other/pause");
  const schedule = { name: "nightly", cron: "0 3 * * *", tz: "UTC", job: { command: "true" } };
  await api.post("/schedules", schedule);
  const isDone = async () => {
    const { body } = await api.get("/stats");
    return body.jobs.dead === 3 && body.jobs.completed === 1;
  };
  await eventually(isDone, { what: "the jobs have run", timeoutMs: 60_000 });
}

browserTest(
  "every page is complete in light, dark and on a phone, and axe finds nothing",
  async (bench) => {
    await fill(bench);
    const shots = Deno.env.get("QUEUECTL_SHOTS");
    for (const [mode, options] of Object.entries(MODES)) {
      const page = await bench.open(options);
      for (const path of PAGES) {
        await page.goto(bench.url + path);
        const what = `${mode} ${path}`;
        // Colours differ between light and dark; on a phone a few pages are laid out in another way.
        if (mode !== "phone" || CARDS.includes(path)) await assertAccessible(page, what);
        const width = await page.evaluate<number>("document.documentElement.scrollWidth");
        assert.ok(width <= options.viewport.width, `${what} is ${width} px wide`);
        if (shots !== undefined) {
          const name = `${mode}-${path.replaceAll(/\W+/g, "_")}.png`;
          await page.screenshot({ path: `${shots}/${name}`, fullPage: true });
        }
      }
      await page.context().close();
    }
  },
);

browserTest(
  "pages of an empty queue and the page for signing in are complete too",
  async (bench) => {
    const page = await bench.open(MODES.phone);
    for (const path of ["/", "/ui/jobs", "/ui/dead", "/ui/queues", "/ui/audit", "/ui/login"]) {
      await page.goto(bench.url + path);
      await assertAccessible(page, path);
    }
  },
);
