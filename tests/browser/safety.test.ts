/** Signing in, hostile data, the keyboard: what must hold in a real browser. */
import assert from "node:assert/strict";
import { queuectl } from "../helpers/cli.ts";
import { browserTest, sees } from "./viewer.ts";

const EVIL = `"><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>`;

browserTest("what a job carries is never run, wherever it is shown", async ({ url, api, open }) => {
  const command = `printf '%s\\n' '${EVIL}'; printf '%s' '${EVIL}' >&2; exit 1`;
  await api.post("/jobs", { id: "evil", command, max_retries: 0, key: EVIL });
  await api.post("/jobs", { kind: "count", payload: EVIL });
  await api.call("/jobs/evil?wait=20");
  const page = await open();
  for (
    const path of [
      "/ui",
      "/ui/jobs",
      "/ui/dead",
      "/ui/jobs/evil",
      "/ui/jobs/evil/edit",
      "/ui/new?from=evil",
      `/ui/jobs/evil?find=${encodeURIComponent("<script>")}`,
      `/ui/jobs?q=${encodeURIComponent(EVIL)}`,
      "/jobs/evil/output",
    ]
  ) {
    await page.goto(url + path);
    const foreign = await page.evaluate(
      "document.querySelectorAll(\"script:not([src^='/ui/assets/']), " +
        "img:not([src^='/ui/assets/']), [onerror], [onload]\").length",
    );
    assert.equal(foreign, 0, path);
  }
  await page.goto(`${url}/ui/jobs/evil`);
  await sees(page, /<script>alert\(1\)<\/script>/);
});

browserTest(
  "with tokens people sign in once; the cookie is out of reach of scripts, and ends with signing out",
  async ({ url, db, open }) => {
    const { stdout } = await queuectl(
      ["token", "create", "--name", "ann", "--scopes", "read", "--json"],
      { db },
    );
    const token = JSON.parse(stdout).secret;
    const page = await open();
    await page.goto(`${url}/ui/jobs?state=dead`);
    await page.getByLabel("Token").fill("not the token at all");
    await page.getByRole("button", { name: "Sign in" }).click();
    await sees(page, "This server does not know that token");
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Jobs" }).waitFor();
    assert.equal(new URL(page.url()).search, "?state=dead", "back to where they wanted to go");
    assert.equal(await page.evaluate("document.cookie"), "");
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie!.httpOnly, cookie!.sameSite], [true, "Strict"]);
    assert.doesNotMatch(cookie!.value, new RegExp(token));
    await page.locator("#live.on").waitFor();
    assert.equal(await page.getByRole("link", { name: "New job" }).count(), 0, "no such scope");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    await page.goto(`${url}/ui/jobs`);
    await page.getByLabel("Token").waitFor();
  },
  { args: ["--require-token"], allowed: /status of 40[13]/ },
);

browserTest(
  "a keyboard is enough: skip link, visible focus, keys for places and rows",
  async ({ url, api, open }) => {
    for (const id of ["a", "b"]) await api.post("/jobs", { id, command: "true", delay: "1h" });
    const page = await open();
    await page.goto(`${url}/ui`);
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the content" });
    assert.ok((await skip.boundingBox())!.x >= 0, "it shows once it has the focus");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.keyboard.press("Tab");
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert.equal(outline, "solid");

    await page.keyboard.press("g");
    await page.keyboard.press("j");
    await page.waitForURL(`${url}/ui/jobs`);
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    assert.equal(await page.getByLabel("Select job a").isChecked(), true);
    await page.keyboard.press("/");
    await page.keyboard.type("jjx?");
    assert.equal(await page.getByLabel("Search jobs").inputValue(), "jjx?", "typing is typing");
    await page.keyboard.press("Escape");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/ui/jobs/b`);
    await page.keyboard.press("?");
    await page.waitForURL(`${url}/ui/help`);
    await page.getByLabel(/no shortcuts of single keys/).check();
    await page.keyboard.press("n");
    await page.keyboard.press("g");
    assert.equal(page.url(), `${url}/ui/help`);
  },
);

browserTest(
  "whoever has signed in comes by a link on another site to the page, without signing in again",
  async ({ url, db, open }) => {
    const { stdout } = await queuectl(
      ["token", "create", "--name", "ann", "--scopes", "read", "--json"],
      { db },
    );
    await using other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () =>
        new Response(`<a href="${url}/ui/workers">look</a>`, {
          headers: { "content-type": "text/html" },
        }),
    );
    const page = await open();
    await page.goto(`${url}/ui`);
    await page.getByLabel("Token").fill(JSON.parse(stdout).secret);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    // Another site to browsers, although it is the same machine.
    await page.goto(`http://localhost:${other.addr.port}/`);
    await page.getByRole("link", { name: "look" }).click();
    await page.getByRole("heading", { name: "Workers", exact: true }).waitFor();
    assert.equal(page.url(), `${url}/ui/workers`);
  },
  { args: ["--require-token"], allowed: /status of 40[14]|asked elsewhere: http:\/\/localhost/ },
);
