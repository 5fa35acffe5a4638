/** What people see, kept in files: a change of it is seen in review. */
import assert from "node:assert/strict";
import { COMMANDS, GROUPS } from "../../src/cli/commands.ts";
import { queuectl, tempDir } from "../helpers/cli.ts";
import { fillStore } from "./fill_store.ts";
import { assertGolden } from "./golden.ts";

const PAGES = ["", ...Object.keys(GROUPS), ...COMMANDS.map(({ path }) => path.join(" "))];

for (const page of PAGES) {
  Deno.test(`the help page of queuectl ${page} is as reviewed`, async () => {
    const { code, stdout, stderr } = await queuectl([...words(page), "--help"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    await assertGolden(`help-${page.replaceAll(" ", "-") || "queuectl"}`, stdout);
  });
}

Deno.test("every command's help shows an example, and --db where it opens a database", () => {
  for (const { path, examples, settings } of COMMANDS) {
    assert.ok(examples.length > 0, path.join(" "));
    const isOffline = ["submit", "healthcheck", "version", "completions", "migrate"]
      .includes(path[0]!); // or names its databases otherwise
    assert.equal(settings.includes("db"), !isOffline, path.join(" "));
  }
});

const VIEWS: readonly [name: string, args: readonly string[]][] = [
  ["list", ["list"]],
  ["list-all", ["list", "--state", "all"]],
  ["list-narrowed", ["list", "--state", "pending,failed", "--queue", "mail"]],
  ["show-dead", ["show", "dead-1"]],
  ["show-count", ["show", "count-1"]],
  ["show-held", ["show", "held-1"]],
  ["dlq-list", ["dlq", "list"]],
  ["status", ["status"]],
];

for (const [name, args] of VIEWS) {
  Deno.test(`queuectl ${args.join(" ")} looks as reviewed`, async () => {
    await using temp = await tempDir();
    await fillStore(temp.db);
    const { code, stdout, stderr } = await queuectl(args, temp);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    await assertGolden(name, stdout.replace(/(waits for) \d.*/, "$1 (a time)"));
  });
}

Deno.test("queuectl config list looks as reviewed", async () => {
  await using temp = await tempDir();
  await queuectl(["config", "set", "max-retries", "5"], { cwd: temp.dir });
  const { code, stdout } = await queuectl(["config", "list"], {
    cwd: temp.dir,
    env: { QUEUECTL_BACKOFF_BASE: "1.5" },
  });
  assert.equal(code, 0);
  const cores = String(navigator.hardwareConcurrency);
  const portable = stdout.replace(/^workers .*$/m, (line) => {
    assert.equal(line.replace(/\s+/g, " "), `workers ${cores} default ${cores}`);
    return "workers (the machine's cores)";
  });
  await assertGolden("config-list", portable);
});

function words(page: string): string[] {
  return page === "" ? [] : page.split(" ");
}
