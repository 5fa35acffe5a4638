/** What people do with the pages: find out, correct, run again, add, search, change many. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { browserTest, sees } from "./viewer.ts";

browserTest(
  "somebody finds out by clicking why a job died, corrects it, and sees it run",
  async ({ url, api, open }) => {
    const command = "echo starting; cat /no/such/file";
    await api.post("/jobs", { id: "backup", command, max_retries: 0 });
    await api.call("/jobs/backup?wait=20");
    const page = await open();
    await page.goto(url);
    await page.getByRole("link", { name: /Dead letters/ }).click();
    await page.getByRole("link", { name: "Look at it" }).click();
    await sees(page, "This job died");
    await sees(page, /cannot access|No such file/);
    await sees(page, "starting");
    await page.getByRole("link", { name: "Edit and run again" }).click();
    await page.getByLabel("Command").fill("echo starting; echo all is well");
    await page.getByRole("button", { name: "Run again with these changes" }).click();
    await sees(page, "The job was changed and will run again.");
    // Without loading the page anew.
    await sees(page, "Completed");
    await sees(page, "all is well");
    assert.equal((await api.get("/jobs/backup")).body.state, "completed");
  },
);

browserTest(
  "the overview shows by itself what happens, and takes nothing away from who looks",
  async ({ url, api, open }) => {
    const page = await open();
    await page.goto(url);
    await sees(page, "No jobs yet. Add one:");
    await page.locator("#live.on").waitFor();
    await page.getByLabel("Search jobs").fill("half a wo");
    await page.evaluate(() => Reflect.set(globalThis, "isSamePage", true));
    await api.post("/jobs", { command: "exit 7", max_retries: 0 });
    await sees(page, /exit code 7/);
    await page.locator("#nav .badge").getByText("1").waitFor();
    assert.equal(await page.getByLabel("Search jobs").inputValue(), "half a wo");
    const focused = await page.evaluate("document.activeElement.name");
    assert.equal(focused, "q");
    assert.equal(await page.evaluate(() => Reflect.get(globalThis, "isSamePage")), true);
  },
);

browserTest(
  "the output of a running job appears as it is printed; the job can be stopped",
  async ({ url, api, open }) => {
    const command = "n=0; while true; do n=$((n+1)); echo line $n; sleep 0.2; done";
    await api.post("/jobs", { id: "endless", command });
    const page = await open();
    await page.goto(`${url}/ui/jobs/endless`);
    await sees(page, "Runs now");
    await sees(page, /line 1\b/);
    await sees(page, /line 9\b/);
    await page.getByRole("button", { name: "Stop it" }).click();
    await sees(page, "Cancelled");
    assert.equal((await api.get("/jobs/endless")).body.state, "cancelled");
  },
);

browserTest(
  "selected jobs are changed after their number was shown",
  async ({ url, api, open }) => {
    for (const id of ["a", "b", "c"]) await api.post("/jobs", { id, command: "true", delay: "1h" });
    const page = await open();
    await page.goto(`${url}/ui/jobs`);
    await page.getByLabel("Select job a").check();
    await page.getByLabel("Select job c").check();
    await page.getByText("the selected jobs (2)").waitFor({ state: "attached" });
    // A refresh of the page leaves the choice alone.
    await api.post("/jobs", { id: "d", command: "true", delay: "1h" });
    await page.getByLabel("Select job d").waitFor();
    assert.equal(await page.getByLabel("Select job a").isChecked(), true);
    await page.getByRole("button", { name: "Cancel…" }).click();
    await sees(page, "Cancel: 2 jobs?");
    await page.getByRole("button", { name: "Cancel: 2 jobs" }).click();
    await sees(page, "2 jobs cancelled.");
    const { body } = await api.get("/jobs?state=cancelled");
    assert.deepEqual(body.jobs.map((job: { job_id: string }) => job.job_id).sort(), ["a", "c"]);

    await page.goto(`${url}/ui/jobs?state=pending`);
    await page.getByLabel("With").selectOption("all");
    await page.getByRole("button", { name: "Delete…" }).click();
    await sees(page, "Delete: 2 jobs?");
    await page.getByRole("button", { name: "Delete: 2 jobs" }).click();
    await sees(page, "2 jobs deleted.");
  },
);

browserTest("files are uploaded by dropping them", async ({ url, api, open }) => {
  const page = await open();
  await page.goto(`${url}/ui/new`);
  const drop = async (names: readonly string[]) => {
    const data = await page.evaluateHandle(`(() => {
      const data = new DataTransfer();
      for (const name of ${JSON.stringify(names)}) {
        data.items.add(new File(["text of " + name], name));
      }
      return data;
    })()`);
    await page.dispatchEvent(".drop", "drop", { dataTransfer: data });
  };
  await drop(["one.txt"]);
  await sees(page, "The job was added.");
  await sees(page, '"characters": 15');
  await page.goto(`${url}/ui/new`);
  await drop(["two.txt", "three.txt"]);
  await page.waitForURL(`${url}/ui/jobs`);
  await eventually(async () => (await api.get("/stats")).body.jobs.completed === 3, {
    what: "all three were counted",
  });
});

browserTest("everything essential works without a script", async ({ url, api, open }) => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(`${url}/ui/new`);
  await page.getByLabel("Command, as in a shell").fill("echo to stderr >&2; exit 4");
  await page.getByText("More options").first().click();
  await page.getByLabel("Retries").first().fill("0");
  await page.getByRole("button", { name: "Add the command" }).click();
  await sees(page, "The job was added.");
  const id = new URL(page.url()).pathname.split("/").at(-1)!;
  await api.call(`/jobs/${id}?wait=20`);
  await page.goto(`${url}/ui/dead`);
  await page.getByRole("button", { name: "Run it again" }).click();
  await sees(page, "1 job will run again.");
  await api.call(`/jobs/${id}?wait=20`);
  await page.goto(`${url}/ui/jobs/${id}?find=stderr`);
  await sees(page, "1 line found");
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await sees(page, "1 job deleted.");
});

browserTest("the page keeps up with a thousand events a second", async ({ url, api, open }) => {
  const page = await open();
  await page.goto(url);
  await page.locator("#live.on").waitFor();
  // The longest time in which the page could not have answered a key.
  await page.evaluate(() => {
    let lastMs = performance.now();
    Reflect.set(globalThis, "longestMs", 0);
    const tick = () => {
      const nowMs = performance.now();
      const longestMs = Math.max(Reflect.get(globalThis, "longestMs"), nowMs - lastMs);
      Reflect.set(globalThis, "longestMs", longestMs);
      lastMs = nowMs;
      setTimeout(tick, 10);
    };
    tick();
  });
  const batch = Array.from({ length: 250 }, () => ({ kind: "count", payload: "x" }));
  const jobs = 3_000; // each has several events
  const startedMs = performance.now();
  for (let sent = 0; sent < jobs; sent += batch.length) {
    assert.equal((await api.post("/jobs/batch", batch)).status, 201);
  }
  const isShown = async () =>
    await page.locator(".tile", { hasText: "Completed" }).innerText() === "Completed\n3,000";
  await eventually(isShown, { what: "the page shows the end", timeoutMs: 120_000 });
  const seconds = (performance.now() - startedMs) / 1_000;
  const longestMs = await page.evaluate(() => Reflect.get(globalThis, "longestMs"));
  // Where the browser itself gets no processor for a while, all of this takes longer.
  const limitMs = Math.max(1_000, seconds * 1_000 / 2);
  assert.ok(longestMs < limitMs, `the page stood still for ${longestMs} ms of ${seconds} s`);
});
