/** The pages of the whole program: also of the executable, which has their files inside. */
import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { spawnServer, tempDir } from "../helpers/cli.ts";

Deno.test("the program serves its pages with everything that they load", async () => {
  await using temp = await tempDir();
  await using service = await spawnServer(["--workers", "1"], { db: temp.db, cwd: temp.dir });
  const api = apiOf(service);
  const { status, text } = await api.call("/", { headers: { accept: "text/html" } });
  assert.equal(status, 200, service.stderr);
  assert.match(text, /No jobs yet\. Add one:/);
  const urls = new Set(
    [...text.matchAll(/(?:href|src)="(\/ui\/assets\/[^"]+)"/g)].map(([, url]) => url!),
  );
  const types: string[] = [];
  for (const url of urls) {
    const asset = await api.get(url);
    assert.equal(asset.status, 200, url);
    assert.ok(asset.text.length > 100, url);
    types.push(asset.headers.get("content-type")!.split(";")[0]!);
  }
  assert.deepEqual(types.sort(), ["image/svg+xml", "text/css", "text/javascript"]);
  const { body } = await api.post("/jobs", { id: "j", kind: "count", payload: "abc" });
  assert.equal(body.job_id, "j");
  await api.get("/jobs/j?wait=20");
  assert.match((await api.get("/ui/jobs/j")).text, /&quot;characters&quot;: 3/);
  assert.equal((await service.stop()).code, 0);
});
